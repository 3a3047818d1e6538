"""Around a network made by others: its input brought to the shape it takes, and a new answer on its features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zoo.builders.blocks import answer, drop, normalise, onecycle, penalty, scaled_input
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import DROPOUT, L1, L2, flag, integer

HEAD = (
    integer("units", 0, "width of a dense layer before the answer; 0 is none", low=0, high=8192, search=(0, 256)),
    flag("batch_norm", True, "normalise the features, whose size nobody knows", search=(True,)),
    DROPOUT,
    L1,
    L2,
)
"""Knobs of what `head` builds."""

PIXELS: dict[str, tuple[float, float]] = {"unit": (1 / 255, 0.0), "signed": (2 / 255, -1.0), "raw": (1.0, 0.0)}
"""What a network takes for pixels of 0 to 255, as scale and offset: 0 to 1, -1 to 1, or as they are."""

OWN_STEPS = 400


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """Knobs of the training: a short one, at a rate that a fine-tuned network bears as well as a new answer alone."""
    del inputs, outputs
    return {"dropout": 0.2, **onecycle(samples, steps=OWN_STEPS, learning_rate=0.002, most=40)}


def pixels_input(inputs: InputSpec, pixels: str) -> tuple[Any, Any]:
    """The model's input and the tensor that the network takes, with one scale for the whole tensor.

    Args:
        inputs: Of any kind; only pixels are scaled otherwise than the data say.
        pixels: Of `PIXELS`.
    """
    if inputs.kind == "image":
        scale, offset = PIXELS[pixels]
        inputs = replace(inputs, scale=scale, offset=offset)
    return scaled_input(inputs)


def fit_shape(x: Any, wanted: tuple[int | None, ...] | None, source: str) -> Any:
    """The tensor in the shape that a network takes: one grey channel three times, and a series as a picture.

    Args:
        x: Keras tensor, (batch, *shape).
        wanted: Without the batch axis, None where a size is open; None where nothing is known.
        source: Whose, for messages.

    Raises:
        ModelError: They do not fit; says how the data can be brought to that shape.
    """
    import keras

    if wanted is None:
        return x
    if len(x.shape) == 3 and len(wanted) == 3 and wanted[-1] == 1:
        x = keras.layers.Reshape((*x.shape[1:], 1))(x)
    if len(x.shape) == 4 and len(wanted) == 3 and x.shape[-1] == 1 and wanted[-1] == 3:
        x = keras.layers.Concatenate(name="colours")([x, x, x])
    found = tuple(x.shape[1:])
    if len(found) == len(wanted) and all(size in (None, have) for size, have in zip(wanted, found, strict=True)):
        return x
    raise ModelError(f"{source} takes {_shape(wanted)}, the data give {_shape(found)}; {_advice(found, wanted)}")


def _advice(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> str:
    if len(found) != len(wanted):
        kinds = {1: "rows of numbers", 2: "series", 3: "images"}
        return f"give data that are {kinds.get(len(wanted), f'of {len(wanted)} axes')}"
    if len(wanted) == 3 and wanted[0] and wanted[0] == wanted[1] and wanted[:2] != found[:2]:
        return f"images of one's own are resized with --set image_size={wanted[0]}"
    if len(wanted) == 3 and wanted[2] != found[2]:
        return f"images of one's own are read so with --set image_channels={wanted[2]}"
    if len(wanted) == 2:
        return f"take the same channels, in windows of the same length with --window {wanted[0]}"
    return "give data of that shape"


def _shape(shape: tuple[int | None, ...]) -> str:
    return "x".join("any" if size is None else str(size) for size in shape)


def pooled(x: Any) -> Any:
    """Features without places: a map of them is averaged."""
    import keras

    if len(x.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.layers.GlobalAveragePooling1D(name="pool")(x) if len(x.shape) == 3 else x


def head(x: Any, outputs: OutputSpec, *, units: int, batch_norm: bool, dropout: float, l1: float, l2: float) -> Any:
    """The answer from features, (batch, features) -> (batch, *outputs.shape)."""
    import keras

    if batch_norm:
        x = normalise(x)
    if units:
        x = keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty(l1, l2))(drop(x, dropout))
    return answer(drop(x, dropout), outputs, l1=l1, l2=l2)
