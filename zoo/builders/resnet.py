"""Residual network for small images: three stages of blocks whose input is added to their output.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", arXiv:1512.03385, section 4.2. With one block a
stage and 16 filters it is the ResNet-8 of MLPerf Tiny (Banbury et al., arXiv:2106.07597), with three blocks ResNet-20.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, drop, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.hyperparameters import DROPOUT, L1, L2, choice, integer


@declare(
    "resnet",
    summary="residual blocks in three stages: ResNet-8, ResNet-20 and deeper, for small images",
    kinds=("image",),
    hyperparameters=(
        integer("blocks", 1, "blocks in a stage: 1 is ResNet-8, 3 is ResNet-20", low=1, high=18, search=(1, 3)),
        integer("filters", 16, "filters of the first stage, doubled in each after it", low=1, high=512, search=(8, 32)),
        integer("stages", 3, "stages; each after the first halves height and width", low=1, high=5, search=(2, 3)),
        choice("activation", "relu", "activation of the hidden layers", ("relu", "elu", "silu"), search=("relu",)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="He, Zhang, Ren, Sun: arXiv:1512.03385; MLPerf Tiny: arXiv:2106.07597",
    year=2015,
)
def resnet(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    blocks: int,
    filters: int,
    stages: int,
    activation: str,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, channels) float32 -> (batch, *outputs.shape) float32."""
    import keras

    def convolve(x: Any, width: int, size: int, stride: int) -> Any:
        return keras.layers.Conv2D(
            width,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            kernel_regularizer=penalty(l1, l2),
        )(x)

    def residual(x: Any, width: int, stride: int) -> Any:
        inner = keras.layers.Activation(activation)(normalise(convolve(x, width, 3, stride)))
        inner = normalise(convolve(inner, width, 3, 1))
        if stride > 1 or x.shape[-1] != width:
            x = normalise(convolve(x, width, 1, stride))
        return keras.layers.Activation(activation)(keras.layers.Add()([x, inner]))

    start, x = scaled_input(inputs)
    x = keras.layers.Activation(activation)(normalise(convolve(x, filters, 3, 1)))
    for stage in range(stages):
        for block in range(blocks):
            x = residual(x, filters * 2**stage, stride=2 if stage and not block else 1)
    x = drop(keras.layers.GlobalAveragePooling2D()(x), dropout)
    return keras.Model(start, answer(x, outputs, l1=l1, l2=l2), name="resnet")
