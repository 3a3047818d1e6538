"""The dimensions of a search as `search.json` has them: of a recipe's space, or of a caller's own `build(hp)`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.dimensions import Dimension
from tuning.plan import Plan
from tuning.trial import Trial, rank
from zoo.hyperparameters import Value

BUILD = "build(hp)"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A dimension, for people.

    Attributes:
        log: None where there is no range that could say.
        words: What it ranges over, such as "0.0001 to 0.01, log".
        own: Recipe, or `BUILD`, to its own value.
    """

    knob: str
    words: str
    log: bool | None = None
    own: Mapping[str, Value] = field(default_factory=dict)


def rows_of(plan: Plan) -> list[Row]:
    """Every dimension of the plan, in its order."""
    return [_of_build(row["config"]) if "class_name" in row else _of_recipe(row) for row in plan.space]


def find_standing(plan: Plan, trials: Sequence[Trial]) -> Trial | None:
    """The completed trial of a recipe as it stands, or of the defaults of `build(hp)`; the best of several."""
    rows = rows_of(plan)
    names = {name for row in rows for name in row.own}
    ranked = rank(list(trials), plan.objective, smaller_is_better=plan.smaller_is_better)
    return next((trial for trial in ranked if any(_stands(trial, name, rows) for name in names)), None)


def standing_words(plan: Plan) -> str:
    """What `find_standing` finds, for people."""
    return f"the defaults of {BUILD}" if any("class_name" in row for row in plan.space) else "the recipe as it stands"


def _stands(trial: Trial, name: str, rows: Sequence[Row]) -> bool:
    """Whether every value of the trial is the recipe's own."""
    own = {knob: [row.own[name] for row in rows if row.knob == knob and name in row.own] for knob in trial.values}
    return bool(own) and all(any(_same(value, entry) for entry in own[knob]) for knob, value in trial.values.items())


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
    return one == other


def _of_recipe(row: Mapping[str, Any]) -> Row:
    dimension = Dimension.from_json(row)
    words = dimension.describe().removeprefix(dimension.knob).strip()
    log = None if dimension.values else dimension.log
    return Row(knob=dimension.knob, words=words, log=log, own=dimension.own)


def _of_build(config: Mapping[str, Any]) -> Row:
    """A row of keras-tuner's own: Boolean, Choice, Int, Float or Fixed."""
    name, low, high = str(config["name"]), config.get("min_value"), config.get("max_value")
    log = None if low is None else config.get("sampling") in ("log", "reverse_log")
    if low is not None:
        step = f" in steps of {config['step']:g}" if config.get("step") else ""
        words = f"{low:g} to {high:g}{step}{', log' if log else ''}"
    else:
        words = ", ".join(map(str, config.get("values") or [config.get("value", "true or false")]))
    default = config.get("default", config.get("value"))
    return Row(knob=name, words=words, log=log, own={} if default is None else {BUILD: default})
