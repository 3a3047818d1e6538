"""A table of steps cut where its recording, its class or its time break off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from zoo import resampling
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.series.clock import Clock, check_order, check_timed, clock_of, read_times, recognise
from zoo.data.series.recordings import ARRAYS, Recording, filled, position, read_array, read_table, take
from zoo.errors import UsageError
from zoo.hyperparameters import split_names


@dataclass(frozen=True)
class Stretches:
    """Parts of a file, each without a break.

    Attributes:
        group: Name of the column of groups; empty where there is none.
        clock: Of the column of times; None where there is none.
    """

    parts: tuple[Recording, ...]
    findings: tuple[Finding, ...]
    group: str = ""
    clock: Clock | None = None


def read_stretches(path: Path, config: DataConfig, *, target: str = "") -> Stretches:
    """Reads a file and cuts it at every break.

    Args:
        path: A table or a `.npy` array.
        config: `recording`, `time`, `group_from` (column:NAME) and `split` (group:NAME) name columns; without `time`
            it is looked for, see `recognise`. `rate` brings the steps of a stretch to it.
        target: Name of the column of classes; empty where the file is of one class.

    Raises:
        DataError: It cannot be read, or its times are wrong.
        UsageError: A column is named of what has none, or a rate.
    """
    group = _group_column(config) if target else ""
    named = [name for name in (target, config.recording if target else "", group) if name]
    if path.suffix.lower() in ARRAYS:
        if named or config.time:
            raise UsageError(f"{path} is an array and has no column {[*named, config.time][0]!r}; leave the option out")
        check_timed(path, config.rate, "")
        return Stretches((filled(read_array(path, config)),), ())
    table = read_table(path)
    time = _time_of(path, table, config, named, several=bool(target))
    check_timed(path, config.rate, time)
    whole = take(path, table, config, tuple(dict.fromkeys([*named, *filter(None, [time])])))
    breaks = _changes(whole, named)
    if not time:
        return _cut(filled(whole), breaks, group)
    times, formats = read_times(whole.name, whole.lines, time, whole.texts[time])
    if target and not config.recording:
        breaks = np.union1d(breaks, _restarts(times, breaks))
    inside = ~np.isin(np.arange(1, len(times)), breaks)
    check_order(whole.name, whole.lines, time, whole.texts[time], times, inside)
    clock = clock_of(time, np.split(times, breaks), formats)
    if config.rate:
        return _at_rate(whole, times, breaks, clock.at_rate(config.rate), group)
    distances = np.diff(times)
    clock.check_steady(whole.name, distances[inside])
    gaps = np.flatnonzero((distances > clock.gap) & inside) + 1
    found = _cut(filled(whole), np.union1d(breaks, gaps), group)
    return replace(found, findings=_told(whole, gaps), clock=clock)


def _cut(recording: Recording, breaks: np.ndarray, group: str) -> Stretches:
    """A recording cut before these steps."""
    edges = [0, *breaks.tolist(), len(recording)]
    parts = [recording.part(slice(low, high)) for low, high in pairwise(edges)]
    if parts and recording.findings:
        parts[0] = replace(parts[0], findings=recording.findings)
    return Stretches(tuple(parts), (), group)


def _at_rate(whole: Recording, times: np.ndarray, breaks: np.ndarray, clock: Clock, group: str) -> Stretches:
    """A recording with its missing numbers NaN, cut before these steps and where its rows are too far apart."""
    gaps: list[int] = []
    parts: list[Recording] = []
    empty: list[Recording] = []
    for low, own, values in zip(
        [0, *breaks.tolist()], np.split(times, breaks), np.split(whole.values, breaks), strict=True
    ):
        cuts = resampling.bring(own, values, clock.usual)
        gaps += [low + steady.part.start for steady in cuts[1:]]
        for steady in cuts:
            rows = np.searchsorted(own, steady.times, side="right") - 1
            part = whole.at(low + rows, steady.values)
            (empty if np.isnan(part.values).all(axis=0).any() else parts).append(part)
    kept = tuple(map(filled, parts or empty))
    return Stretches(kept, (*_told(whole, np.array(gaps, np.int64)), *_left_out(empty)), group, clock)


def _time_of(
    path: Path,
    table: tuple[list[str], list[int], list[Sequence[str]]],
    config: DataConfig,
    named: Sequence[str],
    *,
    several: bool,
) -> str:
    """The column of times, by name or found; one that is asked for or kept as a channel, or dropped, is none."""
    header, _, cells = table
    if config.time:
        return header[position(config.time, header, path)]
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


def _left_out(parts: Sequence[Recording]) -> tuple[Finding, ...]:
    """What to say of stretches in which a channel has no number, so that nothing can be filled in."""
    if not parts:
        return ()
    count = "a stretch" if len(parts) == 1 else f"{len(parts):,} stretches"
    first = f"lines {parts[0].lines[0]} to {parts[0].lines[-1]}"
    text = f"{parts[0].name}: {count} between gaps left out, a channel has no number there, the first in {first}"
    return (Finding("warning", text),)


def _told(recording: Recording, gaps: np.ndarray) -> tuple[Finding, ...]:
    if not gaps.size:
        return ()
    line, places = recording.lines[int(gaps[0])], "1 place" if gaps.size == 1 else f"{gaps.size:,} places"
    text = f"{recording.name}: steps are missing at {places}, the first before line {line}; cut there"
    return (Finding("warning", text),)
