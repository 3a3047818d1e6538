"""What a person sees while a model trains: a live line on a terminal, plain lines elsewhere; on standard error."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.cli import hush
from zoo.reporting.summary import number, verdict
from zoo.runs import Run
from zoo.training.events import BatchDone, EpochDone, Event, Message, Started

REFRESH_SECONDS = 0.1
SILENCE_SECONDS = 15.0
"""After which the next epoch has a line, however many there are."""


class HushableConsole(Console):
    """A console whose reader may go away: `zoo train ... 2>&1 | head` must not end the training."""

    def on_broken_pipe(self) -> None:
        """Says nothing from now on; rich would end the process."""
        self.quiet = True
        hush()


class TrainingDisplay:
    """Shows training events; a context manager, so that the terminal is put right however training ends.

    Args:
        console: Where to write; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or HushableConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task: Any = None
        self._started: Started | None = None
        self._shown_at = 0.0
        self._told_at = time.monotonic()
        self._figures = ""

    def __enter__(self) -> TrainingDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._progress.stop()

    def show(self, event: Event) -> None:
        """Shows one event."""
        if isinstance(event, Message):
            self._console.print(event.text, style="bold red" if event.warning else "", markup=False)
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, BatchDone):
            self._batch(event)
        elif isinstance(event, EpochDone):
            self._epoch(event)

    def _start(self, event: Started) -> None:
        self._started = event
        going_on = f", going on after epoch {event.first_epoch}" if event.first_epoch else ""
        self._console.print(
            f"training {event.parameters:,} parameters for {event.epochs} epochs of {event.steps} steps{going_on}",
            markup=False,
        )
        if self._console.is_terminal:
            total, done = event.steps * event.epochs, event.steps * event.first_epoch
            epoch = f"{event.first_epoch + 1}/{event.epochs}"
            self._task = self._progress.add_task("", total=total, completed=done, epoch=epoch, figures="")
            self._progress.start()

    def _batch(self, event: BatchDone) -> None:
        if self._started is None or self._task is None or time.monotonic() - self._shown_at < REFRESH_SECONDS:
            return
        self._shown_at = time.monotonic()
        self._progress.update(
            self._task,
            completed=(event.epoch - 1) * self._started.steps + event.step,
            epoch=f"{event.epoch}/{self._started.epochs}",
            figures=f"loss {event.loss:.4f} {self._figures}",
        )

    def _epoch(self, event: EpochDone) -> None:
        if self._started is None:
            return
        row, metric = event.row, self._started.metric
        value = row[f"val_{metric}"]
        self._figures = f"val_{metric} {value:.4f}"
        done, epochs = int(row["epoch"]), self._started.epochs
        if self._task is not None:
            self._progress.update(self._task, completed=done * self._started.steps)
        if _worth_a_line(done, epochs) or time.monotonic() - self._told_at > SILENCE_SECONDS:
            self._told_at = time.monotonic()
            self._console.print(
                f"epoch {done}/{epochs}  loss {row['objective']:.4f}  val_loss {row['val_loss']:.4f}  {self._figures}"
                f"  learning_rate {row['learning_rate']:.2g}  {row['seconds']:.1f} s{'  best' if event.best else ''}",
                markup=False,
            )


class StudyDisplay:
    """Shows the trainings of a study, a line each; on a terminal the epoch at hand below them."""

    def __init__(self) -> None:
        self._console = HushableConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._status = self._console.status("")

    def __enter__(self) -> StudyDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, event: Event) -> None:
        """Shows one event."""
        if isinstance(event, Message):
            self._console.print(event.text, style="bold red" if event.warning else "", markup=False)
        elif isinstance(event, EpochDone) and self._console.is_terminal:
            row = event.row
            self._status.update(f"epoch {row['epoch']:g}  loss {row['objective']:.4f}  val_loss {row['val_loss']:.4f}")
            self._status.start()


def _worth_a_line(epoch: int, epochs: int) -> bool:
    """The first, the last, and about thirty for any number of epochs."""
    return epochs <= 30 or epoch in (1, epochs) or epoch % math.ceil(epochs / 30) == 0


def closing(run: Run, seconds: float) -> str:
    """The summary under a finished training, for people."""
    manifest = run.manifest
    lines = []
    for split in ("test", "validation", "train"):
        figures = "  ".join(
            f"{name} {value:.4f}" for name, value in manifest.metrics[split].items() if math.isfinite(number(value))
        )
        lines.append(f"{split:<11} {figures}")
    for name, values in manifest.baselines.items():
        figures = "  ".join(
            f"{key} {value:.4f}" for key, value in values.items() if key != "samples" and math.isfinite(number(value))
        )
        if figures:
            lines.append(f"{name:<11} {figures}  (baseline, on the test split)")
    lines.append(verdict(manifest))
    if manifest.data.get("stand_in"):
        lines.append(f"WARNING: not the real data: {manifest.data.get('note')}")
    epochs = manifest.epochs
    lines += [
        f"best epoch {epochs['best']} of {epochs['done']}, {manifest.parameters:,} parameters, {seconds:.1f} s",
        f"run     {run.path}",
        f"next    zoo export '{run.path}' --quantize int8",
    ]
    return "\n".join(lines)
