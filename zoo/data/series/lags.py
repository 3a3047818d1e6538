"""Windows of series with what comes after them: a model's history, and the steps it is to forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zoo import preprocessing
from zoo.data.dataset import Selection
from zoo.data.series.clock import Clock
from zoo.data.series.panel import Panel, Track
from zoo.errors import DataError

LEAST_HORIZONS = 2
"""Horizons that the validation and the test part are long at least: a single window measures nothing."""
MOST_HISTORY = 512
LEAST_HISTORY = 24
LONG_SEASON = 168
"""Steps of a season above which a history of two of them would be long for a small model."""


@dataclass(frozen=True)
class Plan:
    """How windows are cut.

    Attributes:
        window: Steps of the history.
        horizon: Steps after it.
        channels: Positions of what is forecast.
    """

    window: int
    horizon: int
    hop: int
    season: int
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Lags:
    """Windows in the order of the series.

    Attributes:
        samples: (n, window, channels) float32, read from the series when they are asked for.
        targets: (n, targets * horizon) float32: all steps of the first channel, then those of the next.
        parts: (n,) int8, see `zoo.data.dataset.PARTS`.
        seasonal: (n, targets * horizon) float32, the values of the season before; NaN where there is none.
        straddling: Windows left out because the steps to forecast stand in two parts.
        incomplete: Windows left out because one of those steps is missing.
    """

    samples: Selection
    targets: np.ndarray
    parts: np.ndarray
    seasonal: np.ndarray
    straddling: int
    incomplete: int

    def __len__(self) -> int:
        return len(self.targets)


def choose_history(steps: int, horizon: int, season: int) -> int:
    """Steps of the history where nobody says: three horizons or two seasons, and at most half the training part.

    Args:
        steps: Of the training part of the longest series.
        horizon: To forecast.
        season: Its steps.
    """
    wanted = max(LEAST_HISTORY, 3 * horizon, 2 * season if season <= LONG_SEASON else 0)
    return max(1, min(wanted, MOST_HISTORY, steps // 2 - horizon))


def borders(times: np.ndarray, horizon: int, validation: float, test: float) -> tuple[float, float]:
    """The times that the validation and the test part begin at.

    Args:
        times: Of all steps.
        horizon: Each part is at least `LEAST_HORIZONS` of them long.
        validation: Share of what is no test part.
        test: Share of the steps; 0 for no test part.

    Raises:
        DataError: Too few steps for three parts.
    """
    steps = np.unique(times)
    least = LEAST_HORIZONS * horizon
    tested = max(round(len(steps) * test), least) if test else 0
    held = max(round((len(steps) - tested) * validation), least)
    left = len(steps) - tested - held
    if left <= horizon:
        raise DataError(
            f"{len(steps):,} steps are too few to learn to forecast {horizon}: validation takes {held}, test {tested}; "
            "give a longer series or a smaller horizon"
        )
    return float(steps[left]), float(steps[left + held]) if test else float("inf")


def cut(panel: Panel, plan: Plan, edges: Sequence[tuple[float, float]]) -> Lags:
    """Every window whose steps to forecast stand in one part.

    Args:
        panel: Series.
        plan: How.
        edges: Of each series, the times that validation and test begin at.
    """
    values = [preprocessing.carried(track.values) for track in panel.tracks]
    offsets = np.cumsum([0, *map(len, values)])
    made = [
        _windows(track, filled, panel.clock, plan, edge)
        for track, filled, edge in zip(panel.tracks, values, edges, strict=True)
    ]
    starts = np.concatenate([part.starts + offset for part, offset in zip(made, offsets, strict=False)])
    base = np.concatenate(values)
    width = plan.window
    view = np.lib.stride_tricks.sliding_window_view(base, min(width, len(base)), axis=0).transpose(0, 2, 1)
    return Lags(
        samples=Selection(view, starts),
        targets=np.concatenate([part.targets for part in made]),
        parts=np.concatenate([part.parts for part in made]),
        seasonal=np.concatenate([part.seasonal for part in made]),
        straddling=sum(part.straddling for part in made),
        incomplete=sum(part.incomplete for part in made),
    )


@dataclass(frozen=True)
class _Made:
    starts: np.ndarray
    targets: np.ndarray
    parts: np.ndarray
    seasonal: np.ndarray
    straddling: int
    incomplete: int


def _windows(track: Track, filled: np.ndarray, clock: Clock | None, plan: Plan, edge: tuple[float, float]) -> _Made:
    """The windows of one series."""
    window, horizon = plan.window, plan.horizon
    starts = _starts(track, clock, plan)
    ahead = starts[:, np.newaxis] + window + np.arange(horizon)  # (n, horizon) steps to forecast
    parts = np.searchsorted(np.asarray(edge), track.times[ahead[:, [0, -1]]], side="right")
    whole = parts[:, 0] == parts[:, 1]
    known = ~np.isnan(track.values[:, list(plan.channels)][ahead]).any(axis=(1, 2))
    kept = whole & known
    starts, ahead = starts[kept], ahead[kept]
    targets = filled[:, list(plan.channels)]
    return _Made(
        starts=starts,
        targets=_by_target(targets[ahead]),
        parts=parts[kept, 0].astype(np.int8),
        seasonal=_by_target(_seasonal(track, targets, clock, plan, starts)),
        straddling=int((~whole).sum()),
        incomplete=int((whole & ~known).sum()),
    )


def _by_target(values: np.ndarray) -> np.ndarray:
    """(n, horizon, targets) to (n, targets * horizon)."""
    return np.ascontiguousarray(values.transpose(0, 2, 1)).reshape(len(values), values.shape[1] * values.shape[2])


def gaps(track: Track, clock: Clock | None) -> np.ndarray:
    """Steps of a series before which others are missing."""
    return np.flatnonzero(np.diff(track.times) > clock.gap) + 1 if clock else np.zeros(0, np.int64)


def _starts(track: Track, clock: Clock | None, plan: Plan) -> np.ndarray:
    """First steps of the windows that no gap runs through, history and steps to forecast together."""
    edges = [0, *gaps(track, clock).tolist(), len(track)]
    length = plan.window + plan.horizon
    ranges = [np.arange(low, high - length + 1, plan.hop) for low, high in pairwise(edges)]
    return np.concatenate([np.zeros(0, np.int64), *ranges])


def _seasonal(track: Track, targets: np.ndarray, clock: Clock | None, plan: Plan, starts: np.ndarray) -> np.ndarray:
    """(n, horizon, targets) values of the season before, from all that was known; NaN where the series is younger."""
    ticks = clock.ticks(track.times) if clock else np.arange(len(track))
    grid = np.full((int(ticks[-1]) + 1, targets.shape[1]), np.nan)
    grid[ticks] = targets
    grid = preprocessing.carried(grid)  # where steps are missing, the last before them
    steps = np.arange(plan.horizon)
    back = plan.season * (steps // plan.season + 1)
    wanted = ticks[starts + plan.window - 1][:, np.newaxis] + 1 + steps - back
    found = grid[np.maximum(wanted, 0)]
    found[wanted < 0] = np.nan
    return np.asarray(found)
