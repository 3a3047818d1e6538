"""Rows of a delimited text file as numbers: one reader for training, prediction and the device's program.

Standard library and numpy (>= 1.22) only, Python 3.9 or later: this file is copied into every TFLite bundle.

A column is a mapping of plain JSON values, as the step "encode" of `preprocessing` records it. A row of raw numbers has
one float64 for each column: a number as it stands, a category as the index of its value (`UNSEEN` where it has none), a
date as days since 1970-01-01 UTC, NaN where the cell is missing.
"""

from __future__ import annotations

import csv
import datetime
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

if __package__:
    from .interpreters import DataError
else:
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]

DELIMITERS = "\t;|,"
"""What separates cells; where several would do, the first: a comma is the likeliest to stand inside cells."""

MISSING = ("", "na", "n/a", "nan", "null")
"""What means missing in every table, in any case; `--missing-values` adds to it."""

UNSEEN = -1.0
"""Raw number of a category that the training split did not hold."""

BLOCK = 2048
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.(\d{3}|\d{6}))?)?([+-]\d\d:\d\d)?)?")
_GROUPED = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?")
_MADE_UP = re.compile(r"column ([1-9]\d*)")
_LOOKED_AT = 20  # lines that the delimiter is told from
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


class Block(NamedTuple):
    """Some rows of a file, in its order.

    Attributes:
        lines: Line of the file that each row begins on, counted from 1.
        cells: The text of each row.
        raw: (rows, columns) float64; rows with a problem are NaN there.
        problems: Row of this block to what is wrong with it, line and column named.
        unseen: (columns,) int64, cells whose category the training split did not hold.
        missing: (columns,) int64, cells that are missing.
    """

    lines: list[int]
    cells: list[list[str]]
    raw: np.ndarray
    problems: dict[int, str]
    unseen: np.ndarray
    missing: np.ndarray


class TableReader:
    """A table opened for the columns that a model takes.

    Args:
        path: A UTF-8 file; comma, semicolon, tab, bar or blanks separate cells, whichever finds more of the columns.
        columns: Of the model, in its order; each with "name" and "type", see `convert`. Without names, the file's
            columns count by position, and a header is optional; so it is where all names are made up. A file
            without a header then has "width" columns, or as many less those at the positions "targets", where the
            columns say so.
        missing: Cells that mean missing, besides `MISSING`.
        optional: Names of columns that the file may have and the model does not take, such as the target.
        delimiter: Of the file; empty to find it out.
        header: Whether the first line holds names; None to find it out.

    Attributes:
        header: Names of the file's columns; made up where it has none, see `made_up`.
        extra: Names that nobody asked for.

    Raises:
        DataError: A file that cannot be read as a table, or a column that is missing or stands there twice.
    """

    def __init__(
        self,
        path: Path | str,
        columns: Sequence[Mapping[str, Any]],
        *,
        missing: Sequence[str] = (),
        optional: Collection[str] = (),
        delimiter: str = "",
        header: bool | None = None,
    ) -> None:
        self.path = Path(path)
        self._columns = list(columns)
        self._missing = missing_words(missing)
        names = [str(column["name"]) for column in columns if column.get("name")]
        with open_text(self.path) as file:
            self.delimiter = delimiter or sniff(first_lines(file, self.path), names)
            file.seek(0)
            line, first = next(records(file, self.path, self.delimiter), (0, []))
        if not first:
            raise DataError(f"{self.path} is empty; expected a header and at least one row")
        self.header = [cell.strip() for cell in first]
        self._first_line = line
        self._headless = self._lacks_header(names) if header is None else not header
        if self._headless:
            self.header = self._made_up_header(len(first))
        self._positions = self._match(names) if names else list(range(len(columns)))
        if not names and len(self.header) != len(columns):
            raise DataError(f"{self.path} has {len(self.header)} columns; the model takes {len(columns)}")
        wanted = {*names, *optional}
        self.extra = [
            name or f"(column {at + 1}, no name)" for at, name in enumerate(self.header) if names and name not in wanted
        ]

    def __iter__(self) -> Iterator[Block]:
        """Blocks of at most `BLOCK` rows."""
        with open_text(self.path) as file:
            lines: list[int] = []
            rows: list[list[str]] = []
            for line, cells in records(file, self.path, self.delimiter):
                if line == self._first_line and not self._headless:
                    continue
                lines.append(line)
                rows.append(cells)
                if len(rows) == BLOCK:
                    yield self._block(lines, rows)
                    lines, rows = [], []
            if rows:
                yield self._block(lines, rows)

    def _lacks_header(self, names: Sequence[str]) -> bool:
        """Whether the first line holds values: it has none of the names, and those are made up or it is all numbers."""
        if names:
            return not set(names).intersection(self.header) and all(map(_MADE_UP.fullmatch, names))
        return all(to_number(cell) is not None for cell in self.header)

    def _made_up_header(self, count: int) -> list[str]:
        """Names of a file without a header: by position in the table trained on, which the target may be cut out of."""
        known: Mapping[str, Any] = next((column for column in self._columns if "width" in column), {})
        width, targets = known.get("width", count), known.get("targets", ())
        if count == width:
            return [made_up(at) for at in range(count)]
        if count == width - len(targets):
            return [made_up(at) for at in range(width) if at not in targets]
        either = f"{width}, or {width - len(targets)} without the target"
        raise DataError(
            f"{self.path} has no header and {count} columns; the table trained on has {either}: give such a file, or a "
            "header"
        )

    def _match(self, names: Sequence[str]) -> list[int]:
        """Where each column of the model stands in the file."""
        missing = [name for name in names if name not in self.header]
        if missing and self._headless and len(self.header) == len(names):
            return list(range(len(names)))  # without the target, and whatever else the model does not take
        if missing:
            headless = all(to_number(cell) is not None for cell in self.header)
            hint = "its first line holds numbers, add a header" if headless else f"it has {short(self.header)}"
            raise DataError(f"{self.path} lacks column {short(missing)}; {hint}")
        twice = sorted({name for name in names if self.header.count(name) > 1})
        if twice:
            raise DataError(f"{self.path} has column {short(twice)} more than once; remove one")
        return [self.header.index(name) for name in names]

    def _block(self, lines: list[int], rows: list[list[str]]) -> Block:
        width = len(self.header)
        problems = {
            at: f"{self.path}, line {lines[at]}: {len(cells)} cells, the header has {width}"
            for at, cells in enumerate(rows)
            if len(cells) != width
        }
        whole = rows if not problems else [[""] * width if at in problems else row for at, row in enumerate(rows)]
        table = list(zip(*whole))
        raw = np.empty((len(rows), len(self._columns)), np.float64)
        unseen, missing = np.zeros(len(self._columns), np.int64), np.zeros(len(self._columns), np.int64)
        for at, (column, position) in enumerate(zip(self._columns, self._positions)):
            cells = table[position]
            raw[:, at], wrong = convert(cells, column, self._missing)
            for row in wrong:
                problems.setdefault(
                    row,
                    f"{self.path}, line {lines[row]}, column {self.header[position]!r}: "
                    f"{cells[row].strip()!r} is no {_MEANT[column.get('type', 'number')]}",
                )
        if problems:
            raw[list(problems)] = np.nan
        good = np.ones(len(rows), bool)
        good[list(problems)] = False
        missing[:] = np.isnan(raw[good]).sum(axis=0)
        unseen[:] = [
            np.count_nonzero(raw[good, at] == UNSEEN) if column.get("type") == "category" else 0
            for at, column in enumerate(self._columns)
        ]
        return Block(lines, rows, raw, problems, unseen, missing)


