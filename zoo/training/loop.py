"""One epoch after the other: fit under our order, measure, keep the best, stop for a reason."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from zoo import metrics
from zoo.config import KEEP_LAST, TrainingConfig
from zoo.training.events import BatchDone, EpochDone, Listener
from zoo.training.measure import Measured, inference
from zoo.training.pipeline import EpochOrder

PLATEAU_EPOCHS, PLATEAU_FACTOR = 3, 0.3
"""The plateau schedule: after so many epochs without a better loss the rate is multiplied by this."""


@dataclass
class Progress:
    """Where the loop stands; with the variables, all that a checkpoint holds.

    Attributes:
        rows: History, a row an epoch.
        best: Value of the deciding metric at the best epoch, and its loss.
        best_epoch: 1-based; 0 before the first.
        waited: Epochs since the best.
        plateau_best: Lowest validation loss that the plateau schedule saw, and epochs since.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best: float = math.nan
    best_loss: float = math.nan
    best_epoch: int = 0
    waited: int = 0
    plateau_best: float = math.nan
    plateau_waited: int = 0


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures after each epoch, keeps the best weights and decides when to stop; it writes no files.

    Args:
        metric: Validation metric that decides unless the last weights are kept; ties go to the lower loss.
        train: A fixed sample of the training split.
        model: The compiled model.

    Attributes:
        best_weights: As `keras.Model.get_weights` gave them at the best epoch; those it began with before the first.
    """

    def __init__(
        self,
        config: TrainingConfig,
        metric: str,
        *,
        train: Measured,
        validation: Measured,
        order: EpochOrder,
        model: Any,
        listener: Listener,
    ) -> None:
        super().__init__()
        self.config, self.metric = config, metric
        self.train, self.validation = train, validation
        self._order, self._listener = order, listener
        self.set_model(model)
        self.forward = inference(model)
        self.progress = Progress()
        self.diverged = ""
        self.best_weights: Sequence[np.ndarray] = model.get_weights()
        self._loss = math.nan
        self._epoch_began = time.monotonic()

    @property
    def done(self) -> bool:
        """Whether nothing is left to train: the epochs are over, or patience is."""
        patience = self.config.patience
        over = len(self.progress.rows) >= self.config.epochs
        return over or bool(patience and self.progress.waited >= patience)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Sets the order before Keras makes the epoch's iterator."""
        del logs
        self._order.epoch = epoch
        self._epoch_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Stops at once on a loss that is not finite: the weights behind it are lost already."""
        self._loss = float((logs or {}).get("loss", math.nan))
        if not math.isfinite(self._loss):
            self._diverge(f"the training loss became {self._loss} in epoch {self._order.epoch + 1}, step {batch + 1}")
            return
        self._listener(BatchDone(self._order.epoch + 1, batch + 1, self._loss))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Measures, keeps the weights where they are the best, and decides whether to go on."""
        if self.diverged:
            return
        row = self._row(epoch, logs or {})
        if not math.isfinite(row["val_loss"]):
            self._diverge(f"the validation loss became {row['val_loss']} in epoch {epoch + 1}")
            return
        self.progress.rows.append(row)
        best = self._judge(row)
        self._lower_rate(row["val_loss"])
        self._listener(EpochDone(row, best))
        if self.done:
            self.model.stop_training = True

    def snapshot(self) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
        """Epochs done, every variable by name, and the progress: what `restore` takes."""
        arrays = {name: np.asarray(variable) for variable, name in self._named_variables()}
        arrays |= {f"best{index}": weights for index, weights in enumerate(self.best_weights)}
        return len(self.progress.rows), arrays, copy.deepcopy(vars(self.progress))

    def restore(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        """Puts a checkpoint back."""
        for variable, name in self._named_variables():
            variable.assign(arrays[name])
        self.best_weights = [arrays[f"best{index}"] for index in range(len(self.model.weights))]
        numbers: dict[str, Any] = {k: math.nan if value is None else value for k, value in state.items() if k != "rows"}
        rows = [{key: math.nan if value is None else value for key, value in row.items()} for row in state["rows"]]
        self.progress = Progress(rows=rows, **numbers)

    def _row(self, epoch: int, logs: Mapping[str, float]) -> dict[str, float]:
        train, _ = self.train.measure(self.forward)
        validation, _ = self.validation.measure(self.forward)
        penalty = float(sum(float(term) for term in self.model.losses))
        row = {
            "epoch": epoch + 1,
            "seconds": round(time.monotonic() - self._epoch_began, 3),
            "learning_rate": float(self.model.optimizer.learning_rate),
            "objective": self._loss,
            "penalty": penalty,
            "train_loss": train.pop("loss"),
            "val_loss": validation.pop("loss"),
        }
        row |= {f"train_{name}": value for name, value in train.items()}
        row |= {f"val_{name}": value for name, value in validation.items()}
        return row | {f"own_{name}": float(value) for name, value in logs.items() if name != "loss"}

    def _judge(self, row: Mapping[str, float]) -> bool:
        """Whether the epoch is the best so far; its weights are kept then."""
        progress, value, loss = self.progress, row[f"val_{self.metric}"], row["val_loss"]
        tied = value == progress.best or (math.isnan(value) and math.isnan(progress.best))
        best = (
            self.config.monitor == KEEP_LAST
            or metrics.better(self.metric, value, progress.best)
            or (tied and metrics.better("loss", loss, progress.best_loss))
        )
        if best:
            progress.best, progress.best_loss, progress.best_epoch = value, loss, len(progress.rows)
            self.best_weights = self.model.get_weights()
        progress.waited = 0 if best else progress.waited + 1
        return best

    def _lower_rate(self, loss: float) -> None:
        if self.config.schedule != "plateau":
            return
        progress = self.progress
        if metrics.better("loss", loss, progress.plateau_best):
            progress.plateau_best, progress.plateau_waited = loss, 0
            return
        progress.plateau_waited += 1
        if progress.plateau_waited >= PLATEAU_EPOCHS:
            self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate * PLATEAU_FACTOR)
            progress.plateau_waited = 0

    def _diverge(self, why: str) -> None:
        self.diverged = why
        self.model.stop_training = True

    def _named_variables(self) -> list[tuple[Any, str]]:
        """Every variable of model and optimizer, seed states included, with its place as its name."""
        variables = [(variable, f"model{index}") for index, variable in enumerate(self.model.variables)]
        return variables + [(v, f"optimizer{index}") for index, v in enumerate(self.model.optimizer.variables)]
