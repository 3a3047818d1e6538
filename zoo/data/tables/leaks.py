"""Columns that give the target away: what is known only with the answer, such as "alive" for "survived".

A column is a leak where its value alone tells the target of rows it was not counted from: a category (or a number of
few values, or whether it is missing) the class in all but one per cent of what chance leaves, or a regression's number
in all but a thousandth of its variance; or a column of numbers that rises or falls with the target, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.cards import Task

ROWS = 50_000
"""Rows that are looked at, evenly over the file."""

LEAST_ROWS = 30
FEW_VALUES = 50
CLEAR = 0.99
"""Share of the mistakes of always saying the largest class that a leak saves."""

CLEAR_VARIANCE = 0.999
CLEAR_RANK = 0.999
"""Rank correlation of a copy in other units, or of a rounded one."""


@dataclass(frozen=True)
class Leak:
    """A column that determines a target, and how it is known."""

    column: str
    target: str
    how: str


def find_leaks(
    columns: Sequence[Mapping[str, Any]], rows: np.ndarray, targets: np.ndarray, task: Task, names: Sequence[str]
) -> list[Leak]:
    """Columns that determine a target.

    Args:
        columns: As `zoo.rows.convert` takes them.
        rows: (n, columns) raw numbers.
        targets: (n,) classes, or (n, targets) labels or numbers.
        task: What the targets are.
        names: Of the targets' columns.
    """
    if len(rows) < LEAST_ROWS:
        return []
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), ROWS)).astype(np.int64))
    values, answers = np.asarray(rows[chosen]), targets.reshape(len(targets), -1)[chosen]
    found = []
    for column, cells in zip(columns, values.T, strict=True):
        for name, answer in zip(names, answers.T, strict=True):
            how = _copies(cells, answer) if task == "regression" else ""
            how = how or _determines(cells, answer, classes=task != "regression", category=column["type"] == "category")
            if how:
                found.append(Leak(str(column["name"]), name, how))
                break
    return found


def _determines(cells: np.ndarray, answer: np.ndarray, *, classes: bool, category: bool) -> str:
    """How a column's value, or its being missing, tells the target; empty where it does not."""
    absent = np.isnan(cells)
    _, codes = np.unique(np.where(absent, -np.inf, cells), return_inverse=True)
    tells = _tells_class if classes else _tells_number
    if (category or codes.max() < FEW_VALUES) and tells(codes, answer):
        return "each of its values goes with one value of the target"
    if absent.any() and not absent.all() and tells(absent.astype(np.int64), answer):
        return "whether it is missing goes with the target"
    return ""


def _tells_class(codes: np.ndarray, answer: np.ndarray) -> bool:
    """Whether the other rows of the same value have the row's class, beyond what the largest class gives."""
    found, classes = np.unique(answer, return_inverse=True)
    chance = 1 - np.bincount(classes).max() / len(classes)
    if chance == 0:
        return False
    pairs = np.zeros((codes.max() + 1, max(len(found), 2)), np.int64)
    np.add.at(pairs, (codes, classes), 1)
    second, first = np.partition(pairs, -2, axis=1)[:, -2:].T
    right = first[first - 1 > second].sum()  # a row is no witness of itself
    wrong = 1 - right / len(codes)
    return bool(1 - wrong / chance >= CLEAR)


def _tells_number(codes: np.ndarray, answer: np.ndarray) -> bool:
    """Whether the mean of the other rows of the same value is the row's number."""
    counts, sums = np.bincount(codes), np.bincount(codes, weights=answer)
    alone = counts[codes] == 1
    mean = (sums[codes] - answer) / np.maximum(counts[codes] - 1, 1)
    mean[alone] = answer.mean()
    variance = ((answer - answer.mean()) ** 2).mean()
    return bool(variance > 0 and 1 - ((answer - mean) ** 2).mean() / variance >= CLEAR_VARIANCE)


def _copies(cells: np.ndarray, answer: np.ndarray) -> str:
    """Whether a column of numbers is the target in other units."""
    known = ~np.isnan(cells)
    if np.count_nonzero(known) < LEAST_ROWS or len(np.unique(cells[known])) < LEAST_ROWS // 3:
        return ""
    first, second = _ranks(cells[known]), _ranks(answer[known])
    if first.std() == 0 or second.std() == 0 or abs(np.corrcoef(first, second)[0, 1]) < CLEAR_RANK:
        return ""
    return "it rises and falls with the target, row by row, like a copy in other units"


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of values, equal ones sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])
