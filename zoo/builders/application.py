"""Networks of keras.applications as feature extractors, frozen or fine-tuned, with weights by download or from a file.

MobileNet: Howard et al., arXiv:1704.04861; version 2: Sandler et al., arXiv:1801.04381; version 3: Howard et al.,
arXiv:1905.02244. EfficientNet: Tan and Le, arXiv:1905.11946; version 2: arXiv:2104.00298. ResNet: He et al.,
arXiv:1512.03385; version 2: arXiv:1603.05027. DenseNet: Huang et al., arXiv:1608.06993.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.builders import outside
from zoo.builders.builder import declare
from zoo.builders.features import HEAD, fit_shape, head, pixels_input, pooled, recommend
from zoo.builders.weights import fetch_weights, load_weights, locate_weights
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError, UsageError
from zoo.hyperparameters import Value, choice, integer, real, text
from zoo.interpreters import one_line

DOWNLOADED = "imagenet"
RANDOM = "none"
MOMENTUM = 0.9
"""Of the normalisation in a network that begins at random; see `zoo.builders.blocks.normalise`."""


@dataclass(frozen=True)
class Family:
    """One network of keras.applications.

    Attributes:
        name: Of its function there.
        pixels: What it takes for them, of `zoo.builders.features.PIXELS`; "raw" where it scales them itself.
        scale: A factor for each of red, green and blue after `pixels`; empty where there is one for all.
        offset: A summand for each.
        reverse: Whether it takes blue, green, red.
        has_alpha: Whether it comes in several widths.
        options: Further arguments of its function.
        least: Pixels of a side at least.
    """

    name: str
    pixels: str = "raw"
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    reverse: bool = False
    has_alpha: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    least: int = 32


_TORCH_DEVIATION = (0.229, 0.224, 0.225)
_TORCH_MEAN = (0.485, 0.456, 0.406)
_NO_SCALING = (("include_preprocessing", False),)
FAMILIES: dict[str, Family] = {
    "mobilenet": Family("MobileNet", "signed", has_alpha=True),
    "mobilenet_v2": Family("MobileNetV2", "signed", has_alpha=True),
    "mobilenet_v3_small": Family("MobileNetV3Small", "signed", has_alpha=True, options=_NO_SCALING),
    "mobilenet_v3_large": Family("MobileNetV3Large", "signed", has_alpha=True, options=_NO_SCALING),
    "efficientnet_b0": Family("EfficientNetB0"),
    "efficientnet_v2_b0": Family("EfficientNetV2B0"),
    "resnet50": Family("ResNet50", scale=(1.0, 1.0, 1.0), offset=(-103.939, -116.779, -123.68), reverse=True),
    "resnet50_v2": Family("ResNet50V2", "signed"),
    "densenet121": Family(
        "DenseNet121",
        "unit",
        scale=tuple(1 / deviation for deviation in _TORCH_DEVIATION),
        offset=tuple(-mean / deviation for mean, deviation in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)),
    ),
}


def prepare(inputs: InputSpec, hyperparameters: Mapping[str, Value], tell: outside.Tell) -> dict[str, Value]:
    """Finds or fetches the weights, verifies them, and pins them in the run's configuration."""
    weights, pinned = str(hyperparameters["weights"]), str(hyperparameters["weights_sha256"])
    if weights == RANDOM:
        return {}
    if weights == DOWNLOADED:
        family = FAMILIES[str(hyperparameters["backbone"])]
        path = _download(family, inputs, float(hyperparameters["alpha"]), pinned, tell)
        return {"weights_sha256": locate_weights(path, pinned, tell)}
    path = outside.own(weights, "weights")
    return {"weights": str(path), "weights_sha256": locate_weights(path, pinned, tell)}


