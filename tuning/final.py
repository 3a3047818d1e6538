"""The winner of a search: trained again on what it was searched and judged with, and only then tested."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tuning.books import Books
from tuning.configuring import resolved, trial_config
from tuning.trial import Trial
from zoo.config import KEEP_LAST, RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.data.options import DATA
from zoo.errors import GateError, UsageError
from zoo.runs import CONFIG, HISTORY, MANIFEST, MODEL, Run, locked
from zoo.training.events import Listener, Message
from zoo.training.many import models_forgotten
from zoo.training.trainer import create_run, load_data, resolve, train_on

SLICE_LIMIT = 500
"""Samples that the last training leaves out, for calibration and the gates of an export."""
SPANNING = ("cosine", "onecycle", "step")
"""Schedules that run over all epochs of a training: one that stops before their end is another training."""


@dataclass(frozen=True)
class Final:
    """What became of the winner.

    Attributes:
        run: Finished and tested.
        search_score: What the search promised: the objective on the validation split.
        metrics: Of the run's Keras model on the test split.
        exported: Of the exported file on the test split; empty where nothing was exported.
        optimism: By how much validation was better than the test, in the units of the objective: above 0 the search
            promised too much. Of the exported file where the search scored those. NaN where there is no test figure.
        bundle: The exported file's; None where nothing was exported.
        notes: What a user should know of how it was trained, a line each.
    """

    run: Run
    search_score: float
    metrics: Mapping[str, float]
    exported: Mapping[str, float]
    optimism: float
    bundle: Path | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For `search.json`."""
        return {**{entry.name: getattr(self, entry.name) for entry in fields(self)}, "run": self.run.path}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Final:
        """The inverse of `to_json`.

        Raises:
            UsageError: Its run is gone.
        """
        bundle, optimism = content.get("bundle"), content.get("optimism")
        return cls(
            run=Run(content["run"]),
            search_score=content["search_score"],
            metrics=content["metrics"],
            exported=content["exported"],
            optimism=math.nan if optimism is None else optimism,
            bundle=None if bundle is None else Path(bundle),
            notes=tuple(content["notes"]),
        )


def retrain(
    books: Books,
    trial: Trial,
    *,
    out: Path,
    name: str | None = None,
    listener: Listener,
    keep_as_it_is: bool = False,
    child: Any = None,
) -> Final:
    """Trains a trial's configuration once more, on training and validation split together, and tests it.

    It is an ordinary training, which `zoo train <run>/config.toml` repeats: a small slice of the data is left out for
    the gates of an export and decides nothing, nothing stops it early, and the weights of the last epoch count. It
    has the epochs that the trial was best after; where the learning rate follows a schedule over the whole training,
    all that the trial was to have.

    Args:
        books: Of the search.
        trial: Completed.
        out: Folder of all runs.
        name: Of the run; by default the recipe's with "-tuned" added.
        listener: As for `zoo.training.train`.
        keep_as_it_is: No training: the trial's own weights become the run, and are tested.
        child: A warm `export.child.Child` to export in.

    Raises:
        UsageError: Weights that the trial did not keep.
        GateError: The exported file is not good enough or does not fit; the run is finished and tested, see `.run`.
        DivergedError, InterruptedRunError: As for `zoo.training.train`.
    """
    with models_forgotten():
        return _retrain(books, trial, out, name, listener, keep_as_it_is, child)


def _retrain(
    books: Books, trial: Trial, out: Path, name: str | None, listener: Listener, as_it_is: bool, child: Any
) -> Final:
    began = time.monotonic()
    winner = _resolve(books, trial, name, listener)
    notes: tuple[str, ...] = ()
    if as_it_is:
        run = _adopt(books, trial, winner, out, listener, began)
    else:
        config, dataset, notes = _widen(trial, winner, listener)
        for note in notes:
            listener(Message(note))
        run = train_on(dataset, config, began, run=None, out=out, on_event=listener)
    return _judge(books, trial, run, notes, child, listener)


@dataclass(frozen=True)
class _Winner:
    """The trial's own configuration, resolved, and its data with the test split."""

    config: RunConfig
    dataset: Dataset


def _resolve(books: Books, trial: Trial, name: str | None, listener: Listener) -> _Winner:
    config = trial_config(books.plan, trial)
    dataset = load_data(config, listener)
    found = resolved(books.plan, config, dataset)
    return _Winner(replace(found, name=name or f"{found.name}-tuned"), dataset)


