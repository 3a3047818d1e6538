"""Depthwise-separable network for keyword spotting: a wide first convolution, then equal blocks.

Zhang, Suda, Lai and Chandra, "Hello edge: keyword spotting on microcontrollers", arXiv:1711.07128; the keyword spotting
model of MLPerf Tiny (Banbury et al., arXiv:2106.07597) has these defaults.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, as_picture, drop, for_series, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.hyperparameters import DROPOUT, L1, L2, integer


@declare(
    "dscnn",
    summary="depthwise-separable convolutions over time and frequency: keyword spotting",
    kinds=("audio", "series", "image"),
    hyperparameters=(
        integer("filters", 64, "filters of every convolution", low=1, high=1024, log=True, search=(16, 96)),
        integer("blocks", 4, "blocks of depthwise and pointwise convolution", low=1, high=12, search=(2, 5)),
        integer("kernel_time", 10, "steps that the first convolution sees", low=1, high=31),
        integer("kernel_bands", 4, "bands or channels that the first convolution sees", low=1, high=31),
        integer("stride", 2, "stride of the first convolution, both ways", low=1, high=4),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Zhang, Suda, Lai, Chandra: arXiv:1711.07128; MLPerf Tiny: arXiv:2106.07597",
    year=2017,
    recommend=for_series(steps=1_000, learning_rate=0.005),
)
def dscnn(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    filters: int,
    blocks: int,
    kernel_time: int,
    kernel_bands: int,
    stride: int,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, steps, bands) or (batch, height, width, channels) -> (batch, *outputs.shape)."""
    import keras

    def activate(x: Any) -> Any:
        return keras.layers.Activation("relu")(normalise(x))

    start, x = scaled_input(inputs)
    x = as_picture(x)
    x = keras.layers.Conv2D(
        filters,
        (kernel_time, kernel_bands),
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_regularizer=penalty(l1, l2),
    )(x)
    x = drop(activate(x), dropout)
    for _ in range(blocks):
        x = activate(keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = activate(keras.layers.Conv2D(filters, 1, use_bias=False, kernel_regularizer=penalty(l1, l2))(x))
    x = drop(keras.layers.GlobalAveragePooling2D()(x), dropout)
    return keras.Model(start, answer(x, outputs, l1=l1, l2=l2), name="dscnn")