@declare(
    "application",
    summary="a network of keras.applications with weights that others trained, frozen or fine-tuned; for photographs",
    kinds=("image",),
    hyperparameters=(
        choice("backbone", "mobilenet_v2", "which network", tuple(FAMILIES), search=("mobilenet_v2",)),
        text("weights", "imagenet downloads as Keras does, none is random, else a .h5 or .keras file", DOWNLOADED),
        text("weights_sha256", "pins the file of weights"),
        real("alpha", 1.0, "filters over those of the paper, of the mobilenets", low=0.1, high=2.0),
        integer(
            "fine_tune",
            0,
            "last layers of the backbone that are trained; 0 is frozen",
            low=0,
            high=1000,
            words=("all",),
        ),
        *HEAD,
    ),
    paper="Sandler et al.: arXiv:1801.04381; Howard et al.: arXiv:1905.02244; Tan, Le: arXiv:1905.11946 and others",
    year=2018,
    recommend=recommend,
    prepare=prepare,
)
def application(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    backbone: str,
    weights: str,
    weights_sha256: str,
    alpha: float,
    fine_tune: int | str,
    units: int,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, 1 or 3) float32 -> (batch, *outputs.shape) float32."""
    import keras

    family, drawn = FAMILIES[backbone], weights == RANDOM
    if drawn and fine_tune != "all":
        raise UsageError(
            f"weights = 'none' leaves {backbone} random and fine_tune = {fine_tune} leaves most of it so; train it: "
            "--set fine_tune=all, or give --set weights=imagenet or a file"
        )
    start, x = pixels_input(inputs, family.pixels)
    x = fit_shape(x, (None, None, 3), backbone)
    network = _make(family, inputs, alpha, None)
    if not drawn:
        path = (
            _download(family, inputs, alpha, weights_sha256, outside.tell_nobody)
            if weights == DOWNLOADED
            else outside.own(weights, "weights")
        )
        locate_weights(path, weights_sha256, outside.tell_nobody)
        load_weights(network, path)
    _set_trainable(network, fine_tune, drawn)
    x = _per_colour(x, family)
    # what others trained stays in inference: statistics of a few new samples would spoil its normalisation
    x = pooled(network(x) if drawn else network(x, training=False))
    answered = head(x, outputs, units=units, batch_norm=batch_norm, dropout=dropout, l1=l1, l2=l2)
    return keras.Model(start, answered, name="application")


def _make(family: Family, inputs: InputSpec, alpha: float, weights: str | None) -> Any:
    """The network without its answer.

    Raises:
        ModelError: Keras refuses the size, the width or the weights.
    """
    import keras

    if alpha != 1.0 and not family.has_alpha:
        raise ModelError(f"{family.name} has one width; leave alpha at 1, or take a mobilenet")
    shape = (*inputs.shape[:2], 3)
    if min(shape[:2]) < family.least:
        raise ModelError(
            f"{family.name} takes images of {family.least}x{family.least} pixels and more, the data give "
            f"{shape[0]}x{shape[1]}; images of one's own are resized with --set image_size={family.least}"
        )
    options = {**dict(family.options), **({"alpha": alpha} if family.has_alpha else {})}
    try:
        with warnings.catch_warnings():
            # for sizes without weights of their own Keras takes those of 224 pixels, and says so
            warnings.simplefilter("ignore")
            made = getattr(keras.applications, family.name)
            return made(input_shape=shape, include_top=False, weights=weights, **options)
    except ValueError as error:
        raise ModelError(f"{family.name} cannot be built: {one_line(error)[:200]}") from error


def _download(family: Family, inputs: InputSpec, alpha: float, pinned: str, tell: outside.Tell) -> Path:
    return fetch_weights(lambda weights: _make(family, inputs, alpha, weights), pinned, tell)


def _set_trainable(network: Any, fine_tune: int | str, drawn: bool) -> None:
    """The last layers that have weights are trained; normalisation only in a network that begins at random."""
    import keras

    weighted = [layer for layer in network.layers if layer.weights]
    last = weighted if fine_tune == "all" else weighted[len(weighted) - int(fine_tune) :]
    for layer in weighted:
        normalisation = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer in last and (drawn or not normalisation)
        if drawn and normalisation:
            layer.momentum = MOMENTUM


def _per_colour(x: Any, family: Family) -> Any:
    """The scale of each colour as a convolution of one pixel, which int8 keeps: its kernel has a scale a channel.

    The order and the constants are those of `keras.applications.imagenet_utils.preprocess_input`.
    """
    import keras

    if not family.scale:
        return x
    kernel = np.diag(np.asarray(family.scale, np.float32))
    layer = keras.layers.Conv2D(3, 1, trainable=False, dtype="float32", name="colour_scale")
    x = layer(x)
    ordered = kernel[:, ::-1] if family.reverse else kernel
    layer.set_weights([ordered[None, None], np.asarray(family.offset, np.float32)])
    return x