def _widen(trial: Trial, winner: _Winner, listener: Listener) -> tuple[RunConfig, Dataset, tuple[str, ...]]:
    """Configuration and data of the last training, and what is to be said of it."""
    training, data = winner.config.training, winner.config.data
    epochs = training.epochs if training.schedule in SPANNING else max(trial.best, 1)
    last = replace(training, patience=0, monitor=KEEP_LAST, epochs=epochs, min_steps=0)
    config = replace(winner.config, training=last)
    held, trained = len(winner.dataset.validation), len(winner.dataset.train)
    fraction = _fraction(min(SLICE_LIMIT, max(held // 2, 1)), held + trained)
    wider = replace(config, data=replace(data, validation=fraction))
    dataset = load_data(wider, lambda _event: None)
    notes = []
    if data.train_samples:
        notes.append(f"train_samples = {data.train_samples} holds for the last training too: no more are trained on")
    if len(dataset.validation) >= held:
        notes.append(
            f"the data say which {held:,} samples validate: the last training leaves them out, as the search did"
        )
        return resolve(config, winner.dataset, None, listener), winner.dataset, tuple(notes)
    notes.append(
        f"training on {len(dataset.train):,} samples for {epochs} epochs, {len(dataset.validation):,} left out for "
        "calibration and the gates of an export"
    )
    return resolve(wider, dataset, None, listener), dataset, tuple(notes)


def _fraction(wanted: int, of: int) -> float:
    """The knob `validation` for so many samples, as near as the knob goes."""
    knob = next(knob for knob in DATA if knob.name == "validation")
    low, high = knob.low or 0.0, knob.high or 1.0
    return min(max(round(wanted / of, 6), low), high)


def _adopt(books: Books, trial: Trial, winner: _Winner, out: Path, listener: Listener, began: float) -> Run:
    """A run of the trial's own weights, measured as every training is."""
    from zoo.reporting.report import write_report
    from zoo.settings import quiet_tensorflow
    from zoo.training.baselines import baselines
    from zoo.training.conclusion import conclude

    source = books.folder(trial.same_as or trial)
    if not (source / MANIFEST).is_file():
        raise UsageError(
            f"trial {trial.id} kept no weights, the best {books.plan.keep} do (keep); train it again instead"
        )
    kept = Run(source)
    quiet_tensorflow()
    from zoo.training.measure import Measured
    from zoo.training.optimizers import loss_function
    from zoo.training.prepared import Prepared

    dataset = winner.dataset
    threads = configure(str(source / CONFIG)).training.threads  # they belong to the weights
    config = replace(winner.config, training=replace(winner.config.training, threads=threads))
    run = create_run(out, config, dataset)
    with locked(run.path):
        for file in (MODEL, HISTORY):
            shutil.copyfile(source / file, run.path / file)
        listener(Message(f"testing the weights of trial {trial.id}"))
        run.update(parameters=kept.manifest.parameters)
        prepared, loss = Prepared(dataset), loss_function(config.training.loss)
        conclude(
            run,
            dataset,
            {
                "train": prepared.train_sample(config.training.seed, loss),
                "validation": prepared.validation(loss),
                "test": Measured(dataset, dataset.test, loss),
            },
            best=kept.model,
            last=None,
            baselines=lambda: baselines(dataset, seed=config.training.seed),
            epochs=kept.manifest.epochs,
            report=write_report,
            began=began,
        )
    return run


def _judge(books: Books, trial: Trial, run: Run, notes: tuple[str, ...], child: Any, listener: Listener) -> Final:
    """Exports and tests what ships, and writes beside the run what the search promised."""
    score = trial.score if trial.score is not None else math.nan
    found = Final(run, score, run.metrics["test"], {}, math.nan, None, notes)
    found = _record(books, trial, found)
    if books.plan.quantize is None:
        return found
    bundle, exported = _export(books, run, child, listener)
    return _record(books, trial, replace(found, exported=exported, bundle=bundle))


def _record(books: Books, trial: Trial, found: Final) -> Final:
    """The same with its optimism, which the run's manifest and report then say."""
    from zoo.reporting.report import write_report

    objective = books.plan.objective
    tested = found.exported.get(objective, found.metrics.get(objective, math.nan))  # a file is not asked for its loss
    optimism = tested - found.search_score if books.plan.smaller_is_better else found.search_score - tested
    found.run.update(
        search={
            "folder": str(books.path),
            "trial": trial.id,
            "objective": objective,
            "quantize": books.plan.quantize,
            "validation": found.search_score,
            "test": tested,
            "optimism": optimism,
            "exported": dict(found.exported),
            "notes": list(found.notes),
        }
    )
    write_report(found.run)
    return replace(found, optimism=optimism)


def _export(books: Books, run: Run, child: Any, listener: Listener) -> tuple[Path, Mapping[str, float]]:
    """The bundle in the mode of the search, within its limits, and its metrics on the test split.

    Raises:
        GateError: It is not good enough, or over a limit.
    """
    from export.exporting import export_model
    from zoo.inference import evaluate

    plan = books.plan
    try:
        bundle = export_model(
            run,
            quantize=str(plan.quantize),
            max_flash=plan.limits.flash,
            max_arena=plan.limits.arena,
            target=None if plan.limits.arena is None else "micro",
            child=child,
            on_event=lambda text: listener(Message(text, warning=text.startswith("WARNING"))),
        )
    except GateError as error:
        error.run = run.path
        raise
    return bundle.path, evaluate(bundle.path).metrics
