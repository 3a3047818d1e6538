"""A search over a recipe, several recipes, or a builder on data of one's own; then the winner, trained and tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.books import Books
from tuning.conducting import Staff, conduct
from tuning.distribution import addresses
from tuning.distribution.worker import run_worker
from tuning.final import Final, retrain
from tuning.plan import Plan
from tuning.planning import Asked, Ready, prepare, prepare_again
from tuning.reporting.page import write_page
from tuning.result import Search
from tuning.roles import SearchEvent, listen
from tuning.trial import Trial
from zoo.data.references import data_stem
from zoo.errors import InterruptedRunError, TerminatedRunError
from zoo.runs import is_run, locked, safe_name, stamp
from zoo.settings import tuner_role
from zoo.training.events import Event

TuneListener = Callable[[SearchEvent | Event], None]
"""Told what the search says, and what the winner's last training does."""


def tune(
    names: str | Sequence[str] | None,
    *,
    data: str | None = None,
    space: Sequence[str] | Mapping[str, Any] = (),
    tuner: str | None = None,
    trials: int | None = None,
    max_time: str | float | None = None,
    objective: str | None = None,
    repeats: int | None = None,
    quantize: str | None = None,
    max_flash: str | int | None = None,
    max_arena: str | int | None = None,
    max_latency: str | None = None,
    max_macs: str | int | None = None,
    keep: int | None = None,
    no_retrain: bool = False,
    workers: int | None = None,
    chief: str | None = None,
    worker: str | None = None,
    resume: Path | str | None = None,
    name: str | None = None,
    out: Path | str = "runs",
    on_event: TuneListener = listen,
    on_begin: Callable[[Books], None] = lambda _books: None,
    **overrides: object,
) -> Search | None:
    """Searches hyperparameters with keras-tuner, trains the winner again and tests it.

    Args:
        names: A recipe, a TOML file or a builder; several, in a list or with commas, make the builder a dimension.
        data: A data set's name or a path of your own.
        space: What to search, see `tuning.space.make_space`; empty for the usual knobs of the builder.
        tuner: "random", "hyperband", "bayesian" or "grid".
        trials: Candidates to train; what is rejected before its training does not count. By default 20.
        max_time: Wall-clock budget of the search, seconds or such as "30m"; the winner's last training comes on top.
        objective: A validation metric; by default the task's usual one.
        repeats: Trainings of each candidate, each with a seed and a validation split of its own (the same for all
            candidates); the mean counts.
        quantize: Export every candidate in this mode, and score the answers of the exported file.
        max_flash: Largest exported file, bytes or such as "64k".
        max_arena: Largest tensor arena of tflite-micro, likewise.
        max_latency: Longest median time of one sample on this machine, such as "2ms".
        max_macs: Most multiplications with addition of one sample, such as "5M".
        keep: Trials that keep their weights; by default 5.
        no_retrain: Keep the winner's own weights.
        workers: Local worker processes; None runs the trials in this one.
        chief: "HOST:PORT" to deal trials on, for workers elsewhere.
        worker: "HOST:PORT" of the chief to work for.
        resume: Folder of a search to go on with; what else is given must be as it was, but for trials, max_time and
            keep.
        name: Of the winner's run.
        out: Folder of all runs.
        on_event: Told what happens: events of the search, and of the last training.
        on_begin: Told the books when the search begins.
        **overrides: Any knob, fixed for all trials.

    Returns:
        The search; None of a worker.

    Raises:
        UsageError: An unknown name, knob, range or option.
        DivergedError: Every trial failed; the reasons are named.
        GateError: Nothing fits the limits; or the winner, trained again, does not.
        LockedError: Another process is at this search.
        InterruptedRunError: Ctrl-C; everything that ended is kept. SIGTERM raises TerminatedRunError.

    Example:
        >>> found = zoo.tuning.tune("mnist-cnn", trials=10, quantize="int8", max_flash="20k")
        >>> found.best.values, found.run.metrics["test"]["accuracy"]
    """
    began = time.monotonic()
    role = tuner_role()
    if role is not None and not (chief or worker or workers):
        chief, worker = (role.address, None) if role.is_chief else (None, role.address)
    if worker is not None:
        folder = None if resume is None else Path(resume)
        run_worker(worker, folder, role.name if role else "", listener=on_event)
        return None
    if chief is not None:
        addresses.check_free(chief)
    asked = Asked(
        names=names or "",
        data=data,
        space=space,
        tuner=tuner,
        trials=trials,
        max_time=max_time,
        objective=objective,
        repeats=repeats,
        quantize=quantize,
        max_flash=max_flash,
        max_arena=max_arena,
        max_latency=max_latency,
        max_macs=max_macs,
        keep=keep,
        given=overrides,
    )
    books, prepared = (
        _resumed(Path(resume), asked, on_event) if resume is not None else _begun(asked, Path(out), on_event)
    )
    with locked(books.path):
        books.prune()
        on_begin(books)
        staff = Staff(make_runner=_runner(books, on_event), workers=workers or 0, address=chief or "")
        before = books.status()
        best = conduct(books, prepared.space, prepared.epochs, staff, on_event)
        final = _made_before(before, best, no_retrain)
        if final is None or name is not None:
            final = _conclude(books, best, Path(out), name, on_event, no_retrain=no_retrain)
        ended = books.trials()[0]
        books.write_plan(
            "finished",
            best=best.id,
            run=final.run.path,
            final=final.to_json(),
            as_it_is=no_retrain,
            seconds=books.status().get("seconds"),
        )
        write_page(books, ended, final)
    return Search(books, tuple(ended), final, time.monotonic() - began)


def _made_before(status: Mapping[str, Any], best: Trial, as_it_is: bool) -> Final | None:
    """What an earlier call made of the winner, where it is still the winner and still there."""
    if status.get("best") != best.id or status.get("as_it_is") != as_it_is or not is_run(status.get("run") or ""):
        return None
    return Final.from_json(status["final"])


def _conclude(
    books: Books, best: Trial, out: Path, name: str | None, on_event: TuneListener, *, no_retrain: bool
) -> Final:
    """The winner's last training; an interrupt of it leaves a finished search."""
    try:
        return retrain(books, best, out=out, name=name, listener=on_event, keep_as_it_is=no_retrain)
    except (InterruptedRunError, TerminatedRunError) as error:
        raise type(error)(
            "interrupted while the winner was trained for the last time; the search itself is over and kept, go on "
            f"with: zoo tune --resume '{books.path}'",
            run=books.path,
        ) from error


def _begun(asked: Asked, out: Path, on_event: TuneListener) -> tuple[Books, Ready]:
    """A new search and its folder."""
    prepared = prepare(asked, on_event)
    return Books.create(out.absolute() / search_name(prepared.plan) / stamp(), prepared.plan), prepared


def search_name(plan: Plan) -> str:
    """The folder of all searches over these names, on these data where they are not the recipe's own."""
    data = [data_stem(plan.data)] if plan.data else []
    return safe_name("-".join(["tune", *(Path(name).stem.replace(":", "-") for name in plan.names), *data]))


def _resumed(folder: Path, asked: Asked, on_event: TuneListener) -> tuple[Books, Ready]:
    """The search of a folder, with what may change changed.

    Raises:
        UsageError: It is no search, or another one than is asked for.
    """
    books = Books.open(folder)
    prepared = prepare_again(books, asked, on_event)
    return Books(books.path, prepared.plan), prepared


def _runner(books: Books, on_event: TuneListener) -> Any:
    from tuning.running import RecipeRunner

    return lambda check: RecipeRunner(books, listener=on_event, check=check)
