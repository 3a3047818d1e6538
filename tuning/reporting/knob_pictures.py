"""The plots of knobs: all of them at once, each against the score, and what a penalty does to the losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuning.plan import Plan
from tuning.reporting.effects import Effect
from tuning.reporting.knobs import Knob
from tuning.reporting.pictures import scatter, score_bounds, scores_of, set_scores
from tuning.trial import Trial
from zoo.reporting.plots import BLUE, GREY, ORANGE, new_figure
from zoo.reporting.summary import label

REGULARISERS = ("l1", "l2", "dropout")
MOST_AXES = 12
"""Knobs that the parallel coordinates show, those with the strongest effects."""

ABSENT = -0.12
"""Height at which a line passes the axis of a knob that its trial does not have."""

TREND = 15
"""So many trials at least are needed for a line of medians."""

LOG_RATIO = 30
PAPER = "#fefdfc"
"""Near-white behind words that lie on lines; the page puts its own colour there."""


def coordinates(effects: Sequence[Effect], completed: Sequence[Trial], plan: Plan) -> Any:
    """One line a trial through its values and its score; the better, the darker and the further in front.

    Args:
        effects: Of the knobs, the strongest first.
        completed: Trials, the best first.
        plan: Of the search.
    """
    import matplotlib as mpl
    from matplotlib.collections import LineCollection

    chosen = [effect.knob for effect in effects[:MOST_AXES]]
    trials = completed[::-1]
    bounds = score_bounds(scores_of(trials), smaller_is_better=plan.smaller_is_better)
    scores = np.clip((scores_of(trials) - bounds[0]) / (bounds[1] - bounds[0]), 0, 1)
    heights = np.column_stack([*(_heights(knob, trials) for knob in chosen), scores])  # (trials, axes)
    figure = new_figure(min(3.0 + 1.15 * len(chosen), 14.0), 4.0)
    axis = figure.subplots()
    goodness = 1 - scores if plan.smaller_is_better else scores
    colours = mpl.colormaps["viridis_r"](0.08 + 0.84 * goodness)
    colours[:, 3] = 0.2 + 0.7 * np.linspace(0, 1, len(trials)) ** 2  # the many do not hide the few good ones
    widths = np.where(np.arange(len(trials)) == len(trials) - 1, 3.0, 1.1)
    lines = [np.column_stack([np.arange(len(row)), row]) for row in heights]
    axis.add_collection(LineCollection(lines, colors=colours, linewidths=widths, capstyle="round"))
    for at, knob in enumerate(chosen):
        _upright(axis, at, _span(knob, trials), knob, absent=bool((heights[:, at] == ABSENT).any()))
    _upright_scores(axis, len(chosen), bounds, trials, plan)
    names = [*(_short(knob.name) for knob in chosen), label(plan.objective)]
    axis.set_xticks(range(len(names)), names, rotation=20 if max(map(len, names)) > 15 else 0, fontsize=9)
    axis.set_yticks([])
    axis.set_xlim(-0.45, len(chosen) + 0.25)
    axis.set_ylim(ABSENT - 0.06 if (heights == ABSENT).any() else -0.05, 1.05)
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
    return figure


def _span(knob: Knob, trials: Sequence[Trial]) -> tuple[float, float]:
    places = knob.places(trials)
    return float(np.nanmin(places)), float(np.nanmax(places))


def _heights(knob: Knob, trials: Sequence[Trial]) -> np.ndarray:
    """Where the trials cross the knob's axis, 0 to 1, (trials,)."""
    low, high = _span(knob, trials)
    places = (knob.places(trials) - low) / (high - low)
    return np.where(np.isnan(places), ABSENT, places)


def _upright(axis: Any, at: int, span: tuple[float, float], knob: Knob, *, absent: bool) -> None:
    axis.plot([at, at], [0, 1], color=GREY, linewidth=1, zorder=3)
    ticks = {(place - span[0]) / (span[1] - span[0]): words for place, words in knob.ticks.items()}
    if absent:
        ticks[ABSENT] = "–"  # noqa: RUF001
    _tick_texts(axis, at, ticks)


def _upright_scores(axis: Any, at: int, bounds: tuple[float, float], trials: Sequence[Trial], plan: Plan) -> None:
    axis.plot([at, at], [0, 1], color=GREY, linewidth=1, zorder=3)
    scores = scores_of(trials)
    ends = (float(scores[-1]), float(np.median(scores)))
    digits = 4 if plan.objective == "r2" or max(map(abs, ends)) <= 1 else 2
    ticks = {(value - bounds[0]) / (bounds[1] - bounds[0]): f"{value:.{digits}g}" for value in ends}
    _tick_texts(axis, at, {place: words for place, words in ticks.items() if 0 <= place <= 1})


