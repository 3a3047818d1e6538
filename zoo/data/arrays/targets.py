"""Targets as arrays hold them: classes, one-hot rows, several labels, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.cards import Task
from zoo.data.findings import Finding
from zoo.errors import UsageError

MANY_NUMBERS = 20
"""More distinct whole numbers than this, with gaps between them, are an amount to predict, not classes."""

SHOWN_ROWS = 5
EXACT = 2**53
"""Whole numbers below it are exact as float64; a larger one may have been another class."""


@dataclass(frozen=True)
class Answers:
    """Targets of every part of the data, as `zoo.data.dataset.Raw` has them."""

    task: Task
    labels: tuple[str, ...]
    targets: tuple[np.ndarray, ...]
    findings: tuple[Finding, ...] = ()


def understand(parts: Sequence[tuple[str, np.ndarray]], task: str, names: Sequence[str], *, images: bool) -> Answers:
    """Tells what arrays of targets mean.

    Without a task: text and truth values are classes; so are whole numbers, unless they are more than `MANY_NUMBERS`
    with gaps in a table; other numbers are a regression, but for 0.0 and 1.0 alone. Rows of 0 and 1 with a single 1 in
    each are classes, other rows of 0 and 1 several labels, other rows several numbers.

    Args:
        parts: A name for messages and the targets, the training's first.
        task: Of `zoo.cards.TASKS`, or "auto".
        names: Of the classes, in the order of their numbers; empty where nobody names them.
        images: Whether samples are images, whose whole numbers are classes however many.

    Raises:
        UsageError: A task that such targets cannot be.
    """
    flat = [(name, values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values) for name, values in parts]
    whole = np.concatenate([values for _, values in flat])
    guess = _guess(whole, images=images)
    meant = guess if task == "auto" else task
    if meant == "regression":
        return _numbers(flat, whole, "regression", names)
    if meant == "multilabel":
        return _numbers(flat, whole, "multilabel", names)
    if whole.ndim > 1 and guess != "onehot":
        raise UsageError(f"{parts[0][0]} of shape {parts[0][1].shape} is no {task} task; leave --task away")
    if guess == "onehot":
        flat = [(name, values.argmax(axis=1)) for name, values in flat]
    return _classes(flat, task, names, width=whole.shape[1] if guess == "onehot" else 0)


def _guess(values: np.ndarray, *, images: bool) -> str:
    if values.dtype.kind in "USb" and values.ndim == 1:
        return "classes"
    distinct = np.unique(values)
    binary = bool(np.isin(distinct, (0, 1)).all())
    if values.ndim > 1:
        if not binary:
            return "regression"
        return "onehot" if (values.sum(axis=1) == 1).all() else "multilabel"
    if values.dtype.kind == "f":
        return "classes" if binary else "regression"
    contiguous = len(distinct) == distinct[-1] - distinct[0] + 1
    return "classes" if images or contiguous or len(distinct) <= MANY_NUMBERS else "regression"


def _numbers(parts: Sequence[tuple[str, np.ndarray]], whole: np.ndarray, task: Task, names: Sequence[str]) -> Answers:
    if whole.dtype.kind not in "uifb":
        raise UsageError(f"{parts[0][0]} holds {whole.dtype}, no {task} task; leave --task away")
    findings = []
    for name, values in parts:
        rows = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1).astype(np.float64)).all(axis=1))
        if rows.size:
            findings.append(Finding("error", f"{name}: {_listed(rows)} not finite; correct or remove such rows"))
    targets = tuple(values.reshape(len(values), -1).astype(np.float64) for _, values in parts)
    width = targets[0].shape[1]
    labels = tuple(names) if len(names) == width else tuple(f"target {at + 1}" for at in range(width))
    if not findings and task == "regression" and bool((targets[0] == targets[0][0]).all(axis=0).any()):
        findings.append(Finding("error", f"{parts[0][0]} has one value only; there is nothing to learn"))
    if task == "multilabel" and not np.isin(whole, (0, 1)).all():
        findings.append(Finding("error", f"{parts[0][0]}: several labels are rows of 0 and 1; there are other values"))
    return Answers(task, labels, targets, tuple(findings))


def _classes(parts: Sequence[tuple[str, np.ndarray]], task: str, names: Sequence[str], *, width: int) -> Answers:
    whole = np.concatenate([values for _, values in parts])
    if whole.dtype.kind == "f":
        broken = [found for name, values in parts for found in _no_classes(name, values)]
        if broken:
            return Answers(
                "multiclass", tuple(names), tuple(np.zeros(len(values), np.int64) for _, values in parts), tuple(broken)
            )
        whole, parts = whole.astype(np.int64), [(name, values.astype(np.int64)) for name, values in parts]
    text = whole.dtype.kind in "US"
    if text:
        parts = [(name, values.astype(np.str_)) for name, values in parts]
    known: np.ndarray
    if text:
        known = np.array(list(names) or sorted(set(whole.astype(np.str_).tolist())))
    else:
        known = np.arange(len(names) or width) if len(names) or width else np.unique(whole)
    labels = tuple(names) or tuple(str(int(value)) if not text else str(value) for value in known)
    findings = []
    for name, values in parts:
        rows = np.flatnonzero(~np.isin(values, known))
        if rows.size:
            example = values[rows[0]]
            findings.append(
                Finding(
                    "error", f"{name}: {_listed(rows)} of class {example}; expected one of {', '.join(labels[:12])}"
                )
            )
    findings += _absent(parts, known, labels) if task != "anomaly" else []
    if task == "binary" and len(labels) != 2:
        raise UsageError(
            f"{parts[0][0]} has {_counted(len(labels), 'class', 'classes')}, --task binary needs 2; leave it away"
        )
    order = np.argsort(known)
    targets = tuple(
        np.asarray(order[np.clip(np.searchsorted(known, values, sorter=order), 0, len(known) - 1)], np.int64)
        for _, values in parts
    )
    found: Task = "multiclass" if task == "multiclass" or len(labels) != 2 else "binary"
    found = "anomaly" if task == "anomaly" else found
    return Answers(found, labels, targets, tuple(findings))


def _no_classes(name: str, values: np.ndarray) -> list[Finding]:
    """Numbers that are no class: not finite, not whole, or too large to be exact."""
    rows = np.flatnonzero(~((np.abs(values) < EXACT) & (np.floor(values) == values)))
    if not rows.size:
        return []
    text = (
        f"{name}: {_listed(rows)} of {values[rows[0]]:g}, which is no class; expected whole numbers, correct such rows"
    )
    return [Finding("error", f"{text}, or --task regression")]


def _absent(parts: Sequence[tuple[str, np.ndarray]], known: np.ndarray, labels: Sequence[str]) -> list[Finding]:
    if len(labels) < 2:
        only = labels[0] if labels else "none"
        return [Finding("error", f"{parts[0][0]} has a single class, {only!r}; expected at least 2")]
    drawn = {1: 3, 2: 2, 3: 1}[len(parts)]
    findings = []
    for value, label in zip(known, labels, strict=True):
        for at, (name, values) in enumerate(parts):
            count, least = int((values == value).sum()), drawn if at == 0 else 1
            if count < least:
                have = f"class {label!r} has {_counted(count, 'sample', 'samples')}"
                findings.append(Finding("error", f"{name}: {have}; expected at least {least}, add some"))
    return findings


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _listed(rows: np.ndarray) -> str:
    shown = ", ".join(str(row) for row in rows[:SHOWN_ROWS])
    more = f" and {len(rows) - SHOWN_ROWS:,} more" if len(rows) > SHOWN_ROWS else ""
    noun, verb = ("row", "is") if len(rows) == 1 else ("rows", "are")
    return f"{noun} {shown}{more} (counted from 0) {verb}"
