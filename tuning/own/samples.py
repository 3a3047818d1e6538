"""A caller's data as arrays, for the export of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import UsageError

CALIBRATION_SAMPLES = 200
VALIDATION_SAMPLES = 5000


@dataclass(frozen=True)
class Samples:
    """What candidates are calibrated and judged with.

    Attributes:
        calibration: Samples of the training data, an array or a structure of arrays as the model takes them.
        inputs: Of the validation data, likewise, at most `VALIDATION_SAMPLES`.
        targets: Of those.
    """

    calibration: Any
    inputs: Any
    targets: Any

    @classmethod
    def read(cls, train: Any, validation: Any) -> Samples:
        """Goes over as many batches as it takes.

        Args:
            train: Batches of (inputs, targets[, weights]), or such a tuple of whole arrays.
            validation: Likewise.

        Raises:
            UsageError: Nothing to go over, or without targets.
        """
        first, _ = _gather(train, "train_data", CALIBRATION_SAMPLES)
        inputs, targets = _gather(validation, "validation_data", VALIDATION_SAMPLES)
        if targets is None:
            raise UsageError("validation_data has no targets; give batches of (inputs, targets)")
        return cls(first, inputs, targets)


def _gather(given: Any, what: str, limit: int) -> tuple[Any, Any]:
    """The first samples and their targets."""
    import tensorflow as tf

    if isinstance(given, tuple):
        entry = tf.nest.map_structure(lambda array: np.asarray(array)[:limit], given)
        return entry[0], entry[1] if len(entry) > 1 else None
    inputs, targets, count = [], [], 0
    for entry in _batches(given, what):
        batch = entry if isinstance(entry, tuple) else (entry,)
        inputs.append(tf.nest.map_structure(np.asarray, batch[0]))
        if len(batch) > 1:
            targets.append(tf.nest.map_structure(np.asarray, batch[1]))
        count += len(tf.nest.flatten(inputs[-1])[0])
        if count >= limit:
            break
    if not inputs:
        raise UsageError(f"{what} is empty; give at least one batch")
    return _joined(inputs, limit), _joined(targets, limit) if targets else None


def _batches(given: Any, what: str) -> Any:
    import keras

    if isinstance(given, keras.utils.PyDataset):
        return (given[index] for index in range(given.num_batches or 0))
    try:
        return iter(given)
    except TypeError as error:
        raise UsageError(
            f"{what} is a {type(given).__name__}; give a tf.data.Dataset, a PyDataset, or a tuple (inputs, targets)"
        ) from error


def _joined(parts: list[Any], limit: int) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays)[:limit], *parts)
