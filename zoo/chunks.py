"""Some of a model's inputs, as every reader of files hands them on. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from . import preprocessing
    from .interpreters import DataError
else:
    import preprocessing  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]

ARRAY_ROWS = 2048
"""Rows of an array, or windows of a recording, in a chunk."""


class Chunk(NamedTuple):
    """Some inputs, in their order.

    Attributes:
        names: Of each: its file, with its row where the file holds several.
        samples: What the model is fed, (n, *shape); rows with a problem hold no meaning. Of a model that answers for
            every pixel one image as it is, (1, height, width) or (1, height, width, channels).
        problems: Position to what is wrong there, file and line or column named.
        kept: Of each, the text of the columns asked for.
        unseen: Column to cells whose category the training split did not hold.
        missing: Column to cells that are missing, and have their trained default.
        lines: Of each, the line of the file that it begins on; empty where the file is no table.
        sizes: Height and width of each image before the steps; empty where these are none.
    """

    names: list[str]
    samples: np.ndarray
    problems: Mapping[int, str]
    kept: Sequence[Sequence[str]] = ()
    unseen: Mapping[str, int] = {}
    missing: Mapping[str, int] = {}
    lines: Sequence[int] = ()
    sizes: Sequence[tuple[int, int]] = ()

    def place(self, at: int) -> str:
        """Where a sample stands, for messages: its file and line, or its name."""
        return f"{self.names[at].rpartition(':')[0]}, line {self.lines[at]}" if self.lines else self.names[at]


def prepare(raw: np.ndarray, contract: Mapping[str, Any]) -> np.ndarray:
    """Raw samples after the recorded steps, first axis the batch.

    Raises:
        DataError: They are not what the model was trained on.
    """
    try:
        return preprocessing.apply(contract["steps"], raw)
    except ValueError as error:
        raise DataError(f"the samples do not fit the model: {error}") from error


def not_finite(samples: np.ndarray) -> list[int]:
    """Positions of samples with NaN or infinite numbers."""
    if samples.dtype.kind != "f":
        return []
    found: list[int] = np.flatnonzero(~np.isfinite(samples).reshape(len(samples), -1).all(axis=1)).tolist()
    return found
