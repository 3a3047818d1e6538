"""Recordings as samples: tables of steps, cut into windows as the training data were. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from . import histories, preprocessing, resampling, rows
    from .chunks import ARRAY_ROWS, Chunk, not_finite, prepare
    from .interpreters import DataError
else:
    import histories  # type: ignore[import-not-found,no-redef]
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import resampling  # type: ignore[import-not-found,no-redef]
    import rows  # type: ignore[import-not-found,no-redef]
    from chunks import ARRAY_ROWS, Chunk, not_finite, prepare  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]


def is_series(contract: Mapping[str, Any]) -> bool:
    """Whether a model takes samples of a series."""
    return bool(contract["input"]["kind"] == "series")


class Stretch(NamedTuple):
    """A recording, or the part of one between two gaps.

    Attributes:
        name: The file's, with its lines where it holds several.
        values: (steps, channels) float32, missing numbers filled.
        problems: Step to what is wrong with it.
    """

    name: str
    values: np.ndarray
    problems: Mapping[int, str]


def read_stretches(path: str | Path, contract: Mapping[str, Any]) -> list[Stretch]:
    """The steps of a table; of a model with a rate brought to it, and cut where steps are missing.

    Channels are found by their names; without a header, by their order.

    Raises:
        DataError: It cannot be read, has no steps, or lacks a channel; or its times, and it needs them.
    """
    expected = contract["input"]
    names = list(expected.get("columns") or [])
    columns = [{"name": name, "type": "number"} for name in names] or [{"type": "number"}] * expected["shape"][1]
    time: Mapping[str, Any] = expected.get("time") or {}
    steady = bool(time.get("rate"))
    reader = rows.TableReader(path, [*columns, time] if steady else columns)
    raw, _, lines, problems = histories.all_rows(reader)
    if not lines:
        raise DataError(f"{path} has a header and no rows; give at least one step")
    if not steady:
        return [Stretch(str(path), preprocessing.between(raw), problems)]
    histories.check_growing(raw[:, -1], problems, [f"{path}, line {line}" for line in lines], time)
    return _at_rate(str(path), raw, lines, problems, time)


def _at_rate(
    name: str, raw: np.ndarray, lines: Sequence[int], problems: Mapping[int, str], time: Mapping[str, Any]
) -> list[Stretch]:
    """Rows (channels and a time) at the rate of their times."""
    timed = np.flatnonzero(~np.isnan(raw[:, -1]))
    if not len(timed):
        nothing = np.full((1, raw.shape[1] - 1), np.nan, np.float32)
        return [Stretch(name, nothing, dict(enumerate(list(problems.values())[:1])))]
    times, made = raw[timed, -1], []
    before = histories.before_them(problems, timed)
    cuts = resampling.bring(times, raw[timed, :-1], resampling.step_of(time))
    for steady in cuts:
        first, last = steady.part.start, steady.part.stop - 1
        near = {steady.at(times[row]): text for row, text in before.items() if first <= row <= last}
        kept = {min(at, len(steady.times) - 1): text for at, text in near.items()}
        where = f"{name}, lines {lines[timed[first]]} to {lines[timed[last]]}" if len(cuts) > 1 else name
        made.append(Stretch(where, preprocessing.between(steady.values), kept))
    return made


def recording_chunks(path: str | Path, contract: Mapping[str, Any]) -> Iterator[Chunk]:
    """The windows of a recording, of a forecast the last of each series; raises DataError where it cannot be read."""
    read = histories.read_histories if histories.horizon(contract) else read_stretches
    for found in read(path, contract):
        yield from window_chunks(found.name, found.values, found.problems, contract)


def window_chunks(
    name: str, values: np.ndarray, problems: Mapping[int, str], contract: Mapping[str, Any]
) -> Iterator[Chunk]:
    """A recording cut as the training data were.

    Args:
        name: Of the recording.
        values: (steps, channels) float32.
        problems: Step to what is wrong with it; so are the windows that it stands in.
        contract: As of `inputs.read_inputs`.
    """
    steps = int(contract["input"]["shape"][0])
    hop = int(contract["input"].get("hop") or steps)
    samples = preprocessing.windows(values, steps, hop)
    single = len(samples) == 1
    for start in range(0, len(samples), ARRAY_ROWS):
        raw = samples[start : start + ARRAY_ROWS]
        first = [(start + at) * hop for at in range(len(raw))]
        names = [name if single else f"{name}:{at + 1}-{at + steps}" for at in first]
        found = (
            {
                at: next(problems[step] for step in range(low, low + steps) if step in problems)
                for at, low in enumerate(first)
                if any(step in problems for step in range(low, low + steps))
            }
            if problems
            else {}
        )
        if len(values) < steps and not any(step["step"] == "fill" for step in contract["steps"]):
            found[0] = f"{name} has {len(values)} steps, the model takes {steps}; give a longer recording"
        made = prepare(raw, contract)
        empty = {at: f"{names[at]} holds NaN or numbers too large for the model" for at in not_finite(made)}
        yield Chunk(names, made, dict(sorted({**empty, **found}.items())))
