"""`zoo.tuning.search`: a caller's own `build(hp)` or HyperModel, with data of their own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.books import Books
from tuning.brackets import hyperband_brackets
from tuning.budget import check_device
from tuning.conducting import Staff, conduct
from tuning.distribution.worker import run_worker
from tuning.limits import parse_limits
from tuning.own.space import OwnSpace
from tuning.plan import TUNERS, Plan
from tuning.planning import DEFAULT_KEEP, DEFAULT_TRIALS, MODES, changeable, least, one_of
from tuning.result import Search
from tuning.roles import SearchListener, listen
from tuning.space import check_grid
from zoo.errors import UsageError
from zoo.runs import locked, safe_name, stamp
from zoo.settings import quiet_tensorflow, tuner_role


def search(
    build: Any,
    train_data: Any,
    validation_data: Any,
    *,
    objective: Any = None,
    epochs: int = 10,
    tuner: str = "random",
    trials: int | None = None,
    max_time: str | float | None = None,
    repeats: int = 1,
    quantize: str | None = None,
    max_flash: str | int | None = None,
    max_arena: str | int | None = None,
    max_latency: str | None = None,
    max_macs: str | int | None = None,
    keep: int | None = None,
    seed: int = 0,
    callbacks: Sequence[Any] = (),
    name: str = "search",
    out: Path | str = "runs",
    resume: Path | str | None = None,
    on_event: SearchListener = listen,
    **fit_arguments: Any,
) -> Search | None:
    """Searches what a `build(hp)` of your own declares; trials, failures and the budget as in `zoo tune`.

    By keras-tuner's environment variables (KERASTUNER_ORACLE_IP, _PORT and _TUNER_ID) the same script is the chief or a
    worker of a search on many machines, with `out` on a shared folder.

    Args:
        build: A function of a `keras_tuner.HyperParameters` that returns a compiled model, or a
            `keras_tuner.HyperModel`, whose `fit` is used where it has one.
        train_data: A `tf.data.Dataset` or `keras.utils.PyDataset` of batches, or a tuple (inputs, targets).
        validation_data: Likewise; it decides.
        objective: A name in the logs of `fit` or a `keras_tuner.Objective`; by default the validation value of the
            first compiled metric, or "val_loss".
        epochs: Of a trial; the best epoch's weights count.
        tuner: "random", "hyperband", "bayesian" or "grid".
        trials: To train, by default 20; what does not fit the budget does not count.
        max_time: Wall-clock budget, seconds or such as "30m".
        repeats: Trainings of each candidate; the mean counts.
        quantize: Export every candidate in this mode, and score the exported file by the compiled metrics.
        max_flash: Largest exported file, bytes or such as "64k".
        max_arena: Largest tensor arena of tflite-micro, likewise.
        max_latency: Longest median time of one sample on this machine, such as "2ms".
        max_macs: Most multiplications with addition of one sample, such as "5M".
        keep: Trials that keep their weights, by default 5.
        seed: Of the proposals and the trainings.
        callbacks: Keras callbacks, copied for each training.
        name: The search's, a folder in `out`.
        out: Folder of all runs.
        resume: Folder of a search to go on with; trials, max_time and keep may be others.
        on_event: Told what happens.
        **fit_arguments: Further ones of `keras.Model.fit`, such as `steps_per_epoch` and `class_weight`.

    Returns:
        The search; `.best`, `.model()`. None of a worker.

    Raises:
        UsageError: Nothing to search, an unknown objective or option.
        ModelError: The default values build no model.
        DivergedError: Every trial failed.
        GateError: Nothing fits the budget.
        InterruptedRunError: Ctrl-C; everything that ended is kept, `resume` goes on.

    Example:
        >>> def build(hp):
        ...     model = keras.Sequential([keras.Input((13,)), keras.layers.Dense(hp.Int("units", 8, 64)), ...])
        ...     model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
        ...     return model
        >>> found = zoo.tuning.search(build, train, validation, trials=30, quantize="int8", max_flash="64k")
        >>> model = found.model()
    """
    began = time.monotonic()
    quiet_tensorflow()
    _check_ends(train_data, "train_data", "steps_per_epoch", fit_arguments)
    _check_ends(validation_data, "validation_data", "validation_steps", fit_arguments)
    from tuning.own.running import OwnData, OwnRunner, hypermodel_of

    hypermodel = hypermodel_of(build)
    with tempfile.TemporaryDirectory() as scratch:
        space = OwnSpace.discover(hypermodel, Path(scratch))
    goal = _objective(objective, hypermodel, space)
    limits = parse_limits(max_flash, max_arena, max_latency, max_macs)
    if quantize or limits:
        check_device(limits, quantize)
    plan = Plan(
        names=(name,),
        given={"epochs": epochs, **{key: repr(value) for key, value in fit_arguments.items()}},
        space=space.to_json(),
        tuner=one_of("tuner", tuner, TUNERS),  # type: ignore[arg-type]
        objective=goal.name,
        smaller_is_better=goal.direction == "min",
        seed=seed,
        quantize=one_of("quantize", quantize, MODES) if quantize else "float32" if limits else None,
        limits=limits,
        repeats=repeats,
    )
    changes = changeable(trials=trials, max_time=max_time, keep=keep)
    least(epochs=epochs, repeats=repeats)

    def make_runner(books: Books, check: Callable[[], None]) -> OwnRunner:
        data = OwnData(train_data, validation_data)
        return OwnRunner(
            books,
            hypermodel,
            space,
            data,
            epochs=epochs,
            callbacks=callbacks,
            fit_arguments=fit_arguments,
            check=check,
        )

    role = tuner_role()
    if role is not None and not role.is_chief:
        folder = None if resume is None else Path(resume)
        run_worker(role.address, folder, role.name, make_runner=make_runner, listener=on_event)
        return None
    books = _books(plan, changes, Path(out), None if resume is None else Path(resume))
    if books.plan.tuner == "grid":
        check_grid(space.grid_size(), books.plan.trials)
    with locked(books.path):
        books.prune()
        address = role.address if role is not None else ""
        staff = Staff(
            make_runner=lambda check: make_runner(books, check),
            address=address,
            resume="zoo.tuning.search(..., resume='{}')",
        )
        conduct(books, space, epochs, staff, on_event)
    return Search(books, tuple(books.trials()[0]), None, time.monotonic() - began)


def _check_ends(data: Any, what: str, steps: str, fit_arguments: Mapping[str, Any]) -> None:
    """Raises UsageError for data that repeat without end, where nobody says how much of them is an epoch."""
    cardinality = getattr(data, "cardinality", None)
    if callable(cardinality) and int(cardinality()) == -1 and steps not in fit_arguments:  # INFINITE_CARDINALITY
        raise UsageError(f"{what} repeats without end; give {steps}=N, or a part of it such as dataset.take(N)")


def _books(plan: Plan, changes: Mapping[str, Any], out: Path, resume: Path | None) -> Books:
    """A new folder, or that of the search to go on with.

    Raises:
        UsageError: The plan is another one.
    """
    if resume is None:
        plan = replace(plan, **{"trials": DEFAULT_TRIALS, "keep": DEFAULT_KEEP, **changes})
        if plan.tuner == "hyperband":
            plan = replace(plan, brackets=hyperband_brackets(int(plan.given["epochs"]), plan.trials))
        return Books.create(out.absolute() / safe_name(plan.names[0]) / stamp(), plan)
    books = Books.open(resume)
    differences = books.plan.differences(plan)
    if differences:
        raise UsageError(f"{books.path} is another search: {'; '.join(differences)}; search anew without resume")
    return Books(books.path, replace(books.plan, **changes))


def _objective(asked: Any, hypermodel: Any, space: OwnSpace) -> Any:
    """A `keras_tuner.Objective`.

    Raises:
        UsageError: Nobody knows whether more or less of it is better.
    """
    import keras_tuner

    if isinstance(asked, keras_tuner.Objective):
        return asked
    name = asked or _first_metric(hypermodel, space)
    try:
        return keras_tuner.Oracle(objective=name, seed=1).objective
    except ValueError as error:
        raise UsageError(
            f"whether more or less of {name!r} is better is not known; give keras_tuner.Objective({name!r}, 'max')"
        ) from error


def _first_metric(hypermodel: Any, space: OwnSpace) -> str:
    """The validation value of the first compiled metric, else the validation loss."""
    values = space.hyperparameters()
    values.values = space.default()
    compiled = hypermodel.build(values).get_compile_config() or {}
    metrics = compiled.get("metrics") or []
    first = metrics[0] if isinstance(metrics, list) and metrics else None
    if isinstance(first, dict):
        first = first.get("config", {}).get("name")
    return f"val_{first}" if isinstance(first, str) else "val_loss"
