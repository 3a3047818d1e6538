"""Measuring a model on a split, in inference mode."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import tensorflow as tf

from zoo import metrics, preprocessing
from zoo.data.dataset import Dataset, ModelInputs, Split

LARGEST_BATCH = 1000
BATCH_VALUES = 4_000_000
"""Input values that go through the model at once at most; its layers hold several times more."""


class Measured:
    """A split's model inputs with all that is needed to measure a model on it.

    Args:
        dataset: Where the steps and the target transform come from.
        split: Raw samples.
        loss: A Keras loss on dense targets.
    """

    def __init__(self, dataset: Dataset, split: Split, loss: Any) -> None:
        self._inputs = dataset.model_inputs(split)
        self._targets = dense_targets(dataset, split)
        self._split, self._loss = split, loss
        self._task = dataset.output.task
        self._transform = dataset.target_transform
        self._false_alarms = dataset.alarm.get("false_alarms")

    def under(self, loss: Any) -> Measured:
        """The same split, its inputs shared, measured with another loss."""
        other = copy.copy(self)
        other._loss = loss
        return other

    def threshold(self, forward: Any) -> float | None:
        """The score above which an answer is an anomaly, where this split is normal; None for all other tasks."""
        if self._false_alarms is None:
            return None
        return metrics.choose_threshold(run_batches(forward, self._inputs), self._false_alarms)

    def measure(self, forward: Any, threshold: float | None = None) -> tuple[dict[str, float], np.ndarray]:
        """Metrics with the data loss among them, and the outputs in target units, (n, outputs).

        The loss is that of normal samples, where anomalies are looked for: of what the training means to lower.
        """
        outputs = run_batches(forward, self._inputs)
        judged = slice(None) if self._false_alarms is None else self._split.targets == 0
        loss = float(self._loss(self._targets[judged], outputs[judged]))
        answers = preprocessing.invert_target(outputs, self._transform)
        return {"loss": loss, **metrics.evaluate(self._task, self._split.targets, answers, threshold)}, answers


def dense_targets(dataset: Dataset, split: Split) -> np.ndarray:
    """Targets as every loss takes them, (n, outputs) float32; classes one-hot."""
    targets = dataset.model_targets(split)
    if dataset.output.task == "multiclass":
        return np.asarray(np.eye(dataset.output.shape[-1], dtype=np.float32)[targets])
    return targets


def run_batches(forward: Any, inputs: np.ndarray | ModelInputs) -> np.ndarray:
    """A compiled inference function over model inputs, (n, ...) -> (n, outputs) float32, in batches that fit."""
    width = int(np.prod(inputs[:1].shape[1:]))
    size = min(LARGEST_BATCH, max(1, BATCH_VALUES // width))
    parts = [forward(tf.constant(inputs[at : at + size])).numpy() for at in range(0, len(inputs), size)]
    return np.concatenate(parts).astype(np.float32)


def inference(model: Any) -> Any:
    """The model in inference mode as one traced function of a batch."""
    return tf.function(
        lambda batch: model(tf.cast(batch, tf.float32), training=False), reduce_retracing=True, autograph=False
    )
