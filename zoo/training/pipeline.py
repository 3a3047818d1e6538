"""Batches in an order that is ours: a function of (seed, epoch), never of Keras's shuffle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.dataset import ModelInputs
from zoo.training.augmentation import Augmentation

_EPOCHS_APART = 1_000_003
"""Between the seeds of two epochs; int32, which wraps round."""


@dataclass
class EpochOrder:
    """The order of the samples in the current epoch; the training loop sets `epoch` before each.

    Attributes:
        samples: How many there are.
        worker: Index of this worker where several train together.
    """

    seed: int
    samples: int
    worker: int = 0
    epoch: int = 0

    def permutation(self) -> np.ndarray:
        """Every sample's index once, (samples,) int64."""
        return np.random.default_rng((self.seed, self.epoch, self.worker)).permutation(self.samples)

    def drawn(self) -> tuple[np.ndarray, np.int32]:
        """The permutation, and of which epoch it is."""
        return self.permutation(), np.int32(self.epoch)


def batches(
    inputs: Any,
    targets: Any,
    *,
    batch_size: int,
    order: EpochOrder,
    weights: np.ndarray | None = None,
    augmentation: Augmentation | None = None,
) -> Any:
    """A `tf.data.Dataset` of one epoch; each new iterator asks `order` again.

    Args:
        inputs: Model inputs, (n, ...), an array or a tensor; gathered as they are and cast to float32 by the batch.
            `ModelInputs`, which are not in memory, are made a batch at a time, in the same order and with the same
            values.
        targets: As the loss wants them, (n, outputs) float32, an array or a tensor.
        batch_size: The last batch of an epoch may be smaller.
        order: Decides the order of the epoch at hand.
        weights: (n,) float32 sample weights, or None.
        augmentation: Varies each batch.

    Returns:
        Batches of (inputs, targets) or (inputs, targets, weights).
    """
    import tensorflow as tf

    steps = -(-len(inputs) // batch_size)
    columns = [tf.convert_to_tensor(array) for array in (targets, weights) if array is not None]
    held = None if isinstance(inputs, ModelInputs) else tf.convert_to_tensor(inputs)
    example = inputs[:1]

    def permuted(_: Any) -> Any:
        indices, epoch = tf.numpy_function(order.drawn, [], (tf.int64, tf.int32), stateful=True)
        return tf.ensure_shape(indices, (len(inputs),)), tf.ensure_shape(epoch, ())

    def slices(indices: Any, epoch: Any) -> Any:
        def part(step: Any) -> Any:
            here = tf.stack([epoch * _EPOCHS_APART + order.seed + order.worker, tf.cast(step, tf.int32)])
            return indices[step * batch_size : (step + 1) * batch_size], here

        return tf.data.Dataset.range(steps).map(part)

    def read(indices: Any) -> Any:
        if held is not None:
            return tf.gather(held, indices)
        rows = tf.numpy_function(lambda wanted: inputs[wanted], [indices], example.dtype, stateful=False)
        return tf.ensure_shape(rows, (None, *example.shape[1:]))

    def gather(indices: Any, seed: Any) -> Any:
        parts = (read(indices), *(tf.gather(column, indices) for column in columns))
        whole = parts[0].dtype == tf.int32  # ids of words
        batch = (parts[0] if whole else tf.cast(parts[0], tf.float32), *(tf.cast(p, tf.float32) for p in parts[1:]))
        return augmentation(seed, *batch) if augmentation else batch

    dataset = tf.data.Dataset.from_tensors(0).map(permuted).flat_map(slices)
    dataset = dataset.map(gather, num_parallel_calls=2, deterministic=True)
    options = tf.data.Options()
    # TensorFlow 2.21 waits for the thread that tunes a pipeline when its iterator ends, up to five seconds an epoch.
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4).with_options(options)


def class_weights(targets: np.ndarray, classes: int) -> np.ndarray:
    """A weight per sample such that every class weighs the same in all, mean 1.

    Args:
        targets: (n,) class indices.
        classes: How many classes there are.
    """
    counts = np.bincount(targets.astype(np.int64).reshape(-1), minlength=classes)
    present = int(np.count_nonzero(counts))
    per_class = len(targets) / (present * np.maximum(counts, 1))
    return per_class[targets.astype(np.int64).reshape(-1)].astype(np.float32)
