"""A search from its first trial to its last: who works, what is written, and what an interrupt leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.books import PAGE, Books, SearchStatus
from tuning.distribution.mailbox import Mailbox
from tuning.distribution.running import run_chief
from tuning.engine import Engine
from tuning.reporting.hparams import write_hparams
from tuning.reporting.page import write_page
from tuning.reporting.table import write_table
from tuning.roles import Runner, SearchEvent, SearchListener, TrialEnded
from tuning.working import work
from zoo.errors import InterruptedRunError, SigtermInterrupt, TerminatedRunError, ZooError
from zoo.reporting.summary import show
from zoo.training.events import Message
from zoo.training.interrupts import DeferredInterrupts

if TYPE_CHECKING:
    from tuning.oracles import SearchSpace
    from tuning.trial import Trial

REFRESH_SECONDS = 20.0
"""The table and the page of a search that runs are this old at most, and a trial."""

MakeRunner = Callable[[Callable[[], None]], AbstractContextManager[Runner]]
"""From what raises on an interrupt to a runner in this process."""


@dataclass(frozen=True, kw_only=True)
class Staff:
    """Who runs the trials.

    Attributes:
        make_runner: For this process.
        workers: Processes to start here instead; 0 for none.
        address: HOST:PORT to deal on for workers elsewhere; empty for none.
        resume: How to go on, with {} for the folder.
    """

    make_runner: MakeRunner
    workers: int = 0
    address: str = ""
    resume: str = "zoo tune --resume '{}'"


def conduct(books: Books, space: SearchSpace, epochs: int, staff: Staff, listener: SearchListener) -> Trial:
    """Runs a search until it is over, whose folder is locked by the caller.

    Args:
        books: Its folder.
        space: What the plan's rows stand for.
        epochs: Of a trial that Hyperband trains to the end.
        staff: Who runs the trials.
        listener: Told what happens.

    Returns:
        The best trial.

    Raises:
        DivergedError: Every trial failed.
        GateError: Nothing fits the limits.
        ResourceError: Nothing ended in time; or no worker can go on.
        InterruptedRunError: Ctrl-C, everything that ended is kept; SIGTERM raises TerminatedRunError.
    """
    hear = _Writer(books, listener)
    try:
        with DeferredInterrupts() as interrupts:
            best = _run(books, space, epochs, staff, hear, interrupts.check)
            interrupts.check()
    except KeyboardInterrupt as interrupt:
        hear.write("interrupted")
        terminated = isinstance(interrupt, SigtermInterrupt)
        kind = TerminatedRunError if terminated else InterruptedRunError
        raise kind(_interrupted(books, staff), run=books.path) from interrupt
    except ZooError as error:
        hear.write("failed")
        error.run = books.path
        raise
    except BaseException:
        hear.write("failed")
        raise
    hear.write("finished")
    return best


def _run(
    books: Books, space: SearchSpace, epochs: int, staff: Staff, hear: _Writer, check: Callable[[], None]
) -> Trial:
    """The trials, here or elsewhere, and the best of them."""
    box = Mailbox(hear)
    many = bool(staff.workers or staff.address)
    engine = Engine(books, space, epochs, box if many else hear, leave_running=bool(staff.address))
    hear.engine = engine
    books.write_plan("running", seconds=engine.seconds)
    check()
    if many:
        _many(books, engine, staff, box)
    else:
        with staff.make_runner(check) as runner:
            work(engine, runner, "here", check=check)
    return engine.finish()


def _many(books: Books, engine: Engine, staff: Staff, box: Mailbox) -> None:
    """The trials run in other processes; what they say is heard in this thread."""

    def told(address: str) -> None:
        if staff.address:
            join = f"zoo tune --worker {address}"
            box(Message(f"workers may come, also from other machines that share the folder: {join}"))

    run_chief(
        books,
        engine,
        staff.address or "127.0.0.1:0",
        workers=staff.workers,
        listener=box,
        on_address=told,
        seconds_left=lambda: engine.seconds_left,
        between=box.empty,
    )
    box.empty()


def _interrupted(books: Books, staff: Staff) -> str:
    ranked = books.ranked()
    so_far = "no trial had ended"
    if ranked:
        best = ranked[0]
        so_far = (
            f"the best so far is trial {best.id} with {books.plan.objective} {show(books.plan.objective, best.score)}"
        )
    return f"interrupted, {so_far}; everything is kept, go on with: {staff.resume.format(books.path)}"


class _Writer:
    """Hands events on, and keeps the table and the page of the search up to date.

    Attributes:
        engine: Set as soon as there is one.
    """

    def __init__(self, books: Books, listener: SearchListener) -> None:
        self._books, self._listener = books, listener
        self._written_at = time.monotonic()
        self.engine: Engine | None = None

    def __call__(self, event: SearchEvent) -> None:
        self._listener(event)
        due = time.monotonic() - self._written_at > REFRESH_SECONDS
        if isinstance(event, TrialEnded) and due and self.engine is not None:
            self._draw(self.engine.trials)
            self._written_at = time.monotonic()

    def write(self, status: SearchStatus) -> None:
        """The last state of everything that is seen."""
        trials, _ = self._books.trials()
        ranked = self._books.ranked(trials)
        seconds = self.engine.seconds if self.engine is not None else None
        self._books.write_plan(status, best=ranked[0].id if ranked else None, seconds=seconds)
        self._draw(trials)
        write_hparams(self._books, trials)

    def _draw(self, trials: list[Trial]) -> None:
        write_table(self._books, trials)
        try:
            write_page(self._books, trials)
        except (ValueError, RuntimeError, TypeError) as error:  # a plot that cannot be drawn is no end of a search
            self._listener(Message(f"{PAGE} was not drawn: {type(error).__name__}: {error}", warning=True))
