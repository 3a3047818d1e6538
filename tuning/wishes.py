"""What a user wishes to search, knob by knob: the usual ones, or those that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tuning.dimensions import Dimension
from tuning.ranges import GRAMMAR, asked_range, declared_range, number_range, with_own
from zoo.builders import get_builder
from zoo.config import OPTIMIZER_RATES, TRAINING, RunConfig, configure
from zoo.data.options import DATA
from zoo.errors import UsageError
from zoo.hyperparameters import Hyperparameter, Value
from zoo.registry import suggest

RECIPE = "recipe"
"""The dimension that says which of several recipes a candidate is of."""

EVERYTHING = "all"
TRAINED = ("batch_size", "optimizer", "learning_rate", "schedule")
"""Knobs of the training that are searched unless the user says what to search."""

RATE_SPREAD = 10.0
"""A learning rate is searched from the optimizer's usual one divided by this to it times this."""

_COMPARED = "trials on other data or other splits cannot be compared; make two searches"
REFUSED: Mapping[str, str] = {
    "seed": "a seed is chance, no choice; give --seed, and repeats for the mean over several",
    "tensorboard": "it changes no result; fix it with --set",
    "threads": "it changes no result but by rounding; fix it with --set",
    "monitor": "the objective decides which trial is best; fix it with --set",
    "min_steps": "it stands for epochs; search epochs",
    "strict_data": "it changes no result; give --strict-data",
    **dict.fromkeys(
        (
            *("validation", "test", "test_data", "target", "task", "columns", "drop", "keep"),
            *("missing_values", "split", "label_from", "group_from", "recording", "time", "text"),
        ),
        _COMPARED,
    ),
}
"""Knobs that cannot be searched, and why."""


@dataclass(frozen=True)
class Wishes:
    """What is to be searched, recipe by recipe; every key is known, and one that can be searched.

    Attributes:
        configs: Name to configuration, without what is searched.
        ranges: Key to what the user asks for, None for its declared range.
        everything: What is searched usually is searched too.
        given: Fixed knobs.
    """

    configs: Mapping[str, RunConfig]
    ranges: Mapping[str, Any]
    everything: bool
    given: frozenset[str]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        asked: Sequence[str] | Mapping[str, Any],
        given: Mapping[str, object],
        *,
        data: str | None,
        advice: Mapping[str, Mapping[str, Value]],
    ) -> Wishes:
        """Reads what is asked; arguments and errors as of `tuning.space.make_space`."""
        configs = _configurations(names, given, data, advice)
        ranges = _parse(asked)
        everything = not ranges or EVERYTHING in ranges
        if ranges.pop(EVERYTHING, None) is not None:
            raise UsageError(f"--space {EVERYTHING} takes no range; give it as --space {EVERYTHING}")
        for key in ranges:
            _check_searchable(key, configs, given)
        return cls(configs, ranges, everything, frozenset(given))

    def dimensions(self) -> list[Dimension]:
        """All of them, each after those that it depends on."""
        return [*self._recipes(), *self._of_builders(), *self._of_training(), *self._of_data()]

    def _recipes(self) -> list[Dimension]:
        names = tuple(self.configs)
        own = {name: name for name in names}
        return [Dimension(name=RECIPE, knob=RECIPE, values=names, own=own)] if len(names) > 1 else []

    def _of_builders(self) -> list[Dimension]:
        found = []
        for name, config in self.configs.items():
            for knob in get_builder(config.builder, config.builder_folder).card.hyperparameters:
                made = self._dimension(knob, {name: config.hyperparameters[knob.name]}, usual=True)
                if made is not None and len(self.configs) > 1:
                    made = replace(made, name=f"{knob.name}@{name}", where={RECIPE: (name,)})
                found.append(made)
        return [dimension for dimension in found if dimension is not None]

    def _of_training(self) -> list[Dimension]:
        found: list[Dimension] = []
        for knob in TRAINING:
            own = {name: getattr(config.training, knob.name) for name, config in self.configs.items()}
            usual = knob.name in TRAINED
            if knob.name == "learning_rate":
                found += self._rates(knob, next((made for made in found if made.knob == "optimizer"), None))
            elif (made := self._dimension(knob, own, usual=usual)) is not None:
                found.append(made)
        return found

    def _of_data(self) -> list[Dimension]:
        own = {name: asdict(config.data) for name, config in self.configs.items()}
        made = [
            self._dimension(knob, {name: values[knob.name] for name, values in own.items()}, usual=False)
            for knob in DATA
        ]
        return [dimension for dimension in made if dimension is not None]

    def _dimension(self, knob: Hyperparameter, own: Mapping[str, Value], *, usual: bool) -> Dimension | None:
        """The knob's dimension; None where it is not searched."""
        asked = self.ranges.get(knob.name)
        if asked is not None:
            return asked_range(knob, asked, own)
        named = knob.name in self.ranges
        if not named and (not usual or not self.everything or knob.name in self.given):
            return None
        found = declared_range(knob, own, named=named)
        if found is None and named:
            raise UsageError(f"--space {knob.name}: {knob.name} declares no range for searches; give it, {GRAMMAR}")
        return found

    def _rates(self, knob: Hyperparameter, optimizer: Dimension | None) -> list[Dimension]:
        """The learning rate: one range where one was asked for, else one for each kind of optimizer."""
        chosen = {name: config.training.optimizer for name, config in self.configs.items()}
        given: dict[str, Value] = {name: config.training.learning_rate for name, config in self.configs.items()}
        own = {name: OPTIMIZER_RATES[chosen[name]] if rate == "auto" else rate for name, rate in given.items()}
        found = self._dimension(knob, own, usual=True)
        if found is None or self.ranges.get(knob.name) is not None:
            return [] if found is None else [with_own(found, given if "auto" in found.values else own)]
        parent = optimizer.name if optimizer else RECIPE
        options = {str(value): str(value) for value in optimizer.values} if optimizer else chosen
        kinds: dict[float, list[str]] = {}
        for option, name in options.items():
            kinds.setdefault(OPTIMIZER_RATES[name], []).append(option)
        made = []
        for rate, members in kinds.items():
            mine = {name: own[name] for name in own if (chosen[name] if optimizer else name) in members}
            one = _rate_range(knob, rate, mine)
            if len(kinds) > 1:
                one = replace(one, name=f"{knob.name}@{'+'.join(members)}", where={parent: tuple(members)})
            made.append(one)
        return made


