"""What a person sees of a search: a live table on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuning.books import Books
from tuning.durations import show_seconds
from tuning.reporting.words import figures_text, values_text
from tuning.roles import SearchEvent, TrialEnded, TrialMoved, TrialReturned, TrialStarted, WorkerChanged
from tuning.trial import Trial
from zoo.cli.display import HushableConsole, TrainingDisplay
from zoo.cli.search_result import closing, value
from zoo.cli.search_state import Running, SearchState, plain_score
from zoo.training.events import Event, Message, Started

REFRESHES = 4
"""Of the live table, a second at most."""

LAST = 5
"""Ended trials that the live table shows."""

MOST_RUNNING = 16
IN_A_ROW = 3
"""Rejections in a row that get a line each; further ones are summed up."""

SUMMED_UP = 50


class SearchDisplay:
    """Shows a search; a context manager, so that the terminal is put right however it ends.

    Events may come from several threads. Those of a training, which follows the search, are shown as `zoo train` does.

    Args:
        console: Where to write; standard error by default.
        clock: Seconds.
    """

    def __init__(self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or HushableConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._clock = clock
        self._lock = threading.RLock()
        self._state: SearchState | None = None
        self._live: Live | None = None
        self._training: TrainingDisplay | None = None
        self._rejected: list[Trial] = []  # in a row, the last ones

    def __enter__(self) -> SearchDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._training is not None:
            self._training.__exit__(kind, error, trace)

    def begin(self, books: Books) -> None:
        """The search begins, or goes on with the trials that it has.

        Raises:
            DataError: `search.json` is damaged.
        """
        trials, used = books.trials()[0], float(books.status().get("seconds") or 0.0)
        with self._lock:
            self._state = SearchState(books.plan, trials, used, self._clock())
            going_on = f", going on after {len(self._state.ended)}" if self._state.ended else ""
            plan = books.plan
            self._say(f"searching {', '.join(plan.names)}: {plan.trials} trials, {plan.tuner}{going_on}; {books.path}")
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=self._console, refresh_per_second=REFRESHES, transient=True
            )
            self._live.start()

    def show(self, event: SearchEvent | Event) -> None:
        """Shows one event."""
        with self._lock:
            if isinstance(event, Message):
                self._say(event.text, style="bold red" if event.warning else "")
            elif isinstance(event, WorkerChanged):
                self._say(f"worker {event.worker} {event.what}")
            elif isinstance(event, (TrialStarted, TrialMoved, TrialEnded, TrialReturned)):
                self._trial(event)
            else:
                self._train(event)

    def _trial(self, event: TrialStarted | TrialMoved | TrialEnded | TrialReturned) -> None:
        if self._state is None:
            return
        if isinstance(event, TrialStarted):
            self._state.start(event.trial)
        elif isinstance(event, TrialMoved):
            self._state.move(event.progress)
        elif isinstance(event, TrialReturned):
            self._state.drop(event.trial.id)
        else:
            self._state.end(event.trial)
            if self._live is None:
                self._ended(event.trial)

    def _train(self, event: Event) -> None:
        """Events of the winner's own training; those of trials are no one's business."""
        if isinstance(event, Started) and (self._state is None or not self._state.running):
            self._stop()
            self._training = TrainingDisplay(self._console)
        if self._training is not None:
            self._training.show(event)

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        with self._lock:
            self._sum_up()

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def _ended(self, trial: Trial) -> None:
        """A line for a trial that has ended; of many rejections in a row only the first ones have their own."""
        if trial.status != "rejected":
            self._sum_up()
            self._say(self._line(trial))
            return
        self._rejected.append(trial)
        if len(self._rejected) <= IN_A_ROW:
            self._say(self._line(trial))
        elif len(self._rejected) >= IN_A_ROW + SUMMED_UP:
            self._sum_up()

    def _sum_up(self) -> None:
        more, self._rejected = self._rejected[IN_A_ROW:], []
        if more:
            self._say(f"and {len(more)} more rejected, the last {more[-1].id}: {_one_line(more[-1].reason)}")

    def _line(self, trial: Trial) -> str:
        """Such as "0007 completed accuracy 0.9876 (best 0.9901 of 0003)  units 64  dropout 0.2  12.3 kB  14.2 s"."""
        if self._state is None:
            return ""
        what = _one_line(trial.reason)
        if trial.status == "completed":
            best = self._state.best or trial
            score = plain_score(self._state.plan.objective, best.score)
            as_earlier = f" (as {trial.same_as})" if trial.same_as else ""
            what = f"{self._state.score_text(trial.score)}{as_earlier} (best {score} of {best.id})"
        parts = (values_text(trial.values), figures_text(trial.figures), f"{trial.seconds:.1f} s")
        return "  ".join((f"{trial.id} {trial.status} {what}", *(part for part in parts if part)))

    def _table(self) -> RenderableType:
        """The live view: a line of counts and times, the trials under way, the last ended, the best."""
        with self._lock:
            state = self._state
            if state is None:
                return Text("")
            table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
            table.add_column("trial", no_wrap=True)
            table.add_column("worker", no_wrap=True, max_width=12, overflow="ellipsis")
            table.add_column("now", no_wrap=True, max_width=22, overflow="ellipsis")
            table.add_column(state.plan.objective, no_wrap=True, justify="right")
            table.add_column("cost", no_wrap=True, max_width=30, overflow="ellipsis")
            table.add_column("values", no_wrap=True, overflow="ellipsis", ratio=1)
            for running in list(state.running.values())[:MOST_RUNNING]:
                table.add_row(*self._running_cells(state, running))
            for trial in list(state.ended.values())[-LAST:][::-1]:
                table.add_row(*self._ended_cells(state, trial), style="dim")
            best = state.best
            if best is not None:
                table.add_section()
                table.add_row(*self._ended_cells(state, best, "best"), style="bold")
            return Group(Text(self._heading(state), no_wrap=True, overflow="ellipsis"), table)

    def _heading(self, state: SearchState) -> str:
        now = self._clock()
        counts = ", ".join(f"{state.count(status)} {status}" for status in ("completed", "failed", "rejected"))
        left = state.left(now)
        ending = "" if left is None else f", about {show_seconds(left)} left"
        return f"{state.counted} of {state.plan.trials} trials: {counts}  {show_seconds(state.elapsed(now))}{ending}"

    def _running_cells(self, state: SearchState, running: Running) -> list[Text]:
        trial, progress = running.trial, running.progress
        now = "starting" if progress is None else progress.doing or f"epoch {progress.epoch}/{progress.epochs}"
        score = plain_score(state.plan.objective, None if progress is None else progress.score)
        cells = (trial.id, trial.worker, now, score, figures_text(trial.figures), values_text(trial.values))
        return [Text(cell) for cell in cells]

    def _ended_cells(self, state: SearchState, trial: Trial, word: str = "") -> list[Text]:
        score = plain_score(state.plan.objective, trial.score)
        what = values_text(trial.values) if trial.status == "completed" else _one_line(trial.reason)
        cells = (trial.id, trial.worker, word or trial.status, score, figures_text(trial.figures), what)
        return [Text(cell) for cell in cells]


def _one_line(reason: str) -> str:
    return " ".join(reason.split())


__all__ = ["SearchDisplay", "closing", "value"]
