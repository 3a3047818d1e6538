"""What a study compares: one knob's values, and all that stays the same for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from zoo.builders import get_builder
from zoo.config import TRAINING, RunConfig, configure
from zoo.data.options import DATA
from zoo.errors import UsageError
from zoo.hyperparameters import Hyperparameter, Value
from zoo.registry import suggest
from zoo.reporting.study import SPARSE, Row
from zoo.runs import to_json

PLAIN: Mapping[str, Value] = {
    "optimizer": "sgd",
    "learning_rate": "auto",
    "schedule": "constant",
    "patience": 0,
    "min_steps": 0,
    "tensorboard": False,
}
"""What a study sets unless it is given or varied: nothing that would hide the knob's own effect."""

FIXED: Mapping[str, str] = {
    "seed": "seeds are the repetitions; give --seeds N, and --seed for the first of them",
    "patience": "a study has no early stopping; vary epochs, or train with zoo train",
    "min_steps": "every value is trained for the same epochs; give --epochs",
    "tensorboard": "it changes no result; look at study.png",
    "threads": "it changes no result but by rounding; give it with --set",
    "strict_data": "it changes no result; give --strict-data",
}
"""Knobs that cannot be varied, and why."""

MAX_TRAININGS = 1000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study before its first training.

    Attributes:
        target: A recipe, a TOML file or a builder.
        given: Knobs of the user's, for every value.
        common: The configuration without the varied value, which has the recipe's own there; not yet resolved.
        recipe: The same as the recipe or file has it, for the epochs and for what a study sets otherwise.
    """

    target: str
    data: str | None
    knob: Hyperparameter
    values: tuple[Value, ...]
    seeds: tuple[int, ...]
    given: Mapping[str, object]
    common: RunConfig
    recipe: RunConfig

    def config(self, value: Value, seed: int, epochs: int) -> RunConfig:
        """The configuration of one training, not yet resolved for its data."""
        same = {**PLAIN, "epochs": epochs, **self.given}
        config = configure(self.target, {**same, self.knob.name: value}, data=self.data)
        return _seeded(config, seed, f"{self.knob.name}={text(value)}-seed{seed}")

    def base(self, seed: int) -> RunConfig:
        """Likewise with the recipe's own value of the knob: what initial weights are drawn for."""
        return _seeded(self.common, seed, self.common.name)

    @property
    def keeps_epochs(self) -> bool:
        """Whether the epochs were said; if not they are the recipe's, raised where its data are few."""
        return "epochs" in self.given or self.knob.name == "epochs"


def _seeded(config: RunConfig, seed: int, name: str) -> RunConfig:
    return replace(config, name=name, training=replace(config.training, seed=seed))


def make_plan(
    target: str, vary: str | Mapping[str, Sequence[Any]], seeds: int, data: str | None, given: Mapping[str, object]
) -> Plan:
    """Parses and checks all that can be checked without the data.

    Raises:
        UsageError: No knob, an unknown one, one that cannot be varied, too few values, one that is not allowed.
    """
    name, values = _parse(vary) if isinstance(vary, str) else _only(vary)
    if name in given:
        raise UsageError(f"{name!r} is varied and given as {given[name]!r}; leave one of them out")
    for fixed in ("patience", "min_steps"):
        if fixed in given:
            raise UsageError(f"{fixed} = {given[fixed]!r} does not fit a study: {FIXED[fixed]}")
    common = configure(target, {**PLAIN, **given}, data=data)
    knob = _knob(common, name)
    checked = tuple(knob.validate(value) for value in values)
    if len(set(checked)) < 2 or len(set(checked)) < len(checked):
        what = "repeats a value" if len(set(checked)) < len(checked) else "has one value"
        raise UsageError(f"--vary {name}={','.join(map(text, checked))} {what}; give two values or more, all different")
    first = common.training.seed
    if not 1 <= seeds * len(checked) <= MAX_TRAININGS or seeds < 1:
        raise UsageError(f"seeds = {seeds} is not allowed; expected 1 or more, {MAX_TRAININGS} trainings in all")
    return Plan(
        target=target,
        data=data,
        knob=knob,
        values=checked,
        seeds=tuple(range(first, first + seeds)),
        given=dict(given),
        common=common,
        recipe=configure(target, {key: value for key, value in given.items() if key not in PLAIN}, data=data),
    )


