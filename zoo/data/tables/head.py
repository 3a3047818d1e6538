"""The beginning of a table: its delimiter, whether it has a header, and what its columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zoo import rows
from zoo.data.findings import Finding
from zoo.data.schema import Schema
from zoo.data.tables.columns import CLEAR_SHARE
from zoo.data.tables.dates import date_formats
from zoo.errors import DataError

LOOKED_AT = 200
"""Rows that tell whether the first line is a header."""


@dataclass(frozen=True)
class Head:
    """What the first lines tell.

    Attributes:
        names: A name for each column; empty for one whose header is empty.
        skip: Lines up to this one, counted from 1, hold no rows.
    """

    path: Path
    delimiter: str
    header: bool
    names: tuple[str, ...]
    skip: int
    findings: tuple[Finding, ...]

    @property
    def doubled(self) -> set[str]:
        """Names that several columns have."""
        return {name for name in self.names if name and self.names.count(name) > 1}


def read_head(path: Path, schema: Schema, missing: frozenset[str]) -> Head:
    """Reads the first lines.

    Args:
        path: A text file.
        schema: Its delimiter and header count, where it says them.
        missing: Words that mean missing, in lower case.

    Raises:
        DataError: An empty file, or one that is no text.
    """
    with rows.open_text(path) as file:
        delimiter = schema.delimiter or rows.sniff(rows.first_lines(file, path))
        file.seek(0)
        first = list(islice(rows.records(file, path, delimiter), LOOKED_AT))
    if not first:
        raise DataError(f"{path} is empty; expected a header and rows")
    line, cells = first[0]
    header = has_header([row for _, row in first], missing) if schema.header is None else schema.header
    if not header:
        names = tuple(rows.made_up(at) for at in range(len(cells)))
        text = (
            f"{path} has no header; its columns are called {names[0]!r} to {names[-1]!r}, and by index 0 to "
            f"{len(names) - 1}; if its first line holds names, say header = true in a data.toml (--write makes one)"
        )
        return Head(path, delimiter, False, names, 0, (Finding("note", text),) if schema.header is None else ())
    names = tuple(cell.strip() for cell in cells)
    return Head(path, delimiter, True, names, line, tuple(_check_names(names, f"{path}, line {line}")))


def has_header(table: Sequence[Sequence[str]], missing: frozenset[str]) -> bool:
    """Whether the first of some rows holds names.

    It does not where all of it is numbers. It does where it holds text over a column of numbers or dates; where there
    is no such column, where it holds text that is in no row below it.
    """
    first, below = [cell.strip() for cell in table[0]], table[1:]
    if all(rows.to_number(cell) is not None or cell.lower() in missing for cell in first):
        return False
    over_numbers = False
    for at, name in enumerate(first):
        column = [row[at].strip() for row in below if at < len(row) and row[at].strip().lower() not in missing]
        if _is_clear(column):
            over_numbers = True
            if name and not _is_clear([name]):
                return True
    below_first = {(at, cell.strip()) for row in below for at, cell in enumerate(row)}
    return not over_numbers and not any((at, name) in below_first for at, name in enumerate(first))


def _is_clear(cells: Sequence[str]) -> bool:
    """Whether cells are numbers or dates."""
    numbers = sum(rows.to_number(cell) is not None or rows.to_number(cell, ",") is not None for cell in cells)
    if not cells or numbers >= CLEAR_SHARE * len(cells):
        return bool(cells)
    return bool(date_formats(list(dict.fromkeys(cells)), CLEAR_SHARE)[0])


def _check_names(names: Sequence[str], where: str) -> list[Finding]:
    findings = []
    for name in dict.fromkeys(name for name in names if name and names.count(name) > 1):
        places = " and ".join(str(at + 1) for at, other in enumerate(names) if other == name)
        findings.append(
            Finding("error", f"{where}: the header has {name!r} in cells {places}; rename or remove all but one")
        )
    for at, name in enumerate(names):
        if not name:
            findings.append(
                Finding("warning", f"{where}: cell {at + 1} of the header is empty; the column is left out, or name it")
            )
    return findings
