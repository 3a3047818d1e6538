"""Rows of a CSV file as numbers, columns matched by name."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from zoo.errors import DataError

DELIMITERS = ",;\t"
MISSING = frozenset({"", "na", "nan", "null", "n/a", "none"})


def read_rows(
    path: Path, columns: Sequence[str], width: int, *, chunk: int, tell: Callable[[str], None]
) -> Iterator[tuple[int, np.ndarray]]:
    """Reads a table a chunk at a time.

    Comma, semicolon and tab separate cells, whichever finds more of the columns; quotes, a byte order mark and blank
    lines are understood.

    Args:
        path: A UTF-8 file with a header line; where the model has no column names, a header is optional.
        columns: The model's columns, in its order; empty if they have no names.
        width: Their number.
        chunk: Rows at a time, at most.
        tell: Told of columns that are not used.

    Yields:
        Number of the first row, counted from 1 without the header, and (rows, columns) float64.

    Raises:
        DataError: A column is missing, or a value is missing or no finite number; the message names line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _read(file, path, columns, width, chunk, tell)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _read(
    file: TextIO, path: Path, columns: Sequence[str], width: int, chunk: int, tell: Callable[[str], None]
) -> Iterator[tuple[int, np.ndarray]]:
    records = _records(file, path, _delimiter(file, columns))
    line, first = next(records, (0, []))
    if not first:
        raise DataError(f"{path} is empty; expected a header and at least one row")
    header = [name.strip() for name in first]
    if columns:
        positions = _match(header, columns, path, tell)
    else:
        positions = list(range(width))
        if all(_number(cell) is not None for cell in first):
            records = _with_first(line, first, records)
            header = [f"column {at + 1}" for at in range(len(first))]
        if len(header) != width:
            raise DataError(f"{path} has {len(header)} columns; the model takes {width}")
    number, rows = 1, []
    for line, cells in records:
        rows.append(_numbers(path, line, cells, header, positions))
        if len(rows) == chunk:
            yield number, np.array(rows, np.float64)
            number, rows = number + len(rows), []
    if rows:
        yield number, np.array(rows, np.float64)
    elif number == 1:
        raise DataError(f"{path} has a header and no rows; give at least one row")


def _delimiter(file: TextIO, columns: Sequence[str]) -> str:
    head = file.readline()
    file.seek(0)
    cells = {mark: {cell.strip() for cell in next(csv.reader([head], delimiter=mark), [])} for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (len(cells[mark].intersection(columns)), head.count(mark)))


def _records(file: TextIO, path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, each with the line it begins on."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: {error}; expected a CSV file with balanced quotes") from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _with_first(
    line: int, cells: list[str], records: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield line, cells
    yield from records


def _match(header: list[str], columns: Sequence[str], path: Path, tell: Callable[[str], None]) -> list[int]:
    """Where each column of the model stands in the file."""
    missing = [name for name in columns if name not in header]
    if missing:
        headless = all(_number(cell) is not None for cell in header)
        hint = "its first line holds numbers, add a header" if headless else f"it has {_short(header)}"
        raise DataError(f"{path} lacks column {_short(missing)}; {hint}")
    twice = sorted({name for name in columns if header.count(name) > 1})
    if twice:
        raise DataError(f"{path} has column {_short(twice)} more than once; remove one")
    extra = [name or f"(column {at + 1}, no name)" for at, name in enumerate(header) if name not in columns]
    if extra:
        tell(f"{path}: columns not used: {', '.join(extra)}")
    return [header.index(name) for name in columns]


def _short(names: Sequence[str]) -> str:
    """Names for an error line, the first eight of many."""
    listed = ", ".join(map(repr, names[:8]))
    return listed if len(names) <= 8 else f"{listed} and {len(names) - 8} more"


def _numbers(path: Path, line: int, cells: list[str], header: list[str], positions: list[int]) -> list[float]:
    if len(cells) != len(header):
        raise DataError(f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}")
    numbers = []
    for position in positions:
        value = _number(cells[position])
        if value is None or not math.isfinite(value):
            text = cells[position].strip()
            what = "is missing" if text.lower() in MISSING else f"is {text!r}, no finite number"
            raise DataError(f"{path}, line {line}, column {header[position]!r}: the value {what}; give a number")
        numbers.append(value)
    return numbers


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
