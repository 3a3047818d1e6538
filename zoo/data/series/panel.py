"""The series of a file or folder with their times, as they are before anything is filled or cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from zoo import resampling, rows
from zoo.data.options import DataConfig
from zoo.data.series.clock import LOOKED_AT, Clock, check_order, check_timed, clock_of, read_times, recognise
from zoo.data.series.recordings import ARRAYS, TABLES, Recording, position, read_array, read_table, take
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import join_names, split_names

LEAST_ROWS = 20
"""Of a table, to tell from them that it is a series."""


@dataclass(frozen=True)
class Track:
    """One series, in the order of its times.

    Attributes:
        values: (steps, channels) float64, NaN where a number is missing.
        times: (steps,) float64, growing; the steps' numbers where the file has no times.
        lines: Of the file, that each step stands on; empty for an array.
    """

    name: str
    values: np.ndarray
    times: np.ndarray
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Panel:
    """Series with the same channels.

    Attributes:
        clock: None where the files have no times.
        sha256: Of the bytes of each file.
    """

    columns: tuple[str, ...]
    tracks: tuple[Track, ...]
    clock: Clock | None
    sha256: tuple[str, ...]

    def positions(self, names: Sequence[str], path: Path) -> list[int]:
        """Of these channels, by name or index; raises DataError for one that is not there."""
        return [position(name, self.columns, path) for name in names]


@dataclass(frozen=True)
class _File:
    columns: tuple[str, ...]
    tracks: tuple[Track, ...]
    time: str
    formats: tuple[str, ...]
    sha256: str


def read_panel(path: Path, config: DataConfig) -> Panel:
    """Reads series.

    Args:
        path: A table with a row for each step, an array (steps, channels), or a folder of them, a series each.
        config: `time` and `recording` name columns; without `time` a column of dates is found, or of numbers that grow
            under a name for time. `rate` brings their steps to it. `columns` and `drop` choose channels, those of
            `target` are always among them.

    Raises:
        UsageError: An option that does not fit.
        DataError: A file that cannot be read, times that repeat or go back, a channel without a number.
    """
    files = [_read(file, config) for file in _files(path)]
    first = files[0]
    for file in files[1:]:
        if file.columns != first.columns or bool(file.time) != bool(first.time):
            raise DataError(
                f"{file.tracks[0].name} has columns {', '.join((file.time, *file.columns))}; {first.tracks[0].name} "
                f"has {', '.join((first.time, *first.columns))}: make them alike"
            )
    tracks = tuple(track for file in files for track in file.tracks)
    clock = None
    if first.time:
        formats = tuple(dict.fromkeys(form for file in files for form in file.formats))
        clock = clock_of(first.time, [track.times for track in tracks], formats)
        if config.rate:
            clock = clock.at_rate(config.rate)
            tracks = tuple(_at_rate(track, clock.usual) for track in tracks)
        else:
            for track in tracks:
                clock.check_steady(track.name, np.diff(track.times))
    return Panel(first.columns, tracks, clock, tuple(file.sha256 for file in files))


def _at_rate(track: Track, step: float) -> Track:
    """With steps of one distance, but where its own are too far apart."""
    cuts = resampling.bring(track.times, track.values, step)
    times = np.concatenate([steady.times for steady in cuts])
    rows = np.searchsorted(track.times, times, side="right") - 1
    lines = [track.lines[row] for row in rows.tolist()]
    return Track(track.name, np.concatenate([steady.values for steady in cuts]), times, lines)


def times_of(path: Path) -> str:
    """The column of a table whose times grow from row to row, told from its first rows; empty where there is none."""
    with rows.open_text(path) as file:
        delimiter = rows.sniff(rows.first_lines(file, path))
        file.seek(0)
        first = [cells for _, cells in islice(rows.records(file, path, delimiter), LOOKED_AT)]
    if len(first) < LEAST_ROWS or len({len(cells) for cells in first}) > 1:
        return ""
    header, columns = [cell.strip() for cell in first[0]], list(zip(*first[1:], strict=True))
    name = recognise(header, columns)
    if not name:
        return ""
    try:
        times, _ = read_times(str(path), range(len(first)), name, columns[header.index(name)])
    except DataError:
        return ""
    return name if (np.diff(times) > 0).all() else ""


def _files(path: Path) -> list[Path]:
    """The tables and arrays of a folder, sorted; a file alone is one."""
    if path.is_file():
        if path.suffix.lower() == ".ts":
            raise UsageError(f"{path} holds cases with a class each, nothing to forecast; leave horizon out")
        return [path]
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in (*TABLES, *ARRAYS) and not file.name.startswith(".") and file.is_file()
    ]
    if not found:
        raise DataError(f"{path} holds no series; expected {', '.join((*TABLES, *ARRAYS))} files, one for each")
    return found


def _read(path: Path, config: DataConfig) -> _File:
    if path.suffix.lower() in ARRAYS:
        if config.time or config.recording:
            raise UsageError(f"{path} is an array and has no columns; leave time and recording out")
        check_timed(path, config.rate, "")
        whole = read_array(path, replace(config, columns="", drop=""))
        track = Track(str(path), whole.values, np.arange(len(whole), dtype=np.float64), ())
        return _checked(_File(whole.columns, (track,), "", (), whole.sha256))
    table = read_table(path)
    header, _, cells = table
    known = [header[position(name, header, path)] for name in filter(None, (config.recording, config.time))]
    left_out = [*known, *_named(config.target, header, path), *_named(config.drop, header, path)]
    time = (
        header[position(config.time, header, path)]
        if config.time
        else recognise(header, cells, left_out, panel=bool(config.recording))
    )
    check_timed(path, config.rate, time)
    whole = take(path, table, _with_targets(config, header, path), [name for name in (time, *known) if name])
    return _checked(_tracks(path, whole, time, known[0] if config.recording else ""))


def _named(names: str, header: Sequence[str], path: Path) -> list[str]:
    return [header[position(name, header, path)] for name in split_names(names)]


def _with_targets(config: DataConfig, header: Sequence[str], path: Path) -> DataConfig:
    """Columns that are chosen, those to forecast among them."""
    chosen = _named(config.columns, header, path)
    if not chosen:
        return config
    return replace(config, columns=join_names(list(dict.fromkeys([*chosen, *_named(config.target, header, path)]))))


def _tracks(path: Path, whole: Recording, time: str, recording: str) -> _File:
    """A table as the series in it: all of it, or those that a column tells apart, however their rows are mixed."""
    names = whole.texts[recording] if recording else [""] * len(whole)
    times = np.arange(len(whole), dtype=np.float64)
    formats: tuple[str, ...] = ()
    if time:
        times, formats = read_times(str(path), whole.lines, time, whole.texts[time])
    tracks = []
    members = np.unique(names, return_inverse=True)[1].reshape(-1)
    for name in dict.fromkeys(names):
        steps = np.flatnonzero(members == members[names.index(name)])
        lines = [whole.lines[at] for at in steps.tolist()]
        own = times[steps]
        if time:
            cells = [whole.texts[time][at] for at in steps.tolist()]
            check_order(str(path), lines, time, cells, own, np.ones(max(len(own) - 1, 0), bool))
        else:
            own = np.arange(len(steps), dtype=np.float64)
        tracks.append(Track(f"{path}, {name}" if name else str(path), whole.values[steps], own, lines))
    return _File(whole.columns, tuple(tracks), time, formats, whole.sha256)


def _checked(file: _File) -> _File:
    """The file; raises DataError where a series has a channel without a number."""
    for track in file.tracks:
        empty = np.flatnonzero(np.isnan(track.values).all(axis=0))
        if empty.size:
            name = file.columns[int(empty[0])]
            raise DataError(f"{track.name}: column {name!r} has no number in it; leave it out with --drop {name}")
    return file
