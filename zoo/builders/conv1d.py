"""One-dimensional convolution over a series: plain blocks with pooling, or dilated residual blocks.

Plain: Wang, Yan and Oates, "Time series classification from scratch with deep neural networks", arXiv:1611.06455.
Dilated: Bai, Kolter and Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence
modeling", arXiv:1803.01271.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, as_sequence, drop, for_series, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import ACTIVATION, DROPOUT, L1, L2, choice, flag, integer, real

HEADS = ("average", "max", "flatten")


@declare(
    "conv1d",
    summary="convolution along the steps of a series; dilated residual blocks where asked for",
    kinds=("series", "image", "audio"),
    hyperparameters=(
        integer("filters", 32, "filters of the first block", low=1, high=1024, log=True, search=(8, 64)),
        integer("blocks", 3, "blocks of convolution", low=1, high=10, search=(2, 4)),
        real("growth", 1.5, "filters of a block over those of the one before", low=0.5, high=4.0),
        integer("kernel", 5, "steps that a convolution sees", low=1, high=63, search=(3, 9)),
        integer("pool", 2, "steps that a block without dilation makes one of; 1 keeps them", low=1, high=16),
        flag("dilated", False, "residual blocks, the dilation doubled from block to block, no pooling between them"),
        choice("head", "average", "over all steps: their average, their largest, or all of them", HEADS),
        ACTIVATION,
        flag("batch_norm", True, "normalise before each activation", search=(True,)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Wang, Yan, Oates: arXiv:1611.06455; Bai, Kolter, Koltun: arXiv:1803.01271",
    year=2016,
    recommend=for_series(steps=800, learning_rate=0.005),
)
def conv1d(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    filters: int,
    blocks: int,
    growth: float,
    kernel: int,
    pool: int,
    dilated: bool,
    head: str,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, steps, channels) float32 -> (batch, *outputs.shape) float32.

    An image (height, width, channels) is a series of its rows: (height, width * channels).
    """
    import keras

    def convolve(x: Any, width: int, size: int, dilation: int = 1) -> Any:
        return keras.layers.Conv1D(
            width,
            size,
            dilation_rate=dilation,
            padding="same",
            use_bias=not batch_norm,
            kernel_regularizer=penalty(l1, l2),
        )(x)

    def activate(x: Any) -> Any:
        return keras.layers.Activation(activation)(normalise(x) if batch_norm else x)

    def residual(x: Any, width: int, dilation: int) -> Any:
        inner = drop(activate(convolve(x, width, kernel, dilation)), dropout)
        inner = convolve(inner, width, kernel, dilation)
        inner = normalise(inner) if batch_norm else inner
        kept = x if x.shape[-1] == width else convolve(x, width, 1)
        return keras.layers.Activation(activation)(keras.layers.Add()([kept, inner]))

    start, x = scaled_input(inputs)
    x = as_sequence(x)
    check_length(x.shape[1], 1 if dilated else pool, blocks)
    for block in range(blocks):
        width = max(1, round(filters * growth**block))
        if dilated:
            x = residual(x, width, 2**block)
            continue
        x = convolve(x, width, kernel)
        # Pooling comes before the normalisation: fewer values to normalise, the same accuracy.
        x = drop(activate(keras.layers.MaxPooling1D(pool)(x) if pool > 1 else x), dropout)
    pooled = {"average": keras.layers.GlobalAveragePooling1D, "max": keras.layers.GlobalMaxPooling1D}
    x = pooled.get(head, keras.layers.Flatten)()(x)
    return keras.Model(start, answer(drop(x, dropout), outputs, l1=l1, l2=l2), name="conv1d")


def check_length(steps: int, pool: int, blocks: int) -> None:
    """Raises ModelError where the blocks would pool a series down to nothing."""
    deepest, left = 0, steps
    while pool > 1 and left >= pool and deepest < blocks:
        left, deepest = left // pool, deepest + 1
    if pool > 1 and deepest < blocks:
        raise ModelError(
            f"conv1d with blocks = {blocks} and pool = {pool} pools {steps} steps to nothing; take "
            f"blocks = {deepest} or fewer, or pool = 1"
        )
