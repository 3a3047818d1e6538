"""A table of steps cut where its recording, its class or its time break off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.series.clock import GAP, check_order, read_times, recognise
from zoo.data.series.recordings import ARRAYS, Recording, filled, position, read_array, read_table, take
from zoo.errors import UsageError
from zoo.hyperparameters import split_names


@dataclass(frozen=True)
class Stretches:
    """Parts of a file, each without a break.

    Attributes:
        group: Name of the column of groups; empty where there is none.
        time: Name of the column of times; empty where there is none.
    """

    parts: tuple[Recording, ...]
    findings: tuple[Finding, ...]
    group: str = ""
    time: str = ""


def read_stretches(path: Path, config: DataConfig, *, target: str = "") -> Stretches:
    """Reads a file and cuts it at every break.

    Args:
        path: A table or a `.npy` array.
        config: `recording`, `time`, `group_from` (column:NAME) and `split` (group:NAME) name columns; without `time`
            it is looked for, see `recognise`.
        target: Name of the column of classes; empty where the file is of one class.

    Raises:
        DataError: It cannot be read, or its times are wrong.
        UsageError: A column is named of what has none.
    """
    group = _group_column(config) if target else ""
    named = [name for name in (target, config.recording if target else "", group) if name]
    if path.suffix.lower() in ARRAYS:
        if named or config.time:
            raise UsageError(f"{path} is an array and has no column {[*named, config.time][0]!r}; leave the option out")
        return Stretches((filled(read_array(path, config)),), ())
    table = read_table(path)
    time = config.time or _time_of(path, table, config, named, several=bool(target))
    recording = filled(take(path, table, config, tuple(dict.fromkeys([*named, *filter(None, [time])]))))
    breaks = _changes(recording, named)
    findings: tuple[Finding, ...] = ()
    if time:
        times, _ = read_times(recording.name, recording.lines, time, recording.texts[time])
        if target and not config.recording:
            breaks = np.union1d(breaks, _restarts(times, breaks))
        gaps = _gaps(recording, time, times, breaks)
        findings = _told(recording, gaps)
        breaks = np.union1d(breaks, gaps)
    edges = [0, *breaks.tolist(), len(recording)]
    parts = [recording.part(slice(low, high)) for low, high in pairwise(edges)]
    if parts and recording.findings:
        parts[0] = replace(parts[0], findings=recording.findings)
    return Stretches(tuple(parts), findings, group, time)


def _time_of(
    path: Path,
    table: tuple[list[str], list[int], list[Sequence[str]]],
    config: DataConfig,
    named: Sequence[str],
    *,
    several: bool,
) -> str:
    """The column of times that nobody named; one that is asked for or kept as a channel, or dropped, is none."""
    header, _, cells = table
    given = (*named, *split_names(config.columns), *split_names(config.drop))
    known = [*split_names(config.keep), *(header[position(name, header, path)] for name in given)]
    return recognise(header, cells, known, panel=several)


def _restarts(times: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Steps at which the time falls back to where its recording began, or before: there the next one begins."""
    found, first, known = [], times[0], set(breaks.tolist())
    for at in range(1, len(times)):
        if at in known:
            first = times[at]
        elif times[at] < times[at - 1] and times[at] <= first:
            found.append(at)
            first = times[at]
    return np.array(found, np.int64)


def _group_column(config: DataConfig) -> str:
    how, _, named = config.split.partition(":")
    if config.split != "random" and (how != "group" or not named):
        raise UsageError(f"--split {config.split} is not known for one table of steps; expected random or group:COLUMN")
    given = config.group_from
    if given and not given.startswith("column:"):
        raise UsageError(f"--group-from {given}: one table of steps has columns; give --group-from column:NAME")
    if given and named:
        raise UsageError(f"--split {config.split} and --group-from {given} both name groups; give one of them")
    return named or given.removeprefix("column:")


def _changes(recording: Recording, names: list[str]) -> np.ndarray:
    """Steps at which the text of a column is another than a step before."""
    found = np.zeros(0, np.int64)
    for name in names:
        cells = recording.texts[name]
        found = np.union1d(found, [at for at in range(1, len(cells)) if cells[at] != cells[at - 1]])
    return found.astype(np.int64)


def _gaps(recording: Recording, column: str, times: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Steps before which others are missing.

    Raises:
        DataError: Times that repeat or go back.
    """
    cells = recording.texts[column]
    inside = ~np.isin(np.arange(1, len(times)), breaks)
    check_order(recording.name, recording.lines, column, cells, times, inside)
    distances = np.diff(times)
    usual = float(np.median(distances[inside])) if inside.any() else 0.0
    return np.flatnonzero((distances > GAP * usual) & inside) + 1


def _told(recording: Recording, gaps: np.ndarray) -> tuple[Finding, ...]:
    if not gaps.size:
        return ()
    line, places = recording.lines[int(gaps[0])], "1 place" if gaps.size == 1 else f"{gaps.size:,} places"
    text = f"{recording.name}: steps are missing at {places}, the first before line {line}; cut there"
    return (Finding("warning", text),)
