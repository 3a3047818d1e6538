"""Centre-point detector: a small convolutional network that answers with a map of object centres and boxes.

Zhou, Wang and Kraehenbuehl, "Objects as points", arXiv:1904.07850; one map of all classes at a quarter of the image's
size as FOMO has for micro-controllers. A deeper, coarser level sees whole objects and is added to the map's own level:
Lin et al., "Feature pyramid networks", arXiv:1612.03144. What the numbers of a cell mean: `zoo.boxes`.
"""

from __future__ import annotations

import math
from typing import Any

from zoo.builders.blocks import drop, normalise, onecycle, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import DROPOUT, L1, L2, choice, integer

PRIOR = 0.1
"""What an untrained cell answers: most cells are no centre, and a higher start lets them rule the first steps."""


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """About 1,500 steps of one-cycle Adam."""
    del inputs, outputs
    return onecycle(samples, steps=1500, learning_rate=0.005)


@declare(
    "detector",
    summary="a map of object centres with boxes, for small objects and small devices",
    kinds=("image",),
    tasks=("detection",),
    hyperparameters=(
        integer("filters", 16, "filters of the first convolution", low=1, high=256, log=True, search=(8, 32)),
        integer("depth", 2, "residual convolutions on the coarsest level", low=0, high=16, search=(1, 4)),
        choice("activation", "relu", "activation of the hidden layers", ("relu", "elu", "silu"), search=("relu",)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Zhou, Wang, Kraehenbuehl: Objects as points, arXiv:1904.07850",
    year=2019,
    recommend=recommend,
)
def detector(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    filters: int,
    depth: int,
    activation: str,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, height, width, channels) float32 -> (batch, rows, columns, classes + 4) float32."""
    import keras

    rows, columns = outputs.shape[:2]

    def convolve(x: Any, width: int, size: int = 3, stride: int = 1) -> Any:
        x = keras.layers.Conv2D(
            width, size, strides=stride, padding="same", use_bias=False, kernel_regularizer=penalty(l1, l2)
        )(x)
        return normalise(x)

    def activate(x: Any) -> Any:
        return keras.layers.Activation(activation)(x)

    start, x = scaled_input(inputs)
    for halving in range(halvings(inputs.shape, outputs.shape)):
        size = 3 if halving else 5
        x = activate(convolve(x, filters * min(2**halving, 2), size, stride=2))
    fine, coarse = x, activate(convolve(x, filters * 4, stride=2))
    for _ in range(depth):
        coarse = activate(keras.layers.Add()([coarse, convolve(coarse, filters * 4)]))
    coarse = activate(convolve(drop(coarse, dropout), fine.shape[-1], 1))
    raised = keras.layers.UpSampling2D(2)(coarse)
    extra = (raised.shape[1] - rows, raised.shape[2] - columns)
    if any(extra):
        raised = keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])))(raised)
    x = activate(convolve(keras.layers.Add()([fine, raised]), filters * 2))
    answer = keras.layers.Conv2D(
        outputs.shape[-1],
        1,
        activation="sigmoid",
        bias_initializer=keras.initializers.Constant(math.log(PRIOR / (1 - PRIOR))),
        kernel_regularizer=penalty(l1, l2),
        dtype="float32",
        name="output",
    )(x)
    return keras.Model(start, answer, name="detector")


def halvings(image: tuple[int, ...], answer: tuple[int, ...]) -> int:
    """How often the image's height and width are halved to make the map's.

    Raises:
        ModelError: The map's size is no half, quarter, eighth or sixteenth of the image's.
    """
    for count in (1, 2, 3, 4):
        if tuple(-(-side // 2**count) for side in image[:2]) == tuple(answer[:2]):
            return count
    raise ModelError(
        f"detector halves {image[0]}x{image[1]} pixels up to four times; {answer[0]}x{answer[1]} cells are none of "
        "these sizes; give an output of a quarter of the image's height and width"
    )
