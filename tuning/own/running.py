"""Runs trials of a caller's own `build(hp)` or HyperModel, with data of their own."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import keras_tuner
import numpy as np

from tuning.books import Books
from tuning.budget import Device, Rejected
from tuning.own.samples import Samples
from tuning.own.space import OwnSpace
from tuning.own.watch import Watch, plain_name
from tuning.roles import Progress, Tell
from tuning.trial import Figures, Trial, mean_metrics
from zoo.errors import DivergedError, ModelError, UsageError
from zoo.training.many import models_forgotten
from zoo.training.recorder import save_model, write_history


class FunctionModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """A `build(hp)` as a HyperModel."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(name=getattr(function, "__name__", "build"))
        self._function = function

    def build(self, hp: Any) -> Any:
        """As the function does."""
        return self._function(hp)


def hypermodel_of(build: Any) -> Any:
    """A HyperModel, or a function as one.

    Raises:
        UsageError: Neither of them.
    """
    if isinstance(build, keras_tuner.HyperModel):
        return build
    if not callable(build):
        raise UsageError(f"build is a {type(build).__name__}; give a function build(hp), or a keras_tuner.HyperModel")
    return FunctionModel(build)


@dataclass(frozen=True)
class OwnData:
    """What the models are trained and judged on.

    Attributes:
        train: Anything that `keras.Model.fit` takes as `x`.
        validation: Likewise for `validation_data`; gone over several times.
    """

    train: Any
    validation: Any


