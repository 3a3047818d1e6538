"""Recordings as samples: tables of steps, cut into windows as the training data were. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from . import histories, preprocessing, rows
    from .chunks import ARRAY_ROWS, Chunk, not_finite, prepare
    from .interpreters import DataError
else:
    import histories  # type: ignore[import-not-found,no-redef]
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import rows  # type: ignore[import-not-found,no-redef]
    from chunks import ARRAY_ROWS, Chunk, not_finite, prepare  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]


def is_series(contract: Mapping[str, Any]) -> bool:
    """Whether a model takes samples of a series."""
    return bool(contract["input"]["kind"] == "series")


def read_recording(path: str | Path, contract: Mapping[str, Any]) -> tuple[np.ndarray, dict[int, str]]:
    """A table of steps, (steps, channels) float32 with missing numbers filled, and what is wrong with some of them.

    Channels are found by their names; without a header, by their order.

    Raises:
        DataError: It cannot be read, has no steps, or lacks a channel.
    """
    expected = contract["input"]
    names = list(expected.get("columns") or [])
    plain = [{"type": "number"}] * expected["shape"][1]
    reader = rows.TableReader(path, [{"name": name, "type": "number"} for name in names] or plain)
    parts: list[np.ndarray] = []
    problems: dict[int, str] = {}
    for block in reader:
        before = sum(map(len, parts))
        problems.update({before + row: problem for row, problem in block.problems.items()})
        parts.append(block.raw)
    if not parts:
        raise DataError(f"{path} has a header and no rows; give at least one step")
    return preprocessing.between(np.concatenate(parts)), problems


def recording_chunks(path: str | Path, contract: Mapping[str, Any]) -> Iterator[Chunk]:
    """The windows of a recording, of a forecast the last of each series; raises DataError where it cannot be read."""
    if histories.horizon(contract):
        for history in histories.read_histories(path, contract):
            yield from window_chunks(history.name, history.values, history.problems, contract)
        return
    values, problems = read_recording(path, contract)
    yield from window_chunks(str(path), values, problems, contract)


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
