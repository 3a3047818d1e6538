"""From what a user asks for to the plan of a search; everything that can be refused is refused here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export.quantization import PRESETS
from tuning.books import Books
from tuning.brackets import hyperband_brackets
from tuning.budget import check_device
from tuning.durations import parse_seconds
from tuning.limits import parse_limits
from tuning.plan import TUNERS, Plan
from tuning.space import Space, check_grid, make_space
from zoo.cards import a_task
from zoo.config import MONITORS, RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.data.references import resolve_reference
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import Value
from zoo.metrics import DECIDING, ERRORS
from zoo.registry import suggest
from zoo.training.events import Listener, Message
from zoo.training.trainer import load_data, resolve

DEFAULT_TRIALS = 20
DEFAULT_KEEP = 5
MODES = tuple(PRESETS)


@dataclass(frozen=True)
class Ready:
    """A search that is ready to begin.

    Attributes:
        epochs: Of a trial, the most of all names.
    """

    plan: Plan
    space: Space
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user asks for; None where nothing was said. See `tuning.launching.tune`."""

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


def prepare(asked: Asked, listener: Listener, known: Space | None = None) -> Ready:
    """Checks everything, loads the data, and decides on what was not said.

    Args:
        asked: By the user.
        listener: Told what happens.
        known: The space where it is not to be made, but for a search that is resumed.

    Raises:
        UsageError: Something that is unknown, empty or does not fit together.
        DataError: The data are missing or damaged.
    """
    names, given = _names(asked.names), dict(asked.given or {})
    tuner = one_of("tuner", asked.tuner or "random", TUNERS)
    if asked.quantize is not None:
        one_of("quantize", asked.quantize, MODES)
    limits = parse_limits(asked.max_flash, asked.max_arena, asked.max_latency, asked.max_macs)
    changes = _changes(asked)
    least(repeats=asked.repeats)
    grid = tuner == "grid"
    if known is None:
        make_space(names, asked.space, given, data=asked.data, grid=grid)  # what is wrong is told before the data load
    configs = {name: configure(name, given, data=asked.data) for name in names}
    dataset = load_data(configs[names[0]], listener)
    advice = {name: advised(config, dataset) for name, config in configs.items()}
    space = known or make_space(names, asked.space, given, data=asked.data, grid=grid, advice=advice)
    _check_comparable(asked.objective, space)
    if asked.quantize or limits:
        check_device(limits, asked.quantize)
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
        settings=_settings(configs),
        **_objective(asked.objective, dataset),
        **{"trials": DEFAULT_TRIALS, "keep": DEFAULT_KEEP, **changes},
    )
    if grid:
        check_grid(space.grid_size(), plan.trials)
    if limits and asked.quantize is None:
        listener(Message("limits are measured on float32 files; give --quantize int8, say, for smaller ones"))
    epochs = _epochs(configs, dataset)
    if tuner == "hyperband":
        plan = replace(plan, brackets=hyperband_brackets(epochs, plan.trials))
    return Ready(plan=plan, space=space, epochs=epochs)


def prepare_again(books: Books, asked: Asked, listener: Listener) -> Ready:
    """The search of a folder again; trials, max_time and keep may be others.

    Raises:
        UsageError: What else was given differs from the search's own, or a recipe has changed since.
        DataError: The data have changed.
    """
    plan, other = books.plan, f"{books.path} is another search"
    names = _names(asked.names) if asked.names else plan.names
    if (names, asked.tuner or plan.tuner) != (plan.names, plan.tuner):
        raise UsageError(
            f"{other}: {plan.tuner} over {', '.join(plan.names)}; leave name and tuner out, or search anew"
        )
    space = Space.from_json(plan.names, plan.space)
    prepared = prepare(_filled(asked, plan), listener, None if asked.space else space)
    if prepared.plan.sha256 != plan.sha256:
        raise DataError(f"the data of {books.path} have changed since; search anew, or bring them back")
    differences = plan.differences(prepared.plan)
    if differences:
        raise UsageError(f"{other}: {'; '.join(differences)}; leave that out, or search without --resume")
    if asked.trials is not None and asked.trials < plan.trials:
        listener(Message(f"the search was for {plan.trials} trials, now it is for {asked.trials}", warning=True))
    plan = replace(plan, **_changes(asked))
    if plan.tuner == "grid":
        check_grid(space.grid_size(), plan.trials)
    return replace(prepared, plan=plan, space=space)


def _filled(asked: Asked, plan: Plan) -> Asked:
    """What was not said, as the plan has it."""
    limits = plan.limits
    latency = None if limits.latency_us is None else f"{limits.latency_us!r}us"
    return Asked(
        names=asked.names or plan.names,
        data=asked.data or plan.data,
        space=asked.space,
        tuner=asked.tuner or plan.tuner,
        trials=max(asked.trials or plan.trials, plan.trials),
        max_time=asked.max_time,
        objective=asked.objective or plan.objective,
        repeats=asked.repeats or plan.repeats,
        quantize=asked.quantize or plan.quantize,
        max_flash=asked.max_flash or limits.flash,
        max_arena=asked.max_arena or limits.arena,
        max_latency=asked.max_latency or latency,
        max_macs=asked.max_macs or limits.macs,
        keep=asked.keep,
        given={**plan.given, **(asked.given or {})},
    )


def advised(config: RunConfig, dataset: Dataset) -> dict[str, Value]:
    """What the builder recommends for the data."""
    return config.recommended(dataset.input, dataset.output, len(dataset.train))


def changeable(*, trials: int | None, max_time: str | float | None, keep: int | None) -> dict[str, Any]:
    """What may change from one time to the next, as far as it was given.

    Raises:
        UsageError: A number below 1, or a time that is none.
    """
    least(trials=trials, keep=keep)
    found: dict[str, Any] = {name: value for name, value in (("trials", trials), ("keep", keep)) if value is not None}
    return found if max_time is None else {**found, "max_seconds": parse_seconds(max_time, "max_time")}


def least(**numbers: int | None) -> None:
    """Raises UsageError for a number below 1."""
    for option, number in numbers.items():
        if number is not None and number < 1:
            raise UsageError(f"{option} = {number} is not allowed; expected 1 or more")


def _changes(asked: Asked) -> dict[str, Any]:
    return changeable(trials=asked.trials, max_time=asked.max_time, keep=asked.keep)


def _check_comparable(objective: str | None, space: Space) -> None:
    """Raises UsageError where the objective would be in other units from trial to trial."""
    units = [dimension.knob for dimension in space.dimensions if dimension.knob in ("loss", "target_transform")]
    if objective in ("loss", "val_loss") and units:
        raise UsageError(
            f"losses of different {' and '.join(units)} are not comparable; take another --objective, or fix it"
        )


def _settings(configs: Mapping[str, RunConfig]) -> str:
    """Equal for recipes and files that say the same, but for what changes no result."""
    plain = [replace(config, training=replace(config.training, threads=0)).to_toml() for config in configs.values()]
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()


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


def one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    """The value; a UsageError lists what is allowed instead."""
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
        asked = DECIDING[task]
    name = asked.removeprefix("val_")
    if name not in MONITORS[task]:
        raise UsageError(f"objective {asked!r} does not fit {a_task(task)}; choose one of {', '.join(MONITORS[task])}")
    return {"objective": name, "smaller_is_better": name in ERRORS}
