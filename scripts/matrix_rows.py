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
        family: "mlp", "convnet", "lstm" or "gru".
        recipe: What is trained: a recipe or a builder.
        options: Further arguments of `zoo.train`.
        streams: Whether it is exported one step a call too.
    """

    name: str
    family: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = False

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
    """

    row: str
    mode: str
    streaming: bool
    runtime: str
    status: str
    reason: str = ""
    form: str = ""
    bytes: int = 0


_SHORT = {"train_samples": 8000, "schedule": "onecycle", "batch_size": 64, "learning_rate": 0.004}
_SMALL = ("mnist", "fashion_mnist", "digits", "iris", "wine", "breast-cancer", "diabetes")
"""Sets whose recipes are rows; the other families' exports are tested on data of their own, see `tests/export`."""
_EPOCHS = {"mlp": 2, "cnn": 2, "lstm": 5, "gru": 5}


def rows() -> dict[str, Row]:
    """Every recipe of the first families on small sets, and the recurrent networks that no recipe has; by name."""
    cards = [RECIPES.get(name) for name in RECIPES.names()]
    chosen = [card.name for card in cards if card.dataset in _SMALL and card.name.rsplit("-", 1)[1] in _EPOCHS]
    found = [_catalog_row(name) for name in chosen]
    for cell in ("lstm", "gru"):
        shared = {"data": "mnist", "cell": cell, "units": 32, "epochs": _EPOCHS[cell], **_SHORT}
        bidirectional, stacked = {**shared, "bidirectional": True}, {**shared, "layers": 2}
        found.append(Row(name=f"mnist-{cell}-bidirectional", family=cell, recipe="recurrent", options=bidirectional))
        found.append(Row(name=f"mnist-{cell}-stacked", family=cell, recipe="recurrent", options=stacked, streams=True))
    return {row.name: row for row in found}


def _catalog_row(name: str) -> Row:
    """A recipe, shortly trained where its data are many."""
    card = RECIPES.get(name)
    family = str(card.hyperparameters["cell"]) if card.builder == "recurrent" else card.builder
    many = card.dataset in ("mnist", "fashion_mnist")
    short = {**_SHORT, "epochs": _EPOCHS[name.rsplit("-", 1)[1]]} if many else {}
    return Row(name=name, family=family, recipe=name, options=short, streams=card.builder == "recurrent")


def must_pass(row: Row, mode: str, runtime: str, *, streaming: bool) -> bool:
    """Whether a refusal of this cell is a fault; what the toolkit promises of each family."""
    if runtime == "tflite-micro" and mode in ("float16", "dynamic"):
        return False  # it has no kernels for either
    stacked = int(row.options.get("layers", 1)) > 1
    if runtime == "tflite-micro" and row.family == "gru" and stacked and not streaming and mode == "float32":
        return False  # it does not come to an end with one loop after another
    if streaming:
        return mode in ("float32", "float16") or (row.family == "gru" and mode in ("int8", "int16x8"))
    if row.family == "lstm":
        return mode in ("float32", "float16", "int8")
    if row.family == "gru" and "int" in mode:
        return row.streams  # else both directions need all of the sequence, and an unrolled file is what there is
    return True


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
