"""What the columns of a table hold, told from their cells: numbers, categories or dates, and which are of no use.

A column is one of numbers where nine in ten of its cells are numbers; the others are then errors, not a category of
their own. Where all other cells are one word, such as "?", it is one of numbers too. Cells that are all dates of few
forms make a date. All else is a category, of text and booleans.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from zoo import rows
from zoo.data.findings import Severity
from zoo.data.tables.dates import date_formats

ColumnType = Literal["number", "category", "date"]

CLEAR_SHARE = 0.9
"""Share of a column's cells that have to be numbers, or dates, for it to be one of numbers or dates."""

MAX_VALUES = 1000
"""Categories with more values than this are of no use, and no more are counted."""

MANY_VALUES = 50
"""Categories with more values than this need `MANY_ROWS` rows of each, on average."""

MANY_ROWS = 5
LONG_TEXT = 40
"""Mean characters of free text."""

DISTINCT_SHARE = 0.95
"""Text of which so many cells are different is an identifier."""

SAMPLED = 100_000
"""Cells, from the file's beginning, that are looked at for repetitions."""

LEAST_ROWS = 10
"""In fewer rows nothing can be told of identifiers."""

_IDENTIFIER = re.compile(r"(.*[_\s.-])?(id|ids|key|index|idx|uuid|guid|nr)|[a-z]*[a-z]I[dD]|ID|Id|.*ID", re.ASCII)