def _tick_texts(axis: Any, at: int, ticks: dict[float, str]) -> None:
    ground = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "boxstyle": "round,pad=0.1"}
    for place, words in ticks.items():
        axis.text(at - 0.05, place, _short(words, 12), ha="right", va="center", fontsize=8, zorder=5, bbox=ground)


def effect_pictures(effects: Sequence[Effect], plan: Plan) -> Any:
    """The score against each knob, the strongest effect first, three in a row."""
    columns = min(3, len(effects))
    rows = math.ceil(len(effects) / columns)
    figure = new_figure(3.3 * columns + 0.6, 2.5 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    trials = [trial for effect in effects for trial in effect.trials]
    for at, axis in enumerate(axes.flat):
        if at >= len(effects):
            axis.set_visible(False)
            continue
        bounds = set_scores(axis, trials, plan, named=at % columns == 0)
        _effect(axis, effects[at], bounds)
    return figure


def _effect(axis: Any, effect: Effect, bounds: tuple[float, float]) -> None:
    knob, places, scores = effect.knob, effect.knob.places(effect.trials), scores_of(effect.trials)
    shown = places
    if not knob.numeric or len(np.unique(places)) <= len(knob.ticks):
        step = float(np.min(np.diff(np.unique(places))))
        shown = places + np.random.default_rng(0).uniform(-0.12, 0.12, len(places)) * step  # strips, not heaps
    scatter(axis, shown, scores, bounds)
    if effect.strength > 0 and not knob.numeric:
        for place in np.unique(places):
            axis.plot([place - 0.25, place + 0.25], [np.median(scores[places == place])] * 2, color=ORANGE)
    elif effect.strength > 0:
        _trend(axis, places, scores, ORANGE)
    _knob_axis(axis, knob)
    axis.set_title(_short(knob.name, 24), loc="left", fontsize=10)


def _trend(axis: Any, places: np.ndarray, values: np.ndarray, colour: str) -> None:
    """A line of medians over up to five equally full groups; none where there are too few values to draw one."""
    if len(places) < TREND:
        return
    different = np.unique(places)
    groups = [places == place for place in different]
    if len(different) > 5:
        edges = np.quantile(places, np.linspace(0, 1, 6))
        groups = [(places >= low) & (places <= high) for low, high in itertools.pairwise(edges)]
    centres = [np.median(places[group]) for group in groups]
    axis.plot(centres, [np.median(values[group]) for group in groups], color=colour, linewidth=1.8)


def _knob_axis(axis: Any, knob: Knob) -> None:
    upright = sum(len(words) for words in knob.ticks.values()) > 26
    words = [_short(text, 12) for text in knob.ticks.values()]
    axis.set_xticks(
        list(knob.ticks), words, fontsize=8, rotation=30 if upright else 0, ha="right" if upright else "center"
    )
    axis.minorticks_off()


def loss_picture(knobs: Sequence[Knob], completed: Sequence[Trial]) -> Any | None:
    """Training and validation loss against the strength of L1, L2 and dropout; None where none of them was searched."""
    shown = [
        (knob, own) for knob in knobs if knob.name in REGULARISERS for own in [_with_losses(knob, completed)] if own
    ]
    if not shown:
        return None
    figure = new_figure(4.2 * len(shown) + 0.4, 3.2)
    axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axis, (knob, own) in zip(axes, shown, strict=True):
        for split, words, colour in (("train", "training", BLUE), ("validation", "validation", ORANGE)):
            places = knob.places(own)
            losses = np.array([trial.metrics[split]["loss"] for trial in own], dtype=np.float64)
            axis.scatter(places, losses, s=16, color=colour, linewidths=0, alpha=0.7, label=words)
            _trend(axis, places, losses, colour)
        _knob_axis(axis, knob)
        axis.set_xlabel(knob.name)
        axis.grid(visible=True)
    _loss_scale(axes[0], [trial for _, own in shown for trial in own])
    axes[0].set_ylabel("data loss at the best epoch")
    handles, words = axes[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper right", ncols=2)
    return figure


def _with_losses(knob: Knob, completed: Sequence[Trial]) -> list[Trial]:
    """Trials that have the knob and both losses, where the knob has at least two values among them."""

    def whole(trial: Trial) -> bool:
        losses = [(trial.metrics.get(split) or {}).get("loss") for split in ("train", "validation")]
        return knob.name in trial.values and all(loss is not None and math.isfinite(loss) for loss in losses)

    own = [trial for trial in completed if whole(trial)]
    return own if len({trial.values[knob.name] for trial in own}) > 1 else []


def _loss_scale(axis: Any, trials: Sequence[Trial]) -> None:
    losses = np.array([trial.metrics[split]["loss"] for trial in trials for split in ("train", "validation")])
    if losses.min() > 0 and losses.max() / losses.min() > LOG_RATIO:
        axis.set_yscale("log")


def _short(name: str, limit: int = 18) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"