_MEANT = {"number": "finite number", "date": "date of the known form", "category": "category"}


def convert(cells: Sequence[str], column: Mapping[str, Any], missing: Collection[str]) -> tuple[np.ndarray, list[int]]:
    """Cells of one column as raw numbers.

    Args:
        cells: Text, as it stands in the file.
        column: "type" is "number" (with "decimal", "." by default), "category" (with "values") or "date" (with
            "formats": "iso" or those of `datetime.strptime`).
        missing: Words in lower case, see `missing_words`.

    Returns:
        (cells,) float64, and the positions of cells that have no meaning there, which are NaN.
    """
    kind = column.get("type", "number")
    if kind == "category":
        codes = {value: float(code) for code, value in enumerate(column["values"])}
        found = [codes.get(cell) for cell in cells]
        if None in found:
            return _each(cells, missing, lambda text: codes.get(text, UNSEEN))
        return np.array(found, np.float64), []
    if kind == "number":
        values = to_numbers(cells, missing) if column.get("decimal", ".") == "." else None
        if values is not None:
            return values, []
        decimal = column.get("decimal", ".")
        return _each(cells, missing, lambda text: to_number(text, decimal))
    formats = tuple(column.get("formats") or ("iso",))
    return _each(cells, missing, lambda text: to_days(text, formats))


def _each(cells: Sequence[str], missing: Collection[str], read: Any) -> tuple[np.ndarray, list[int]]:
    """One cell after the other; equal texts are read once."""
    known: dict[str, float | None] = {}
    values, wrong = np.empty(len(cells), np.float64), []
    for at, cell in enumerate(cells):
        if cell not in known:
            text = cell.strip()
            known[cell] = math.nan if text.lower() in missing else read(text)
        value = known[cell]
        if value is None:
            wrong.append(at)
        values[at] = math.nan if value is None else value
    return values, wrong


def to_numbers(cells: Sequence[str], missing: Collection[str] = ()) -> np.ndarray | None:
    """Cells that are all finite numbers or empty as float64, NaN where they are empty; None where some are neither.

    Where one of the words for `missing` is a number, such as "-999", cells that are such a word count as empty.
    """
    if any(to_number(word) is not None for word in missing):
        cells = ["" if cell.strip().lower() in missing else cell for cell in cells]
    if "_" in "".join(cells):
        return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        try:  # slower
            values = np.fromiter((float(cell) if cell else math.nan for cell in cells), np.float64, len(cells))
        except ValueError:
            return None
    empty = np.flatnonzero(np.isnan(values)).tolist()
    signed = any(cells[at].strip()[:1] in ("+", "-") for at in empty)  # "-nan" means nothing
    return None if signed or np.isinf(values).any() else values


