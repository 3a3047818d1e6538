"""The few samples that a run keeps: for calibration, and to replay an export where the data is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.cards import Task
from zoo.data.dataset import Split
from zoo.data.splits import allocate

MASK_BYTES = 10_000_000
"""Images and masks together that are drawn at most: a run that keeps them stays small."""


def draw_samples(split: Split, task: Task, limit: int = 500, seed: int = 0) -> Split:
    """Draws samples by class, seeded.

    Args:
        split: Raw samples and targets.
        task: Binary and multi-class splits keep their classes' shares, with at least one sample of each class.
        limit: How many at most; a smaller split is returned whole. More only where there are more classes; fewer where
            images with masks are more than `MASK_BYTES`.
        seed: Same seed, same samples.

    Returns:
        The samples in their order in the split.
    """
    if task == "segmentation":
        limit = max(min(limit, MASK_BYTES // (_width(split.samples) + _width(split.targets))), 1)
    if len(split) <= limit:
        return split
    generator = np.random.default_rng(seed)
    if task not in ("binary", "multiclass"):
        return split.take(np.sort(generator.permutation(len(split))[:limit]))
    classes, indices = np.unique(split.targets, return_inverse=True)
    shares = allocate(np.bincount(indices, minlength=len(classes)), limit, spare=0)
    drawn = [generator.permutation(np.flatnonzero(indices == index))[:share] for index, share in enumerate(shares)]
    return split.take(np.sort(np.concatenate(drawn)))


def _width(rows: Any) -> int:
    """Bytes of a sample or a target."""
    return int(np.prod(rows.shape[1:], dtype=np.int64)) * int(np.dtype(rows.dtype).itemsize)
