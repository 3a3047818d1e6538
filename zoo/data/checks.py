"""Raw data is looked at before it is used: finite numbers, targets that mean something, classes, equal samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo.data.dataset import Raw, Samples, Split
from zoo.data.findings import Finding, fail
from zoo.data.identity import conflicts
from zoo.errors import DataError

CHUNK = 65_536
CHUNK_VALUES = 2**24
MANY = 0.5
"""Share of the test samples that stand in another split too from which on their figures say little."""

IMBALANCE = 10
"""How many times larger than the smallest class the largest may be before it is worth a warning."""


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
        _check_finite(samples, raw.columns, f"{name}, {part}row", gaps=bool(raw.schema) or raw.kind == "series")
        if raw.task == "segmentation":
            continue
        _check_finite(targets.reshape(len(targets), -1), raw.labels, f"{name}, {part}target of row")
        if raw.task in ("binary", "multiclass"):
            _check_classes(targets, raw, f"{name}, {part}target of row", all_present=not part)


def _check_finite(values: Samples, columns: tuple[str, ...], where: str, *, gaps: bool = False) -> None:
    """Raises DataError at the first number that is not finite; with `gaps`, NaN is a missing value and allowed."""
    if not np.issubdtype(values.dtype, np.floating):
        return
    rows = max(1, min(CHUNK, CHUNK_VALUES // max(int(np.prod(values.shape[1:])), 1)))
    for start in range(0, len(values), rows):
        chunk = np.asarray(values[start : start + rows])
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


def _check_classes(targets: np.ndarray, raw: Raw, where: str, *, all_present: bool) -> None:
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
    for index in np.flatnonzero(counts == 0) if all_present else ():
        raise DataError(
            f"{where}s: class {raw.labels[index]!r} has no sample; add samples of it or leave its label out"
        )


def class_count(raw: Raw) -> int:
    """Number of classes to stratify by; 0 where there are none."""
    return len(raw.labels) if raw.task in ("binary", "multiclass") else 0


def imbalance(raw: Raw) -> list[Finding]:
    """Classes of very different size: accuracy then says little, and the small ones are learnt badly."""
    if not class_count(raw):
        return []
    counts = np.bincount(raw.targets.astype(np.int64), minlength=len(raw.labels))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < IMBALANCE * counts[least]:
        return []
    sizes = f"{raw.labels[most]!r} has {counts[most]:,} samples, {raw.labels[least]!r} {counts[least]:,}"
    return [
        Finding("warning", f"the classes are unbalanced: {sizes}; look at macro_f1, try --set class_weights=balanced")
    ]


def look_alikes(raw: Raw, digests: np.ndarray) -> list[Finding]:
    """Exactly equal samples with different targets: at least one of each is labelled wrongly, or nobody can tell."""
    if raw.task in ("regression", "segmentation"):
        return []
    groups = conflicts(digests, raw.targets)
    if not groups:
        return []
    count = sum(len(group) for group in groups)
    example = ""
    if raw.names:
        members = [f"{raw.names[at]} ({_label(raw, at)})" for at in groups[0][:3]]
        example = f", such as {', '.join(members)}"
    return [
        Finding(
            "warning", f"{count:,} samples are exactly equal to one with another label{example}; look at their labels"
        )
    ]


def _label(raw: Raw, at: int) -> str:
    if raw.task == "detection":
        labels = raw.targets[at, :, 0]
        return ", ".join(raw.labels[int(label)] for label in labels[labels >= 0]) or "nothing"
    return raw.labels[int(raw.targets[at])] if raw.targets.ndim == 1 else str(raw.targets[at].tolist())


def straddlers(test: np.ndarray, others: np.ndarray) -> list[Finding]:
    """Test samples that stand, exactly equal, among the others; both are digests, (n,) uint64."""
    count = int(np.isin(test, others).sum())
    if not count:
        return []
    text = f"{count:,} of {len(test):,} test samples also stand, exactly equal, in the training or validation split"
    return [Finding("warning" if count > MANY * len(test) else "note", text)]


def unseen_objects(raw: Raw, train: Split) -> list[Finding]:
    """Classes without an object in the training split: they will never be found."""
    seen = {int(label) for label in np.unique(train.targets[..., 0])}
    absent = [label for at, label in enumerate(raw.labels) if at not in seen]
    if not absent:
        return []
    text = f"no object of {', '.join(map(repr, absent))} is in the training split; it will never be found: add images"
    return [Finding("warning", text)]


def check_classes(raw: Raw, name: str, splits: Mapping[str, Split]) -> None:
    """Raises DataError where a split lacks a class: it could be neither learnt nor measured."""
    problems = []
    for part, split in splits.items():
        counts = np.bincount(split.targets.astype(np.int64), minlength=len(raw.labels))
        absent = [raw.labels[index] for index in np.flatnonzero(counts == 0)]
        if absent:
            problems.append(
                f"{name}: class {', '.join(map(repr, absent))} has no sample in the {part} split; add samples of it, "
                "leave it out, or split otherwise (--split)"
            )
    fail(problems, name)
