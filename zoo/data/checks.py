"""Raw data is looked at before it is used: finite numbers, targets that mean something."""

from __future__ import annotations

import numpy as np

from zoo.data.dataset import Raw
from zoo.errors import DataError

CHUNK = 65_536


def check(raw: Raw, name: str) -> None:
    """Refuses raw data that no model could be trained on.

    Args:
        raw: As the loader returned it.
        name: The data set, for the message.

    Raises:
        DataError: A number that is not finite (its row and column are named), targets that do not fit the samples or
            the labels, or no samples at all.
    """
    parts = [("", raw.samples, raw.targets)]
    if raw.test_samples is not None and raw.test_targets is not None:
        parts.append(("test ", raw.test_samples, raw.test_targets))
    for part, samples, targets in parts:
        if len(samples) == 0 or len(samples) != len(targets):
            raise DataError(
                f"{name} has {len(samples)} {part}samples and {len(targets)} targets; expected as many of each"
            )
        _check_finite(samples, raw.columns, f"{name}, {part}row", gaps=bool(raw.schema))
        _check_finite(targets.reshape(len(targets), -1), raw.labels, f"{name}, {part}target of row")
        if raw.task in ("binary", "multiclass"):
            _check_classes(targets, raw, f"{name}, {part}target of row")


def _check_finite(values: np.ndarray, columns: tuple[str, ...], where: str, *, gaps: bool = False) -> None:
    """Raises DataError at the first number that is not finite; with `gaps`, NaN is a missing value and allowed."""
    if not np.issubdtype(values.dtype, np.floating):
        return
    for start in range(0, len(values), CHUNK):
        chunk = np.asarray(values[start : start + CHUNK])
        finite = ~np.isinf(chunk) if gaps else np.isfinite(chunk)
        if finite.all():
            continue
        position = np.argwhere(~finite)[0]
        row, column = int(position[0]), int(position[-1])
        name = repr(columns[column]) if column < len(columns) else str(column)
        raise DataError(
            f"{where} {start + row}, column {name} is {chunk[tuple(position)]}; expected a finite number; correct or "
            "drop such rows"
        )


def _check_classes(targets: np.ndarray, raw: Raw, where: str) -> None:
    if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise DataError(
            f"{where}s: shape {targets.shape} of {targets.dtype}; expected one integer class for each sample"
        )
    wrong = np.flatnonzero((targets < 0) | (targets >= len(raw.labels)))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{where} {row} is class {targets[row]}; expected 0 to {len(raw.labels) - 1}, one for each label"
        )
    counts = np.bincount(targets.astype(np.int64), minlength=len(raw.labels))
    for index in np.flatnonzero(counts == 0):
        raise DataError(
            f"{where}s: class {raw.labels[index]!r} has no sample; add samples of it or leave its label out"
        )
