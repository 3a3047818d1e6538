"""The knobs of a search as axes of plots: where a value lies, and what stands beside the axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.plan import Plan
from tuning.reporting.rows import rows_of
from tuning.reporting.words import short
from tuning.trial import Trial
from zoo.hyperparameters import Value

FEW = 6
"""So many different values of a number are each named on its axis."""

WIDE = 8
"""Numbers that are this many times apart are drawn on a logarithmic axis where the search says nothing."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A knob that was searched.

    Attributes:
        numeric: All its values are numbers.
        log: It is drawn on a logarithmic axis; zero, which has no place there, lies left of the smallest value.
        ticks: Position to words.
    """

    name: str
    numeric: bool
    log: bool
    ticks: Mapping[float, str]
    _places: Mapping[Value, float]
    _off: float

    def place(self, value: Value | None) -> float:
        """Where a value lies on the axis; NaN where there is none."""
        if value is None:
            return math.nan
        if not self.numeric:
            return self._places.get(_key(value), math.nan)
        number = float(value)
        if not self.log:
            return number
        return math.log10(number) if number > 0 else self._off

    def places(self, trials: Sequence[Trial]) -> np.ndarray:
        """Where the values of trials lie, (n,) float64; NaN where a trial does not have the knob."""
        return np.array([self.place(trial.values.get(self.name)) for trial in trials], dtype=np.float64)


def knobs_of(plan: Plan, trials: Sequence[Trial]) -> list[Knob]:
    """Every knob that has a value in some trial, in the order of the search space, then of the trials."""
    scales: dict[str, bool | None] = {}
    for row in rows_of(plan):
        scales[row.knob] = row.log if row.knob not in scales else scales[row.knob] or row.log
    names = dict.fromkeys([*scales, *(name for trial in trials for name in trial.values)])
    found = {name: [trial.values[name] for trial in trials if name in trial.values] for name in names}
    return [make_knob(name, values, log=scales.get(name)) for name, values in found.items() if values]


def make_knob(name: str, values: Sequence[Value], *, log: bool | None = None) -> Knob:
    """The axis of a knob with these values, at least one.

    Args:
        name: The knob's.
        values: Of the trials, in any order.
        log: Whether it is searched logarithmically; None finds out by the values.
    """
    numbers = [float(value) for value in values if _is_number(value)]
    if len(numbers) < len(values):
        different = sorted({_key(value) for value in values}, key=lambda value: (isinstance(value, str), str(value)))
        places = {value: float(at) for at, value in enumerate(different)}
        ticks = {at: short(value) for value, at in places.items()}
        return Knob(name=name, numeric=False, log=False, ticks=ticks, _places=places, _off=math.nan)
    positive = sorted({number for number in numbers if number > 0})
    apart = positive[-1] / positive[0] if positive else 1.0
    listed = apart >= WIDE and len(set(numbers)) <= FEW and min(numbers) > 0
    wanted = (bool(log) or listed) and bool(positive) and min(numbers) >= 0
    off = math.log10(positive[0]) - max(0.12 * math.log10(apart), 0.3) if wanted else math.nan
    ticks = _log_ticks(numbers, positive, off) if wanted else _linear_ticks(numbers)
    return Knob(name=name, numeric=True, log=wanted, ticks=ticks, _places={}, _off=off)


def _log_ticks(numbers: Sequence[float], positive: Sequence[float], off: float) -> dict[float, str]:
    different = sorted(set(numbers))
    chosen = positive if len(different) <= FEW else _decades(positive[0], positive[-1])
    zero = {off: "0"} if min(numbers) == 0 else {}
    return zero | {math.log10(value): _figure(value) for value in chosen}


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers, or steps between those where they are few; the ends where even those are."""
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7)):
        found = [step * 10.0**power for power in exponents for step in steps]
        inside = [value for value in found if low * 0.999 <= value <= high * 1.001]
        if len(inside) >= 3:
            return inside
    return [low, high]


def _linear_ticks(numbers: Sequence[float]) -> dict[float, str]:
    different = sorted(set(numbers))
    if len(different) <= FEW:
        return {value: _figure(value) for value in different}
    from matplotlib.ticker import MaxNLocator

    whole = all(value.is_integer() for value in different)
    places = MaxNLocator(nbins=4, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(different[0], different[-1])
    margin = 1e-9 * (different[-1] - different[0])
    return {float(at): _figure(at) for at in places if different[0] - margin <= at <= different[-1] + margin}


def _figure(value: float) -> str:
    """A number beside an axis: "64", "0.1", "1e-05"."""
    return f"{value:g}" if abs(value) >= 1000 and float(value).is_integer() and abs(value) < 1e6 else f"{value:.3g}"


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _key(value: Value) -> Value:
    """Told apart as a person does: true is not 1."""
    return str(value).lower() if isinstance(value, bool) else value