def _rate_range(knob: Hyperparameter, usual: float, own: Mapping[str, Value]) -> Dimension:
    """About an optimizer's usual rate, widened to the recipes' own."""
    reach = [usual / RATE_SPREAD, usual * RATE_SPREAD, *(float(value) for value in own.values())]
    low, high = (float(f"{end:.4g}") for end in (min(reach), max(reach)))
    return number_range(knob, low, high, log=True, own=own)


def _configurations(
    names: Sequence[str], given: Mapping[str, object], data: str | None, advice: Mapping[str, Mapping[str, Value]]
) -> dict[str, RunConfig]:
    """Name to configuration; all read the same data in the same way."""
    if not names or len(set(names)) < len(names):
        raise UsageError(f"names = {', '.join(names)!r} is {'empty' if not names else 'not each once'}; see: zoo list")
    found = {name: configure(name, given, data=data).with_knobs(advice.get(name, {})) for name in names}
    first = next(iter(found.values()))
    if any((config.dataset, config.data) != (first.dataset, first.data) for config in found.values()):
        said = ", ".join(f"{name} ({config.dataset})" for name, config in found.items())
        raise UsageError(f"a search is on one data set, read in one way; these differ: {said}; add --data NAME or PATH")
    return found


def _parse(asked: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Key to range, None for the declared one."""
    if isinstance(asked, Mapping):
        return {str(key).replace("-", "_"): value for key, value in asked.items()}
    found: dict[str, Any] = {}
    for entry in [asked] if isinstance(asked, str) else asked:
        key, separator, text = entry.partition("=")
        key = key.strip().replace("-", "_")
        if not key or (separator and not text.strip()):
            raise UsageError(f"--space {entry!r} is empty; expected {GRAMMAR}, such as --space units=32,64,128")
        if key in found:
            raise UsageError(f"--space names {key} twice; give one range for it")
        found[key] = text.strip() if separator else None
    return found


def _check_searchable(key: str, configs: Mapping[str, RunConfig], given: Mapping[str, object]) -> None:
    builders = [get_builder(config.builder, config.builder_folder) for config in configs.values()]
    knobs = {knob.name: knob for knob in (*(k for b in builders for k in b.card.hyperparameters), *TRAINING, *DATA)}
    if key not in knobs:
        known = [name for name, knob in knobs.items() if name not in REFUSED and knob.type != "names"]
        near = suggest(key, known)
        listed = f"; there are: {', '.join(sorted(known))}" if "there are" not in near else ""
        raise UsageError(f"--space {key}: {key!r} is no knob of {', '.join(configs)}{near}{listed}")
    if key in REFUSED or knobs[key].type == "names":
        raise UsageError(f"{key} cannot be searched: {REFUSED.get(key, _COMPARED)}")
    if key in given:
        raise UsageError(f"{key!r} is searched and given as {given[key]!r}; leave one of them out")
