"""The search of a TOML file: found, gone on with, or made; its winner is the run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuning.books import SEARCH, Books
from tuning.launching import search_name, tune
from tuning.plan import Plan
from tuning.planning import Asked, prepare
from tuning.roles import TrialEnded
from tuning.trial import outcome_line
from zoo.errors import DataError, UsageError, ZooError
from zoo.runs import Run
from zoo.training.events import Event, Listener, Message
from zoo.training.trainer import versions
from zoo.workflow.earlier import is_whole


def tuned(path: Path, options: Mapping[str, Any], *, root: Path, force: bool, listener: Listener) -> tuple[Run, bool]:
    """The run of a search's winner, and whether it was there already.

    A finished search of the same plan is taken over with its winner, an unfinished one gone on with.

    Args:
        path: The TOML file.
        options: Of its table `[tune]`, those of `tuning.launching.tune`.
        root: Folder of all runs.
        force: Searches anew.
        listener: Told what happens.

    Raises:
        UsageError: An option that is not allowed.
        DivergedError, GateError, InterruptedRunError: As for `tuning.launching.tune`.
    """
    wanted = {key: value for key, value in options.items() if key != "workers"}
    try:
        plan = prepare(Asked(names=str(path), **wanted), listener).plan
    except UsageError as error:
        raise UsageError(f"{path}: [tune] {error}") from error
    earlier = None if force else _earlier(root / search_name(plan), plan, listener)
    run = None if earlier is None else _winner(earlier)
    if run is not None:
        listener(Message(f"unchanged, not searched again: {run.path}"))
        return run, True
    found = tune(
        str(path),
        resume=None if earlier is None else earlier.path,
        workers=options.get("workers"),
        out=root,
        on_event=lambda event: _tell(event, listener),
        **wanted,
    )
    if found is None:
        raise UsageError("zoo run deals its own trials; unset KERASTUNER_ORACLE_IP, or start workers with zoo tune")
    return found.run, False


def _earlier(folder: Path, plan: Plan, listener: Listener) -> Books | None:
    """The newest search of an equal plan."""
    for file in sorted(folder.glob(f"*/{SEARCH}"), reverse=True):
        try:
            books = Books.open(file.parent)
        except DataError as error:
            listener(Message(f"{error}; it is left as it is, and not taken over", warning=True))
            continue
        if not books.plan.differences(plan) and books.plan.trials == plan.trials:
            return books
    return None


def _winner(books: Books) -> Run | None:
    """The run of a finished search, whole and of today's versions."""
    status = books.status()
    if status.get("status") != "finished" or not status.get("run"):
        return None
    with suppress(ZooError):  # moved, or damaged: it is made again
        run = Run(status["run"])
        if (
            run.manifest.status == "finished"
            and run.manifest.versions == versions(run.manifest.builder)
            and is_whole(run)
        ):
            return run
    return None


def _tell(event: Any, listener: Listener) -> None:
    """Trials as lines; what the last training says as it is."""
    if isinstance(event, TrialEnded):
        listener(Message(outcome_line(event.trial)))
    elif isinstance(event, Event):
        listener(event)
