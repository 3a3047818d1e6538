"""Follows one `fit` of a caller's own model: keeps its best weights, tells its progress, stops where it must."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tuning.roles import Progress, Tell, TrialStoppedError
from zoo.errors import DivergedError, UsageError

BEAT_SECONDS = 2.0
"""A trial reports this often at least."""


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights of the epoch with the best objective.

    Args:
        objective: A name in the logs of `fit`, such as "val_accuracy".
        smaller_is_better: Its direction.
        identifier: The trial's.
        before: Epochs of the repeats before this one.
        total: Epochs of all repeats.
        tell: See `tuning.roles.Tell`.
        check: Raises where the search was interrupted.
    """

    def __init__(
        self,
        objective: str,
        *,
        smaller_is_better: bool,
        identifier: str,
        before: int,
        total: int,
        tell: Tell,
        check: Callable[[], None],
    ) -> None:
        super().__init__()
        self._objective, self._sign = objective, 1.0 if smaller_is_better else -1.0
        self._identifier, self._before, self.total = identifier, before, total
        self._tell, self._check = tell, check
        self._weights: list[np.ndarray] = []
        self._told_at = 0.0
        self.rows: list[dict[str, float]] = []
        self.best_epoch = 0

    @property
    def done(self) -> int:
        """Epochs of this training."""
        return len(self.rows)

    @property
    def at_best(self) -> Mapping[str, float]:
        """The logs of the best epoch."""
        return self.rows[self.best_epoch - 1]

    @property
    def train(self) -> dict[str, float]:
        """Metrics of the training split at the best epoch, as `fit` averaged them over the batches."""
        return {name: value for name, value in self.at_best.items() if not name.startswith("val_") and name != "epoch"}

    @property
    def validation(self) -> dict[str, float]:
        """Metrics of the validation data at the best epoch."""
        return {plain_name(name): value for name, value in self.at_best.items() if name.startswith("val_")}

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """A sign of life; and the end where the loss is lost, or the search over."""
        self._check()
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            raise DivergedError(f"the training loss became {logs} in epoch {self.done + 1}, step {batch + 1}")
        if time.monotonic() - self._told_at > BEAT_SECONDS:
            self._report()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Judges the epoch."""
        row = {"epoch": float(epoch + 1), **{name: float(value) for name, value in (logs or {}).items()}}
        if self._objective not in row:
            names = ", ".join(name for name in row if name != "epoch")
            raise UsageError(f"objective {self._objective!r} is not in the logs of fit; choose one of {names}")
        self.rows.append(row)
        value = row[self._objective]
        best = self.rows[self.best_epoch - 1][self._objective] if self.best_epoch else math.inf * self._sign
        if math.isfinite(value) and self._sign * value < self._sign * best:
            self.best_epoch, self._weights = self.done, self.model.get_weights()
        self._report()

    def finish(self, model: Any) -> None:
        """Puts the best weights back.

        Raises:
            DivergedError: The objective was never finite.
        """
        if not self.best_epoch:
            raise DivergedError(f"{self._objective} was never a finite number in {self.done} epochs")
        model.set_weights(self._weights)

    def _report(self) -> None:
        self._told_at = time.monotonic()
        score = self.at_best[self._objective] if self.best_epoch else None
        progress = Progress(id=self._identifier, epoch=self._before + self.done, epochs=self.total, score=score)
        if not self._tell(progress):
            raise TrialStoppedError


def plain_name(name: str) -> str:
    """A metric's name without the prefix of validation."""
    return name.removeprefix("val_")
