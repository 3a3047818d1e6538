"""Runs trials of recipes: built, held against the device's budget, trained, scored, kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning.books import Books
from tuning.configuring import Datasets, digest, resolved, trial_config
from tuning.keeping import forget_run, keep
from tuning.rejection import Rejected
from tuning.roles import Tell
from tuning.scoring import Scoring
from tuning.trial import Figures, Trial, mean_metrics
from tuning.watching import Watch
from zoo.builders import Builder, get_builder
from zoo.builders.builder import BuilderError
from zoo.config import RunConfig
from zoo.errors import ModelError
from zoo.runs import CONFIG, write_text
from zoo.settings import quiet_tensorflow
from zoo.training.bare import Fitted, fit
from zoo.training.events import Message
from zoo.training.interrupts import DeferredInterrupts
from zoo.training.many import models_forgotten
from zoo.training.recorder import write_history

if TYPE_CHECKING:
    from tuning.budget import Device
    from zoo.training.prepared import Prepared


@dataclass(frozen=True)
class _Candidate:
    """A trial that is about to be trained."""

    trial: Trial
    config: RunConfig
    builder: Builder
    data: Prepared
    watch: Watch


class RecipeRunner:
    """Runs trials of the recipes, TOML files or builders of a search's plan.

    It holds a warm process to export candidates in where the plan asks for that: use it as a context manager.

    Args:
        books: Of the search.
        threads: Cores for the arithmetic; 0 is what the plan says, else all there are.
        listener: Told of what nobody may miss.
        device: Exports and measures candidates; by default one of its own where the plan has limits or a mode.
        check: Raises where the search was interrupted; by default signals are taken while a trial runs.

    Example:
        >>> with RecipeRunner(books, threads=1) as runner:
        ...     done = runner.run(trial, tell=lambda progress: True)
    """

    def __init__(
        self,
        books: Books,
        *,
        threads: int = 0,
        listener: Callable[[Message], object] = lambda _message: None,
        device: Device | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._books, self._threads, self._check, self._listener = books, threads, check, listener
        self._datasets = Datasets(books.plan, listener)
        self._device, self._own = device, contextlib.ExitStack()

    def __enter__(self) -> RecipeRunner:
        """Starts the process that exports, where there is to be one.

        Raises:
            UsageError: The plan's limits cannot be measured here.
        """
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own.close()

    def _start(self) -> None:
        plan = self._books.plan
        if self._device is None and (plan.quantize or plan.limits):
            from tuning.budget import Device

            device = Device(plan.limits, plan.quantize, tell=self._say)
            self._device = self._own.enter_context(device)

    def _say(self, text: str) -> None:
        self._listener(Message(text))

    def run(self, trial: Trial, tell: Tell) -> Trial:
        """The trial with its outcome; see `tuning.roles.Runner` for what it raises.

        A configuration that a builder refuses, or that does not fit the device, is rejected and costs no training.
        One that an earlier trial had is not trained again. `history.csv` and `config.toml` stand in the trial's folder
        afterwards; among the best so far, the whole folder is a run that can be exported and evaluated. Of several
        repeats it is that of the first seed.
        """
        began = time.monotonic()
        self._start()
        quiet_tensorflow()
        with self._interrupts() as check, models_forgotten():
            watch = Watch(trial.id, tell, check, objective=self._books.plan.objective)
            return replace(self._run(trial, watch), seconds=time.monotonic() - began)

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[Callable[[], None]]:
        if self._check is not None:
            yield self._check
            return
        with DeferredInterrupts() as interrupts:
            yield interrupts.check
        interrupts.hand_on()

    def _run(self, trial: Trial, watch: Watch) -> Trial:
        plan = self._books.plan
        config = trial_config(plan, trial, threads=self._threads)
        data = self._datasets.of(config)
        config, builder = resolved(plan, config, data.dataset), get_builder(config.builder)
        folder = self._books.folder(trial)
        forget_run(folder)
        write_text(folder / CONFIG, config.to_toml())
        trial = replace(trial, digest=digest(config), scores=(), figures=Figures(), reason="", same_as="")
        earlier = self._earlier(trial)
        if earlier is not None:
            return _copied(trial, earlier)
        watch.expect(plan.repeats * config.training.epochs)
        return self._try(_Candidate(trial, config, builder, data, watch))

    def _earlier(self, trial: Trial) -> Trial | None:
        """A completed trial of equal configuration."""
        for other in self._books.trials()[0]:
            if (other.status, other.digest) == ("completed", trial.digest) and other.id != trial.id:
                return other if not other.same_as else self._books.read(other.same_as)
        return None

    def _try(self, candidate: _Candidate) -> Trial:
        """Builds, measures, trains and scores."""
        trial, config = candidate.trial, candidate.config
        scoring = self._scoring(candidate)
        try:
            model = _build(candidate)
            if self._device is not None:
                candidate.watch.doing("measuring")
            trial = replace(trial, figures=scoring.figures(model))
            first, epochs, found = None, list[tuple[int, int]](), []
            for repeat in range(self._books.plan.repeats):
                candidate.watch.begin(repeat * config.training.epochs)
                drawn = replace(candidate, data=self._datasets.of(config, repeat)) if repeat else candidate
                fitted = _fit(drawn, repeat, model if repeat == 0 else None)
                first = first or fitted
                epochs.append((fitted.done, fitted.best))
                candidate.watch.doing("scoring the exported file" if self._device is not None else "")
                metrics, figures = (self._scoring(drawn) if repeat else scoring).measure(fitted)
                if repeat == 0 and figures is not None:
                    trial = replace(trial, figures=figures)
                found.append(metrics)
                model = None  # the first is held by what it was fitted to
        except Rejected as rejected:
            return replace(trial, status="rejected", reason=rejected.reason, figures=rejected.figures)
        finally:
            write_history(self._books.folder(trial), candidate.watch.rows)
        return self._complete(candidate, trial, first, epochs, found, scoring)

    def _scoring(self, candidate: _Candidate) -> Scoring:
        return Scoring(self._books.plan.objective, candidate.config, candidate.data.dataset, self._device)

    def _complete(
        self,
        candidate: _Candidate,
        trial: Trial,
        first: Fitted | None,
        epochs: Sequence[tuple[int, int]],
        found: Sequence[Mapping[str, Mapping[str, float]]],
        scoring: Scoring,
    ) -> Trial:
        scores = tuple(scoring.score(metrics) for metrics in found)
        trial = replace(
            trial,
            status="completed",
            score=float(np.mean(scores)),
            scores=scores,
            metrics={split: mean_metrics([metrics[split] for metrics in found]) for split in found[0]},
            done=round(float(np.mean([done for done, _ in epochs]))),
            best=round(float(np.mean([best for _, best in epochs]))),
        )
        if first is not None and self._books.worth_keeping(trial):
            candidate.watch.doing("keeping its weights")
            keep(self._books, trial, candidate.config, candidate.data.dataset, first)
        return trial


def _build(candidate: _Candidate) -> Any:
    """The model that is measured, and then trained.

    Raises:
        Rejected: The builder refuses the configuration.
        ModelError: It failed.
    """
    from zoo.training.assembly import build_model

    try:
        return build_model(candidate.config, candidate.builder, candidate.data.dataset, precision="float32")
    except BuilderError:
        raise
    except ModelError as error:
        raise Rejected(str(error), Figures()) from error


def _fit(candidate: _Candidate, repeat: int, model: Any) -> Fitted:
    """One training; the seed goes up from repeat to repeat."""
    training = candidate.config.training
    config = replace(candidate.config, training=replace(training, seed=training.seed + repeat))
    watch = candidate.watch
    return fit(config, candidate.builder, candidate.data, listener=watch.listen, check=watch.check, model=model)


def _copied(trial: Trial, earlier: Trial) -> Trial:
    return replace(
        trial,
        status="completed",
        score=earlier.score,
        scores=earlier.scores,
        metrics=earlier.metrics,
        figures=earlier.figures,
        done=earlier.done,
        best=earlier.best,
        same_as=earlier.id,
        reason=f"the configuration of trial {earlier.id}, not trained again",
    )
