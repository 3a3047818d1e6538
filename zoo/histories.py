"""The last steps of series, which a forecast is made from. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from . import preprocessing, resampling, rows
    from .interpreters import DataError
else:
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import resampling  # type: ignore[import-not-found,no-redef]
    import rows  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]


class History(NamedTuple):
    """The end of a series.

    Attributes:
        name: The file's, with that of the series where it holds several.
        values: (steps, channels) float32, as many steps as the model takes, or as there are; missing numbers filled.
        problems: Step to what is wrong with it.
    """

    name: str
    values: np.ndarray
    problems: Mapping[int, str]


def horizon(contract: Mapping[str, Any]) -> int:
    """Steps that a model forecasts; 0 for any other model."""
    return int((contract.get("output") or {}).get("horizon") or 0)


def last_steps(values: np.ndarray, contract: Mapping[str, Any]) -> np.ndarray:
    """The end of a series (steps, channels) that a model takes, its missing numbers filled by the last before them."""
    return preprocessing.carried(values)[-int(contract["input"]["shape"][0]) :]


def read_histories(path: str | Path, contract: Mapping[str, Any]) -> list[History]:
    """The end of each series of a table.

    Args:
        path: A table with a row for each step. A column of times, if it has the model's, must grow; one that tells
            series apart may mix their rows.
        contract: "input" has the "columns" and perhaps "recording" and "time".

    Raises:
        DataError: It cannot be read, has no rows, lacks a channel, or times repeat or go back.
    """
    expected = contract["input"]
    columns = [{"name": name, "type": "number"} for name in expected.get("columns") or ()]
    plain = columns or [{"type": "number"}] * expected["shape"][1]
    time: Mapping[str, Any] = expected.get("time") or {}
    reader = rows.TableReader(path, plain)
    timed = bool(time.get("rate")) or (bool(columns) and time.get("name") in reader.header)
    if timed:
        reader = rows.TableReader(path, [*columns, time])
    at = reader.header.index(expected["recording"]) if expected.get("recording") in reader.header else -1
    raw, names, lines, problems = all_rows(reader, at)
    if not lines:
        raise DataError(f"{path} has a header and no rows; give at least one step")
    found = []
    for name in dict.fromkeys(names):
        own = np.flatnonzero(np.array([other == name for other in names]))
        wrong = {row: problems[step] for row, step in enumerate(own.tolist()) if step in problems}
        places = [f"{path}, line {lines[step]}" for step in own.tolist()]
        if timed:
            check_growing(raw[own, -1], wrong, places, time)
        if time.get("rate"):
            values, wrong = _at_rate(raw[own], wrong, places, time, int(expected["shape"][0]))
        else:
            if timed:
                wrong = {**_missing_steps(raw[own, -1], places, time, int(expected["shape"][0])), **wrong}
            values = raw[own, : len(plain)]
        last = last_steps(values, contract)
        skipped = len(values) - len(last)
        kept = {row - skipped: text for row, text in sorted(wrong.items()) if row >= skipped}
        found.append(History(f"{path}:{name}" if name else str(path), last, kept))
    return found


def _at_rate(
    raw: np.ndarray, wrong: Mapping[int, str], places: Sequence[str], time: Mapping[str, Any], window: int
) -> tuple[np.ndarray, dict[int, str]]:
    """The steps since the last gap at a steady rate, (steps, channels), and what is wrong with some of them.

    Args:
        raw: (rows, channels and a time) float64.
        wrong: Row to what is wrong with it.
        places: File and line of each row.
        time: The column of times, with a "rate".
        window: Steps that the model takes.
    """
    timed = np.flatnonzero(~np.isnan(raw[:, -1]))
    if not len(timed):
        return np.full((1, raw.shape[1] - 1), np.nan), dict(enumerate(list(wrong.values())[:1]))
    times = raw[timed, -1]
    steady = resampling.bring(times, raw[timed, :-1], resampling.step_of(time), backwards=True)[-1]
    near = {steady.at(times[row]): text for row, text in before_them(wrong, timed).items()}
    found = {at: text for at, text in near.items() if 0 <= at < len(steady.times)}
    if not steady.part.start or len(steady.times) >= window:
        return steady.values, found
    # What is before the gap is not there, whatever is filled in for it.
    absent = np.full((window - len(steady.times), raw.shape[1] - 1), np.nan)
    first = places[int(timed[steady.part.start])]
    return np.concatenate([absent, steady.values]), {0: _few(first, window)}


def before_them(wrong: Mapping[int, str], timed: np.ndarray) -> dict[int, str]:
    """What is wrong with some rows, each by where in `timed` (ascending rows) the last one up to it stands."""
    return {max(int(np.searchsorted(timed, row, side="right")) - 1, 0): text for row, text in wrong.items()}


def _few(place: str, window: int) -> str:
    return f"{place}: steps are missing before it, among the last {window}; fill them in"


def all_rows(reader: rows.TableReader, at: int = -1) -> tuple[np.ndarray, list[str], list[int], dict[int, str]]:
    """Raw rows, of each the series that column `at` says and its line, and what is wrong with some."""
    parts: list[np.ndarray] = []
    names: list[str] = []
    lines: list[int] = []
    problems: dict[int, str] = {}
    for block in reader:
        problems.update({len(lines) + row: text for row, text in block.problems.items()})
        names += [cells[at].strip() if 0 <= at < len(cells) else "" for cells in block.cells]
        lines += block.lines
        parts.append(block.raw)
    return np.concatenate(parts) if parts else np.zeros((0, 0)), names, lines, problems


def check_growing(times: np.ndarray, wrong: Mapping[int, str], places: Sequence[str], time: Mapping[str, Any]) -> None:
    """Refuses times that repeat or go back, and at a rate those that are missing.

    Args:
        times: (rows,) float64, NaN where there is none.
        wrong: Row to what is wrong with it; such a row may lack its time.
        places: File and line of each, for messages.
        time: The column.

    Raises:
        DataError: Names the place.
    """
    known = np.flatnonzero(~np.isnan(times))
    absent = [at for at in np.flatnonzero(np.isnan(times)).tolist() if at not in wrong]
    if absent and time.get("rate"):
        raise DataError(f"{places[absent[0]]}: no time in column {time['name']!r}; fill it in, or remove the row")
    back = np.flatnonzero(np.diff(times[known]) <= 0)
    if back.size:
        place = places[int(known[int(back[0]) + 1])]
        raise DataError(
            f"{place}: the time in column {time['name']!r} repeats or goes back; sort the rows, one of each"
        )


def _missing_steps(times: np.ndarray, places: Sequence[str], time: Mapping[str, Any], window: int) -> dict[int, str]:
    """Among the last steps, those without a time and those before which others are missing."""
    known = np.flatnonzero(~np.isnan(times))
    distances = np.diff(times[known])
    first = max(len(times) - window, 0)
    wrong = {at: f"{places[at]}: no time in column {time['name']!r}" for at in np.flatnonzero(np.isnan(times)).tolist()}
    for at in known[1:][distances > time["gap"]].tolist():
        if at > first:
            wrong[at] = _few(places[at], window)
    return wrong