class OwnRunner:
    """Runs trials of `build(hp)`.

    Args:
        books: Of the search.
        hypermodel: A `keras_tuner.HyperModel`.
        space: Its entries.
        data: To train and judge on.
        epochs: Of a trial, where Hyperband says nothing else.
        device: Exports and measures candidates; by default one of its own where the plan has limits or a mode.
        callbacks: Keras callbacks, copied for each training.
        fit_arguments: Further ones of `keras.Model.fit`.
        check: Raises where the search was interrupted; called at every batch's end.
    """

    def __init__(
        self,
        books: Books,
        hypermodel: Any,
        space: OwnSpace,
        data: OwnData,
        *,
        epochs: int,
        device: Device | None = None,
        callbacks: Sequence[Any] = (),
        fit_arguments: Mapping[str, Any] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._books, self._hypermodel, self._space, self._data = books, hypermodel, space, data
        self._epochs, self._device, self._callbacks = epochs, device, tuple(callbacks)
        self._fit_arguments, self._check = dict(fit_arguments or {}), check
        self._samples: Samples | None = None
        self._own = contextlib.ExitStack()

    def __enter__(self) -> OwnRunner:
        """Starts the process that exports, where there is to be one.

        Raises:
            UsageError: The plan's limits cannot be measured here.
        """
        plan = self._books.plan
        if self._device is None and (plan.quantize or plan.limits):
            self._device = self._own.enter_context(Device(plan.limits, plan.quantize))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own.close()

    def run(self, trial: Trial, tell: Tell) -> Trial:
        """Builds, checks against the budget, trains, scores, keeps; see `tuning.roles.Runner`."""
        with models_forgotten():
            return self._run(trial, tell)

    def _run(self, trial: Trial, tell: Tell) -> Trial:
        import keras

        began = time.monotonic()
        values = self._space.hyperparameters()
        values.values = dict(trial.proposed)
        found: list[tuple[Watch, dict[str, float]]] = []
        trial = replace(trial, figures=Figures(), scores=())
        for repeat in range(self._books.plan.repeats):
            keras.utils.set_random_seed(self._books.plan.seed + repeat)
            model = self._build(values)
            if self._device is not None and repeat == 0:
                tell(Progress(id=trial.id, doing="measuring"))
                try:
                    trial = replace(trial, figures=self._device.check(model, None, self._arrays().calibration))
                except Rejected as error:
                    return _rejected(trial, error, began)
            watch = self._fit(model, values, trial, tell, repeat)
            metrics: dict[str, float] = {}
            if self._device is not None:
                tell(Progress(id=trial.id, doing="scoring the exported file", epoch=watch.done, epochs=watch.total))
                try:
                    metrics, figures = self._exported(self._device, model)
                except Rejected as error:
                    return _rejected(trial, error, began)
                trial = replace(trial, figures=figures)
            found.append((watch, metrics))
        trial = self._concluded(trial, found, began, model.count_params())
        self._keep(trial, model, found[-1][0])
        return trial

    def _build(self, values: Any) -> Any:
        model = self._hypermodel.build(values)
        self._check_declared(values)
        if not getattr(model, "compiled", False):
            raise ModelError("build(hp) returned a model that is not compiled; call model.compile(...) in it")
        return model

    def _check_declared(self, values: Any) -> None:
        """Raises ModelError for entries that are new: nobody would search them."""
        known = {entry.name for entry in self._space.hyperparameters().space}
        new = sorted({entry.name for entry in values.space} - known)
        if new:
            raise ModelError(
                f"{', '.join(new)}: declared only for these values, or only in fit; declare it in build(hp) always, "
                "with hp.conditional_scope where it hangs on others"
            )

    def _fit(self, model: Any, values: Any, trial: Trial, tell: Tell, repeat: int) -> Watch:
        epochs = trial.epochs or self._epochs
        plan = self._books.plan
        watch = Watch(
            plan.objective,
            smaller_is_better=plan.smaller_is_better,
            identifier=trial.id,
            before=repeat * epochs,
            total=plan.repeats * epochs,
            tell=tell,
            check=self._check,
        )
        arguments = {"validation_data": self._data.validation, "epochs": epochs, "verbose": 0, **self._fit_arguments}
        callbacks = [*copy.deepcopy(self._callbacks), watch]
        train = self._data.train if isinstance(self._data.train, tuple) else (self._data.train,)
        if hasattr(self._data.train, "element_spec"):
            # A tf.data.Dataset has its own order, and Keras warns of that each time.
            arguments.setdefault("shuffle", False)
        self._hypermodel.fit(values, model, *train, callbacks=callbacks, **arguments)
        self._check_declared(values)
        watch.finish(model)
        return watch

    def _exported(self, device: Device, model: Any) -> tuple[dict[str, float], Figures]:
        """The compiled metrics of the exported file's answers to the validation data."""
        arrays = self._arrays()
        answers, figures = device.answers(model, None, arrays.calibration, arrays.inputs)
        model.reset_metrics()
        loss = model.compute_loss(x=arrays.inputs, y=arrays.targets, y_pred=answers, training=False)
        found = model.compute_metrics(arrays.inputs, arrays.targets, answers)
        return {**{f"val_{name}": float(value) for name, value in found.items()}, "val_loss": float(loss)}, figures

    def _arrays(self) -> Samples:
        if self._samples is None:
            self._samples = Samples.read(self._data.train, self._data.validation)
        return self._samples

    def _concluded(
        self, trial: Trial, found: Sequence[tuple[Watch, dict[str, float]]], began: float, parameters: int
    ) -> Trial:
        objective = self._books.plan.objective
        scores = tuple((metrics or watch.at_best)[objective] for watch, metrics in found)
        if not np.all(np.isfinite(scores)):
            raise DivergedError(f"{objective} of the exported file is {scores}")
        watches = [watch for watch, _ in found]
        metrics = {
            "train": mean_metrics([watch.train for watch in watches]),
            "validation": mean_metrics([watch.validation for watch in watches]),
        }
        if found[0][1]:
            exported = mean_metrics([metrics for _, metrics in found])
            metrics["exported"] = {plain_name(name): value for name, value in exported.items()}
        figures = trial.figures
        if figures.parameters is None:
            figures = replace(figures, parameters=parameters)
        return replace(
            trial,
            status="completed",
            score=float(np.mean(scores)),
            scores=scores,
            metrics=metrics,
            figures=figures,
            done=round(float(np.mean([watch.done for watch in watches]))),
            best=round(float(np.mean([watch.best_epoch for watch in watches]))),
            seconds=time.monotonic() - began,
        )

    def _keep(self, trial: Trial, model: Any, watch: Watch) -> None:
        folder = self._books.folder(trial)
        write_history(folder, watch.rows)
        if self._books.worth_keeping(trial):
            save_model(model, folder)


def _rejected(trial: Trial, error: Rejected, began: float) -> Trial:
    seconds = time.monotonic() - began
    return replace(trial, status="rejected", reason=error.reason, figures=error.figures, seconds=seconds)
