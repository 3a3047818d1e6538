"""Who does what in a search: one deals trials, others run them, somebody listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from tuning.trial import Trial, outcome_line
from zoo.training.events import EpochDone, Event, Message, Started, log

Wait = Literal["wait"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A sign of life of a trial, at least every few seconds.

    Attributes:
        id: The trial's.
        doing: Such as "exporting"; empty while it trains.
        epoch: Epochs done, over all repeats.
        epochs: In all.
        score: The objective after that epoch; None before the first.
        worker: Who says so; empty where nobody else could.
    """

    id: str
    doing: str = ""
    epoch: int = 0
    epochs: int = 0
    score: float | None = None
    worker: str = ""


@dataclass(frozen=True, kw_only=True)
class TrialStarted:
    """A worker has begun with a trial."""

    trial: Trial


@dataclass(frozen=True, kw_only=True)
class TrialMoved:
    """A trial is alive."""

    progress: Progress


@dataclass(frozen=True, kw_only=True)
class TrialEnded:
    """A trial has ended, and the books are written."""

    trial: Trial


@dataclass(frozen=True, kw_only=True)
class TrialReturned:
    """A trial is with no worker any more: it waits to be dealt again."""

    trial: Trial


@dataclass(frozen=True, kw_only=True)
class WorkerChanged:
    """A worker came, died or left.

    Attributes:
        what: Such as "joined" or "died of signal 9, started again".
    """

    worker: str
    what: str


SearchEvent = Message | TrialStarted | TrialMoved | TrialEnded | TrialReturned | WorkerChanged
SearchListener = Callable[[SearchEvent], None]


def listen(event: SearchEvent | Event) -> None:
    """The listener of a notebook: messages, and what became of each trial, go to the logger "zoo"."""
    if isinstance(event, TrialEnded):
        log(Message(outcome_line(event.trial)))
    elif isinstance(event, (Message, Started, EpochDone)):
        log(event)


Tell = Callable[[Progress], bool]
"""Reports progress; False asks to stop: the trial's time is over, or it was given to another."""


class Dealer(Protocol):
    """Hands out trials and takes them back: the engine itself, or its other end on another process."""

    def deal(self, worker: str) -> Trial | Wait | None:
        """A trial to run; "wait" where one may come later; None when the search is over.

        A worker that asks again before it ended its trial is given the same one, as the next attempt.
        """

    def tell(self, progress: Progress) -> bool:
        """As `Tell`."""

    def end(self, trial: Trial) -> None:
        """Takes a trial back that is completed, failed or rejected; a second time changes nothing."""

    def put_back(self, trial: Trial) -> None:
        """Takes a trial back that was interrupted; it is dealt again, as if it had not been."""


class Keeper(Dealer, Protocol):
    """A dealer whose trials are run by many workers: it is told which of them are gone."""

    def lose(self, trial: Trial, cause: str) -> None:
        """Takes a trial back whose worker is gone: dealt again as its next attempt, or failed with the cause.

        Args:
            trial: As it was dealt; one that has ended, or was dealt again since, changes nothing.
            cause: One line, such as "killed by signal 9 (out of memory?)".
        """


class Runner(Protocol):
    """Runs trials: of recipes, or of a build function of the caller's own."""

    def run(self, trial: Trial, tell: Tell) -> Trial:
        """The trial with its outcome: "completed" or "rejected"; what is raised is a failure of the trial.

        Raises:
            TrialStoppedError: `tell` asked to stop.
            KeyboardInterrupt: Ctrl-C or SIGTERM, at a safe point.
        """


class TrialStoppedError(Exception):
    """A trial that was asked to stop and has no outcome."""
