"""The plots of a search: its course, and quality against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuning.pareto import Choice, dimensions
from tuning.plan import Plan
from tuning.reporting.words import KILOBYTE, cost_label
from tuning.trial import Trial
from zoo.reporting.plots import BLUE, GREY, ORANGE, new_figure
from zoo.reporting.summary import label

RED = "#c2334d"
FAR = 6.0
"""Scores this many times the median deviation worse than the median are drawn at the edge: they flatten no plot."""

WIDE_COSTS = 20
UNITS = {"bytes": "exported file, kB", "arena_bytes": "tensor arena, kB", "latency_us": "latency, us"}
LIMITS = {"bytes": "flash", "arena_bytes": "arena", "latency_us": "latency_us"}
"""Name of a cost to the name of its limit."""


def scores_of(trials: Sequence[Trial]) -> np.ndarray:
    """Scores, (n,) float64; NaN where there is none."""
    return np.array([math.nan if trial.score is None else trial.score for trial in trials], dtype=np.float64)


def score_bounds(scores: np.ndarray, *, smaller_is_better: bool) -> tuple[float, float]:
    """Ends of an axis of scores that shows the good ones well; what is far worse than most lies outside.

    Args:
        scores: (n,) at least one of them finite.
        smaller_is_better: Their direction.
    """
    finite = scores[np.isfinite(scores)]
    middle = float(np.median(finite))
    far = FAR * max(float(np.median(np.abs(finite - middle))), 0.003 * abs(middle))
    least, most = float(finite.min()), float(finite.max())
    if smaller_is_better:
        most = min(most, middle + far)
    else:
        least = max(least, middle - far)
    margin = 0.06 * (most - least) or 0.01 * abs(most) or 0.01
    return least - margin, most + margin


def set_scores(axis: Any, trials: Sequence[Trial], plan: Plan, *, named: bool = True) -> tuple[float, float]:
    """Gives the vertical axis its ends, its name and a grid; returns the ends."""
    bounds = score_bounds(scores_of(trials), smaller_is_better=plan.smaller_is_better)
    axis.set_ylim(*bounds)
    if named:
        axis.set_ylabel(label(plan.objective))
    axis.ticklabel_format(axis="y", useOffset=False)
    axis.grid(visible=True)
    return bounds


def scatter(
    axis: Any, places: np.ndarray, scores: np.ndarray, bounds: tuple[float, float], *, colour: Any = BLUE, **more: Any
) -> None:
    """Points; those outside the bounds lie at the edge as triangles."""
    low, high = bounds
    inside = (scores >= low) & (scores <= high)
    axis.scatter(places[inside], scores[inside], s=18, color=colour, linewidths=0, alpha=0.75, **more)
    for outside, edge, marker in ((scores < low, low, "v"), (scores > high, high, "^")):
        if outside.any():
            at = np.full(int(outside.sum()), edge)
            axis.scatter(places[outside], at, s=26, color=colour, marker=marker, linewidths=0, clip_on=False)


def course(trials: Sequence[Trial], completed: Sequence[Trial], plan: Plan) -> Any:
    """Scores in the order in which trials ended, the best so far, and where one failed or was rejected."""
    ended = sorted((trial for trial in trials if trial.ended is not None), key=lambda trial: trial.ended or 0)
    place = {trial.id: at for at, trial in enumerate(ended, start=1)}
    own = [trial for trial in completed if trial.id in place]
    figure = new_figure(9.6, 3.2)
    axis = figure.subplots()
    if own:
        at, scores = np.array([place[trial.id] for trial in own], dtype=np.float64), scores_of(own)
        order = np.argsort(at)
        bounds = set_scores(axis, own, plan)
        scatter(axis, at, scores, bounds, label="trial")
        so_far = (np.minimum if plan.smaller_is_better else np.maximum).accumulate(scores[order])
        ends, last = np.append(at[order], len(ended)), np.append(so_far, so_far[-1])
        axis.step(ends, last, where="post", color=ORANGE, linewidth=1.8, label="best so far")
    for status, marker, colour in (("failed", "x", RED), ("rejected", "|", GREY)):
        found = [float(place[trial.id]) for trial in ended if trial.status == status]
        if found:
            across = axis.get_xaxis_transform()  # trial number across, height of the plot upwards
            axis.scatter(found, [0.03] * len(found), marker=marker, s=30, color=colour, transform=across, label=status)
    axis.set_xlabel("trials in the order of their ends")
    axis.set_xlim(0.5, max(len(ended), 1) + 0.5)
    axis.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside upper right", ncols=4)
    return figure


def front_pictures(found: Sequence[Trial], completed: Sequence[Trial], choice: Choice, plan: Plan) -> dict[str, Any]:
    """Quality against each cost that was measured: name of the cost to its figure."""
    return {name: _front(name, found, completed, choice, plan) for name in dimensions(completed)}


def _front(name: str, found: Sequence[Trial], completed: Sequence[Trial], choice: Choice, plan: Plan) -> Any:
    own = [trial for trial in completed if getattr(trial.figures, name) is not None]
    figure = new_figure(5.0, 3.7)
    axis = figure.subplots()
    bounds = set_scores(axis, own or completed, plan)
    on_front = {trial.id for trial in found}
    beaten = [trial for trial in own if trial.id not in on_front]
    scatter(axis, _costs(name, beaten), scores_of(beaten), bounds, colour=GREY, label="beaten by another")
    members = [trial for trial in own if trial.id in on_front]
    scatter(axis, _costs(name, members), scores_of(members), bounds, colour=BLUE, label="on the front")
    _staircase(axis, name, own, plan)
    limit = getattr(plan.limits, LIMITS.get(name, ""), None)
    if limit is not None:
        axis.axvline(limit / _unit(name), color=RED, linestyle="--", linewidth=1, label="limit")
    _name_points(axis, name, choice)
    costs = _costs(name, own)
    if len(costs) and costs.min() > 0 and costs.max() / costs.min() > WIDE_COSTS:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel(UNITS.get(name, cost_label(name)))
    figure.legend(loc="outside upper left", ncols=4, fontsize=8, handletextpad=0.2, columnspacing=1.0)
    return figure


def _staircase(axis: Any, name: str, trials: Sequence[Trial], plan: Plan) -> None:
    """The best that is to be had for each amount of one cost, whatever the others."""
    costs, scores = _costs(name, trials), scores_of(trials)
    order = np.lexsort((scores if plan.smaller_is_better else -scores, costs))
    if len(order):
        best = (np.minimum if plan.smaller_is_better else np.maximum).accumulate(scores[order])
        axis.step(costs[order], best, where="post", color=BLUE, linewidth=1, alpha=0.5)


def _name_points(axis: Any, name: str, choice: Choice) -> None:
    """The chosen trial and its neighbours by their ids."""
    named = [(choice.chosen, ORANGE, "chosen"), *((entry.trial, BLUE, "") for entry in choice.neighbours)]
    for trial, colour, words in named:
        cost = getattr(trial.figures, name)
        if cost is None or trial.score is None:
            continue
        at = (cost / _unit(name), trial.score)
        axis.scatter(*at, s=70, facecolors="none", edgecolors=colour, linewidths=1.8, label=words or None, zorder=4)
        side, away = ("left", 6) if words else ("right", -6)  # neighbours are cheaper: left of the chosen one
        axis.annotate(trial.id, at, xytext=(away, -11), textcoords="offset points", ha=side, fontsize=8)


def _costs(name: str, trials: Sequence[Trial]) -> np.ndarray:
    return np.array([getattr(trial.figures, name) / _unit(name) for trial in trials], dtype=np.float64)


def _unit(name: str) -> int:
    return KILOBYTE if name in ("bytes", "arena_bytes") else 1
