"""One dimension of a search: the values that a knob may take, and when it takes one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.hyperparameters import Value
from zoo.training.study_plan import text as written

DIGITS = 4
"""Significant digits of a proposed number: what a person can write down trains the same again."""

OFF_SHARE = 6
"""Of a penalty's logarithmic range one part in so many means none at all: zero lies on no logarithmic scale."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """The values of a knob: a list, or a range.

    Attributes:
        name: Unique in the space, such as "units@har-gru" where the builder is searched too.
        knob: As a person knows it.
        values: Of a list; empty for a range.
        low: Smallest value of a range, included.
        high: Largest value of a range, included.
        whole: The range is of whole numbers.
        log: The range is logarithmic.
        off: The range has 0 besides, for "none".
        where: Name of a dimension before this one to its values that this one belongs to; all must hold.
        own: Recipe to the value that it has as it stands, where that lies in here.
    """

    name: str
    knob: str
    values: tuple[Value, ...] = ()
    low: float = 0
    high: float = 0
    whole: bool = False
    log: bool = False
    off: bool = False
    where: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    own: Mapping[str, Value] = field(default_factory=dict)

    def fits(self, value: object) -> bool:
        """Whether the value is among these."""
        if self.values:
            return any(value == entry and isinstance(value, type(entry)) for entry in self.values)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return (self.off and value == 0) or self.low <= value <= self.high

    def active(self, chosen: Mapping[str, Any]) -> bool:
        """Whether a candidate has this knob, given what it has before it."""
        return all(chosen.get(parent) in values for parent, values in self.where.items())

    def encode(self, value: Value) -> Any:
        """The value as keras-tuner has it; None where it is not among these."""
        if not self.fits(value):
            return None
        if self.values:
            return written(value) if self._mixed else value
        if self.off and value == 0:
            return math.sqrt(self._bottom * self.low)
        return int(value) if self.whole else float(value)

    def decode(self, proposed: Any) -> Value:
        """The inverse of `encode`, for any number that keras-tuner may propose."""
        if self.values:
            named: dict[Any, Value] = {written(entry): entry for entry in self.values} if self._mixed else {}
            found: Value = named.get(proposed, proposed)
            return found
        for own in self.own.values():
            if proposed == own:
                return own
        if self.off and proposed < self.low * (1 - 1e-9):
            return 0.0
        inside = min(max(proposed, self.low), self.high)
        return int(inside) if self.whole else min(max(_rounded(inside), self.low), self.high)

    def declare(self, hyperparameters: Any) -> None:
        """Adds the dimension to a `keras_tuner.HyperParameters` that holds those it depends on."""
        with ExitStack() as scopes:
            for parent, values in self.where.items():
                scopes.enter_context(hyperparameters.conditional_scope(parent, list(values)))
            if self.values and all(isinstance(entry, bool) for entry in self.values):
                hyperparameters.Boolean(self.name, default=self._start)
            elif self.values:
                listed = [self.encode(entry) for entry in self.values]
                hyperparameters.Choice(self.name, listed, default=self._start)
            else:
                kind = hyperparameters.Int if self.whole else hyperparameters.Float
                scale = "log" if self.log else "linear"
                kind(self.name, self._bottom, self.high, sampling=scale, default=self._start)

    def gridded(self) -> Dimension:
        """The same as a list: a range becomes its ends and its middle."""
        if self.values:
            return self
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        points: list[Value] = [round(middle)] if self.whole else [_rounded(middle)]
        points = [0.0 if self.off else self.low, *points, self.high]
        if self.whole:
            points = [int(point) for point in points]
        values = tuple(dict.fromkeys(points))
        own = {recipe: value for recipe, value in self.own.items() if value in values}
        return Dimension(name=self.name, knob=self.knob, values=values, where=self.where, own=own)

    def describe(self) -> str:
        """For people: "units  8 to 256, log"."""
        if self.values:
            said = ", ".join(map(written, self.values))
        else:
            said = f"{written(self.low)} to {written(self.high)}"
            said = f"{'0, or ' if self.off else ''}{said}{', log' if self.log else ''}"
        tails = [f"{parent} is {' or '.join(map(written, values))}" for parent, values in self.where.items()]
        return f"{self.knob}  {said}{' where ' + ' and '.join(tails) if tails else ''}"

    def to_json(self) -> dict[str, Any]:
        """A row of `search.json`; equal to what is read back."""
        content = asdict(self)
        content["values"] = list(self.values)
        content["where"] = {parent: list(values) for parent, values in self.where.items()}
        return content

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Dimension:
        """The inverse of `to_json`."""
        where = {parent: tuple(values) for parent, values in row["where"].items()}
        return cls(**{**row, "values": tuple(row["values"]), "where": where})

    @property
    def _mixed(self) -> bool:
        """Numbers and words in one list, such as 32, 64, full: keras-tuner takes values of one type."""
        return len({type(entry) for entry in self.values}) > 1

    @property
    def _bottom(self) -> float:
        """Lowest number that keras-tuner proposes; below `low` it means 0."""
        return self.low * (self.low / self.high) ** (1 / (OFF_SHARE - 1)) if self.off else self.low

    @property
    def _start(self) -> Any:
        """What keras-tuner takes for the usual value."""
        for value in self.own.values():
            return self.encode(value)
        return self.encode(self.values[0] if self.values else self.gridded().values[-2])


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
