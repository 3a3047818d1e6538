"""A table with a column of texts and one of classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from zoo import rows
from zoo.data.files.listing import SPLIT_NAMES, Entry, counted
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.tables.head import has_header
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import split_names
from zoo.registry import suggest

LOOKED_AT = 100
LEAST_WORDS = 3.0
"""Words of letters in a cell, on average, above which a column of two is taken for texts; a date has one at most."""
MOST_CLASSES = 0.5
"""Distinct cells of the other column, over all, above which it holds no classes."""


_LETTERS = re.compile(r"[^\W\d_]{2,}")


def is_text_table(path: Path, config: DataConfig) -> bool:
    """Whether a table holds texts and their classes: a column is named, or one of two has many different words."""
    if config.text:
        return True
    try:
        _, _, table = _records(path, LOOKED_AT)
    except DataError:
        return False  # whoever reads it as a table says what is wrong with it
    return _text_column(table) is not None


@dataclass(frozen=True)
class TextSheet:
    """A table with a column of texts and one of classes, both by position."""

    path: Path
    names: tuple[str, ...]
    lines: Sequence[int]
    table: Sequence[Sequence[str]]
    text: int
    target: int
    config: DataConfig
    part: int

    @classmethod
    def of(cls, path: Path, config: DataConfig, part: int) -> TextSheet:
        """Reads a table; `part` is the split that all of it belongs to, -1 to go by the column of `split`.

        Raises:
            UsageError: Nobody says which column holds the texts, or the classes.
            DataError: It cannot be read, or a column that is named is not there.
        """
        names, lines, table = _records(path)
        text = _named(config.text, names, "text", path) if config.text else _text_column(table)
        if text is None:
            raise UsageError(f"{path}: which column holds the texts? add --set text=COLUMN; it has {', '.join(names)}")
        how, _, column = config.split.partition(":")
        special = _named(column, names, "--split", path) if column and part < 0 else None
        if how not in ("random", "column", "group") or (how != "random" and not column):
            raise UsageError(f"--split {config.split} is not known for texts; expected random, column:COL or group:COL")
        given = split_names(config.target)
        if len(given) > 1:
            raise UsageError(f"--target {config.target}: texts have one class each; name one column")
        others = [at for at in range(len(names)) if at not in (text, special)]
        if not given and len(others) != 1:
            listed = ", ".join(names[at] for at in others) or "none"
            raise UsageError(
                f"{path} has {len(others)} columns that could be the class ({listed}); add --target COLUMN"
            )
        target = _named(given[0], names, "--target", path) if given else others[0]
        return cls(path, names, lines, table, text, target, config, part)

    def rows(self, findings: list[Finding]) -> Iterator[tuple[Entry, str]]:
        """Entries and their texts; what was left out is added to the findings."""
        missing = rows.missing_words(split_names(self.config.missing_values))
        how, _, column = self.config.split.partition(":")
        special = _named(column, self.names, "--split", self.path) if column and self.part < 0 else None
        empty, without = [], []
        for line, cells in zip(self.lines, self.table, strict=True):
            where = f"{self.path}, line {line}"
            text, answer = cells[self.text].strip(), cells[self.target].strip()
            if not text:
                empty.append(where)
                continue
            if answer.lower() in missing:
                without.append(where)
                continue
            part, group = self.part, ""
            if special is not None and how == "column":
                part = SPLIT_NAMES.get(cells[special].strip().lower(), -2)
                if part == -2:
                    told = f"{where}: {cells[special]!r} is no split; expected train, validation or test"
                    findings.append(Finding("error", told))
                    continue
            elif special is not None:
                group = cells[special].strip()
            yield Entry(file=self.path, name=where, answers=(answer,), part=part, group=group, where=f"{where}: "), text
        for places, what in ((empty, "an empty text"), (without, "no class")):
            if places:
                count = counted(len(places), "row")
                findings.append(Finding("warning", f"{places[0]}: {count} with {what} left out, this is the first"))


def _records(path: Path, count: int | None = None) -> tuple[tuple[str, ...], list[int], list[list[str]]]:
    """Names of the columns, line numbers and rows of a table, all of one length.

    Raises:
        DataError: It cannot be read, or a row has more or fewer cells.
    """
    with rows.open_text(path) as file:
        delimiter = rows.sniff_texts(rows.first_lines(file, path))
        file.seek(0)
        records = list(islice(rows.text_records(file, path, delimiter), count))
    if not records:
        raise DataError(f"{path} is empty; expected a header and rows")
    width = len(records[0][1])
    for line, cells in records:
        if len(cells) != width:
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells, expected {width}; quote texts with {delimiter!r}"
            )
    headed = has_header([cells for _, cells in records[:LOOKED_AT]], rows.missing_words()) and not _repeats(records)
    names = [cell.strip() for cell in records[0][1]] if headed else [rows.made_up(at) for at in range(width)]
    body = records[1:] if headed else records
    return tuple(names), [line for line, _ in body], [cells for _, cells in body]


def _repeats(records: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether a cell of the first line stands below it too: a class, and no name."""
    first = records[0][1]
    return any(cells[at].strip() == first[at].strip() for _, cells in records[1:] for at in range(len(first)))


def _text_column(table: Sequence[Sequence[str]]) -> int | None:
    """Of two columns the one with texts in it; None where there is none, or where nobody can tell."""
    if not table or len(table[0]) != 2:
        return None
    words = [float(np.mean([len(_LETTERS.findall(row[at])) for row in table])) for at in (0, 1)]
    best = int(np.argmax(words))
    classes = len({row[1 - best].strip() for row in table}) <= max(2, MOST_CLASSES * len(table))
    return best if classes and words[best] >= LEAST_WORDS > words[1 - best] else None


def _named(name: str, names: Sequence[str], option: str, path: Path) -> int:
    if name in names:
        return names.index(name)
    try:
        return range(len(names))[int(name)]
    except (ValueError, IndexError):
        raise DataError(f"{path} has no column {name!r}, named by {option}{suggest(name, names)}") from None
