"""From what a user asks for to the plan of a search; everything that can be refused is refused here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tuning.books import Books
from tuning.durations import parse_seconds
from tuning.limits import parse_limits
from tuning.plan import TUNERS, Plan
from tuning.space import Space, check_grid, make_space
from zoo.config import MONITORS, RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.data.references import resolve_reference
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import Value
from zoo.metrics import ERRORS, PRIMARY
from zoo.registry import suggest
from zoo.training.events import Listener, Message
from zoo.training.trainer import load_data, resolve

DEFAULT_TRIALS = 20
DEFAULT_KEEP = 5
MODES = ("float32", "float16", "dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class Prepared:
    """A search that is ready to begin.

    Attributes:
        epochs: Of a trial, the most of all names.
    """

    plan: Plan
    space: Space
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user asks for; None where nothing was said. See `tuning.tune.tune`."""

    names: str | Sequence[str]
    data: str | None = None
    space: Sequence[str] | Mapping[str, Any] = ()
    tuner: str | None = None
    trials: int | None = None
    max_time: str | float | None = None
    objective: str | None = None
    repeats: int | None = None
    quantize: str | None = None
    max_flash: str | int | None = None
    max_arena: str | int | None = None
    max_latency: str | None = None
    max_macs: str | int | None = None
    keep: int | None = None
    given: Mapping[str, Any] | None = None


def prepare(asked: Asked, listener: Listener) -> Prepared:
    """Checks everything, loads the data, and decides on what was not said.

    Raises:
        UsageError: Something that is unknown, empty or does not fit together.
        DataError: The data are missing or damaged.
    """
    names, given = _names(asked.names), dict(asked.given or {})
    tuner = _one_of("tuner", asked.tuner or "random", TUNERS)
    if asked.quantize is not None:
        _one_of("quantize", asked.quantize, MODES)
    limits = parse_limits(asked.max_flash, asked.max_arena, asked.max_latency, asked.max_macs)
    changes = _changes(asked)
    grid = tuner == "grid"
    make_space(names, asked.space, given, data=asked.data, grid=grid)  # what is wrong with it is told before data load
    configs = {name: configure(name, given, data=asked.data) for name in names}
    dataset = load_data(configs[names[0]], listener)
    advice = {name: advised(config, dataset) for name, config in configs.items()}
    space = make_space(names, asked.space, given, data=asked.data, grid=grid, advice=advice)
    plan = Plan(
        names=names,
        data=None if asked.data is None else resolve_reference(asked.data),
        given=given,
        space=space.to_json(),
        tuner=tuner,  # type: ignore[arg-type]
        seed=configs[names[0]].training.seed,
        quantize=asked.quantize or ("float32" if limits else None),
        limits=limits,
        repeats=asked.repeats or 1,
        sha256=dataset.identity.sha256,
        **_objective(asked.objective, dataset),
        **{"trials": DEFAULT_TRIALS, "keep": DEFAULT_KEEP, **changes},
    )
    if grid:
        check_grid(space, plan.trials)
    if limits and asked.quantize is None:
        listener(Message("limits are measured on float32 files; give --quantize int8, say, for smaller ones"))
    return Prepared(plan=plan, space=space, epochs=_epochs(configs, dataset))


def prepare_again(books: Books, asked: Asked, listener: Listener) -> Prepared:
    """The search of a folder again; trials, max_time and keep may be others.

    Raises:
        UsageError: Something else was given, and differs from the search's own.
        DataError: The data have changed.
    """
    plan = replace(books.plan, **_changes(asked))
    if _names_something(asked):
        wanted = prepare(replace(asked, names=asked.names or plan.names), listener).plan
        differences = plan.differences(wanted)
        if differences:
            raise UsageError(
                f"{books.path} is another search: {'; '.join(differences)}; leave that out, or search without --resume"
            )
    given = dict(plan.given)
    configs = {name: configure(name, given, data=plan.data) for name in plan.names}
    dataset = load_data(next(iter(configs.values())), listener)
    if dataset.identity.sha256 != plan.sha256:
        raise DataError(f"the data of {books.path} have changed since; search anew, or bring them back")
    space = Space.from_json(plan.names, plan.space)
    if plan.tuner == "grid":
        check_grid(space, plan.trials)
    return Prepared(plan=plan, space=space, epochs=_epochs(configs, dataset))


def advised(config: RunConfig, dataset: Dataset) -> dict[str, Value]:
    """What the builder recommends for the data."""
    return config.recommended(dataset.input, dataset.output, len(dataset.train))


def _changes(asked: Asked) -> dict[str, Any]:
    """What may change from one time to the next, as far as it was given."""
    numbers = {"trials": asked.trials, "repeats": asked.repeats, "keep": asked.keep}
    for option, number in numbers.items():
        if number is not None and number < 1:
            raise UsageError(f"{option} = {number} is not allowed; expected 1 or more")
    found: dict[str, Any] = {
        name: number for name, number in numbers.items() if number is not None and name != "repeats"
    }
    if asked.max_time is not None:
        found["max_seconds"] = parse_seconds(asked.max_time, "max_time")
    return found


def _names_something(asked: Asked) -> bool:
    """Whether more is given than what may change."""
    may_change = ("trials", "max_time", "keep")
    return any(bool(getattr(asked, entry.name)) for entry in fields(asked) if entry.name not in may_change)


def _epochs(configs: Mapping[str, RunConfig], dataset: Dataset) -> int:
    """The most epochs that a trial has where nothing else is said."""
    return max(resolve(config, dataset, None, lambda _event: None).training.epochs for config in configs.values())


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names, each once; files by their absolute path, so that a worker finds them from wherever it runs."""
    texts = given.split(",") if isinstance(given, str) else list(given)
    names = [text.strip() for text in texts if text.strip()]
    if not names:
        raise UsageError("nothing to search: give a recipe, a TOML file or a builder; see: zoo list")
    if len(set(names)) < len(names):
        raise UsageError(f"{', '.join(names)} repeats a name; give each once")
    return tuple(str(Path(name).absolute()) if name.endswith(".toml") else name for name in names)


def _one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise UsageError(f"{option} {value!r} is unknown{suggest(value, allowed)}; choose one of {', '.join(allowed)}")
    return value


def _objective(asked: str | None, dataset: Dataset) -> dict[str, Any]:
    """The metric that decides, and its direction.

    Raises:
        UsageError: None of this task.
    """
    task = dataset.output.task
    if asked is None:
        asked = PRIMARY[task]
    name = asked.removeprefix("val_")
    if name not in MONITORS[task]:
        raise UsageError(f"objective {asked!r} does not fit a {task} task; choose one of {', '.join(MONITORS[task])}")
    return {"objective": name, "smaller_is_better": name in ERRORS}
