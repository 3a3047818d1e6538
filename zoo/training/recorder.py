"""What a training leaves on disk while it runs: best weights, checkpoint, history, TensorBoard."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.runs import HISTORY, MODEL, TENSORBOARD, Run, atomic_path, write_text
from zoo.training import checkpoints

if TYPE_CHECKING:
    from zoo.training.loop import EpochEnd

SAVE_EVERY_SECONDS = 10.0
"""The best weights and the checkpoint go to disk this often at most: a run of many short epochs is not all saving."""


class Recorder:
    """Writes a training into its run folder.

    Args:
        loop: What is written.
        keeper: A float32 copy of the model, which takes the best weights; it is what is saved.
        tensorboard: Writes TensorBoard logs.
    """

    def __init__(self, run: Run, loop: EpochEnd, keeper: Any, *, tensorboard: bool) -> None:
        self._run, self._loop, self._keeper, self._tensorboard = run, loop, keeper, tensorboard
        self._snapshot: tuple[int, dict[str, np.ndarray], dict[str, Any]] | None = None
        self._writers: dict[str, Any] = {}
        self._saved_at = time.monotonic()

    def record(self) -> None:
        """Keeps the whole state at the end of an epoch, and writes it where the last time is long enough ago."""
        if self._loop.diverged:
            return
        # One assignment: an interrupt inside the next epoch finds the state of this one, whole.
        self._snapshot = self._loop.snapshot()
        if self._tensorboard:
            self._log(self._loop.progress.rows[-1])
        if time.monotonic() - self._saved_at > SAVE_EVERY_SECONDS:
            self.save()

    def save(self) -> None:
        """Writes the checkpoint, the best weights and the history."""
        if self._snapshot is not None:
            checkpoints.save(self._run.path, *self._snapshot)
        save_model(self.best_model(), self._run.path)
        write_history(self._run.path, self._loop.progress.rows)
        self._saved_at = time.monotonic()

    def best_model(self) -> Any:
        """The keeper with the best weights so far; those it began with where no epoch was measured."""
        self._keeper.set_weights(self._loop.best_weights)
        return self._keeper

    def close(self) -> None:
        """Closes the TensorBoard logs."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _log(self, row: Mapping[str, float]) -> None:
        """TensorBoard scalars: training and validation as two runs of the same tags, so that their curves overlay."""
        import tensorflow as tf

        for prefix, folder in (("train_", "train"), ("val_", "validation")):
            if folder not in self._writers:
                self._writers[folder] = tf.summary.create_file_writer(str(self._run.path / TENSORBOARD / folder))
            with self._writers[folder].as_default(step=int(row["epoch"])):
                for name, value in row.items():
                    if name.startswith(prefix):
                        tf.summary.scalar(name.removeprefix(prefix), value)
                if folder == "train":
                    for name in ("learning_rate", "objective", "penalty"):
                        tf.summary.scalar(name, row[name])
            self._writers[folder].flush()


def save_model(model: Any, folder: Path) -> None:
    """Writes a model as the folder's `model.keras`, whole or not at all."""
    with atomic_path(folder / MODEL) as temporary:
        model.save(temporary)


def write_history(folder: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes the folder's `history.csv`, a row an epoch, whole; nothing where there is no epoch."""
    if not rows:
        return
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / HISTORY, text.getvalue())
