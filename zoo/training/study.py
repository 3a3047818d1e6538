"""A study: one knob's effect, everything else the same, initial weights and order of the samples included."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.builders import get_builder
from zoo.config import RunConfig
from zoo.data.dataset import Dataset
from zoo.errors import DataError, DivergedError, InterruptedRunError, SigtermInterrupt, TerminatedRunError
from zoo.hyperparameters import Value
from zoo.metrics import PRIMARY
from zoo.reporting.study import STUDY, Row, Study, Training, make_row, verdict, write_study
from zoo.reporting.study_page import write_study_page
from zoo.reporting.summary import number, show
from zoo.runs import locked, read_json, safe_name, stamp
from zoo.settings import quiet_tensorflow
from zoo.training.events import EpochDone, Event, Listener, Message, log
from zoo.training.interrupts import DeferredInterrupts
from zoo.training.many import models_forgotten
from zoo.training.session import Session
from zoo.training.study_plan import Plan, digest, make_plan, notes, settings, text
from zoo.training.study_records import earlier, record, sparsity
from zoo.training.trainer import create_run, load_data, resolve, versions

TRAININGS = "trainings"


def study(
    recipe: str,
    *,
    vary: str | Mapping[str, Sequence[Any]],
    seeds: int = 3,
    data: str | None = None,
    name: str | None = None,
    out: Path | str = "runs",
    on_event: Listener = log,
    **overrides: object,
) -> Study:
    """Trains every value of one knob with every seed, and lays the curves over each other.

    For each seed all values have the same split, the same initial weights (unless the knob changes their shapes) and
    the same order of samples. The optimizer is plain SGD at a constant rate and nothing stops early, whatever the
    recipe says; what is given in `overrides` counts. A repeated call takes over the trainings of an earlier one, also
    of one that was interrupted or had fewer values or seeds.

    Args:
        recipe: A recipe's name, a path ending in `.toml`, a builder's name or "module:function".
        vary: The knob and its values: "l2=0,1e-4,1e-2" or {"l2": [0, 1e-4, 1e-2]}.
        seeds: How many; the first is the configured `seed`.
        data: A data set's name or a path of your own.
        name: The folder's name; by default study-<recipe>-<knob>.
        out: Folder that it goes into.
        on_event: Called with each event of `zoo.training.events`.
        **overrides: Any other knob, for all values.

    Returns:
        The study; its folder holds study.json, study.csv, study.png, study.html and every training.

    Raises:
        UsageError: An unknown knob, a value that is not allowed, fewer than two values.
        DataError: The data are missing or damaged.
        ModelError: A value that no model can be built with.
        DivergedError: Every training diverged; one that did is recorded otherwise.
        InterruptedRunError: Ctrl-C; the same call goes on. SIGTERM raises TerminatedRunError.

    Example:
        >>> found = study("digits-mlp", vary="l1=0,1e-4,1e-3", epochs=10)
        >>> [(row.text, row.figures["sparsity"].mean) for row in found.rows]
    """
    plan = make_plan(recipe, vary, seeds, data, overrides)
    with DeferredInterrupts() as interrupts:
        work = _start(plan, name or f"study-{plan.common.name}-{plan.knob.name}", Path(out), on_event)
        with locked(work.folder):
            try:
                done = _carry_out(work, interrupts)
            except (KeyboardInterrupt, InterruptedRunError, TerminatedRunError) as error:
                terminated = isinstance(error, (SigtermInterrupt, TerminatedRunError))
                kind = TerminatedRunError if terminated else InterruptedRunError
                kept = f"interrupted, every training so far is kept in {work.folder}; the same command goes on"
                raise kind(kept, run=work.folder) from error
    if all(training.diverged is not None for training in done.trainings):
        raise DivergedError(
            f"every training diverged, see {work.folder}; lower --learning-rate (it was "
            f"{done.settings.get('learning_rate', 'varied')})",
            run=work.folder,
        )
    return done


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A study under way: its plan, the data of the first seed, its folder.

    Attributes:
        common: What all values have in common, resolved.
        usual: How the recipe would be trained without the study.
    """

    plan: Plan
    epochs: int
    common: RunConfig
    usual: RunConfig
    dataset: Dataset
    digest: str
    folder: Path
    listener: Listener


def _start(plan: Plan, name: str, root: Path, listener: Listener) -> _Work:
    """Loads the data of the first seed, decides on the epochs, and finds or makes the folder."""
    dataset = load_data(plan.base(plan.seeds[0]), listener)
    usual = resolve(plan.recipe, dataset, None, _alarms(listener))
    chosen = resolve(plan.common, dataset, None, _alarms(listener)) if plan.keeps_epochs else usual
    epochs = chosen.training.epochs
    resolved = resolve(plan.base(plan.seeds[0]), dataset, None, listener)
    common = replace(resolved, training=replace(resolved.training, epochs=epochs))
    content = {
        "settings": settings(common, ""),  # with the recipe's own value: initial weights are drawn for it
        "data": dataset.identity.sha256,
        "knob": plan.knob.name,
        "versions": versions(common.builder),
    }
    found = _folder(root.absolute() / safe_name(name), digest(content))
    return _Work(
        plan=plan,
        epochs=epochs,
        common=common,
        usual=usual,
        dataset=dataset,
        digest=digest(content),
        folder=found,
        listener=listener,
    )


