"""U-Net: a contracting and an expanding path with connections across, an answer for every pixel.

Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", arXiv:1505.04597,
2015. Differences: convolutions keep the size ("same") where the paper's lose a border, so that nothing is cropped;
optional batch normalisation; an optional entry of stride 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from zoo.builders.blocks import drop, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import ACTIVATION, DROPOUT, L1, L2, choice, flag, integer

OWN_STEPS = 800
"""Steps after which a small U-Net has learnt most of what it will, by a one-cycle schedule."""

BATCH_PIXELS = 8 * 128 * 128
"""Pixels of a batch: eight tiles of 128, two of 256."""


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """Knobs for images nobody has tried before.

    As many levels as leave 8 pixels of a side at the bottom, at most 4; batches of about 131,000 pixels, but a quarter
    of the samples at most; epochs for about 800 steps, 5 to 100, of one-cycle Adam at 0.003.

    Args:
        inputs: Of images or their tiles.
        outputs: Not looked at.
        samples: Of the training split.
    """
    del outputs
    height, width = inputs.shape[:2]
    batch = min(max(BATCH_PIXELS // (height * width), 2), 32, max(samples // 4, 1))
    return {
        "filters": 16,
        "depth": min(max(int(math.log2(max(min(height, width) / 8, 2))), 1), 4),
        "batch_size": batch,
        "epochs": min(max(round(OWN_STEPS / math.ceil(samples / batch)), 5), 100),
        "learning_rate": 0.003,
        "schedule": "onecycle",
    }


@declare(
    "unet",
    summary="a class for every pixel: contracting and expanding paths with connections across",
    kinds=("image",),
    tasks=("segmentation",),
    hyperparameters=(
        integer(
            "filters", 16, "filters of the first level; the paper has 64", low=1, high=256, log=True, search=(4, 32)
        ),
        integer(
            "depth", 4, "times that height and width are halved; filters double each time", low=1, high=6, search=(2, 4)
        ),
        integer(
            "stem_stride", 1, "2 halves height and width before the first level: a quarter of the cost", low=1, high=2
        ),
        choice(
            "upsampling",
            "transpose",
            "what doubles height and width: a transposed convolution, as in the paper, or interpolation before another",
            ("transpose", "nearest", "bilinear"),
            search=("transpose",),
        ),
        ACTIVATION,
        flag("batch_norm", True, "normalise before each activation; the paper does not", search=(True,)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation",
    year=2015,
    recommend=recommend,
)
def unet(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    filters: int,
    depth: int,
    stem_stride: int,
    upsampling: str,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, channels) float32 -> (batch, height, width, classes) float32.

    Sizes that cannot be halved so often are filled up with zeros at the bottom and the right, and the answer is cut to
    size. The dropout is on the two deepest levels, as in the paper.
    """
    import keras

    layers = keras.layers
    multiple = stem_stride * 2**depth
    check_depth(inputs.shape, multiple)
    edge = [(0, -size % multiple) for size in inputs.shape[:2]]
    pieces = Pieces(upsampling=upsampling, activation=activation, batch_norm=batch_norm, l1=l1, l2=l2)
    start, x = scaled_input(inputs)
    if edge != [(0, 0), (0, 0)]:
        x = layers.ZeroPadding2D(tuple(edge))(x)
    if stem_stride == 2:
        x = pieces.convolve(x, filters, 5, stride=2)
    across = []
    for level in range(depth + 1):
        x = pieces.twice(x, filters * 2**level)
        x = drop(x, dropout if level >= depth - 1 else 0.0)
        if level < depth:
            across.append(x)  # (batch, height / 2**level, width / 2**level, filters * 2**level)
            x = layers.MaxPooling2D(2)(x)
    for level in reversed(range(depth)):
        x = layers.Concatenate()([across[level], pieces.double(x, filters * 2**level)])
        x = pieces.twice(x, filters * 2**level)
    if stem_stride == 2:
        x = layers.Activation(activation)(pieces.double(x, filters))
    x = layers.Conv2D(outputs.shape[-1], 1, kernel_regularizer=penalty(l1, l2), name="scores")(x)
    if edge != [(0, 0), (0, 0)]:
        x = layers.Cropping2D(tuple(edge))(x)
    return keras.Model(start, layers.Activation(outputs.activation, dtype="float32", name="output")(x), name="unet")


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Layers with what all of them have in common; attributes as the knobs of `unet`."""

    upsampling: str
    activation: str
    batch_norm: bool
    l1: float
    l2: float

    def convolve(self, x: Any, count: int, size: int = 3, *, stride: int = 1) -> Any:
        """Convolution, normalisation where it is wanted, activation."""
        import keras

        x = keras.layers.Conv2D(
            count,
            size,
            strides=stride,
            padding="same",
            use_bias=not self.batch_norm,
            kernel_regularizer=penalty(self.l1, self.l2),
        )(x)
        return keras.layers.Activation(self.activation)(normalise(x) if self.batch_norm else x)

    def twice(self, x: Any, count: int) -> Any:
        """The two convolutions of a level."""
        return self.convolve(self.convolve(x, count), count)

    def double(self, x: Any, count: int) -> Any:
        """Twice the height and width."""
        import keras

        if self.upsampling == "transpose":
            return keras.layers.Conv2DTranspose(count, 2, strides=2, kernel_regularizer=penalty(self.l1, self.l2))(x)
        return self.convolve(keras.layers.UpSampling2D(2, interpolation=self.upsampling)(x), count)


def check_depth(shape: tuple[int, ...], multiple: int) -> None:
    """Raises ModelError where the way down would end in less than a pixel."""
    if min(shape[:2]) < multiple:
        raise ModelError(
            f"unet halves {shape[0]}x{shape[1]} pixels until {multiple} of a side are one; take a smaller depth, or "
            "stem_stride = 1"
        )
