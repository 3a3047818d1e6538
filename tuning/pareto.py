"""What a search found at its best: the trials that no other beats in quality and cost at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuning.trial import COSTS, Trial, quality, rank
from zoo import metrics

CHEAPER = {
    "bytes": "smaller file",
    "arena_bytes": "smaller arena",
    "latency_us": "faster",
    "parameters": "fewer parameters",
}


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A trial on the front next to the chosen one.

    Attributes:
        how: What it is better in, such as "smaller file" or "smaller arena, faster".
    """

    trial: Trial
    how: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The chosen trial and what lies beside it on the front."""

    chosen: Trial
    neighbours: tuple[Neighbour, ...]


def front(trials: Sequence[Trial], objective: str, *, smaller_is_better: bool | None = None) -> list[Trial]:
    """The completed trials that no other equals or beats in quality and every cost, the best first.

    A cost that a trial lacks and others have counts as without bound. Of trials equal in all of it the one with fewer
    parameters, then the older, stays; a trial that stands for an earlier one of the same configuration is left out.

    Args:
        trials: Any, of one search.
        objective: The name of the score, which decides the direction.
        smaller_is_better: The direction of a metric that `zoo.metrics` does not know.
    """
    down = objective in metrics.ERRORS if smaller_is_better is None else smaller_is_better
    ordered = [trial for trial in rank(list(trials), objective, smaller_is_better=down) if not trial.same_as]
    names = dimensions(ordered)

    def position(trial: Trial) -> tuple[Any, ...]:
        return (quality(trial, down=down), *(trial.figures.cost(name) for name in names))

    # Ranked trials are in lexicographic order, in which nothing that comes later can beat what came before.
    kept: list[tuple[Trial, tuple[Any, ...]]] = []
    for trial in ordered:
        at = position(trial)
        if not any(all(one <= other for one, other in zip(better, at, strict=True)) for _, better in kept):
            kept.append((trial, at))
    return [trial for trial, _ in kept]


def dimensions(trials: Sequence[Trial]) -> tuple[str, ...]:
    """The costs that were measured of any completed trial; parameters count only where nothing else was."""
    figures = [trial.figures for trial in trials if trial.status == "completed"]
    found = tuple(name for name in COSTS[:-1] if any(math.isfinite(entry.cost(name)) for entry in figures))
    return found or COSTS[-1:]


def choose(found: Sequence[Trial], chosen: Trial | None = None) -> Choice | None:
    """The chosen trial of a front with its neighbours; None where the front is empty.

    Args:
        found: What `front` returned.
        chosen: Another than the best, which is the default.

    Returns:
        Neighbours: for each cost the best of those that are cheaper in it, and the next better one.
    """
    if not found:
        return None
    names = dimensions(found)
    chosen = found[0] if chosen is None else chosen
    place = next((at for at, trial in enumerate(found) if trial.id == chosen.id), 0)
    beside: dict[str, list[str]] = {}
    for name in names:
        own = chosen.figures.cost(name)
        cheaper = next((trial for trial in found[place + 1 :] if trial.figures.cost(name) < own), None)
        if cheaper is not None:
            beside.setdefault(cheaper.id, []).append(CHEAPER[name])
    if place > 0:
        beside.setdefault(found[place - 1].id, []).append("better")
    by_id = {trial.id: trial for trial in found}
    neighbours = tuple(Neighbour(trial=by_id[key], how=", ".join(words)) for key, words in beside.items())
    return Choice(chosen=chosen, neighbours=neighbours)
