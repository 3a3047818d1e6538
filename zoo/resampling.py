"""Recordings brought to a steady rate by the times of their steps. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

LONGEST = 5.0
"""Steps of the rate between two steps of a recording, from which on nothing is made up: it breaks off there."""
DAY = 86_400.0
SPARE = 1e-6
"""Of a step, by which a last one may be late."""
_UNITS = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_UNIT = re.compile(r".*[^a-z](ms|us|ns)\W*")


def seconds(column: Mapping[str, Any]) -> float:
    """What 1 in a column of times is, in seconds: a day where it has dates, what its name ends in, or a second.

    Args:
        column: With "type" and "name": `t_ms`, `time (us)` and `stamp ns` are no seconds.
    """
    if column.get("type") == "date":
        return DAY
    unit = _UNIT.fullmatch(str(column["name"]).lower())
    return _UNITS[unit.group(1)] if unit else 1.0


def step_of(column: Mapping[str, Any]) -> float:
    """The distance of two steps at the "rate" of a column of times, in its own unit."""
    return 1.0 / (float(column["rate"]) * seconds(column))


class Steady(NamedTuple):
    """A part of a recording at a steady rate.

    Attributes:
        part: The rows that it was made from.
        times: (steps,) float64.
        values: (steps, channels) float64, NaN where a number is missing.
        step: Between two times.
    """

    part: slice
    times: np.ndarray
    values: np.ndarray
    step: float

    def at(self, time: float) -> int:
        """The step that is nearest to a time; below 0 or beyond the last outside."""
        return round((time - float(self.times[0])) / self.step)


def bring(times: np.ndarray, values: np.ndarray, step: float, *, backwards: bool = False) -> list[Steady]:
    """A recording at a steady rate, broken off where its own steps are too far apart.

    Args:
        times: (rows,) float64, growing.
        values: (rows, channels) float, NaN where a number is missing.
        step: Between two of the new ones, in the unit of the times.
        backwards: Steps are counted from the last row of a part, which a forecast goes on from, not from its first.
    """
    made = []
    for part in stretches(times, LONGEST * step):
        grid = steady(times[part], step, backwards=backwards)
        made.append(Steady(part, grid, at_times(times[part], values[part], grid, LONGEST * step), step))
    return made


def stretches(times: np.ndarray, longest: float) -> list[slice]:
    """The parts of a recording between whose steps nothing is missing.

    Args:
        times: (steps,) float64, growing.
        longest: Distance of two steps of one part at most.
    """
    edges = [0, *(np.flatnonzero(np.diff(times) > longest) + 1).tolist(), len(times)]
    return [slice(low, high) for low, high in zip(edges[:-1], edges[1:])]  # noqa: B905, RUF007  Python 3.9


def steady(times: np.ndarray, step: float, *, backwards: bool = False) -> np.ndarray:
    """Times a step apart, from the first on, or from the last back, as far as the others reach.

    Args:
        times: (steps,) float64, growing.
        step: Between two of the new ones.
        backwards: From the last: what a forecast goes on from.
    """
    count = int((times[-1] - times[0]) / step + SPARE) + 1
    steps = step * np.arange(count)
    made = times[-1] - steps[::-1] if backwards else times[0] + steps
    return np.asarray(np.clip(made, times[0], times[-1]))


def at_times(times: np.ndarray, values: np.ndarray, wanted: np.ndarray, longest: float) -> np.ndarray:
    """Values at other times, on the straight line between the neighbours that have a number.

    Args:
        times: (steps,) float64, growing.
        values: (steps, channels) float, NaN where a number is missing.
        wanted: (n,) float64.
        longest: Distance of two neighbours at most.

    Returns:
        (n, channels) float64, NaN where a neighbour is missing or too far away.
    """
    made = np.full((len(wanted), values.shape[1]), np.nan)
    for at in range(values.shape[1]):
        known = ~np.isnan(values[:, at])
        own, numbers = times[known], values[known, at]
        if not len(own):
            continue
        after = np.searchsorted(own, wanted)  # the first neighbour that is not earlier
        inside = after < len(own)
        after = np.minimum(after, len(own) - 1)
        exact = inside & (own[after] == wanted)
        before = np.maximum(after - 1, 0)
        near = inside & (own[before] <= wanted) & (own[after] - own[before] <= longest)
        made[:, at] = np.where(exact | near, np.interp(wanted, own, numbers), np.nan)
    return made
