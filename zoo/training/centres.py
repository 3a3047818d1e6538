"""The loss of a detector: focal loss on the centres, absolute error on the boxes.

Zhou, Wang and Kraehenbuehl, "Objects as points", arXiv:1904.07850, section 3; the focal loss with its easier cells near
a centre is that of Law and Deng, "CornerNet", arXiv:1808.01244.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.boxes import BOX

FOCUS, EASE = 2.0, 4.0
"""alpha and beta of the paper: cells that are right already count less, and so do cells near a centre."""

OFFSET, SIZE = 1.0, 5.0
"""Weights of the centre's place in its cell and of the roots of width and height: an error of the size moves more."""

SMALLEST = 1e-6


@keras.saving.register_keras_serializable(package="zoo")
class CentresAndBoxes(keras.losses.Loss):  # type: ignore[misc]
    """Loss of maps as in `zoo.boxes`; of each image the sum over its cells by its number of objects."""

    def __init__(self, name: str = "centres_and_boxes", **options: Any) -> None:
        super().__init__(name=name, **options)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each image, (batch, rows, columns, classes + 4) twice -> (batch,)."""
        true, found = y_true[..., :-BOX], ops.clip(y_pred[..., :-BOX], SMALLEST, 1 - SMALLEST)
        centre = ops.cast(true == 1, found.dtype)
        focal = centre * (1 - found) ** FOCUS * ops.log(found)
        focal += (1 - true) ** EASE * found**FOCUS * ops.log(1 - found)
        there = ops.max(centre, axis=-1, keepdims=True)
        errors = there * ops.abs(y_true[..., -BOX:] - y_pred[..., -BOX:])
        weighed = OFFSET * ops.sum(errors[..., :2], axis=-1) + SIZE * ops.sum(errors[..., 2:], axis=-1)
        objects = ops.maximum(ops.sum(there, axis=(1, 2, 3)), 1.0)
        return (ops.sum(weighed, axis=(1, 2)) - ops.sum(focal, axis=(1, 2, 3))) / objects