@dataclass(eq=False)
class Sketch:
    """One column, as far as it was read.

    Attributes:
        comma: Whether a comma can be the decimal sign.
        limit: Different cells that are counted.
        counts: Cells, blanks around them cut off, to how often they stand there; the missing ones are not among them.
        whole: Whether all numbers are whole.
        words: Cells that are no number.
        commas: Those of them that are numbers with a decimal comma.
    """

    missing_words: frozenset[str]
    comma: bool = False
    limit: int = MAX_VALUES
    rows: int = 0
    missing: int = 0
    numbers: int = 0
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    whole: bool = True
    words: int = 0
    commas: int = 0
    letters: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    overflow: bool = False
    _keys: list[np.ndarray] = field(default_factory=list)
    _sampled: int = 0

    def add(self, cells: Sequence[str]) -> None:
        """Takes more cells in, in their order."""
        self.rows += len(cells)
        values = rows.to_numbers(cells, self.missing_words)
        if values is not None:
            present = values[~np.isnan(values)]
            self.missing += len(values) - len(present)
            self.numbers += present.size
            self._measure(present)
            self._sample(present.view(np.int64))
            if self.overflow:
                return
        self._add_cells(Counter(map(str.strip, cells)), numbers_done=values is not None)
        if values is None and self._sampled < SAMPLED:
            known = [cell for cell in map(str.strip, cells) if cell.lower() not in self.missing_words]
            self._sample(np.fromiter(map(hash, known), np.int64, len(known)))

    def _measure(self, values: np.ndarray) -> None:
        if not values.size:
            return
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        with np.errstate(over="ignore"):  # such numbers are told as wrong cells
            self.total += float(values.sum())
        self.whole = self.whole and bool((values == np.floor(values)).all())

    def _add_cells(self, found: Mapping[str, int], *, numbers_done: bool) -> None:
        values: list[float] = []
        for cell, count in found.items():
            if cell.lower() in self.missing_words:
                self.missing += 0 if numbers_done else count
                continue
            if not self.overflow or cell in self.counts:
                self.counts[cell] = self.counts.get(cell, 0) + count
                self.overflow = self.overflow or len(self.counts) > self.limit
            if numbers_done:
                continue
            value = rows.to_number(cell)
            if value is not None:
                self.numbers += count
            else:
                self.words += count
                self.letters += count * len(cell)
                value = rows.to_number(cell, ",") if self.comma else None
                self.commas += count if value is not None else 0
            if value is not None:
                values += [value] * count
        self._measure(np.array(values, np.float64))

    def _sample(self, keys: np.ndarray) -> None:
        if self._sampled < SAMPLED:
            self._keys.append(keys[: SAMPLED - self._sampled])
            self._sampled += len(self._keys[-1])

    @property
    def known(self) -> int:
        """Cells that are not missing."""
        return self.rows - self.missing

    @property
    def distinct(self) -> int:
        """Different cells; where there are very many, those among the first `SAMPLED`."""
        if not self.overflow and self.words:
            return len(self.counts)
        return len(np.unique(np.concatenate(self._keys))) if self._keys else 0

    @property
    def all_different(self) -> bool:
        """Whether no cell of the first `SAMPLED` repeats another."""
        return self.known > 0 and len(np.unique(np.concatenate(self._keys))) == self._sampled

    @property
    def is_sequence(self) -> bool:
        """Whether the cells are numbers that go up or down by the same step."""
        if self.words or not self._keys:
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.diff(np.concatenate(self._keys).view(np.float64))
        return bool(len(steps) and steps[0] != 0 and (steps == steps[0]).all())


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column and what it holds.

    Attributes:
        position: In the file, from 0.
        unfit: Why it is of no use as a feature; empty where it is of use.
        severity: Of the finding that says so.
        declared: Whether a `data.toml` says the type.
        ignored: Whether it says to leave the column out.
    """

    name: str
    position: int
    type: ColumnType
    sketch: Sketch
    decimal: str = "."
    formats: tuple[str, ...] = ()
    remark: str = ""
    unfit: str = ""
    severity: Severity = "warning"
    declared: bool = False
    ignored: bool = False

    @property
    def distinct(self) -> int:
        """Different values: of a category the different texts, so that "01" is not "1"."""
        text = self.type == "category" and not self.sketch.overflow
        return len(self.sketch.counts) if text else self.sketch.distinct

    def spec(self) -> dict[str, Any]:
        """As `zoo.rows.convert` and the step "encode" take it."""
        spec: dict[str, Any] = {"name": self.name, "type": self.type}
        if self.type == "category":
            spec["values"] = sorted(self.sketch.counts)
        elif self.type == "date":
            spec["formats"] = list(self.formats)
        elif self.decimal != ".":
            spec["decimal"] = self.decimal
        return spec


def infer(name: str, position: int, sketch: Sketch, declared: Mapping[str, Any] | None = None) -> Column:
    """Tells what a column holds; what a `data.toml` declares counts."""
    found: dict[str, Any] = {"name": name, "position": position, "sketch": sketch}
    if declared and declared["type"] != "ignore":
        formats = tuple(declared.get("formats") or ()) or date_formats(list(sketch.counts))[0] or ("iso",)
        return Column(
            **found,
            type=declared["type"],
            decimal=str(declared.get("decimal", ".")),
            formats=formats if declared["type"] == "date" else (),
            declared=True,
        )
    column = _typed(found, sketch)
    unfit, severity = _unfit(column)
    return replace(column, unfit=unfit, severity=severity, ignored=bool(declared))


def _typed(found: dict[str, Any], sketch: Sketch) -> Column:
    known = max(sketch.known, 1)
    if sketch.commas and sketch.commas + sketch.numbers >= CLEAR_SHARE * known:
        return Column(**found, type="number", decimal=",")
    if sketch.numbers and (sketch.numbers >= CLEAR_SHARE * known or _has_one_word(sketch)):
        return Column(**found, type="number")
    formats, remark = date_formats(list(sketch.counts), share=CLEAR_SHARE) if sketch.words else ((), "")
    if formats:
        return Column(**found, type="date", formats=formats, remark=remark)
    return Column(**found, type="category")


def _has_one_word(sketch: Sketch) -> bool:
    """Whether all that is no number is one word among many numbers: a mark for what is missing."""
    words = [cell for cell in sketch.counts if rows.to_number(cell) is None]
    many = sketch.overflow or len(sketch.counts) > 20
    return len(words) == 1 and (many or not any(letter.isalnum() for letter in words[0]))


def _unfit(column: Column) -> tuple[str, Severity]:
    """Why a column is of no use as a feature, or nothing."""
    sketch = column.sketch
    if sketch.known == 0:
        return "it is empty", "note"
    if sketch.distinct == 1 and not sketch.missing:
        return "it has the same value in every row", "note"
    if column.type == "number":
        return _unfit_number(column), "warning"
    return (_unfit_category(sketch), "warning") if column.type == "category" else ("", "note")


def _unfit_number(column: Column) -> str:
    sketch = column.sketch
    if sketch.words or not sketch.whole or sketch.known < LEAST_ROWS or not sketch.all_different:
        return ""
    if sketch.is_sequence:
        return "it counts the rows"
    # Whole numbers drawn by chance from such a range would hold this many pairs of equal ones (the birthday problem).
    pairs = sketch.known * (sketch.known - 1) / 2 / max(sketch.high - sketch.low + 1, 1)
    if pairs >= 10 or _IDENTIFIER.fullmatch(column.name):
        return "it is a different whole number in every row, like an identifier"
    return ""


def _unfit_category(sketch: Sketch) -> str:
    known, distinct = sketch.known, sketch.distinct
    seen = min(known, SAMPLED)
    if known >= LEAST_ROWS and distinct >= DISTINCT_SHARE * seen:
        if sketch.letters > LONG_TEXT * sketch.words:
            return "it is free text"
        return "it is different text in every row, like an identifier"
    if sketch.overflow or (distinct > MANY_VALUES and known < MANY_ROWS * distinct):
        more = "more than " if sketch.overflow else ""
        count = sketch.limit if sketch.overflow else distinct
        return f"it has {more}{count:,} different values in {known:,} rows, too many to learn"
    return ""
