"""The target of a table: which columns, what kind of answer, and which classes.

Text and booleans are classes: two of them make a binary task, more a multi-class one. So do numbers that are all whole
and of at most `MAX_CLASSES` values; two values of any kind make a binary task. All other numbers are a regression.
Several columns are several numbers, or labels where all are 0 and 1, or true and false.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.cards import Task
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.tables.advice import names_option
from zoo.data.tables.columns import Column
from zoo.hyperparameters import split_names
from zoo.registry import suggest
from zoo.rows import short, to_number

MAX_CLASSES = 20
"""A target of whole numbers with more values than this is a regression."""

LEAST_SAMPLES = 3
"""Of a class, so that it stands in every split."""

_FALSE, _TRUE = ("0", "false", "no", "f", "n"), ("1", "true", "yes", "t", "y")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is predicted.

    Attributes:
        columns: Of the answers; none where every row is normal and nothing says so.
        labels: Class names, or the columns' names where there are no classes.
        values: Cells of each class, for a classification; of the labels 0 and 1 for a multi-label task.
        numeric: Whether classes are told apart as numbers: 1 and 1.0 are the same.
        counts: Class to samples; empty where there are no classes.
    """

    columns: tuple[Column, ...]
    task: Task
    labels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...] = ()
    numeric: bool = False
    counts: Mapping[str, int] | None = None

    def specs(self) -> list[dict[str, Any]]:
        """How the columns are read, as `zoo.rows.convert` takes it."""
        if not self.values or self.numeric:
            return [column.spec() for column in self.columns]
        flat = [cell for cells in self.values for cell in cells]
        return [{"name": column.name, "type": "category", "values": flat} for column in self.columns]

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """(n, columns) raw numbers as targets: class indices, labels of 0 and 1, or target units; -1 is no class."""
        if not self.columns:
            return np.zeros(len(raw), np.int64)
        if not self.values:
            return raw
        if self.numeric:
            known = np.array([to_number(label) for label in self.labels])
            equal = raw[:, :1] == known
            return np.where(equal.any(axis=1), equal.argmax(axis=1), -1)
        classes = np.repeat(np.arange(len(self.values)), [len(cells) for cells in self.values])
        found = np.where(raw < 0, -1, np.append(classes, -1)[raw.astype(np.int64)])
        return found if self.task == "multilabel" else found[:, 0]


def find_columns(given: str, columns: Sequence[Column], option: str) -> tuple[list[Column], list[Finding]]:
    """The columns of a comma text, by name or else by index; and what is wrong with it."""
    names = [column.name for column in columns]
    known = [name for name in names if name]
    found, findings = [], []
    for name in split_names(given):
        if name in names:
            found.append(columns[names.index(name)])
            continue
        try:
            found.append(columns[int(name)])
        except (ValueError, IndexError):
            near = suggest(name, known) or f"; there are {short(known)}"
            findings.append(Finding("error", f"column {name!r}, given by {option}, is not in the table{near}"))
    return found, findings


def no_target(columns: Sequence[Column], path: object) -> Finding:
    """What to say where no target is given."""
    likely = [column.name for column in (columns[-1], columns[0]) if column.name]
    listed = short([column.name for column in columns if column.name])
    hint = names_option("--target", likely[:1]) if likely else "--target=-1"
    return Finding("error", f"{path}: the target is not known; say which column it is, such as {hint}; it has {listed}")


def tell_target(
    columns: Sequence[Column], config: DataConfig, labels: Sequence[str]
) -> tuple[Target | None, list[Finding]]:
    """What the target's columns mean.

    Args:
        columns: Of the target, at least one.
        config: Its task counts, where it says one.
        labels: Class names in their order, where a `data.toml` says them.

    Returns:
        The target, None where there can be none, and what was found.
    """
    wrong = [problem for column in columns if (problem := _useless(column, config))]
    if wrong:
        return None, wrong
    task = _task(columns, config)
    if task == "regression":
        return _numbers(columns)
    if task == "multilabel":
        return _labels(columns)
    if len(columns) > 1:
        names = short([column.name for column in columns])
        return None, [Finding("error", f"columns {names} are several targets; a {task} task has one")]
    return _classes(columns[0], task, labels, told=config.task != "auto")


def _useless(column: Column, config: DataConfig) -> Finding | None:
    """What keeps a column from being any target."""
    sketch, name = column.sketch, f"the target {column.name!r}"
    if sketch.known == 0:
        return Finding("error", f"{name} is empty in every row; nothing can be learnt from it")
    if column.type == "date":
        return Finding("error", f"{name} is a date; make a number of it, such as days from a day of yours")
    if column.distinct == 1 and not sketch.overflow and config.task != "anomaly":
        return Finding("error", f"{name} has one value, {_only(column)}, in every row; nothing can be learnt from it")
    if sketch.overflow and (column.type == "category" or config.task in ("binary", "multiclass", "anomaly")):
        return Finding(
            "error",
            f"{name} has more than {sketch.limit:,} different values; give a column of classes or of numbers"
            + ("" if column.type == "category" else ", or --task regression"),
        )
    return None


