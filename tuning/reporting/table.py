"""`trials.csv`: one row a trial, every figure in full precision."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.books import TABLE, Books
from tuning.trial import MEASURED, Trial
from zoo.runs import write_text

VALUES = "values."
"""Before the name of a knob, so that a knob called "epochs" is no other column."""

SPLITS = ("train", "validation", "exported")


def write_table(books: Books, trials: Sequence[Trial]) -> Path:
    """Writes `trials.csv` of a search and returns it.

    Columns: `id`, `status`, `score`, `spread` (largest less smallest score of the repeats) and `repeats`;
    `values.<knob>` for each knob that any trial has; `train_<metric>`, `validation_<metric>` and `exported_<metric>`;
    `bytes`, `arena_bytes`, `latency_us`, `macs`, `parameters`, `form`; `epochs` trained, `best_epoch`, `seconds`,
    `worker`, `attempt`, `reason`, `same_as`. What a trial does not have is empty.

    Args:
        books: Of the search.
        trials: Any, a row each, in this order.

    Raises:
        ResourceError: The folder cannot be written.

    Example:
        >>> pandas.read_csv(books.path / "trials.csv", dtype={"id": str, "same_as": str})
    """
    path = books.path / TABLE
    write_text(path, table_text(trials))
    return path


def table_text(trials: Sequence[Trial]) -> str:
    """The content of `trials.csv`."""
    rows = [_row(trial) for trial in trials]
    first = ("id", "status", "score", "spread", "repeats")
    knobs = dict.fromkeys(VALUES + name for trial in trials for name in trial.values)
    measured = [name for split in SPLITS for name in dict.fromkeys(_metric_names(trials, split))]
    last = (*MEASURED, "form", "epochs", "best_epoch", "seconds", "worker", "attempt", "reason", "same_as")
    text = io.StringIO()
    writer = csv.DictWriter(text, [*first, *knobs, *measured, *last], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def spread(trial: Trial) -> float | None:
    """Largest less smallest score of the repeats; None of fewer than two."""
    return max(trial.scores) - min(trial.scores) if len(trial.scores) > 1 else None


def _metric_names(trials: Iterable[Trial], split: str) -> Iterable[str]:
    return (f"{split}_{name}" for trial in trials for name in trial.metrics.get(split) or ())


def _row(trial: Trial) -> Mapping[str, Any]:
    metrics = {f"{split}_{name}": value for split in SPLITS for name, value in (trial.metrics.get(split) or {}).items()}
    row: dict[str, Any] = {
        "id": trial.id,
        "status": trial.status,
        "score": trial.score,
        "spread": spread(trial),
        "repeats": len(trial.scores) or None,
        **{VALUES + name: value for name, value in trial.values.items()},
        **metrics,
        **{name: getattr(trial.figures, name) for name in (*MEASURED, "form")},
        "epochs": trial.done,
        "best_epoch": trial.best,
        "seconds": trial.seconds,
        "worker": trial.worker,
        "attempt": trial.attempt,
        "reason": " ".join(trial.reason.split()),
        "same_as": trial.same_as,
    }
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    """A float in the fewest digits that give it back; nothing where it is no finite number."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return value
