"""The space of a search: which knobs are tried, derived from their declarations and from what the user asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.dimensions import Dimension
from tuning.ranges import GRAMMAR
from tuning.wishes import Wishes
from zoo.errors import UsageError
from zoo.hyperparameters import Value


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, each after those that it depends on.

    Attributes:
        names: Recipes, TOML files or builders; more than one makes "recipe" the first dimension.
    """

    names: tuple[str, ...]
    dimensions: tuple[Dimension, ...]

    def hyperparameters(self) -> Any:
        """The space as a `keras_tuner.HyperParameters`."""
        import keras_tuner

        declared = keras_tuner.HyperParameters()
        for dimension in self.dimensions:
            dimension.declare(declared)
        return declared

    def decode(self, proposed: Mapping[str, Any]) -> dict[str, Value]:
        """Knob to value of a proposal; the oracle's own entries are left out."""
        chosen: dict[str, Value] = {}
        for dimension in self.dimensions:
            if dimension.name in proposed and dimension.active(chosen):
                chosen[dimension.knob] = dimension.decode(proposed[dimension.name])
        return chosen

    def encode(self, values: Mapping[str, Value]) -> dict[str, Any] | None:
        """The proposal of these values; None where one is missing or lies outside."""
        proposed: dict[str, Any] = {}
        for dimension in self.dimensions:
            if not dimension.active(values):
                continue
            found = dimension.encode(values[dimension.knob]) if dimension.knob in values else None
            if found is None:
                return None
            proposed[dimension.name] = found
        return proposed

    def default(self) -> dict[str, Any] | None:
        """The proposal that is the first recipe as it stands; None where that lies outside."""
        return self._own(self.names[0])

    def defaults(self) -> list[dict[str, Any]]:
        """The proposals that are the recipes as they stand, without those that lie outside."""
        return [found for found in map(self._own, self.names) if found is not None]

    def _own(self, name: str) -> dict[str, Any] | None:
        values: dict[str, Value] = {}
        for dimension in self.dimensions:
            if name in dimension.own and dimension.active(values):
                values[dimension.knob] = dimension.own[name]
        return self.encode(values)

    def gridded(self) -> Space:
        """The same as lists: each range becomes its ends and its middle."""
        return Space(self.names, tuple(dimension.gridded() for dimension in self.dimensions))

    def grid_size(self) -> int:
        """Combinations of the grid, of all ranges three points."""
        dimensions = self.gridded().dimensions
        parents = {parent for dimension in dimensions for parent in dimension.where}
        return _combinations(dimensions, {}, parents)

    def to_json(self) -> tuple[Mapping[str, Any], ...]:
        """Rows of `search.json`, from which another process makes the same space."""
        return tuple(dimension.to_json() for dimension in self.dimensions)

    @classmethod
    def from_json(cls, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Space:
        """The inverse of `to_json`; recipes and files are not read again."""
        return cls(tuple(names), tuple(Dimension.from_json(row) for row in rows))

    def describe(self) -> list[str]:
        """For people, a line for each dimension."""
        return [dimension.describe() for dimension in self.dimensions]


def make_space(
    names: Sequence[str],
    asked: Sequence[str] | Mapping[str, Any],
    given: Mapping[str, object],
    *,
    data: str | None = None,
    grid: bool = False,
    advice: Mapping[str, Mapping[str, Value]] | None = None,
) -> Space:
    """The space of a search over one recipe or several.

    Where nothing is asked, every knob of the builder that declares a range for searches is searched, and of the
    training the batch size, the optimizer, the learning rate and the schedule; these ranges reach to the recipe's own
    values, so that the recipe as it stands is among the candidates. What is asked is searched instead: then nothing
    else is, and the rest stays as the recipe has it. "all" among what is asked stands for the ranges above, which
    further entries narrow, widen or add to.

    Args:
        names: Recipes, TOML files or builders, all on the same data.
        asked: "KEY=RANGE" texts, "KEY" for the range that its declaration has, "all"; or a mapping of key to the
            range's text, a list of values, a tuple (low, high), or None for the declared range. See
            `tuning.ranges.asked_range`.
        given: Fixed knobs; they leave the space.
        data: A data set's name or a path; replaces the recipes' own.
        grid: Make every range a list.
        advice: Name to knobs that its builder recommends for the data, see `RunConfig.recommended`.

    Raises:
        UsageError: An unknown name or knob, one that cannot be searched, a range that is empty or not allowed, recipes
            on different data, or nothing to search.
    """
    wishes = Wishes.of(names, asked, given, data=data, advice=advice or {})
    dimensions = wishes.dimensions()
    if not dimensions:
        raise UsageError(f"{', '.join(names)} leaves nothing to search; name knobs with --space {GRAMMAR}")
    found = Space(tuple(names), tuple(dimensions))
    return found.gridded() if grid else found


def check_grid(size: int, trials: int) -> None:
    """Raises UsageError where the grid has more combinations than there are trials."""
    if size > trials:
        raise UsageError(
            f"the grid has {size:,} combinations, more than the {trials:,} trials; give --trials {size}, "
            "or fewer knobs and values with --space, or another --tuner"
        )


def _combinations(dimensions: Sequence[Dimension], chosen: Mapping[str, Any], parents: set[str]) -> int:
    """Combinations of what follows, given what was chosen before."""
    if not dimensions:
        return 1
    first, rest = dimensions[0], dimensions[1:]
    if not first.active(chosen):
        return _combinations(rest, chosen, parents)
    if first.name in parents:
        return sum(_combinations(rest, {**chosen, first.name: value}, parents) for value in first.values)
    return len(first.values) * _combinations(rest, chosen, parents)
