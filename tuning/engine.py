"""Deals the trials of a search, takes them back, and decides when it is over; its whole state is in the trial files."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.books import TRIALS, Books
from tuning.durations import show_seconds
from tuning.replaying import make_trial, replay
from tuning.roles import (
    Progress,
    SearchEvent,
    SearchListener,
    TrialEnded,
    TrialMoved,
    TrialReturned,
    TrialStarted,
    Wait,
)
from tuning.trial import ENDED, Trial
from tuning.verdicts import no_winner
from zoo.settings import quiet_tensorflow
from zoo.training.events import Message

if TYPE_CHECKING:
    from tuning.proposals import SearchSpace

MAX_ATTEMPTS = 2
"""Workers that may die with a trial before it counts as failed."""


class Engine:
    """A `tuning.roles.Keeper` over a search's folder; any thread may call it.

    Every change is one file written whole: a process that is killed loses at most the trials that its workers were at.

    Args:
        books: The search's folder; whoever makes an engine holds its lock.
        space: What the plan's rows stand for.
        oracle_epochs: Of a trial that Hyperband trains to the end.
        listener: Told what happens, never while a lock is held.
        clock: Seconds.
        leave_running: Trials that run by the books are still with their workers, which will be heard or `lose`d; else
            their workers died with the process that dealt them.
    """

    def __init__(
        self,
        books: Books,
        space: SearchSpace,
        oracle_epochs: int,
        listener: SearchListener,
        *,
        clock: Callable[[], float] = time.monotonic,
        leave_running: bool = False,
    ) -> None:
        quiet_tensorflow()
        from tuning.oracles import make_oracle

        self._books, self._plan, self._space, self._listener, self._clock = books, books.plan, space, listener, clock
        self._lock, self._begin, self._said = threading.RLock(), clock(), set[str]()
        self._used = float(books.status().get("seconds") or 0.0)
        self._oracle = make_oracle(books.plan, space, oracle_epochs)
        with self._telling() as say:
            self._rebuild(say, leave_running)

    @property
    def trials(self) -> list[Trial]:
        """All trials as they stand, by creation."""
        with self._lock:
            return sorted(self._trials.values(), key=lambda trial: trial.id)

    @property
    def seconds(self) -> float:
        """Spent on the search so far, by this process and those before it."""
        return self._used + self._clock() - self._begin

    @property
    def seconds_left(self) -> float | None:
        """Until the time is over, 0 where it is; None where there is no limit."""
        limit = self._plan.max_seconds
        return None if limit is None else max(0.0, limit - self.seconds)

    def deal(self, worker: str) -> Trial | Wait | None:
        """As `tuning.roles.Dealer`."""
        with self._telling() as say:
            for trial in self._with(worker):
                self._lose(trial, "its worker began anew", say)
            dealt = self._next(say)
            if isinstance(dealt, Trial):
                dealt = replace(dealt, worker=worker)
                self._write(dealt)
                say(TrialStarted(trial=dealt))
            return dealt

    def tell(self, progress: Progress) -> bool:
        """As `tuning.roles.Dealer`."""
        with self._telling() as say:
            trial = self._trials.get(progress.id)
            if trial is None or trial.status != "running" or not trial.worker:
                return False
            if progress.worker and progress.worker != trial.worker:
                return False
            say(TrialMoved(progress=progress))
            trained = bool(progress.doing) and progress.epoch > 0  # what is left to do takes seconds
            return trained or self.seconds_left != 0

    def end(self, trial: Trial) -> None:
        """As `tuning.roles.Dealer`; what was meanwhile given to another worker changes nothing either."""
        with self._telling() as say:
            if self._is_with(trial):
                self._finish(trial, say)

    def put_back(self, trial: Trial) -> None:
        """As `tuning.roles.Dealer`."""
        with self._telling() as say:
            if self._is_with(trial):
                self._write(replace(self._trials[trial.id], worker=""))
                say(TrialReturned(trial=self._trials[trial.id]))

    def lose(self, trial: Trial, cause: str) -> None:
        """As `tuning.roles.Keeper`."""
        with self._telling() as say:
            if self._is_with(trial):
                self._lose(self._trials[trial.id], cause, say)

    def finish(self) -> Trial:
        """The best trial.

        Raises:
            DivergedError: Every trial failed; the commonest reasons are named.
            GateError: Nothing fits the limits; the smallest candidate's figures are named.
            ResourceError: The time was over before any trial had ended.
        """
        trials = self.trials
        ranked = self._books.ranked(trials)
        if not ranked:
            raise no_winner(trials, self._plan.limits, self._books.path)
        return ranked[0]

    def _rebuild(self, say: SearchListener, leave_running: bool) -> None:
        """Makes the state again from the trial files."""
        self._drop_unborn()
        recorded, damaged = self._books.trials()
        found = replay(self._oracle, self._space, recorded, [folder.name for folder in self._folders()])
        self._trials, self._events = found.trials, found.events
        for line in damaged:
            say(Message(line, warning=True))
        for trial in found.remade:
            what = "it is run again" if trial.status == "running" else trial.reason
            say(Message(f"trial {trial.id} has no record that can be read; {what}", warning=True))
            self._write(trial)
        if not leave_running:
            for trial in [trial for trial in self.trials if trial.status == "running" and trial.worker]:
                self._lose(trial, "killed, or out of memory", say)

    def _drop_unborn(self) -> None:
        """Removes a last folder that a process was killed over before its record was written: nobody ran it."""
        last = max(self._folders(), key=lambda folder: int(folder.name), default=None)
        if last is not None and all(entry.name.startswith(".") for entry in last.iterdir()):
            shutil.rmtree(last)

    def _folders(self) -> list[Path]:
        return [folder for folder in (self._books.path / TRIALS).glob("[0-9]*") if folder.name.isdigit()]

    def _next(self, say: SearchListener) -> Trial | Wait | None:
        """The trial to deal, one that waits for a worker before a new one."""
        if self.seconds_left == 0:
            self._say_once(f"the time of {show_seconds(self._plan.max_seconds or 0)} is over", say)
            return None
        open_trials = [trial for trial in self.trials if trial.status == "running"]
        waiting = next((trial for trial in open_trials if not trial.worker), None)
        if waiting is not None:
            return waiting
        trained = sum(trial.status in ("completed", "failed") for trial in self._trials.values())
        if trained + len(open_trials) >= self._plan.trials:
            return "wait" if open_trials else None
        stop = self._hopeless()
        if not stop:
            identifier = f"{max(map(int, self._trials), default=-1) + 1:04d}"
            proposed = self._oracle.propose(identifier)
            if not isinstance(proposed, str):
                return make_trial(identifier, proposed, self._take_event(), self._space)
            stop = f"the space has no more than {len(self._trials)} different trials; widen it with --space"
        if open_trials:
            return "wait"
        self._say_once(stop, say)
        return None

    def _hopeless(self) -> str:
        """Why there is no point in proposing more; empty where there is."""
        ended = sorted((trial.ended, trial.status) for trial in self._trials.values() if trial.ended is not None)
        in_a_row = 0
        for _, status in reversed(ended):
            if status != "rejected":
                break
            in_a_row += 1
        most = max(50, 5 * self._plan.trials)
        return f"{in_a_row} candidates in a row were rejected; the search stops" if in_a_row >= most else ""

    def _finish(self, trial: Trial, say: SearchListener) -> None:
        """Writes an outcome, and all that follows from it."""
        dealt = self._trials[trial.id]
        if trial.status not in ENDED:
            trial = replace(trial, status="failed", reason=f"no outcome: it came back as {trial.status}")
        if trial.status == "completed" and (trial.score is None or not math.isfinite(trial.score)):
            trial = replace(trial, status="failed", score=None, reason=f"diverged: its score is {trial.score}")
        trial = replace(
            trial, values=dealt.values, proposed=dealt.proposed, created=dealt.created, ended=self._take_event()
        )
        self._write(trial)
        self._oracle.conclude(trial.id, trial.status, trial.score)
        self._note_seconds()
        self._books.prune()
        say(TrialEnded(trial=trial))

    def _lose(self, trial: Trial, cause: str, say: SearchListener) -> None:
        """A trial without its worker is dealt again, but not for ever: it may be what kills them."""
        if trial.attempt < MAX_ATTEMPTS:
            self._write(replace(trial, worker="", attempt=trial.attempt + 1))
            say(TrialReturned(trial=self._trials[trial.id]))
            return
        reason = f"its worker died with it, {trial.attempt} times: {cause}"
        self._finish(replace(trial, status="failed", reason=reason), say)

    def _is_with(self, trial: Trial) -> bool:
        """Whether the trial is still in the hands of the worker that it was dealt to."""
        now = self._trials[trial.id]
        return (
            now.status == "running" and bool(now.worker) and (now.worker, now.attempt) == (trial.worker, trial.attempt)
        )

    def _with(self, worker: str) -> list[Trial]:
        return [trial for trial in self.trials if trial.status == "running" and trial.worker == worker]

    def _write(self, trial: Trial) -> None:
        """The file first: what it does not say has not happened."""
        self._books.write(trial)
        self._trials[trial.id] = trial

    def _take_event(self) -> int:
        self._events += 1
        return self._events - 1

    def _note_seconds(self) -> None:
        """Keeps the time used in `search.json`, whatever else is noted there."""
        status = self._books.status()
        known = {*self._plan.to_json(), "status", "seconds"}
        rest = {key: value for key, value in status.items() if key not in known}
        self._books.write_plan("running", **rest, seconds=self.seconds)

    def _say_once(self, text: str, say: SearchListener) -> None:
        """Why the search is over, however many workers ask."""
        if text not in self._said:
            self._said.add(text)
            say(Message(text))

    @contextmanager
    def _telling(self) -> Iterator[SearchListener]:
        """The lock; what is said under it is told after it, so that a listener may ask the engine."""
        said: list[SearchEvent] = []
        try:
            with self._lock:
                yield said.append
        finally:
            for event in said:
                self._listener(event)
