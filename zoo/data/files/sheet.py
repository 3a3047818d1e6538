"""A table whose rows name files, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zoo import rows
from zoo.data.files.listing import FileKind, counted
from zoo.data.findings import Finding
from zoo.errors import DataError
from zoo.registry import suggest

LOOKED_AT = 20
"""Rows by which the column of paths is found."""


@dataclass(frozen=True)
class Sheet:
    """The text of a table, whole.

    Attributes:
        paths: Index of the column of paths.
        lines: Line of the file that each row begins on.
    """

    file: Path
    header: tuple[str, ...]
    paths: int
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]

    def column(self, name: str, option: str) -> int:
        """Index of a column by name, or by a number that is no name.

        Raises:
            DataError: There is none.
        """
        if name in self.header:
            return self.header.index(name)
        try:
            return range(len(self.header))[int(name)]
        except (ValueError, IndexError):
            near = suggest(name, self.header)
            raise DataError(
                f"{self.file} has no column {name!r}, named by {option}{near}; it has {', '.join(self.header)}"
            ) from None


def lists_files(path: Path, kind: FileKind) -> bool:
    """Whether the first rows of a table name files of a kind, at least one of which exists."""
    try:
        first = _records(path, LOOKED_AT + 1)
    except DataError:
        return False  # whoever reads it as a table says what is wrong with it
    return _path_column(path.parent, [cells for _, cells in first], kind) is not None


def read_sheet(file: Path, folder: Path, kind: FileKind) -> Sheet:
    """Reads a table whose rows name files; ragged rows and a header twice are findings.

    Raises:
        DataError: It cannot be read, or no column names files of the kind.
    """
    records = _records(file)
    position = _path_column(folder, [cells for _, cells in records[: LOOKED_AT + 1]], kind)
    if position is None:
        position = _path_column(file.parent, [cells for _, cells in records[: LOOKED_AT + 1]], kind)
    if position is None:
        raise DataError(f"{file} has no column that names {kind.noun} files in {folder}; expected paths relative to it")
    headless = kind.matches(records[0][1][position])
    header = tuple(cell.strip() for cell in records[0][1])
    if headless:
        header = tuple(f"column {at + 1}" for at in range(len(header)))
    findings = [
        Finding("error", f"{file}, line {records[0][0]}: the header has {name!r} more than once; rename one")
        for name in sorted({name for name in header if header.count(name) > 1})
    ]
    if headless:
        findings.append(Finding("note", f"{file} has no header; its columns are {', '.join(header)}"))
    lines, cells = [], []
    for line, record in records[0 if headless else 1 :]:
        if len(record) != len(header):
            findings.append(
                Finding(
                    "error",
                    f"{file}, line {line}: {counted(len(record), 'cell')}, expected {len(header)}; mend the line",
                )
            )
            continue
        lines.append(line)
        cells.append(tuple(cell.strip() for cell in record))
    return Sheet(file, header, position, tuple(lines), tuple(cells), tuple(findings))


def _records(file: Path, count: int | None = None) -> list[tuple[int, list[str]]]:
    with rows.open_text(file) as text:
        delimiter = rows.find_delimiter(rows.first_line(text, file))
        text.seek(0)
        return list(islice(rows.records(text, file, delimiter), count))


def _path_column(folder: Path, records: Sequence[Sequence[str]], kind: FileKind) -> int | None:
    """The column in which every cell but the header's names such a file, and one of those exists."""
    body = records[1:] if len(records) > 1 else records
    for at in range(len(records[0]) if records else 0):
        cells = [row[at].strip() for row in body if at < len(row) and row[at].strip()]
        if cells and all(map(kind.matches, cells)) and any((folder / plain(cell)).is_file() for cell in cells):
            return at
    return None


def plain(cell: str) -> str:
    """A path with "/" between its folders."""
    return cell.replace("\\", "/")
