"""From a trial's values to the configuration of its training, and to the data it is trained on."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tuning.plan import Plan
from tuning.trial import Trial
from tuning.wishes import RECIPE
from zoo.config import MONITORS, RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.data.options import DataConfig
from zoo.errors import DataError
from zoo.metrics import DECIDING
from zoo.runs import to_json
from zoo.training.events import Event, Listener, Message
from zoo.training.trainer import load_data, resolve

if TYPE_CHECKING:
    from zoo.training.prepared import Prepared

DATASETS_AT_ONCE = 2
"""Data sets that a process holds where a search varies how they are read, each in all its drawings."""
NO_RESULT = ("threads", "tensorboard")
"""Knobs of the training that change no result, but for rounding."""


def alarms(listener: Callable[[Message], object]) -> Listener:
    """A listener of a single training that hands on warnings alone; the rest would drown the search."""

    def tell(event: Event) -> None:
        if isinstance(event, Message) and event.warning:
            listener(event)

    return tell


def trial_config(plan: Plan, trial: Trial, *, threads: int = 0) -> RunConfig:
    """The configuration of a trial, not yet resolved for its data.

    Epochs that Hyperband asks for take the place of the configured ones; a schedule of the learning rate then spans
    those, for each of its rungs is a whole training.

    Args:
        plan: Of the search.
        trial: Its values and epochs.
        threads: Cores for the arithmetic; 0 is what the plan says, else all there are.

    Raises:
        UsageError: A knob or value that is not allowed.
    """
    values = {**plan.given, **{name: value for name, value in trial.values.items() if name != RECIPE}}
    own: dict[str, object] = {"seed": plan.seed}
    if trial.epochs is not None:
        values["epochs"] = trial.epochs
    if threads:
        values["threads"] = threads
    return configure(str(trial.values.get(RECIPE, plan.names[0])), {**own, **values}, data=plan.data)


def resolved(plan: Plan, config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with all that hangs on the data; the objective decides which weights count.

    Raises:
        UsageError: A knob that does not fit the task.
    """
    task = dataset.output.task
    monitored = plan.objective in MONITORS[task] and plan.objective != DECIDING[task]
    if monitored and config.training.monitor == "auto":
        config = replace(config, training=replace(config.training, monitor=plan.objective))
    return resolve(config, dataset, None, lambda _event: None)


def digest(config: RunConfig) -> str:
    """Equal for resolved configurations whose trainings have one result, whatever they are called."""
    training = {name: value for name, value in asdict(config.training).items() if name not in NO_RESULT}
    content = {
        "builder": [config.builder, config.builder_folder],
        "hyperparameters": dict(sorted(config.hyperparameters.items())),
        "training": training,
        "data": {"dataset": config.dataset, **asdict(config.data)},
    }
    return hashlib.sha256(to_json(content).encode()).hexdigest()


class Datasets:
    """The data of a search's trials, each set loaded once, its test split withheld at once.

    Args:
        plan: Of the search.
        listener: Told of what nobody may miss.
    """

    def __init__(self, plan: Plan, listener: Callable[[Message], object]) -> None:
        self._plan = plan
        self._listener = alarms(listener)
        self._load = functools.lru_cache(maxsize=DATASETS_AT_ONCE * plan.repeats)(self._prepare)

    def of(self, config: RunConfig, repeat: int = 0) -> Prepared:
        """The data of a configuration, split by the seed of the search.

        All trials have the same splits. Each repeat has a validation split of its own, drawn anew, for a small one
        says little; only where the data or their times say which samples validate, they stay.

        Raises:
            DataError: The data are missing or damaged, or not those that the search began with.
        """
        return self._load(config.dataset, config.data, repeat)

    def _prepare(self, name: str, data: DataConfig, draw: int) -> Prepared:
        from zoo.training.prepared import Prepared

        base = configure(self._plan.names[0], {"seed": self._plan.seed, **self._plan.given}, data=self._plan.data)
        dataset = load_data(replace(base, dataset=name, data=data), self._listener, draw=draw).without_test()
        usual, found = (base.dataset, base.data) == (name, data), dataset.identity.sha256
        if usual and self._plan.sha256 not in ("", found):
            raise DataError(
                f"{name!r} is not the data that the search began with: sha256 {found[:12]}, then "
                f"{self._plan.sha256[:12]}; fetch those, or search anew"
            )
        return Prepared(dataset)
