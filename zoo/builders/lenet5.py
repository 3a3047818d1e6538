"""LeNet-5: two convolutions with pooling, then three dense layers.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998.
Trainable sub-sampling and partial connections of the paper are plain pooling and full connections here.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, drop, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import ACTIVATIONS, DROPOUT, L1, L2, choice, flag, real

SMALLEST = 12
"""Pixels of a side below which nothing is left for the second convolution."""


@declare(
    "lenet5",
    summary="LeNet-5: two convolutions with pooling, three dense layers; for small grey images",
    kinds=("image",),
    hyperparameters=(
        real("width", 1.0, "filters and units over those of the paper", low=0.25, high=8.0, search=(0.5, 2.0)),
        choice("pooling", "average", "what halves height and width", ("max", "average")),
        choice("activation", "tanh", "activation of the hidden layers", ACTIVATIONS, search=("relu", "tanh")),
        flag("batch_norm", False, "normalise before each activation"),
        DROPOUT,
        L1,
        L2,
    ),
    paper="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition",
    year=1998,
)
def lenet5(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    width: float,
    pooling: str,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, channels) float32 -> (batch, *outputs.shape) float32."""
    import keras

    if min(inputs.shape[:2]) < SMALLEST:
        raise ModelError(
            f"lenet5 needs images of at least {SMALLEST}x{SMALLEST} pixels, not {inputs.shape[0]}x{inputs.shape[1]}; "
            f"take convnet, or --set image_size={SMALLEST} for files of your own"
        )
    pool = keras.layers.MaxPooling2D if pooling == "max" else keras.layers.AveragePooling2D

    def sized(of_paper: int) -> int:
        return max(1, round(of_paper * width))

    def activate(x: Any) -> Any:
        return keras.layers.Activation(activation)(normalise(x) if batch_norm else x)

    def convolve(x: Any, filters: int, padding: str) -> Any:
        return keras.layers.Conv2D(
            sized(filters), 5, padding=padding, use_bias=not batch_norm, kernel_regularizer=penalty(l1, l2)
        )(x)

    start, x = scaled_input(inputs)
    # The paper pads 28x28 digits to 32x32; here the first convolution does.
    x = activate(pool(2)(convolve(x, 6, "same")))
    x = activate(pool(2)(convolve(x, 16, "valid")))
    x = keras.layers.Flatten()(x)
    for units in (120, 84):
        x = keras.layers.Dense(sized(units), use_bias=not batch_norm, kernel_regularizer=penalty(l1, l2))(x)
        x = drop(activate(x), dropout)
    return keras.Model(start, answer(x, outputs, l1=l1, l2=l2), name="lenet5")
