"""A trial under way: its progress goes out, and it stops where it is asked to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from tuning.roles import Progress, Tell, TrialStoppedError
from zoo.training.events import EpochDone, Event

EVERY_SECONDS = 1.0
"""A sign of life comes as often as this, where the model's batches are not longer."""


class Watch:
    """Reports a trial's progress, and asks at every batch's end whether it is to go on.

    Args:
        identifier: Of the trial.
        tell: Told; False asks to stop.
        check: Raises where the search was interrupted.
        objective: A validation metric.

    Attributes:
        rows: History of the first repeat.
    """

    def __init__(self, identifier: str, tell: Tell, check: Callable[[], None], *, objective: str) -> None:
        self._id, self._tell, self._check, self._objective = identifier, tell, check, objective
        self._before, self._epochs, self._epoch = 0, 0, 0
        self._score: float | None = None
        self._doing, self._told = "", 0.0
        self._wanted = True
        self.rows: list[Mapping[str, float]] = []

    def expect(self, epochs: int) -> None:
        """Says how many epochs there will be, over all repeats."""
        self._epochs = epochs

    def begin(self, before: int) -> None:
        """A training begins, after so many epochs of earlier repeats."""
        self._before, self._epoch, self._doing = before, before, ""

    def doing(self, what: str) -> None:
        """Says what comes now.

        Raises:
            TrialStoppedError, KeyboardInterrupt: As `check`.
        """
        self._doing = what
        self._report()
        self.check()

    def listen(self, event: Event) -> None:
        """Takes the events of a training."""
        if not isinstance(event, EpochDone):
            return
        if self._before == 0:
            self.rows.append(event.row)
        self._epoch = self._before + int(event.row["epoch"])
        score = event.row.get(f"val_{self._objective}", math.nan)
        self._score = score if math.isfinite(score) else None
        self._report()

    def check(self) -> None:
        """Called at every batch's end.

        Raises:
            TrialStoppedError: The trial is not wanted any more.
            KeyboardInterrupt: The search was interrupted.
        """
        self._check()
        if time.monotonic() - self._told >= EVERY_SECONDS:
            self._report()
        if not self._wanted:
            raise TrialStoppedError(f"trial {self._id} was asked to stop")

    def _report(self) -> None:
        self._told = time.monotonic()
        progress = Progress(id=self._id, doing=self._doing, epoch=self._epoch, epochs=self._epochs, score=self._score)
        self._wanted = self._tell(progress) and self._wanted
