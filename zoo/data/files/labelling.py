"""From the text of labels to targets: classes, several labels at once, or numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.cards import Task
from zoo.data.dataset import PARTS
from zoo.data.files.listing import Listing, counted
from zoo.data.findings import Finding
from zoo.errors import UsageError

SEPARATOR = "|"
MANY_NUMBERS = 20
"""More distinct whole numbers than this are an amount to predict, not classes."""


@dataclass(frozen=True)
class Labelled:
    """Targets of a listing.

    Attributes:
        targets: (n,) classes, (n, labels) of 0 and 1, or (n, targets) float64; see `zoo.data.dataset.Raw`.
    """

    task: Task
    labels: tuple[str, ...]
    targets: np.ndarray
    findings: tuple[Finding, ...] = ()


def label(listing: Listing, task: str, known: tuple[str, ...], *, later: bool) -> Labelled:
    """Makes targets of the text that a listing has for each file.

    Without a task, a column of a list that holds fractions, or more than `MANY_NUMBERS` distinct whole numbers, is a
    regression; everything else is classes, two of them binary.

    Args:
        listing: At least one entry.
        task: Of `zoo.cards.TASKS`, or "auto".
        known: Class names in their order, from a `data.toml`; empty for those found, sorted.
        later: Whether groups, times or parts decide the splits, so that few files of a class may do.

    Raises:
        UsageError: A task that such labels cannot be.
    """
    answers = [entry.answers for entry in listing.entries]
    if task == "regression" or (task == "auto" and listing.listed and _amounts(answers)):
        return _numbers(listing)
    if task == "multilabel" or (task == "auto" and len(listing.targets) > 1):
        return _several(listing, known)
    if len(listing.targets) > 1:
        raise UsageError(f"{len(listing.targets)} target columns are no {task} task; give one --target")
    return _classes(listing, task, known, later=later)


def _amounts(answers: Sequence[Sequence[str]]) -> bool:
    values = [_number(text) for row in answers for text in row]
    if any(value is None for value in values):
        return False
    fractions = any(not float(value or 0).is_integer() for value in values)
    return fractions or (len(answers[0]) == 1 and len(set(values)) > MANY_NUMBERS)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _numbers(listing: Listing) -> Labelled:
    findings = []
    rows = []
    for entry in listing.entries:
        values = [_number(text) for text in entry.answers]
        for text, value in zip(entry.answers, values, strict=True):
            if value is None:
                findings.append(Finding("error", f"{entry.where}{entry.name}: {text!r} is no finite number to predict"))
        rows.append([value or 0.0 for value in values])
    targets = np.array(rows, np.float64)
    if not findings:
        for at in np.flatnonzero(targets.min(axis=0) == targets.max(axis=0)):
            name, value = listing.targets[at], targets[0, at]
            findings.append(
                Finding("error", f"{listing.root}: target {name!r} is {value:g} everywhere; nothing to learn")
            )
    return Labelled("regression", listing.targets, targets, tuple(findings))


def _several(listing: Listing, known: tuple[str, ...]) -> Labelled:
    """Several labels at once: columns of 0 and 1, or one cell with bars between names."""
    findings: list[Finding] = []
    if len(listing.targets) > 1:
        rows = []
        for entry in listing.entries:
            values = [_number(text) for text in entry.answers]
            if any(value not in (0, 1) for value in values):
                text = entry.answers[next(at for at, value in enumerate(values) if value not in (0, 1))]
                findings.append(Finding("error", f"{entry.where}{entry.name}: {text!r} is not 0 or 1"))
            rows.append([value == 1 for value in values])
        labels, targets = listing.targets, np.array(rows, np.float64)
    else:
        sets = [{part.strip() for part in e.answers[0].split(SEPARATOR) if part.strip()} for e in listing.entries]
        labels = known or _sorted(set().union(*sets))
        findings += [
            Finding("error", f"{entry.where}{entry.name}: label {name!r} is none of {', '.join(labels)}")
            for entry, names in zip(listing.entries, sets, strict=True)
            for name in sorted(names - set(labels))
        ]
        targets = np.array([[name in names for name in labels] for names in sets], np.float64)
    if not findings:
        counts = targets.sum(axis=0)
        for at in np.flatnonzero((counts == 0) | (counts == len(targets))):
            share = f"{'every' if counts[at] else 'no'} {listing.kind.noun}"
            findings.append(
                Finding("error", f"{listing.root}: {share} has label {labels[at]!r}; nothing to learn, leave it out")
            )
    return Labelled("multilabel", labels, targets, tuple(findings))


def _sorted(names: set[str]) -> tuple[str, ...]:
    """By value where all are numbers, else by name."""
    numbers = {name: _number(name) for name in names}
    if all(value is not None for value in numbers.values()):
        return tuple(sorted(names, key=lambda name: (numbers[name], name)))
    return tuple(sorted(names))


def _classes(listing: Listing, task: str, known: tuple[str, ...], *, later: bool) -> Labelled:
    texts = [entry.answers[0] for entry in listing.entries]
    labels = known or _sorted({*texts, *listing.classes})
    findings = [
        Finding("error", f"{entry.where}{entry.name} is of class {text!r}, none of {', '.join(labels)} in data.toml")
        for entry, text in zip(listing.entries, texts, strict=True)
        if text not in labels
    ]
    index = {name: at for at, name in enumerate(labels)}
    targets = np.array([index.get(text, 0) for text in texts], np.int64)
    if task == "anomaly":  # only what is normal is split, and one class of it will do
        return Labelled("anomaly", labels, targets, (*findings,))
    counts = Counter(texts)
    findings += _too_few(listing, labels, counts, later=later)
    if len(labels) < 2:
        only = labels[0] if labels else "nothing"
        findings.append(
            Finding(
                "error", f"{listing.root} has a single class, {only!r}; expected at least 2, is it the right folder?"
            )
        )
    if task == "binary" and len(labels) != 2:
        have = counted(len(labels), "class", "classes")
        raise UsageError(f"{listing.root} has {have}, --task binary needs 2; leave it away")
    return Labelled(
        "multiclass" if task == "multiclass" or len(labels) != 2 else "binary", labels, targets, (*findings,)
    )


def _too_few(listing: Listing, labels: Sequence[str], counts: Counter[str], *, later: bool) -> list[Finding]:
    """Classes without a file, without one in some split, or with fewer than the splits need."""
    findings, what = [], listing.kind.noun
    parts = {max(entry.part, 0) for entry in listing.entries}
    drawn = 3 - len(parts - {0}) if not later else 1  # splits that must be drawn from what is not given
    by_part = Counter((max(entry.part, 0), entry.answers[0]) for entry in listing.entries)
    for name in labels:
        if not counts[name]:
            findings.append(
                Finding("error", f"class {name!r} is empty, no {what} in it; add {what}s or remove the folder")
            )
            continue
        absent = [PARTS[part] for part in sorted(parts) if not by_part[part, name]]
        if absent:
            where = ", ".join(absent)
            findings.append(
                Finding("error", f"class {name!r} has no {what} in {where}; add some or leave the class out")
            )
        elif by_part[0, name] < drawn:
            have = counted(by_part[0, name], what)
            findings.append(
                Finding("error", f"class {name!r} has {have}; expected at least {drawn}, one for each split; add some")
            )
    return findings
