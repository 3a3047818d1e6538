"""Pieces that several families share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from zoo.cards import InputSpec, OutputSpec


def scaled_input(spec: InputSpec) -> tuple[Any, Any]:
    """The model's input and the tensor after its one scale for the whole tensor.

    The scale is a float32 layer under every precision policy: bfloat16 would round raw values before they are scaled.

    Returns:
        (keras.KerasTensor input, keras.KerasTensor scaled), shape (batch, *spec.shape).
    """
    import keras

    inputs = keras.Input(spec.shape, dtype="float32", name="input")
    if spec.scale == 1.0 and spec.offset == 0.0:
        return inputs, inputs
    return inputs, keras.layers.Rescaling(spec.scale, spec.offset, dtype="float32", name="scale")(inputs)


BATCHES = ((1_000, 16), (5_000, 32), (20_000, 64), (math.inf, 128))
"""Batch size of a training split below so many samples: a small set needs steps, not passes."""


def onecycle(samples: int, *, steps: int, learning_rate: float, most: int = 80) -> dict[str, object]:
    """Knobs of the training for data nobody has tried before: about so many steps of one-cycle Adam.

    Args:
        samples: Of the training split.
        steps: After which most is learnt; at least 6 epochs.
        learning_rate: Its peak, some five times the usual rate.
        most: Epochs at most.
    """
    batch = next(size for below, size in BATCHES if samples < below)
    return {
        "batch_size": batch,
        "epochs": min(max(round(steps / math.ceil(samples / batch)), 6), most),
        "learning_rate": learning_rate,
        "schedule": "onecycle",
    }


def for_series(*, steps: int, learning_rate: float) -> Callable[[InputSpec, OutputSpec, int], dict[str, object]]:
    """What a family recommends for series and sounds nobody has tried before; nothing for images.

    Args:
        steps: See `onecycle`.
        learning_rate: Likewise.
    """

    def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
        del outputs
        if inputs.kind == "image":
            return {}
        return {"dropout": 0.2, **onecycle(samples, steps=steps, learning_rate=learning_rate)}

    return recommend


def as_sequence(x: Any) -> Any:
    """(batch, steps, channels); the rows of an image, (batch, height, width * channels)."""
    import keras

    if len(x.shape) == 3:
        return x
    return keras.layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)


def as_picture(x: Any) -> Any:
    """(batch, height, width, channels); of a series (batch, steps, channels) one of a single channel."""
    import keras

    return x if len(x.shape) == 4 else keras.layers.Reshape((*x.shape[1:], 1))(x)


def answer(x: Any, spec: OutputSpec, *, l1: float, l2: float) -> Any:
    """The last layer: one unit per output with the activation of the task, in float32 under every precision policy."""
    import keras

    return keras.layers.Dense(
        spec.shape[-1],
        activation=spec.activation,
        kernel_regularizer=penalty(l1, l2),
        dtype="float32",
        name="output",
    )(x)


def normalise(x: Any) -> Any:
    """Batch normalisation whose averages follow within some thirty steps; Keras's default needs three hundred.

    A short training, or a small set, would otherwise be judged with averages that still remember their start.
    """
    import keras

    return keras.layers.BatchNormalization(momentum=0.9)(x)


def penalty(l1: float, l2: float) -> Any:
    """The kernel regularizer, or None where both strengths are zero."""
    import keras

    return keras.regularizers.L1L2(l1=l1, l2=l2) if l1 or l2 else None


def drop(x: Any, rate: float) -> Any:
    """Dropout, or the tensor as it is at a rate of zero."""
    import keras

    return keras.layers.Dropout(rate)(x) if rate else x
