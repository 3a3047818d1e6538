"""One trial of a search: what was proposed, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np

from zoo import metrics
from zoo.errors import DataError
from zoo.hyperparameters import Value

TrialStatus = Literal["running", "completed", "failed", "rejected"]
ENDED: tuple[TrialStatus, ...] = ("completed", "failed", "rejected")
MEASURED: tuple[str, ...] = ("bytes", "arena_bytes", "latency_us", "macs", "parameters")
"""Numbers of `Figures`, in the order in which they are shown."""

COSTS: tuple[str, ...] = ("bytes", "arena_bytes", "latency_us", "parameters")
"""What counts against a candidate, by the names of `Figures`; the first that differs decides between equal scores."""

SAME_LATENCY = 1.1
"""Latencies that lie closer than about this factor count as equal: on a shared machine the order of such is chance."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a candidate costs; None where it was not measured.

    Attributes:
        parameters: Of the Keras model.
        macs: Multiplications with addition of one sample.
        bytes: Of the exported file.
        arena_bytes: Of the tensor arena, measured on the host.
        latency_us: Median of one sample on this machine, one thread.
        ops: Operator name to count.
        form: One of `export.forms.FORMS`.
    """

    parameters: int | None = None
    macs: int | None = None
    bytes: int | None = None
    arena_bytes: int | None = None
    latency_us: float | None = None
    ops: Mapping[str, int] = field(default_factory=dict)
    form: str = ""

    def cost(self, name: str) -> float:
        """One of `COSTS` as a number to compare by, infinite where it was not measured; latencies in steps."""
        value = getattr(self, name)
        if value is None or not math.isfinite(value):
            return math.inf
        if name != "latency_us":
            return float(value)
        return float(round(math.log(max(value, 1e-9)) / math.log(SAME_LATENCY)))


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What `trial.json` says; whole at every moment, written by whoever changes it.

    Attributes:
        id: Four digits or more, in the order of creation.
        values: Knob to value as a person writes it.
        proposed: Name to value as the oracle has it, with its own entries such as "tuner/epochs".
        created: Place among all events of the search, creations and ends counted together.
        ended: Likewise; None while it runs.
        attempt: Above 1 where a worker died with it.
        epochs: Asked for by Hyperband; None for the configured ones.
        worker: Who runs or ran it.
        score: The objective, the mean over `scores`; None unless completed.
        scores: One for each repeat.
        reason: Why it failed or was rejected, one line.
        metrics: "train", "validation" and "exported" (of the exported file, on the validation split) to metric to
            value, at the best epoch, means over the repeats.
        figures: See `Figures`.
        done: Epochs trained; best: the epoch whose weights count; of several repeats the rounded mean.
        seconds: Wall-clock time, of the last attempt.
        same_as: The earlier trial of equal configuration whose result this is; empty where it was trained.
        digest: Equal for trials of equal configuration; empty where nobody knows.
    """

    id: str
    values: Mapping[str, Value]
    proposed: Mapping[str, Any]
    created: int
    ended: int | None = None
    status: TrialStatus = "running"
    attempt: int = 1
    epochs: int | None = None
    worker: str = ""
    score: float | None = None
    scores: tuple[float, ...] = ()
    reason: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    done: int = 0
    best: int = 0
    seconds: float = 0.0
    same_as: str = ""
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """The content of `trial.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any, where: str) -> Trial:
        """The inverse of `to_json`.

        Raises:
            DataError: It is no trial.
        """
        known = {entry.name for entry in fields(cls)}
        try:
            given = {key: value for key, value in content.items() if key in known}
            figures = Figures(**(given.get("figures") or {}))
            trial = cls(**{**given, "figures": figures, "scores": tuple(given.get("scores") or ())})
            whole = isinstance(trial.id, str) and isinstance(trial.created, int)
        except (TypeError, AttributeError) as error:
            raise DataError(f"{where} is no trial: {error}; it is damaged") from error
        if not whole or trial.status not in ("running", *ENDED):
            raise DataError(f"{where} is no trial: status {trial.status!r}; it is damaged")
        return trial


def mean_metrics(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over several trainings."""
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def outcome_line(trial: Trial) -> str:
    """What became of a trial, a line for a log."""
    result = f"scored {trial.score:.6g}" if trial.score is not None else f"{trial.status}: {trial.reason}"
    return f"trial {trial.id} {result}  {dict(trial.values)}"


def rank(trials: list[Trial], metric: str, *, smaller_is_better: bool | None = None) -> list[Trial]:
    """Completed trials, the best first; see `quality`; of equals the smaller by `COSTS` in their order, then the older.

    Args:
        trials: Any.
        metric: The objective's name, which decides the direction; trials whose score is not finite are left out.
        smaller_is_better: The direction of a metric that `zoo.metrics` does not know.
    """
    down = metric in metrics.ERRORS if smaller_is_better is None else smaller_is_better
    completed = [trial for trial in trials if trial.status == "completed" and _finite(trial.score)]

    def order(trial: Trial) -> tuple[Any, ...]:
        return (quality(trial, down=down), *(trial.figures.cost(name) for name in COSTS), trial.id)

    return sorted(completed, key=order)


def quality(trial: Trial, *, down: bool) -> tuple[float, float]:
    """What to compare trials by, less is better: the score; of equal scores, which few samples often give, the loss."""
    score = trial.score if trial.score is not None else math.nan
    losses = (trial.metrics.get(split, {}).get("loss") for split in ("exported", "validation"))
    loss = next((loss for loss in losses if loss is not None and math.isfinite(loss)), math.inf)
    return (score if down else -score, loss)


def _finite(score: float | None) -> bool:
    return score is not None and math.isfinite(score)
