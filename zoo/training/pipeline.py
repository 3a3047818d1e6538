"""Batches in an order that is ours: a function of (seed, epoch), never of Keras's shuffle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.dataset import ModelInputs, Selection
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
    pixel_weights: np.ndarray | None = None,
) -> Any:
    """A `tf.data.Dataset` of one epoch; each new iterator asks `order` again.

    Args:
        inputs: Model inputs, (n, ...), an array or a tensor; gathered as they are and cast to float32 by the batch.
            `ModelInputs`, which are not in memory, are made a batch at a time, in the same order and with the same
            values.
        targets: As the loss wants them, (n, outputs) float32, an array or a tensor, or made when asked for likewise; or
            masks, (n, height, width) uint8 classes, of which the augmentation makes what the loss wants. `Masks` are
            read a batch at a time.
        batch_size: The last batch of an epoch may be smaller.
        order: Decides the order of the epoch at hand.
        weights: (n,) float32 sample weights, or None.
        augmentation: Varies each batch.
        pixel_weights: (classes,) float32, what a pixel of each class weighs; None for all the same.

    Returns:
        Batches of (inputs, targets) or (inputs, targets, weights).
    """
    import tensorflow as tf

    steps = -(-len(inputs) // batch_size)
    columns = [_held(array) for array in (inputs, targets, weights) if array is not None]

    def permuted(_: Any) -> Any:
        indices, epoch = tf.numpy_function(order.drawn, [], (tf.int64, tf.int32), stateful=True)
        return tf.ensure_shape(indices, (len(inputs),)), tf.ensure_shape(epoch, ())

    def slices(indices: Any, epoch: Any) -> Any:
        def part(step: Any) -> Any:
            here = tf.stack([epoch * _EPOCHS_APART + order.seed + order.worker, tf.cast(step, tf.int32)])
            return indices[step * batch_size : (step + 1) * batch_size], here

        return tf.data.Dataset.range(steps).map(part)

    def gather(indices: Any, seed: Any) -> Any:
        parts = [_read(column, indices) for column in columns]
        whole = parts[0].dtype == tf.int32  # ids of words
        batch = (parts[0] if whole else tf.cast(parts[0], tf.float32), *(tf.cast(p, tf.float32) for p in parts[1:]))
        batch = augmentation(seed, *batch) if augmentation else batch
        if pixel_weights is None:
            return batch
        return (*batch, tf.reduce_sum(batch[1] * tf.constant(pixel_weights), axis=-1))

    dataset = tf.data.Dataset.from_tensors(0).map(permuted).flat_map(slices)
    dataset = dataset.map(gather, num_parallel_calls=2, deterministic=True)
    options = tf.data.Options()
    # TensorFlow 2.21 waits for the thread that tunes a pipeline when its iterator ends, up to five seconds an epoch.
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4).with_options(options)


def _held(array: Any) -> Any:
    """A tensor; what is not in memory stays as it is."""
    import tensorflow as tf

    return array if isinstance(array, (ModelInputs, Selection)) else tf.convert_to_tensor(array)


def _read(column: Any, indices: Any) -> Any:
    """Rows of a tensor, or of what is read when it is asked for."""
    import tensorflow as tf

    if not isinstance(column, (ModelInputs, Selection)):
        return tf.gather(column, indices)
    example = column[:1]
    rows = tf.numpy_function(lambda wanted: column[wanted], [indices], example.dtype, stateful=False)
    return tf.ensure_shape(rows, (None, *example.shape[1:]))


def class_weights(targets: np.ndarray, classes: int) -> np.ndarray:
    """A weight per sample such that every class weighs the same in all, mean 1.

    Args:
        targets: (n,) class indices.
        classes: How many classes there are.
    """
    counts = np.bincount(targets.astype(np.int64).reshape(-1), minlength=classes)
    return balanced(counts)[targets.astype(np.int64).reshape(-1)]


def balanced(counts: np.ndarray) -> np.ndarray:
    """(classes,) float32 weights such that every class that occurs weighs the same in all, mean 1 over all counted."""
    weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray(weights, np.float32)
