"""Autoencoder for anomalies: it learns to rebuild what is normal, and what it cannot rebuild scores high.

Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006. The dense shape
of 128 units around a code of 8 is that of MLPerf Tiny's anomaly detection: Banbury et al., arXiv:2106.07597.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from zoo.builders.blocks import as_picture, drop, normalise, onecycle, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import ACTIVATION, DROPOUT, L1, L2, choice, flag, integer

NETWORKS = ("auto", "dense", "conv")
Layer = Callable[..., Any]
"""(tensor, width) or (tensor, filters, stride) -> tensor, with all that belongs to a hidden layer."""


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """Steps and learning rate for data nobody has tried before.

    Args:
        inputs: A table is gone over more often: its samples are small and few.
        outputs: Not looked at.
        samples: Of the training split.
    """
    del outputs
    return onecycle(samples, steps=3000 if inputs.kind == "table" else 1500, learning_rate=0.005)


@declare(
    "autoencoder",
    summary="rebuilds its input through a narrow code; the mean squared error is the anomaly score",
    kinds=("table", "image", "series", "audio"),
    tasks=("anomaly",),
    hyperparameters=(
        choice(
            "network",
            "auto",
            "layers of the network; auto is conv for images and series, else dense",
            NETWORKS,
            search=("auto",),
        ),
        integer("units", 128, "width of each dense hidden layer", low=1, high=4096, log=True, search=(16, 256)),
        integer("filters", 16, "filters of the first convolution, doubled with each", low=1, high=512, log=True),
        integer("layers", 2, "hidden layers before the code, and after it", low=1, high=6, search=(1, 3)),
        integer("bottleneck", 8, "numbers of the code", low=1, high=1024, log=True, search=(2, 32)),
        ACTIVATION,
        flag("batch_norm", True, "normalise before each activation", search=(True,)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Hinton, Salakhutdinov: Reducing the dimensionality of data with neural networks, Science 313",
    year=2006,
    recommend=recommend,
)
def autoencoder(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    network: str,
    units: int,
    filters: int,
    layers: int,
    bottleneck: int,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds encoder, decoder and score, (batch, *inputs.shape) float32 -> (batch, 1) float32.

    The score is the mean over all values of the squared difference between the scaled input and its reconstruction.
    """
    import keras

    del outputs
    weights = {"kernel_regularizer": penalty(l1, l2), "use_bias": not batch_norm}

    def activate(x: Any) -> Any:
        return drop(keras.layers.Activation(activation)(normalise(x) if batch_norm else x), dropout)

    def dense(x: Any, width: int) -> Any:
        return activate(keras.layers.Dense(width, **weights)(x))

    def convolve(x: Any, width: int, stride: int = 1) -> Any:
        return activate(keras.layers.Conv2D(width, _kernel(x), _along(x, stride), padding="same", **weights)(x))

    def code(x: Any) -> Any:
        return keras.layers.Dense(bottleneck, kernel_regularizer=penalty(l1, l2), name="code")(x)

    start, scaled = scaled_input(inputs)
    flat = keras.layers.Flatten()(scaled) if len(inputs.shape) > 1 else scaled
    if _is_dense(network, inputs):
        rebuilt = _rebuild_dense(flat, units, layers, code, dense)
    else:
        picture = _as_column(scaled) if inputs.kind == "series" else as_picture(scaled)
        rebuilt = _rebuild_picture(picture, filters, layers, code, dense, convolve)
    return keras.Model(start, _score(flat, rebuilt), name="autoencoder")


def _is_dense(network: str, inputs: InputSpec) -> bool:
    """Whether layers are dense.

    Raises:
        ModelError: Convolutions over a table, whose columns have no neighbours.
    """
    if network == "conv" and inputs.kind == "table":
        raise ModelError("autoencoder with network = conv convolves images, series and sounds, no table; take dense")
    return network == "dense" or (network == "auto" and inputs.kind in ("table", "audio"))


def _rebuild_dense(flat: Any, units: int, layers: int, code: Layer, dense: Layer) -> Any:
    """(batch, values) through the code and back."""
    import keras

    x = flat
    for _ in range(layers):
        x = dense(x, units)
    x = code(x)
    for _ in range(layers):
        x = dense(x, units)
    return keras.layers.Dense(flat.shape[-1], dtype="float32", name="rebuilt")(x)


def _rebuild_picture(picture: Any, filters: int, layers: int, code: Layer, dense: Layer, convolve: Layer) -> Any:
    """(batch, height, width, channels) through the code and back, (batch, height * width * channels)."""
    import keras

    _check_depth(picture.shape, layers)
    x, shapes = picture, []
    for layer in range(layers):
        shapes.append(x.shape)
        x = convolve(x, filters * 2**layer, 2)
    smallest = x.shape[1:]
    x = dense(code(keras.layers.Flatten()(x)), math.prod(smallest))
    x = keras.layers.Reshape(smallest)(x)
    for layer in reversed(range(layers)):
        x = keras.layers.UpSampling2D(_along(x, 2))(x)
        over = [(0, x.shape[axis] - shapes[layer][axis]) for axis in (1, 2)]  # an odd side was rounded up on its way
        x = keras.layers.Cropping2D(tuple(over))(x) if any(more for _, more in over) else x
        x = convolve(x, filters * 2 ** max(layer - 1, 0))
    x = keras.layers.Conv2D(picture.shape[-1], _kernel(x), padding="same", dtype="float32", name="rebuilt")(x)
    return keras.layers.Flatten()(x)


def _as_column(x: Any) -> Any:
    """A series (batch, steps, channels) as a picture one value wide, (batch, steps, 1, channels)."""
    import keras

    return keras.layers.Reshape((x.shape[1], 1, x.shape[2]))(x)


def _kernel(x: Any) -> tuple[int, int]:
    """Three values along each side that has more than one."""
    return _along(x, 3)


def _along(x: Any, size: int) -> tuple[int, int]:
    return (size if x.shape[1] > 1 else 1, size if x.shape[2] > 1 else 1)


def _check_depth(shape: tuple[int, ...], layers: int) -> None:
    """Raises ModelError where the strides would halve sides that are down to one value."""
    most = math.ceil(math.log2(max(shape[1:3])))
    if layers > most:
        fewer = f"layers = {most} or fewer, or " if most else ""
        raise ModelError(
            f"autoencoder with layers = {layers} halves {shape[1]} x {shape[2]} to nothing; take {fewer}network = dense"
        )


def _score(flat: Any, rebuilt: Any) -> Any:
    """Mean squared difference of (batch, values), (batch, 1) float32, of operators that have integer kernels."""
    import keras

    residual = keras.layers.Subtract(dtype="float32", name="residual")([flat, rebuilt])
    squares = keras.layers.Multiply(dtype="float32", name="squares")([residual, residual])
    column = keras.layers.Reshape((flat.shape[-1], 1), dtype="float32", name="column")(squares)
    return keras.layers.GlobalAveragePooling1D(dtype="float32", name="score")(column)