def missing_words(extra: Sequence[str] = ()) -> frozenset[str]:
    """Every word that means missing, in lower case."""
    return frozenset((*MISSING, *(word.strip().lower() for word in extra)))


def to_days(text: str, formats: Sequence[str]) -> float | None:
    """Days since 1970-01-01 UTC of a date, or None where it has none of the forms."""
    for form in formats:
        try:
            if form == "iso":
                plain = text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text
                if not _ISO.fullmatch(plain):  # later Pythons read more than earlier ones
                    continue
                moment = datetime.datetime.fromisoformat(plain)
            else:
                moment = datetime.datetime.strptime(text, form)
        except ValueError:
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return (moment - _EPOCH).total_seconds() / 86400
    return None


def to_number(text: str, decimal: str = ".") -> float | None:
    """The finite number that a cell holds, or None."""
    plain = text.strip()
    if decimal == ",":
        if not _GROUPED.fullmatch(plain):
            return None
        plain = plain.replace(".", "").replace(",", ".")
    if "_" in plain:
        return None
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def open_text(path: Path) -> TextIO:
    """Opens a text file; a byte order mark of UTF-8 is skipped.

    Raises:
        DataError: It cannot be read, or is no UTF-8 text by its first bytes.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            raise DataError(f"{path} is {name} text; expected UTF-8: save it as UTF-8 (iconv -f {name} -t UTF-8)")
    if b"\0" in head:
        raise DataError(f"{path} is no text file (byte {head.index(0)} is 0); expected a table in UTF-8")
    return path.open(encoding="utf-8-sig", newline="")


def made_up(position: int) -> str:
    """Name of a column of a file without a header; positions count from 0, names from 1."""
    return f"column {position + 1}"


def first_lines(file: TextIO, path: Path) -> list[str]:
    """The first lines that are not blank; raises DataError where their bytes are no UTF-8."""
    lines: list[str] = []
    while len(lines) < _LOOKED_AT:
        line = first_line(file, path)
        if not line:
            break
        if line.strip():
            lines.append(line)
    return lines


def sniff(lines: Sequence[str], names: Collection[str] = ()) -> str:
    """The delimiter of a table by its first lines.

    It is the one that finds most of the names, else one that cuts every line into as many cells as the first, else
    the one that cuts the first into most.
    """
    if not lines:
        return ","
    if names:
        found = find_delimiter(lines[0], names)
        if {cell.strip() for cell in _cut(lines[0], found)}.intersection(names):
            return found
    for mark in DELIMITERS:
        widths = {len(_cut(line, mark)) for line in lines}
        if len(widths) == 1 and widths != {1}:
            return mark
    return find_delimiter(lines[0])


def _cut(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def first_line(file: TextIO, path: Path) -> str:
    """The first line of an open file; raises DataError where its bytes are no UTF-8."""
    try:
        return file.readline()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def find_delimiter(line: str, names: Collection[str] = ()) -> str:
    """The delimiter of a table by its first line: the one that finds most of the names, else the most frequent."""

    def score(mark: str) -> tuple[int, int]:
        cells = _cut(line, mark)
        return len({cell.strip() for cell in cells}.intersection(names)), len(cells)

    best = max(reversed(DELIMITERS), key=score)
    return " " if score(best)[1] == 1 and len(line.split()) > 1 and not names else best


def records(file: TextIO, path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, each with the line it begins on.

    Raises:
        DataError: A quote that is not closed, or bytes that are no UTF-8; the line is named.
    """
    text: Iterable[str] = file if delimiter != " " else (" ".join(line.split()) for line in file)
    reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: {error}; expected a CSV file with balanced quotes") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, near line {line}: it is not UTF-8 text; save it as UTF-8") from error
        if cells is None:
            return
        if cells and (cells[0].strip() or any(cell.strip() for cell in cells)):
            yield line, cells


def sniff_texts(lines: Sequence[str], names: Collection[str] = ()) -> str:
    """As `sniff`, for tables of texts, whose cells have blanks in them."""
    found = sniff(lines, names)
    return "," if found == " " else found


def text_records(file: TextIO, path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """As `records`, for tables of texts: between tabs a quote is a mark like any other, and a row is a line.

    Raises:
        DataError: As `records`.
    """
    if delimiter != "\t":
        yield from records(file, path, delimiter)
        return
    line = 0
    try:
        for line, text in enumerate(file, 1):
            cells = text.rstrip("\r\n").split("\t")
            if any(cell.strip() for cell in cells):
                yield line, cells
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, near line {line + 1}: it is not UTF-8 text; save it as UTF-8") from error


def short(names: Sequence[str]) -> str:
    """Names for an error line, the first eight of many."""
    listed = ", ".join(map(repr, names[:8]))
    return listed if len(names) <= 8 else f"{listed} and {len(names) - 8} more"
