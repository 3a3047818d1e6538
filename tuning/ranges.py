"""The values that a search may try of one knob: as its declaration has them, or as the user asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning.dimensions import Dimension
from zoo.errors import UsageError
from zoo.hyperparameters import Hyperparameter, Value
from zoo.training.study_plan import text as written

MOST_VALUES = 1000
PENALTY_DECADES = 1e-4
"""Where a penalty may be 0 and nothing else is known, its logarithmic range begins at this part of its end."""

GRAMMAR = "KEY=a,b,c or KEY=low:high, with :log, :linear or a step after it"


def declared_range(knob: Hyperparameter, own: Mapping[str, Value], *, named: bool = False) -> Dimension | None:
    """What the declaration says of a search, widened to the recipes' own values; None where it says nothing.

    Args:
        knob: Any.
        own: Recipe to its value of the knob.
        named: A user asks for the knob: a flag or choice that is usually not searched is, over all that it may be.
    """
    if knob.type == "bool":
        return _listed(knob, (False, True), own) if named or len(knob.search) != 1 else None
    if knob.type == "choice":
        options = knob.choices if named and len(knob.search) == 1 else knob.search or knob.choices
        return _listed(knob, (*options, *own.values()), own) if len(set(options)) > 1 else None
    if len(set(knob.search)) < 2:
        return None
    if len(knob.search) > 2:
        return _listed(knob, (*knob.search, *own.values()), own)
    numbers = [value for value in own.values() if isinstance(value, (int, float))]
    low, high = (float(value) for value in knob.search)
    if knob.name == "batch_size":
        return _listed(knob, (*_powers(low, high), *sorted(numbers), *own.values()), own, ordered=True)
    log = knob.log and low > 0
    off = log and knob.low == 0 and knob.type == "float"
    inside = [number for number in numbers if number > 0 or not log]
    return number_range(knob, min([low, *inside]), max([high, *inside]), log=log, off=off, own=own)


def asked_range(knob: Hyperparameter, asked: Any, own: Mapping[str, Value]) -> Dimension:
    """What the user asks for.

    Args:
        knob: Any, but for names.
        asked: "a,b,c", "low:high", "low:high:log", "low:high:linear" or "low:high:step"; a list of values; or a tuple
            (low, high) or (low, high, scale or step).
        own: Recipe to its value of the knob.

    Raises:
        UsageError: It is empty, or a value is not allowed.
    """
    shown = asked if isinstance(asked, str) else repr(asked)
    where = f"--space {knob.name}={shown}"
    numeric = knob.type in ("int", "float")
    if isinstance(asked, str) and ":" in asked and numeric:
        return _range(knob, [part.strip() for part in asked.split(":")], where, own)
    if isinstance(asked, tuple) and numeric:
        return _range(knob, list(asked), where, own)
    if not isinstance(asked, (str, Sequence)):
        raise UsageError(f"{where} is no range; expected {GRAMMAR}")
    values = [part.strip() for part in asked.split(",")] if isinstance(asked, str) else list(asked)
    if not values or values == [""]:
        raise UsageError(f"{where} is empty; expected {GRAMMAR}")
    checked = [knob.validate(value) for value in values]
    return _several(knob, checked, where, own)


def number_range(
    knob: Hyperparameter, low: float, high: float, *, log: bool, off: bool = False, own: Mapping[str, Value]
) -> Dimension:
    """A range of numbers as a dimension, the recipes' own values noted where they lie in it."""
    whole = knob.type == "int"
    ends = (int(low), int(high)) if whole else (float(low), float(high))
    found = Dimension(name=knob.name, knob=knob.name, low=ends[0], high=ends[1], whole=whole, log=log, off=off)
    return with_own(found, own)


def with_own(dimension: Dimension, own: Mapping[str, Value]) -> Dimension:
    """The dimension with the values that recipes have as they stand, where they are among its own."""
    return replace(dimension, own={recipe: value for recipe, value in own.items() if dimension.fits(value)})


def _listed(
    knob: Hyperparameter, values: Sequence[Value], own: Mapping[str, Value], *, ordered: bool = False
) -> Dimension:
    """A list of different values; numbers in their order where `ordered`, words after them."""
    different: Sequence[Value] = tuple(dict.fromkeys(values))
    if ordered:
        different = sorted(different, key=lambda value: (isinstance(value, str), value))
    return with_own(Dimension(name=knob.name, knob=knob.name, values=tuple(different)), own)


def _several(knob: Hyperparameter, values: Sequence[Value], where: str, own: Mapping[str, Value]) -> Dimension:
    if len(set(values)) < len(values):
        raise UsageError(f"{where} repeats a value; give each once")
    if len(values) < 2:
        raise UsageError(f"{where} has one value; fix it with --set {knob.name}={written(values[0])}, or give several")
    return _listed(knob, values, own)


def _range(knob: Hyperparameter, parts: list[Any], where: str, own: Mapping[str, Value]) -> Dimension:
    """Of "low:high" and what may follow."""
    if len(parts) not in (2, 3) or any(part == "" for part in parts):
        raise UsageError(f"{where} is no range; expected {GRAMMAR}")
    low, high = (_number(knob, part, where) for part in parts[:2])
    if low >= high:
        raise UsageError(f"{where} is empty: {written(low)} is not below {written(high)}; give the smaller end first")
    scale = parts[2] if len(parts) == 3 else ("log" if _logarithmic(knob, low) else "linear")
    if scale not in ("log", "linear"):
        return _several(knob, _steps(knob, low, high, scale, where), where, own)
    if scale == "linear":
        return number_range(knob, low, high, log=False, own=own)
    if knob.name == "batch_size":
        return _several(knob, _powers(low, high), where, own)
    if low > 0:
        return number_range(knob, low, high, log=True, own=own)
    if not _has_off(knob):
        raise UsageError(
            f"{where}: a logarithmic range begins above 0; give such as {written(high / 1000)}, or :linear"
        )
    begin = float(knob.search[0]) if knob.search else high * PENALTY_DECADES
    begin = begin if begin < high else high * PENALTY_DECADES
    return number_range(knob, begin, high, log=True, off=True, own=own)


def _logarithmic(knob: Hyperparameter, low: float) -> bool:
    return knob.log and (low > 0 or _has_off(knob))


def _has_off(knob: Hyperparameter) -> bool:
    """Whether 0 is a value of its own beside the logarithmic ones: a penalty that may be none."""
    return knob.log and knob.low == 0 and knob.type == "float"


def _number(knob: Hyperparameter, part: Any, where: str) -> float:
    value = knob.validate(part)
    if isinstance(value, str):
        raise UsageError(f"{where}: {value!r} is no end of a range; give numbers, or a list with commas")
    return value


def _steps(knob: Hyperparameter, low: float, high: float, given: Any, where: str) -> list[Value]:
    """All values from low to high, that far apart."""
    try:
        step = float(given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {given!r} is no scale and no step; expected log, linear or a number") from error
    if not 0 < step < float("inf") or (knob.type == "int" and step != int(step)):
        raise UsageError(f"{where}: {given!r} is no step; expected a{' whole' * (knob.type == 'int')} number above 0")
    count = int((high - low) / step + 1e-9) + 1
    if count > MOST_VALUES:
        raise UsageError(f"{where} has {count:,} values; give a larger step, or none for every value between")
    return [knob.validate(float(f"{low + number * step:.12g}")) for number in range(count)]


def _powers(low: float, high: float) -> list[Value]:
    """Low and all its doubles up to high."""
    found: list[Value] = []
    size = int(low)
    while size <= high:
        found.append(size)
        size *= 2
    return found
