"""Convolutional network: a stem, blocks of convolution and pooling, a global or flattened head.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998.
Batch normalisation: Ioffe and Szegedy, arXiv:1502.03167. Global pooling: Lin, Chen and Yan, arXiv:1312.4400.
"""

from __future__ import annotations

import math
from typing import Any

from zoo.builders.blocks import answer, drop, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import ACTIVATION, DROPOUT, L1, L2, choice, flag, integer, real

OWN_STEPS = 600
"""Steps after which a small convnet on photographs has learnt most of what it will, by a one-cycle schedule."""


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """Knobs for images nobody has tried before.

    Blocks: as many as leave 6 positions a side before the global pooling, 2 to 5. Images below 24 pixels keep their
    size in the stem. Batches of 32 below 5,000 samples, 64 below 20,000, else 128, and epochs for about 600 steps, 5 to
    60: a small set needs steps, not passes. One-cycle Adam at 0.005, five times the usual rate, and some dropout.

    Args:
        inputs: Of images.
        outputs: Not looked at.
        samples: Of the training split.
    """
    del outputs
    side = min(inputs.shape[:2])
    small = side < 24
    batch = 32 if samples < 5_000 else 64 if samples < 20_000 else 128
    halvings = int(math.log2(max(side // (1 if small else 2), 1) / 6)) if side >= 12 else 0
    deepest = max((side if small else -(-side // 2)).bit_length() - 1, 0)
    knobs: dict[str, object] = {"stem_stride": 1, "stem_kernel": 3} if small else {}
    return {
        **knobs,
        "blocks": min(max(halvings, 2), 5, deepest),
        "dropout": 0.3,
        "batch_size": batch,
        "epochs": min(max(round(OWN_STEPS / math.ceil(samples / batch)), 5), 60),
        "learning_rate": 0.005,
        "schedule": "onecycle",
    }


@declare(
    "convnet",
    summary="convolution, batch norm and pooling, with a global or flattened head",
    kinds=("image",),
    hyperparameters=(
        integer("filters", 24, "filters of the first convolution", low=1, high=1024, log=True, search=(4, 64)),
        integer("blocks", 2, "blocks of convolution and pooling after the first", low=0, high=8, search=(1, 3)),
        integer("convolutions", 1, "convolutions in a block before its pooling", low=1, high=4),
        real("growth", 2.0, "filters of a block over those of the one before", low=0.5, high=4.0),
        integer("stem_kernel", 5, "kernel size of the first convolution", low=1, high=11),
        integer("stem_stride", 2, "stride of the first convolution", low=1, high=4, search=(1, 2)),
        integer("kernel", 3, "kernel size in the blocks", low=1, high=11),
        choice("pooling", "max", "what halves height and width in a block", ("max", "average"), search=("max",)),
        choice("head", "global", "global average pooling, or all positions flattened", ("global", "flatten")),
        integer("units", 0, "width of a dense layer in the head; 0 is none", low=0, high=8192, search=(0, 128)),
        ACTIVATION,
        flag("batch_norm", True, "normalise before each activation", search=(True,)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition",
    year=1998,
    recommend=recommend,
)
def convnet(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    filters: int,
    blocks: int,
    convolutions: int,
    growth: float,
    stem_kernel: int,
    stem_stride: int,
    kernel: int,
    pooling: str,
    head: str,
    units: int,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, channels) float32 -> (batch, *outputs.shape) float32."""
    import keras

    check_depth(inputs.shape, stem_stride, blocks)
    pool = keras.layers.MaxPooling2D if pooling == "max" else keras.layers.AveragePooling2D

    def convolve(x: Any, width: int, size: int, *, stride: int = 1) -> Any:
        return keras.layers.Conv2D(
            width, size, strides=stride, padding="same", use_bias=not batch_norm, kernel_regularizer=penalty(l1, l2)
        )(x)

    def activate(x: Any) -> Any:
        return keras.layers.Activation(activation)(normalise(x) if batch_norm else x)

    start, x = scaled_input(inputs)
    x = activate(convolve(x, filters, stem_kernel, stride=stem_stride))
    for block in range(1, blocks + 1):
        width = max(1, round(filters * growth**block))
        for _ in range(convolutions - 1):
            x = activate(convolve(x, width, kernel))
        # Pooling comes before the normalisation: a quarter of the values to normalise, the same accuracy.
        x = activate(pool(2)(convolve(x, width, kernel)))
    x = keras.layers.GlobalAveragePooling2D()(x) if head == "global" else keras.layers.Flatten()(x)
    if units:
        x = activate(keras.layers.Dense(units, use_bias=not batch_norm, kernel_regularizer=penalty(l1, l2))(x))
    return keras.Model(start, answer(drop(x, dropout), outputs, l1=l1, l2=l2), name="convnet")


def check_depth(shape: tuple[int, ...], stem_stride: int, blocks: int) -> None:
    """Raises ModelError where the blocks would pool an image down to nothing."""
    smallest = -(-min(shape[:2]) // stem_stride)
    deepest = max(smallest.bit_length() - 1, 0)
    if blocks > deepest:
        raise ModelError(
            f"convnet with blocks = {blocks} and stem_stride = {stem_stride} pools {shape[0]}x{shape[1]} pixels to "
            f"nothing; take blocks = {deepest} or fewer, a smaller stem_stride or larger images"
        )
