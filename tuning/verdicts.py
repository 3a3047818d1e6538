"""What to say of a search that has nothing to hand back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tuning.plan import Limits
from tuning.trial import Figures, Trial
from zoo.errors import DivergedError, GateError, ResourceError, ZooError
from zoo.training.study_plan import text as written

COMMONEST = 3


def no_winner(trials: Sequence[Trial], limits: Limits, folder: Path) -> ZooError:
    """Why none of the trials completed.

    Args:
        trials: All of a search.
        limits: What the device has.
        folder: Of the search.
    """
    failed = [trial for trial in trials if trial.status == "failed"]
    rejected = [trial for trial in trials if trial.status == "rejected"]
    if failed:
        besides = f"; {len(rejected)} more were rejected before their training" if rejected else ""
        return DivergedError(
            f"every trial failed: {_reasons(failed)}{besides}; correct the cause, or narrow the space with "
            "--space; see trials/*/trial.json"
        )
    if rejected and not limits:
        return DivergedError(
            f"every trial was refused: {_reasons(rejected)}; search other values with --space; see trials/*/trial.json"
        )
    if rejected:
        return GateError(_nothing_fits(rejected, limits))
    return ResourceError(
        "the time was over before any trial had ended; give more: "
        f"zoo tune --resume '{folder}' --max-time 30m, say (its folder is kept)"
    )


def _reasons(failed: Sequence[Trial]) -> str:
    """The commonest kinds of failure, each with its count and an example."""
    kinds = Counter(trial.reason.partition(":")[0] for trial in failed)
    said = []
    for kind, count in kinds.most_common(COMMONEST):
        example = next(trial.reason for trial in failed if trial.reason.partition(":")[0] == kind)
        said.append(f"{count} x {example}")
    if len(kinds) > COMMONEST:
        said.append(f"{len(kinds) - COMMONEST} other reasons")
    return "; ".join(said)


def _nothing_fits(rejected: Sequence[Trial], limits: Limits) -> str:
    smallest = min(rejected, key=lambda trial: (_size(trial.figures.bytes), _size(trial.figures.parameters), trial.id))
    values = ", ".join(f"{name}={written(value)}" for name, value in smallest.values.items())
    figures = _compared(smallest.figures, limits) or smallest.reason
    return (
        f"nothing fits: all {len(rejected)} candidates were rejected; the smallest, trial {smallest.id} ({values}), "
        f"has {figures}; allow more, or search smaller models with --space"
    )


def _size(value: int | None) -> float:
    return math.inf if value is None else value


def _compared(figures: Figures, limits: Limits) -> str:
    """What the candidate has and what is allowed."""
    rows = (
        ("bytes of flash", figures.bytes, limits.flash),
        ("bytes of arena", figures.arena_bytes, limits.arena),
        ("us a sample", figures.latency_us, limits.latency_us),
        ("MACs", figures.macs, limits.macs),
    )
    said = [
        f"{value:,.0f} {unit}{'' if limit is None else f' where {limit:,.0f} are allowed'}"
        for unit, value, limit in rows
        if value is not None
    ]
    if figures.bytes is None and figures.parameters is not None:
        said.append(f"{figures.parameters:,} parameters")
    return ", ".join(said)
