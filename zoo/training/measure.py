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

BATCH_PIXELS = 2**19
"""Of a segmentation: pixels at once, each of which has all features of the first and the last layers."""


class Measured:
    """A split's model inputs with all that is needed to measure a model on it.

    Args:
        dataset: Where the steps and the target transform come from.
        split: Raw samples.
        loss: A Keras loss on dense targets.
    """

    def __init__(self, dataset: Dataset, split: Split, loss: Any) -> None:
        self._inputs = dataset.model_inputs(split)
        self._targets = split.targets if dataset.output.task == "segmentation" else dense_targets(dataset, split)
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

        The loss is that of normal samples, where anomalies are looked for: of what the training means to lower. Of a
        segmentation the outputs are (n, height, width) uint8 classes: probabilities of all pixels are not kept.
        """
        if self._task == "segmentation":
            return self._measure_pixels(forward)
        outputs = run_batches(forward, self._inputs)
        loss = self._mean_loss(outputs)
        answers = preprocessing.invert_target(outputs, self._transform)
        return {"loss": loss, **metrics.evaluate(self._task, self._split.targets, answers, threshold)}, answers

    def _measure_pixels(self, forward: Any) -> tuple[dict[str, float], np.ndarray]:
        """The loss and the figures over all pixels that are measured, a few images at a time."""
        height, width, _ = self._inputs[:1].shape[1:]
        size = max(1, BATCH_PIXELS // (height * width))
        counts: Any = 0
        loss, pixels, answers = 0.0, 0, []
        for at in range(0, len(self._inputs), size):
            outputs = forward(tf.constant(self._inputs[at : at + size])).numpy()
            targets = np.asarray(self._targets[at : at + size])
            wanted = targets != metrics.VOID
            dense = np.eye(outputs.shape[-1], dtype=np.float32)[targets[wanted]]
            loss += float(self._loss(dense, outputs[wanted])) * len(dense) if len(dense) else 0.0
            pixels += len(dense)
            answers.append(metrics.decide(self._task, outputs))
            counts = counts + metrics.pixel_counts(targets, answers[-1], outputs.shape[-1])
        return {"loss": loss / max(pixels, 1), **metrics.pixel_figures(counts)}, np.concatenate(answers)

    def _mean_loss(self, outputs: np.ndarray) -> float:
        """Over all samples, or the normal ones; those whose targets are made when asked for some at a time."""
        if isinstance(self._targets, ModelInputs):
            parts = [slice(at, at + LARGEST_BATCH) for at in range(0, len(outputs), LARGEST_BATCH)]
            sums = [float(self._loss(self._targets[part], outputs[part])) * len(outputs[part]) for part in parts]
            return sum(sums) / len(outputs)
        judged = slice(None) if self._false_alarms is None else self._split.targets == 0
        return float(self._loss(self._targets[judged], outputs[judged]))


def dense_targets(dataset: Dataset, split: Split) -> np.ndarray | ModelInputs:
    """Targets as every loss takes them, (n, outputs) float32; classes one-hot; of a detector maps."""
    targets = dataset.model_targets(split)
    if isinstance(targets, ModelInputs):
        return targets
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
