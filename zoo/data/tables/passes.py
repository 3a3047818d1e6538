"""The rows of a table as arrays: features, targets, and what says how they are split; in memory, or on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo import rows
from zoo.data.files.listing import SPLIT_NAMES
from zoo.data.findings import SHOWN, Finding
from zoo.data.tables.targets import Target
from zoo.data.tables.wrong import HUGE, Wrong


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is read of a table.

    Attributes:
        features: Columns as `zoo.rows.convert` takes them.
        split: "", "time", "group" or "column", and the column that it goes by.
        delimiter: Of the file; empty to find it out.
    """

    features: Sequence[Mapping[str, Any]]
    target: Target
    missing: Sequence[str]
    split: str = ""
    split_column: Mapping[str, Any] = field(default_factory=dict)
    delimiter: str = ""
    header: bool | None = None


@dataclass
class Table:
    """What was read.

    Attributes:
        features: (n, columns) float64 raw numbers, see `zoo.rows`; a `np.memmap` where they lie on disk.
        targets: (n, target columns) float64 raw numbers.
        special: (n,) float64 times, group numbers, or indices of PARTS; empty where the split is random.
        lines: (n,) int64, where each row stands.
        dropped: Rows left out because their target or their time is missing.
        wrong: Column to its cells that mean nothing.
        ragged: Lines whose number of cells is another than the header's, the first of them, and how many in all.
        unsplit: Rows whose cell of the column that says the split, or the group, is missing.
    """

    features: np.ndarray
    targets: np.ndarray
    special: np.ndarray
    lines: np.ndarray
    dropped: int = 0
    wrong: dict[str, Wrong] = field(default_factory=dict)
    ragged: list[str] = field(default_factory=list)
    ragged_count: int = 0
    unknown_parts: dict[str, int] = field(default_factory=dict)
    unsplit: int = 0

    def __len__(self) -> int:
        return len(self.lines)

    def findings(self, path: Path, plan: Plan) -> list[Finding]:
        """Everything wrong with rows and cells."""
        found = [Finding("error", text) for text in self.ragged]
        if self.ragged_count > len(self.ragged):
            text = f"{path}: {self.ragged_count - len(self.ragged):,} more lines have another number of cells"
            found.append(Finding("error", text))
        found += [wrong.finding(path, column, plan.missing) for column, wrong in self.wrong.items()]
        for part, line in self.unknown_parts.items():
            text = f"{path}, line {line}: {part!r} is no split; expected {', '.join(SPLIT_NAMES)}"
            found.append(Finding("error", text))
        if self.unsplit:
            what = {
                "group": "group; they count as one group",
                "column": "split; they are trained on, and a split that the column lacks is drawn from them too",
            }
            where = f"{path}: {self.unsplit:,} rows have an empty cell in column {plan.split_column['name']!r}"
            found.append(Finding("warning", f"{where}, so no {what[plan.split]}"))
        return found


def read_rows(path: Path, plan: Plan, count: int, *, folder: Path | None, tell: Callable[[int], None]) -> Table:
    """Reads the rows that can be used, and finds out what keeps the others from it.

    Args:
        path: The file.
        plan: What is read of it.
        count: Rows of the file, or more.
        folder: Where the features are written; None to keep them in memory.
        tell: Told how many rows were read, after each block.

    Raises:
        DataError: A file that cannot be read, or that lacks a column.
    """
    specs = [*plan.features, *plan.target.specs(), *([plan.split_column] if plan.split == "time" else [])]
    optional = [str(plan.split_column["name"])] if plan.split else []
    reader = rows.TableReader(
        path, specs, missing=plan.missing, optional=optional, delimiter=plan.delimiter, header=plan.header
    )
    width, answers = len(plan.features), len(plan.target.columns)
    features = _empty(folder, (count, width))
    table = Table(features, np.empty((count, answers)), np.empty(count if plan.split else 0), np.empty(count, np.int64))
    words, groups = rows.missing_words(plan.missing), dict[str, int]()
    at = 0
    for block in reader:
        good = np.ones(len(block.lines), bool)
        if block.problems:
            good[list(block.problems)] = False
            _blame(table, block, reader, specs, words)
        good[_find_huge(table, block, reader, specs)] = False
        special = _special(block, reader, plan, words, groups, table) if plan.split else np.empty(0)
        known = good & ~np.isnan(block.raw[:, width : width + answers]).any(axis=1)
        if plan.split == "time":
            known &= ~np.isnan(special)
        table.dropped += int(np.count_nonzero(good & ~known))
        if plan.target.values:
            _find_strangers(table, block, reader, plan.target, block.raw[:, width : width + answers])
        end = at + int(np.count_nonzero(known))
        features[at:end] = block.raw[known, :width]
        table.targets[at:end] = block.raw[known, width : width + answers]
        table.lines[at:end] = np.array(block.lines)[known]
        if plan.split:
            table.special[at:end] = special[known]
        at = end
        tell(at)
    table.features, table.targets, table.lines = features[:at], table.targets[:at], table.lines[:at]
    table.special = table.special[:at]
    return table


