"""Masks on disk as the targets of a split: classes of pixels, read when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.dataset import Selection
from zoo.metrics import VOID


class Masks(Selection):
    """Rows of masks on disk as class indices, (n, height, width) uint8.

    Args:
        source: (rows, height, width) uint8, values as the files have them.
        indices: Rows of it.
        classes: (256,) uint8, from value to class.
        kept: (rows, 4) top, bottom, left and right of what each row answers for, see `zoo.masks.Box`; None where that
            is all of it.
        measured: Whether pixels that another row answers for are `zoo.metrics.VOID`.
    """

    def __init__(
        self,
        source: np.ndarray,
        indices: np.ndarray,
        classes: np.ndarray,
        kept: np.ndarray | None = None,
        *,
        measured: bool = False,
    ) -> None:
        super().__init__(source, indices, lambda rows: classes[rows])
        self._rows, self._classes, self._kept, self._measured = indices, classes, kept, measured

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        """Rows in memory: a slice, or positions."""
        found = super().__getitem__(chosen)
        if not self._measured or self._kept is None:
            return found
        for mask, (top, bottom, left, right) in zip(found, self._kept[self._rows[chosen]].tolist(), strict=True):
            mask[:top], mask[bottom:], mask[:, :left], mask[:, right:] = VOID, VOID, VOID, VOID
        return found

    def take(self, positions: np.ndarray) -> Masks:
        """These rows of this selection, still on disk."""
        return self._like(self._rows[positions], measured=self._measured)

    def measured(self) -> Masks:
        """The same with every pixel of an image in one row alone; in the others it is `zoo.metrics.VOID`."""
        return self._like(self._rows, measured=True)

    def counts(self, classes: int, at_once: int = 64) -> np.ndarray:
        """(classes,) int64, pixels of each class."""
        found = np.zeros(256, np.int64)
        for start in range(0, len(self), at_once):
            found += np.bincount(self[start : start + at_once].reshape(-1), minlength=256)
        return found[:classes]

    def _like(self, indices: np.ndarray, *, measured: bool) -> Masks:
        source: Any = self._source
        return Masks(source, indices, self._classes, self._kept, measured=measured)
