"""One recording: its numbers step by step, from a table, an array or a line of a `.ts` file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from zoo import preprocessing, rows
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.errors import DataError
from zoo.hyperparameters import split_names
from zoo.registry import suggest

TABLES = (".csv", ".tsv", ".txt")
ARRAYS = (".npy",)


@dataclass(frozen=True)
class Recording:
    """Steps in their order.

    Attributes:
        name: For messages: a path, or a path and what is in it.
        columns: Names of the channels; made up where the file has none.
        values: (steps, channels) float32, missing numbers filled, see `fill_gaps`; or float64 as they were read.
        findings: What was wrong with it, or done to it.
        sha256: Of the bytes it came from.
        texts: Of a table, the text of the columns that were asked for besides the channels, each (steps,).
        lines: Of a table, the line that each step stands on.
    """

    name: str
    columns: tuple[str, ...]
    values: np.ndarray
    findings: tuple[Finding, ...] = ()
    sha256: str = ""
    texts: dict[str, list[str]] = field(default_factory=dict)
    lines: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.values)

    def at(self, rows: np.ndarray, values: np.ndarray) -> Recording:
        """With other values (steps, channels), each of which stands at one of its rows."""
        texts = {column: [cells[row] for row in rows.tolist()] for column, cells in self.texts.items()}
        lines = [self.lines[row] for row in rows.tolist()]
        return Recording(self.name, self.columns, values, (), self.sha256, texts, lines)

    def part(self, chosen: slice, name: str = "") -> Recording:
        """A stretch of it."""
        texts = {column: cells[chosen] for column, cells in self.texts.items()}
        return Recording(
            name or self.name, self.columns, self.values[chosen], (), self.sha256, texts, self.lines[chosen]
        )


def filled(recording: Recording) -> Recording:
    """With missing numbers filled, see `fill_gaps`, and that it was done among its findings."""
    values, findings = fill_gaps(recording.values, recording.name)
    return replace(recording, values=values, findings=tuple(findings))


def take(
    path: Path, table: tuple[list[str], list[int], list[Sequence[str]]], config: DataConfig, texts: Sequence[str]
) -> Recording:
    """The recording of a table, a row for each step; missing numbers are NaN.

    Args:
        path: Of the file.
        table: As `read_table` gives it.
        config: `columns`, `drop` and `missing_values` are followed.
        texts: Names of columns that are no channels and whose text is wanted.

    Raises:
        DataError: It has a column that is no number or not there, or none to learn from.
    """
    header, lines, cells = table
    for name in texts:
        position(name, header, path)
    wanted = _channels(header, config, texts, path)
    missing = rows.missing_words(split_names(config.missing_values))
    values = np.empty((len(lines), len(wanted)), np.float64)
    for at, name in enumerate(wanted):
        column = cells[header.index(name)]
        values[:, at], wrong = rows.convert(column, {"type": "number"}, missing)
        if wrong:
            text = column[wrong[0]].strip()
            raise DataError(
                f"{path}, line {lines[wrong[0]]}, column {name!r}: {text!r} is no finite number; correct it, or leave "
                f"the column out with --drop {name}"
            )
    kept = {name: [cell.strip() for cell in cells[position(name, header, path)]] for name in texts}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recording(str(path), tuple(wanted), values, (), digest, kept, lines)


def read_table(path: Path) -> tuple[list[str], list[int], list[Sequence[str]]]:
    """Header, line numbers and columns of a table; a header is what is not all numbers and dates."""
    with rows.open_text(path) as file:
        delimiter = rows.sniff(rows.first_lines(file, path))
        file.seek(0)
        records = list(rows.records(file, path, delimiter))
    if not records:
        raise DataError(f"{path} is empty; expected a row for each step")
    first = [cell.strip() for cell in records[0][1]]
    headless = any(map(is_number, first)) and all(is_number(cell) or is_date(cell) for cell in first)
    header = [rows.made_up(at) for at in range(len(first))] if headless else first
    body = records if headless else records[1:]
    if not body:
        raise DataError(f"{path} has a header and no rows; expected a row for each step")
    for line, row in body:
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: {len(row)} cells, expected {len(header)}; mend the line")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{path} has column {rows.short(doubled)} more than once; rename or remove one")
    return header, [line for line, _ in body], list(zip(*(row for _, row in body), strict=True))


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number."""
    return rows.to_number(cell) is not None


def is_date(cell: str) -> bool:
    """Whether a cell is a day, or a day and a time, as ISO 8601 writes them."""
    return rows.to_days(cell, ("iso",)) is not None


def table_header(path: Path) -> list[str]:
    """Names of a table's columns, as `read_table` has them, or nothing of an array."""
    return [] if path.suffix.lower() in ARRAYS else read_table(path)[0]


def position(name: str, header: Sequence[str], path: Path) -> int:
    """Where a column stands that is named, or given by its index; raises DataError where there is none."""
    if name in header:
        return header.index(name)
    number = int(name) if name.removeprefix("-").isdecimal() else None
    if number is not None and -len(header) <= number < len(header):
        return number % len(header)
    raise DataError(f"{path} has no column {name!r}{suggest(name, header)}")


def _channels(header: Sequence[str], config: DataConfig, texts: Sequence[str], path: Path) -> list[str]:
    """Names of the columns that are channels, in the order of the file."""
    taken = {header[position(name, header, path)] for name in (*texts, *split_names(config.drop))}
    chosen = split_names(config.columns)
    if chosen:
        return [header[position(name, header, path)] for name in chosen]
    left = [name for name in header if name not in taken]
    if not left:
        raise DataError(f"{path} has no column left to learn from; it has {', '.join(header)}")
    return left


def read_array(path: Path, config: DataConfig) -> Recording:
    """The recording of a `.npy` array (steps, channels), missing numbers NaN.

    Raises:
        DataError: It cannot be read, holds no steps or infinite values, or columns are named, which it has not.
    """
    for option in ("columns", "drop"):
        if getattr(config, option):
            raise DataError(f"{path} is an array, its channels have no names; leave --{option} out, or save a CSV")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {' '.join(str(error).split())}") from error
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind not in "uif" or 0 in array.shape:
        raise DataError(f"{path} has shape {array.shape} of {array.dtype}; expected numbers (steps, channels)")
    if np.isinf(array).any():
        raise DataError(f"{path} holds infinite values; correct them")
    columns = tuple(rows.made_up(at) for at in range(array.shape[1]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recording(str(path), columns, array.astype(np.float64), (), digest)


def fill_gaps(values: np.ndarray, name: str) -> tuple[np.ndarray, list[Finding]]:
    """Missing numbers filled as `zoo.preprocessing.between` does, and what to say of it.

    Args:
        values: (steps, channels) float64, NaN where a number is missing.
        name: Of the recording.

    Raises:
        DataError: A channel has no number at all.
    """
    absent = np.isnan(values)
    if not absent.any():
        return values.astype(np.float32), []
    empty = np.flatnonzero(absent.all(axis=0))
    if empty.size:
        raise DataError(f"{name}: channel {int(empty[0]) + 1} has no number in it; leave it out, or the file")
    told = f"{name}: {int(absent.sum()):,} missing numbers filled by their neighbours"
    return preprocessing.between(values), [Finding("warning", told)]