def _only(column: Column) -> str:
    """The one value of a column, and the ways it is written in."""
    cells = sorted(column.sketch.counts)
    if len(cells) < 2:
        return repr(cells[0])
    text = f"the number {_plain(column.sketch.low)}, written {short(cells)}"
    return f'{text} (give the column type = "category" in a data.toml if these differ)'


def _task(columns: Sequence[Column], config: DataConfig) -> Task:
    if config.task != "auto":
        return config.task  # type: ignore[return-value]
    if len(columns) > 1:
        return "multilabel" if all(_zero_one(column) for column in columns) else "regression"
    column = columns[0]
    groups = _groups(column)
    if not column.sketch.overflow and len(groups) == 2:
        return "binary"
    if column.type == "category":
        return "multiclass"
    whole = column.sketch.whole and not column.sketch.overflow and len(groups) <= MAX_CLASSES
    return "multiclass" if whole else "regression"


def _zero_one(column: Column) -> bool:
    return not column.sketch.overflow and {cell.lower() for cell in column.sketch.counts} <= {*_FALSE, *_TRUE}


def _groups(column: Column) -> dict[str, list[str]]:
    """Class name to the cells that mean it: numbers in their order, "1" and "1.0" as one; else text, sorted."""
    if column.type != "number":
        return {cell: [cell] for cell in sorted(column.sketch.counts)}
    found: dict[float, list[str]] = {}
    for cell in column.sketch.counts:
        value = to_number(cell, column.decimal)
        if value is not None:  # the others are text in a column of numbers, and told as such
            found.setdefault(value, []).append(cell)
    return {_plain(value): sorted(found[value]) for value in sorted(found)}


def _plain(value: float) -> str:
    """A number as people write it: "3", not "3.0"."""
    return str(int(value)) if value == int(value) else repr(value)


def _classes(column: Column, task: Task, labels: Sequence[str], *, told: bool) -> tuple[Target | None, list[Finding]]:
    groups = _groups(column)
    if labels:
        groups = {label: groups.get(label, [label]) for label in labels}
    counts = {label: sum(column.sketch.counts.get(cell, 0) for cell in cells) for label, cells in groups.items()}
    findings = [
        Finding("error", f"the target {column.name!r}: class {label!r} has no row; add rows, or take its label out")
        for label, count in counts.items()
        if count == 0
    ]
    few = [f"{label!r} ({count})" for label, count in counts.items() if 0 < count < LEAST_SAMPLES]
    if few and task != "anomaly":
        listed = ", ".join(few[:8]) + (f" and {len(few) - 8} more" if len(few) > 8 else "")
        text = f"{'class' if len(few) == 1 else 'classes'} {listed} with fewer than {LEAST_SAMPLES} rows"
        text = f"the target {column.name!r} has {text}, which cannot stand in every split; add rows or leave them out"
        findings.append(Finding("error", text + (", or --task regression" if column.type == "number" else "")))
    findings += _alike(column, groups)
    numeric = column.type == "number" and all(to_number(label) is not None for label in groups)
    if task == "binary" and len(groups) != 2:
        text = f"the target {column.name!r} has {len(groups)} classes; a binary task has 2: use --task multiclass"
        return None, [Finding("error", text)]
    if not told and task == "multiclass" and column.type == "number":
        text = f"the target {column.name!r} has {len(groups)} whole numbers, taken as classes; or: --task regression"
        findings.append(Finding("note", text))
    target = Target(
        columns=(column,),
        task=task,
        labels=tuple(groups),
        values=tuple(map(tuple, groups.values())),
        numeric=numeric,
        counts=counts,
    )
    return target, findings


def _alike(column: Column, names: Iterable[str]) -> list[Finding]:
    """Classes that differ only in case."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.casefold(), []).append(name)
    return [
        Finding("warning", f"the target {column.name!r}: classes {short(alike)} differ only in case; write them alike")
        for alike in found.values()
        if len(alike) > 1
    ]


def _labels(columns: Sequence[Column]) -> tuple[Target | None, list[Finding]]:
    wrong = [column.name for column in columns if not _zero_one(column)]
    if wrong:
        text = f"the target {short(wrong)} holds more than 0 and 1; a multilabel task has a column of them for each"
        return None, [Finding("error", f"{text} label")]
    cells = [cell for column in columns for cell in column.sketch.counts]
    values = tuple(tuple(dict.fromkeys(cell for cell in cells if cell.lower() in words)) for words in (_FALSE, _TRUE))
    names = tuple(column.name for column in columns)
    return Target(columns=tuple(columns), task="multilabel", labels=names, values=values), []


def _numbers(columns: Sequence[Column]) -> tuple[Target | None, list[Finding]]:
    wrong = [column.name for column in columns if column.type != "number"]
    if wrong:
        return None, [Finding("error", f"the target {short(wrong)} is text; a regression needs numbers")]
    names = tuple(column.name for column in columns)
    return Target(columns=tuple(columns), task="regression", labels=names), []
