"""Cells that mean nothing in their column, and what to do about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.findings import Finding
from zoo.data.tables.advice import names_option
from zoo.rows import short, to_number

HUGE = 1e30
"""Numbers beyond this are no measurement: their squares and sums overflow the model's float32."""

SHOWN_CELLS = 3
"""Wrong cells of a column that are named with their lines."""

MAX_WORDS = 5
"""Different wrong cells of a column that can be declared missing; more of them are no marks but another type."""


@dataclass
class Wrong:
    """Cells of one column that mean nothing there.

    Attributes:
        kind: The column's type, or "class" for a target whose cells are no class of it.
        first: The first of them, each with its line.
        words: Different ones, at most one more than `MAX_WORDS`.
    """

    kind: str
    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def add(self, line: int, cell: str) -> None:
        """Takes one in."""
        self.count += 1
        if len(self.first) < SHOWN_CELLS:
            self.first.append((line, cell))
        if len(self.words) <= MAX_WORDS and cell not in self.words:
            self.words.append(cell)

    def finding(self, path: Path, column: str, missing: Sequence[str]) -> Finding:
        """One line that names the first of them and the way out; `missing` are the words that mean it already."""
        cells = ", ".join(f"line {line} {cell!r}" for line, cell in self.first)
        more = f" and {self.count - len(self.first):,} more" if self.count > len(self.first) else ""
        if self.kind == "class":
            return Finding("error", f"{path}: column {column!r} has labels that are no class: {cells}{more}")
        way = f"or declare them missing: {names_option('--missing-values', [*missing, *self.words])}"
        if len(self.words) > MAX_WORDS:
            way = f"or give the column its type in a data.toml ({short(['number', 'category', 'date', 'ignore'])})"
        text = f"{path}: column {column!r}: {self._what()}: {cells}{more}; correct the cells, {way}"
        return Finding("error", text)

    def _what(self) -> str:
        if self.kind == "date":
            return "no date of the column's form"
        if all(word.lower().lstrip("+-") in ("inf", "infinity") for word in self.words):
            return "an infinite number"
        if all(to_number(word) is not None or to_number(word, ",") is not None for word in self.words):
            return f"a number beyond {HUGE:g}"
        return "text in a number column"