def _empty(folder: Path | None, shape: tuple[int, int]) -> np.ndarray:
    if folder is None:
        return np.empty(shape)
    return np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.float64, shape=shape)


def _blame(
    table: Table,
    block: rows.Block,
    reader: rows.TableReader,
    specs: Sequence[Mapping[str, Any]],
    words: frozenset[str],
) -> None:
    """Tells ragged lines from cells that mean nothing, and counts those by column."""
    ragged = [at for at, cells in enumerate(block.cells) if len(cells) != len(reader.header)]
    table.ragged_count += len(ragged)
    table.ragged += [block.problems[at] for at in ragged[: SHOWN - len(table.ragged)]]
    whole = [at for at in block.problems if at not in set(ragged)]
    for spec in specs:
        name = str(spec["name"])
        cells = [block.cells[at][reader.header.index(name)] for at in whole]
        for wrong in rows.convert(cells, spec, words)[1]:
            found = table.wrong.setdefault(name, Wrong(str(spec["type"])))
            found.add(block.lines[whole[wrong]], cells[wrong].strip())


def _find_huge(
    table: Table, block: rows.Block, reader: rows.TableReader, specs: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Counts numbers beyond `HUGE`; the rows that have some."""
    found = np.argwhere(np.abs(block.raw) > HUGE).tolist()
    for row, at in found:
        name = str(specs[at]["name"])
        cell = block.cells[row][reader.header.index(name)].strip()
        table.wrong.setdefault(name, Wrong("number")).add(block.lines[row], cell)
    return [row for row, _ in found]


def _find_strangers(
    table: Table, block: rows.Block, reader: rows.TableReader, target: Target, answers: np.ndarray
) -> None:
    """Counts cells of the target that are none of its classes; `answers` are raw numbers, NaN where missing."""
    decoded = target.decode(np.nan_to_num(answers)).reshape(len(answers), -1)
    for row, at in np.argwhere((decoded == -1) & ~np.isnan(answers)).tolist():
        name = target.columns[at].name
        table.wrong.setdefault(name, Wrong("class")).add(
            block.lines[row], block.cells[row][reader.header.index(name)].strip()
        )


def _special(
    block: rows.Block,
    reader: rows.TableReader,
    plan: Plan,
    words: frozenset[str],
    groups: dict[str, int],
    table: Table,
) -> np.ndarray:
    """What the split goes by, (rows,) float64: a time, the group's number, or the index of a part."""
    if plan.split == "time":
        return np.asarray(block.raw[:, -1])
    position = reader.header.index(str(plan.split_column["name"]))
    cells = [row[position].strip() if position < len(row) else "" for row in block.cells]
    cells = ["" if cell.lower() in words else cell for cell in cells]
    table.unsplit += sum(not cell and at not in block.problems for at, cell in enumerate(cells))
    if plan.split == "group":
        return np.array([groups.setdefault(cell, len(groups)) for cell in cells], np.float64)
    parts = []
    for line, cell in zip(block.lines, cells, strict=True):
        part = SPLIT_NAMES.get(cell.lower())
        if part is None and cell and len(table.unknown_parts) < SHOWN:
            table.unknown_parts.setdefault(cell, line)
        parts.append(-1 if part is None else part)
    return np.array(parts, np.float64)


class Lines(Sequence[str]):
    """Names of rows, made when they are asked for: file and line."""

    def __init__(self, path: Path, lines: np.ndarray) -> None:
        self._path, self._lines = path, lines

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return Lines(self._path, self._lines[at])
        return f"{self._path.name}:{self._lines[at]}"

    def __iter__(self) -> Iterator[str]:
        return (self[at] for at in range(len(self)))


def keep_table(table: Table, folder: Path) -> None:
    """Writes what `read_kept` reads, beside the features that `read_rows` wrote there."""
    if isinstance(table.features, np.memmap):
        table.features.flush()
    np.savez(folder / "rest.npz", targets=table.targets, special=table.special, lines=table.lines)
    wrong = {name: vars(cells) for name, cells in table.wrong.items()}
    rest = {key: getattr(table, key) for key in ("dropped", "ragged", "ragged_count", "unknown_parts", "unsplit")}
    (folder / "table.json").write_text(json.dumps({**rest, "wrong": wrong}), encoding="utf-8")


def read_kept(folder: Path) -> Table:
    """A table whose features stay on disk."""
    rest = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    wrong = {
        name: Wrong(cells["kind"], cells["count"], [(line, cell) for line, cell in cells["first"]], cells["words"])
        for name, cells in rest.pop("wrong").items()
    }
    with np.load(folder / "rest.npz") as arrays:
        features = np.load(folder / "rows.npy", mmap_mode="r")[: len(arrays["lines"])]
        return Table(features, arrays["targets"], arrays["special"], arrays["lines"], wrong=wrong, **rest)


def is_kept(folder: Path, count: int, width: int) -> bool:
    """Whether a folder holds a whole table of such a size; `table.json` is written last."""
    file = folder / "rows.npy"
    return (folder / "table.json").is_file() and file.is_file() and file.stat().st_size >= 8 * count * width
