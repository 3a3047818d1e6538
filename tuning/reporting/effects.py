"""What each knob had to do with the score, said only where there are trials enough to say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuning.reporting.knobs import Knob
from tuning.reporting.words import short
from tuning.trial import Trial
from zoo.reporting.summary import label, show

ENOUGH = 10
"""Fewer completed trials with a knob say nothing about it."""

SHUFFLES = 2000
CHANCE = 0.05
"""What is as strong in more than this share of shuffled scores, over all knobs together, is put down to chance."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A knob's part in the scores.

    Attributes:
        trials: The completed ones that have the knob.
        strength: Share of the variance of the scores' ranks that goes with the knob, 0 to 1; 0 where it is not said.
        words: For people, one line.
    """

    knob: Knob
    trials: tuple[Trial, ...]
    strength: float
    words: str


def effects(knobs: Sequence[Knob], trials: Sequence[Trial], objective: str, *, smaller_is_better: bool) -> list[Effect]:
    """The effect of every knob that has at least two different values, the strongest first.

    Numbers by Spearman's rank correlation, names by the share of the ranks' variance between them (epsilon squared of
    the Kruskal-Wallis test); both by ranks, so that a few trials that went wrong do not decide. Chance is what shuffled
    scores give, divided among the knobs (Bonferroni).

    Args:
        knobs: Of the search.
        trials: Completed ones with a finite score.
        objective: What the score is.
        smaller_is_better: Its direction.
    """
    varied = [(knob, [trial for trial in trials if trial.values.get(knob.name) is not None]) for knob in knobs]
    varied = [(knob, own) for knob, own in varied if len({knob.place(trial.values[knob.name]) for trial in own}) > 1]
    level = CHANCE / max(len(varied), 1)
    found = [_effect(knob, own, objective, level, down=smaller_is_better) for knob, own in varied]
    return sorted(found, key=lambda effect: -effect.strength)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two columns of equal length; 0 where one of them is constant."""
    first, second = _ranks(one), _ranks(other)
    spread = float(np.sqrt(np.sum(first**2) * np.sum(second**2)))
    return float(first @ second) / spread if spread > 0 else 0.0


def _effect(knob: Knob, trials: Sequence[Trial], objective: str, level: float, *, down: bool) -> Effect:
    few = f"{len(trials)} trials: too few to tell"
    if len(trials) < ENOUGH:
        return Effect(knob=knob, trials=tuple(trials), strength=0.0, words=few)
    places = knob.places(trials)
    scores = np.array([trial.score for trial in trials], dtype=np.float64)
    if float(np.ptp(scores)) == 0:
        return Effect(knob=knob, trials=tuple(trials), strength=0.0, words="all scores are equal")
    if knob.numeric:
        strength, sentence = _trend(places, scores, objective, level, down=down)
    else:
        strength, sentence = _difference(knob, places, scores, objective, level, down=down)
    words = f"{sentence}, {len(trials)} trials" if sentence else f"nothing beyond chance in {len(trials)} trials"
    return Effect(knob=knob, trials=tuple(trials), strength=strength, words=words)


def _trend(places: np.ndarray, scores: np.ndarray, objective: str, level: float, *, down: bool) -> tuple[float, str]:
    correlation = spearman(places, scores)
    ranks, others = _ranks(places), _shuffled(_ranks(scores))  # (trials,), (shuffles, trials)
    chance = np.abs(others @ ranks) / np.sqrt(np.sum(ranks**2) * np.sum(others[0] ** 2))
    if _share_as_strong(chance, abs(correlation)) > level:
        return 0.0, ""
    better = "better" if (correlation < 0) == down else "worse"
    return correlation**2, f"more goes with {better}: rank correlation {correlation:+.2f} with {label(objective)}"


def _difference(
    knob: Knob, places: np.ndarray, scores: np.ndarray, objective: str, level: float, *, down: bool
) -> tuple[float, str]:
    codes = np.unique(places, return_inverse=True)[1]
    share = float(_between(codes, _ranks(scores)[np.newaxis])[0])
    if _share_as_strong(_between(codes, _shuffled(_ranks(scores))), share) > level:
        return 0.0, ""
    medians = {at: float(np.median(scores[places == at])) for at in np.unique(places)}
    best = (min if down else max)(medians, key=lambda at: medians[at])
    figure = f"median {label(objective)} {show(objective, medians[best])}"
    return share, f"best with {short(knob.ticks[float(best)])} ({figure}); {share:.0%} of the variance of the ranks"


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks about their mean, (n,); equal values share theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return np.asarray(ranks - ranks.mean(), dtype=np.float64)


def _between(codes: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Share of the variance between groups in each row, corrected for the number of groups.

    Args:
        codes: (n,) group of each trial, 0 up.
        ranks: (rows, n) about their mean.
    """
    members = np.eye(codes.max() + 1)[codes]  # (n, groups)
    sums = ranks @ members  # (rows, groups)
    total = np.sum(ranks**2, axis=1)
    within = total - np.sum(sums**2 / members.sum(axis=0), axis=1)
    count, groups = members.shape
    if count <= groups:
        return np.zeros(len(ranks))
    return np.asarray(1 - (within / (count - groups)) / (total / (count - 1)))


def _shuffled(ranks: np.ndarray) -> np.ndarray:
    """The same ranks in many orders, (SHUFFLES, n); always the same orders."""
    return np.random.default_rng(0).permuted(np.tile(ranks, (SHUFFLES, 1)), axis=1)


def _share_as_strong(chance: np.ndarray, found: float) -> float:
    return (float(np.sum(chance >= found - 1e-12)) + 1) / (len(chance) + 1)
