"""A table of paths and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import rows
from zoo.data.files.folder import group_of, walk
from zoo.data.files.listing import SPLIT_NAMES, Entry, FileKind, Listing, counted
from zoo.data.files.sheet import Sheet, plain, read_sheet
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.references import is_index
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import split_names


def read_list(file: Path, config: DataConfig, kind: FileKind, *, folder: Path | None = None, part: int = -1) -> Listing:
    """Lists the files that a table names, with labels, groups, times and splits from its columns.

    Args:
        file: Paths in it are relative to the folder, else to the table's own.
        config: The label is in the column `target`, or that of `label_from`, or else in the only other one.
        kind: What the files are.
        folder: The data, where the table only labels them; files there that it does not name are counted.
        part: The split that all of it belongs to; -1 to go by the column of `split`.

    Raises:
        DataError: A table that cannot be read, or a column that is not there.
        UsageError: Options that contradict each other.
    """
    sheet = read_sheet(file, folder or file.parent, kind)
    how, _, named = config.split.partition(":")
    if how not in ("random", "column", "group", "time") or (how != "random" and not named):
        raise UsageError(f"--split {config.split} is not known; expected random, time:COL, group:COL or column:COL")
    special = sheet.column(named, "--split") if how != "random" else None
    groups = _groups(sheet, config, kind, folder or file.parent, special if how == "group" else None)
    findings = list(sheet.findings)
    targets, unsure = _targets(sheet, config, {special, groups.column})
    findings += unsure
    entries: list[Entry] = []
    places = (folder or file.parent, file.parent)
    for line, cells in zip(sheet.lines, sheet.rows, strict=True):
        where = f"{file}, line {line}"
        try:
            entries.append(
                Entry(
                    file=find_file(cells[sheet.paths], places, where, kind),
                    name=cells[sheet.paths].replace("\\", "/"),
                    answers=tuple(cells[target] for target in targets),
                    part=part_of(cells[special], where) if how == "column" and special is not None else part,
                    group=groups.of(cells, where),
                    time=_time(cells[special], where) if how == "time" and special is not None else None,
                    where=f"{where}: ",
                )
            )
        except DataError as error:
            findings.append(Finding("error", str(error)))
    if folder is not None:
        findings += _unnamed(folder, entries, file, kind)
    if unsure:
        findings += [finding for finding in _once(entries, unsure=True)[1] if finding.severity == "error"]
        return Listing(root=folder or file.parent, kind=kind, entries=(), listed=True, findings=tuple(findings))
    whole, dropped = _without_answer(entries, config)
    kept, repeated = _once(whole)
    findings += [*dropped, *repeated]
    return Listing(
        root=folder or file.parent,
        kind=kind,
        entries=tuple(kept),
        targets=tuple(sheet.header[target] for target in targets),
        listed=True,
        findings=tuple(findings),
    )


def find_file(cell: str, places: Sequence[Path], where: str, kind: FileKind) -> Path:
    """The file that a cell names; raises DataError where it is in none of the places."""
    if not cell:
        raise DataError(f"{where}: no path; expected that of {kind.article}")
    for place in places:
        for written in (cell, plain(cell)):
            if (place / written).is_file():
                return place / written
    raise DataError(f"{where}: {places[0] / cell} does not exist; correct the path or remove the line")


def part_of(cell: str, where: str) -> int:
    """The split that a cell names, an index of `PARTS`; raises DataError where it names none."""
    if cell.lower() not in SPLIT_NAMES:
        raise DataError(f"{where}: {cell!r} is no split; expected train, validation or test")
    return SPLIT_NAMES[cell.lower()]


def _time(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        days = rows.to_days(cell, ("iso",))
        if days is None:
            raise DataError(f"{where}: {cell!r} is no time; expected a number or a date such as 2024-05-31") from None
        return days
    if not abs(value) < float("inf"):
        raise DataError(f"{where}: {cell!r} is no time; expected a finite number or a date such as 2024-05-31")
    return value


@dataclass(frozen=True)
class _Groups:
    """Where the group of a row stands: in a column, in another table by path, in the path, or nowhere."""

    sheet: Sheet
    how: str
    column: int | None = None
    known: Mapping[str, str] | None = None

    def of(self, cells: Sequence[str], where: str) -> str:
        name = plain(cells[self.sheet.paths])
        if self.column is not None:
            found: str | None = cells[self.column]
        elif self.known is not None:
            found = self.known.get(name)
        else:
            found = group_of(self.how)(name) if self.how else ""
        if not found and (self.how or self.column is not None):
            raise DataError(f"{where}: nothing says which group {name} is of ({self.how or '--split group'})")
        return found or ""


def _groups(sheet: Sheet, config: DataConfig, kind: FileKind, folder: Path, column: int | None) -> _Groups:
    how = config.group_from
    if column is not None and how:
        raise UsageError(f"--split {config.split} and --group-from {how} both name groups; give one of them")
    if how.startswith("column:"):
        return _Groups(sheet, how, column=sheet.column(how.removeprefix("column:"), "--group-from"))
    if is_index(how):
        return _Groups(sheet, how, known=read_pairs(find_index(how, folder, "--group-from"), folder, kind))
    return _Groups(sheet, how, column=column)


def read_pairs(file: Path, folder: Path, kind: FileKind) -> dict[str, str]:
    """Path to the text of the only other column.

    Raises:
        DataError: It has more columns, or cannot be read.
    """
    sheet = read_sheet(file, folder, kind)
    others = [at for at in range(len(sheet.header)) if at != sheet.paths]
    if len(others) != 1:
        raise DataError(f"{file} has columns {', '.join(sheet.header)}; expected paths and one other column")
    return {plain(cells[sheet.paths]): cells[others[0]] for cells in sheet.rows}


def find_index(how: str, folder: Path, option: str) -> Path:
    """The table that an option names: as it stands, or in the data's folder.

    Raises:
        UsageError: There is none.
    """
    for path in (Path(how).expanduser(), folder / how):
        if path.is_file():
            return path.absolute()
    raise UsageError(f"{option} {how} does not exist, nor does {folder / how}; correct the path")


def _targets(sheet: Sheet, config: DataConfig, taken: set[int | None]) -> tuple[list[int], list[Finding]]:
    """Indices of the columns to predict; all that could be, and why, where that cannot be told."""
    others = [at for at in range(len(sheet.header)) if at != sheet.paths and at not in taken]
    named = split_names(config.target)
    if config.label_from.startswith("column:"):
        if named:
            raise UsageError(f"--target {config.target} and --label-from {config.label_from}: give one of them")
        named = (config.label_from.removeprefix("column:"),)
    if named:
        try:
            return [sheet.column(name, "--target") for name in named], []
        except DataError as error:
            return others, [Finding("error", str(error))]
    if len(others) != 1:
        listed = ", ".join(sheet.header[at] for at in others) or "none"
        several = f"{len(others)} columns that could be the label ({listed})"
        return others, [Finding("error", f"{sheet.file} has {several}; add --target COLUMN")]
    return others, []


def _without_answer(entries: Sequence[Entry], config: DataConfig) -> tuple[list[Entry], list[Finding]]:
    """Rows with a label, and what was left out."""
    missing = rows.missing_words(split_names(config.missing_values))
    kept = [entry for entry in entries if not any(text.lower() in missing for text in entry.answers)]
    if len(kept) == len(entries):
        return kept, []
    first = next(entry for entry in entries if any(text.lower() in missing for text in entry.answers))
    count = counted(len(entries) - len(kept), "row")
    return kept, [Finding("warning", f"{first.where}{count} without a label left out, this is the first")]


def _once(entries: Sequence[Entry], *, unsure: bool = False) -> tuple[list[Entry], list[Finding]]:
    """Each file once; it is an error where its rows disagree, in every column where nobody knows which one counts."""
    seen: dict[Path, Entry] = {}
    findings, again = [], 0
    for entry in entries:
        before = seen.setdefault(entry.file, entry)
        if before is entry:
            continue
        again += 1
        differ = [one != other for one, other in zip(before.answers, entry.answers, strict=True)]
        if any(differ) and (all(differ) or not unsure):
            said = f"{'|'.join(entry.answers)!r}, above {'|'.join(before.answers)!r}"
            findings.append(Finding("error", f"{entry.where}{entry.name} stands here as {said}; remove one line"))
    if again and not findings:
        verbs = ("names", "was") if again == 1 else ("name", "were")
        findings.append(Finding("note", f"{counted(again, 'line')} {verbs[0]} a file again and {verbs[1]} left out"))
    return list(seen.values()), findings


def _unnamed(folder: Path, entries: Sequence[Entry], file: Path, kind: FileKind) -> list[Finding]:
    named = {entry.file for entry in entries}
    others = [name for name in walk(folder, kind).files if folder / name not in named]
    if not others:
        return []
    return [Finding("note", f"{counted(len(others), kind.noun)} of {folder} not named in {file.name} left out")]