def _parse(vary: str) -> tuple[str, list[str]]:
    """The knob and its values, still text."""
    name, separator, values = vary.partition("=")
    name = name.strip().replace("-", "_")
    if not separator or not name or not values.strip():
        raise UsageError(f"--vary {vary!r} is not KEY=VALUE,VALUE,..., such as --vary l2=0,1e-4,1e-2")
    return name, [value.strip() for value in values.split(",")]


def _only(vary: Mapping[str, Sequence[Any]]) -> tuple[str, list[Any]]:
    if len(vary) != 1:
        raise UsageError(f"vary has {len(vary)} knobs ({', '.join(vary)}); a study varies one, make one study for each")
    name, values = next(iter(vary.items()))
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UsageError(f"vary = {{{name!r}: {values!r}}} is no list of values; such as {{'l2': [0, 1e-4, 1e-2]}}")
    return name, list(values)


def _knob(config: RunConfig, name: str) -> Hyperparameter:
    """The declaration of a knob that can be varied."""
    builder = get_builder(config.builder)
    known = {knob.name: knob for knob in (*builder.card.hyperparameters, *TRAINING, *DATA)}
    if name not in known:
        raise UsageError(f"{name!r} is no knob of {config.name}{suggest(name, known)}; see: zoo info {config.builder}")
    if name in FIXED:
        raise UsageError(f"{name} cannot be varied: {FIXED[name]}")
    if known[name].type == "names":
        raise UsageError(f"{name} cannot be varied: its values hold commas; make two trainings, see: zoo train --help")
    return known[name]


def text(value: Value) -> str:
    """A value as a person writes it, all its digits kept."""
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings(config: RunConfig, knob: str) -> dict[str, Any]:
    """All that the values have in common, a flat mapping; seeds apart."""
    plain = {"builder": config.builder, "dataset": config.dataset, "recipe": config.recipe}
    knobs = {**config.hyperparameters, **asdict(config.training), **asdict(config.data)}
    return {**plain, **{name: value for name, value in knobs.items() if name not in (knob, "seed", "min_steps")}}


def digest(content: Mapping[str, Any]) -> str:
    """Equal for equal plans."""
    return hashlib.sha256(to_json(content).encode()).hexdigest()


def notes(plan: Plan, common: RunConfig, usual: RunConfig, rows: Sequence[Row]) -> list[str]:
    """What was fixed, and what must not be misread."""
    chosen, otherwise = common.training, usual.training
    own_rates = plan.knob.name == "optimizer" and "learning_rate" not in plan.given
    told_apart = ("tensorboard", "min_steps", plan.knob.name, *plan.given, *(("learning_rate",) if own_rates else ()))
    changed = [
        f"{name} {getattr(chosen, name)} (otherwise {getattr(otherwise, name)})"
        for name in PLAIN
        if name not in told_apart and getattr(chosen, name) != getattr(otherwise, name)
    ]
    notes = [f"set for the comparison: {', '.join(changed)}"] if changed else []
    if own_rates:
        notes.append("each optimizer has its usual learning rate; give --learning-rate for one rate")
    others = [row.text for row in rows if not row.same_start]
    if others:
        notes.append(
            f"{plan.knob.name} = {', '.join(others)} changes the shapes of the weights: it starts from weights of its "
            "own, drawn with the same seed"
        )
    step = max(_penalty_steps(plan, common), default=0.0)
    if step > SPARSE / 2:
        notes.append(
            f"gradient descent swings about zero by learning_rate x l1, up to {step:g} here: where that is more than "
            f"{SPARSE:g} of the largest weight, sparsity is understated; a lower --learning-rate shows it"
        )
    notes.append("a seed decides the split, the initial weights and the order of the samples, the same for every value")
    notes.append(
        f"sparsity is the share of kernel weights below {SPARSE:g} of the largest of their kernel, at the last epoch"
    )
    return notes


def _penalty_steps(plan: Plan, common: RunConfig) -> list[float]:
    """What one step of the L1 penalty moves a weight by, for each value of `l1`."""
    rate = common.training.learning_rate
    if plan.knob.name != "l1" or not isinstance(rate, float):
        return []
    return [rate * float(value) for value in plan.values]