def _folder(parent: Path, plan: str) -> Path:
    """The newest folder of an equal plan, else a new one."""
    for file in sorted(parent.glob(f"*/{STUDY}"), reverse=True):
        with suppress(DataError):  # what cannot be read is left as it is, and not taken over
            if read_json(file).get("plan") == plan:
                return file.parent
    folder = parent / stamp()
    folder.mkdir(parents=True)
    return folder


def _carry_out(work: _Work, interrupts: DeferredInterrupts) -> Study:
    """Every training, seed by seed, and what they say together."""
    quiet_tensorflow()
    from zoo.training.assembly import initial_weights

    plan, trainings, same = work.plan, dict[tuple[Value, int], Training](), dict[Value, bool]()
    total = len(plan.values) * len(plan.seeds)
    _write(work, trainings, same, "running")
    try:
        load = functools.lru_cache(maxsize=1)(functools.partial(_load, work))
        for seed in plan.seeds:
            dataset = load(plan.common.data, seed)
            quiet = _alarms(work.listener)
            reference = initial_weights(resolve(plan.base(seed), dataset, None, quiet), dataset)
            configs = {value: plan.config(value, seed, work.epochs) for value in plan.values}
            if not same:
                resolved = {value: resolve(config, dataset, None, quiet) for value, config in configs.items()}
                same = _same_starts(dataset, resolved, reference)
            for value, config in configs.items():
                interrupts.check()
                which = f"{len(trainings) + 1}/{total}  {plan.knob.name} = {text(value)}, seed {seed}"
                start = reference if same[value] else None
                trainings[value, seed] = _train(work, value, config, load(config.data, seed), start, which)
                _write(work, trainings, same, "running")
    except BaseException:
        _write(work, trainings, same, "interrupted")
        raise
    done = _write(work, trainings, same, "finished")
    write_study_page(done)
    return done


def _load(work: _Work, config: Any, seed: int) -> Dataset:
    """The data under a seed; those of the first are there."""
    base = work.plan.base(seed)
    if config == base.data and seed == work.plan.seeds[0]:
        return work.dataset
    return load_data(replace(base, data=config), _alarms(work.listener))


def _same_starts(
    dataset: Dataset, configs: Mapping[Value, RunConfig], reference: Sequence[np.ndarray]
) -> dict[Value, bool]:
    """Builds every value's model before the first training: does it build, and do the initial weights fit it?"""
    from zoo.training.assembly import initial_weights

    wanted = [weights.shape for weights in reference]
    found = {}
    for value, config in configs.items():
        own = initial_weights(config, dataset)
        found[value] = [weights.shape for weights in own] == wanted
    return found


def _train(
    work: _Work,
    value: Value,
    config: RunConfig,
    dataset: Dataset,
    initial: Sequence[np.ndarray] | None,
    which: str,
) -> Training:
    """One training: taken over, gone on with, or made."""
    resolved = resolve(config, dataset, None, _alarms(work.listener))
    run, resume = earlier(work.folder / TRAININGS, config.name)
    if run is not None and not resume:
        training = record(run, value, resolved.training.seed)
        work.listener(Message(f"{which}: {_outcome(training, work)} (done before)"))
        return training
    began = time.monotonic()
    run = run or create_run(work.folder / TRAININGS, resolved, dataset, samples=False)
    builder = get_builder(resolved.builder)
    session = Session(
        resolved, builder, dataset, run, _alarms(work.listener), (), None, (), thorough=False, initial=initial
    )
    # a value that diverges is a result: run.json says so
    with models_forgotten(), locked(run.path), suppress(DivergedError):
        session.carry_out(began, resume=resume)
    training = record(run, value, resolved.training.seed)
    work.listener(Message(f"{which}: {_outcome(training, work)}  {training.seconds:.1f} s"))
    return training


def _alarms(listener: Listener) -> Listener:
    """Hands on epochs and warnings; what a single training says of itself would drown the study."""

    def tell(event: Event) -> None:
        if isinstance(event, EpochDone) or (isinstance(event, Message) and event.warning):
            listener(event)

    return tell


def _outcome(training: Training, work: _Work) -> str:
    if training.diverged is not None:
        return f"diverged in epoch {training.diverged}"
    metric = PRIMARY[work.dataset.output.task]
    figures = {split: number(training.last[split].get(metric)) for split in ("train", "validation", "test")}
    return "  ".join([metric, *(f"{split} {show(metric, value)}" for split, value in figures.items())])


def _write(
    work: _Work, trainings: Mapping[tuple[Value, int], Training], same: Mapping[Value, bool], status: Any
) -> Study:
    """Puts what there is into study.json and study.csv."""
    plan = work.plan
    rows = [_row(value, trainings, same) for value in plan.values if any(key[0] == value for key in trainings)]
    found = Study(
        path=work.folder,
        name=work.folder.parent.name,
        knob=plan.knob.name,
        metric=PRIMARY[work.dataset.output.task],
        plan=work.digest,
        status=status,
        seeds=plan.seeds,
        rows=tuple(rows),
        data={**vars(work.dataset.identity)},
        settings=settings(work.common, plan.knob.name),
        notes=tuple(notes(plan, work.common, work.usual, rows)),
    )
    write_study(found)
    return found


def _row(value: Value, trainings: Mapping[tuple[Value, int], Training], same: Mapping[Value, bool]) -> Row:
    chosen = [training for key, training in trainings.items() if key[0] == value]
    return make_row(value, text(value), chosen, same_start=same[value])


__all__ = ["Study", "sparsity", "study", "verdict"]
