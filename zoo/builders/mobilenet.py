"""MobileNet: depthwise-separable convolutions, thinned by a width multiplier.

Version 1: Howard et al., arXiv:1704.04861. Version 2, inverted residuals with linear bottlenecks: Sandler et al.,
arXiv:1801.04381.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, drop, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.hyperparameters import DROPOUT, L1, L2, choice, integer, real

STAGES_V1 = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
"""Filters, blocks, stride of the first block: table 1 of the paper."""
STAGES_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, filters, blocks, stride of the first block: table 2 of the paper."""
LAST_V2 = 1280


@declare(
    "mobilenet",
    summary="depthwise-separable convolutions, MobileNet v1 or v2 with a width multiplier; for photographs",
    kinds=("image",),
    hyperparameters=(
        choice("version", "1", "of the architecture", ("1", "2")),
        real("width", 0.25, "filters over those of the paper", low=0.05, high=2.0, search=(0.1, 0.5)),
        integer("stages", 0, "stages of the paper that are built; 0 is all", low=0, high=7),
        integer("stem_stride", 2, "stride of the first convolution; 1 for small images", low=1, high=4),
        choice("activation", "relu6", "activation of the hidden layers", ("relu6", "relu", "silu"), search=("relu6",)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Howard et al.: arXiv:1704.04861; Sandler et al.: arXiv:1801.04381",
    year=2017,
)
def mobilenet(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    version: str,
    width: float,
    stages: int,
    stem_stride: int,
    activation: str,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, channels) float32 -> (batch, *outputs.shape) float32."""
    import keras

    def activate(x: Any) -> Any:
        return keras.layers.Activation(activation)(normalise(x))

    def pointwise(x: Any, filters: int, size: int = 1, stride: int = 1) -> Any:
        return keras.layers.Conv2D(
            filters, size, strides=stride, padding="same", use_bias=False, kernel_regularizer=penalty(l1, l2)
        )(x)

    def depthwise(x: Any, stride: int) -> Any:
        return activate(keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))

    def inverted(x: Any, expansion: int, filters: int, stride: int) -> Any:
        inner = activate(pointwise(x, x.shape[-1] * expansion)) if expansion > 1 else x
        inner = normalise(pointwise(depthwise(inner, stride), filters))
        return keras.layers.Add()([x, inner]) if stride == 1 and x.shape[-1] == filters else inner

    start, x = scaled_input(inputs)
    x = activate(pointwise(x, divisible(32 * width), 3, stem_stride))
    if version == "1":
        for filters, blocks, stride in STAGES_V1[: stages or None]:
            for block in range(blocks):
                x = activate(pointwise(depthwise(x, 1 if block else stride), divisible(filters * width)))
    else:
        for expansion, filters, blocks, stride in STAGES_V2[: stages or None]:
            for block in range(blocks):
                x = inverted(x, expansion, divisible(filters * width), 1 if block else stride)
        x = activate(pointwise(x, divisible(LAST_V2 * max(width, 1.0) if not stages else x.shape[-1] * 4)))
    x = drop(keras.layers.GlobalAveragePooling2D()(x), dropout)
    return keras.Model(start, answer(x, outputs, l1=l1, l2=l2), name="mobilenet")


def divisible(filters: float, by: int = 8) -> int:
    """Filters rounded to a multiple of 8, by no more than a tenth downwards, as the papers' own code does."""
    rounded = max(by, int(filters + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * filters else rounded
