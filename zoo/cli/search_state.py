"""What is known of a search while it runs: trials under way and ended, the best, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.plan import Plan
from tuning.roles import Progress
from tuning.trial import Trial, rank
from zoo.metrics import ERRORS
from zoo.reporting.summary import label


@dataclass
class Running:
    """A trial under way.

    Attributes:
        progress: The last sign of life; None before the first.
    """

    trial: Trial
    progress: Progress | None = None


class SearchState:
    """Told what happens; answers what to show.

    Args:
        plan: Of the search.
        trials: Those of earlier sessions.
        used: Seconds of earlier sessions.
        now: Seconds of any clock, at the beginning.
    """

    def __init__(self, plan: Plan, trials: Sequence[Trial], used: float, now: float) -> None:
        self.plan = plan
        self.running: dict[str, Running] = {}
        self.ended = {trial.id: trial for trial in trials if trial.status != "running"}
        self._began, self._used, self._earlier = now, used, self.counted

    @property
    def counted(self) -> int:
        """Ended trials that count among those asked for: all but the rejected."""
        return sum(trial.status != "rejected" for trial in self.ended.values())

    @property
    def best(self) -> Trial | None:
        """The completed trial with the best score."""
        ranked = rank(list(self.ended.values()), self.plan.objective, smaller_is_better=self.plan.smaller_is_better)
        return ranked[0] if ranked else None

    def count(self, status: str) -> int:
        """Ended trials of a status."""
        return sum(trial.status == status for trial in self.ended.values())

    def start(self, trial: Trial) -> None:
        """A worker has begun with it."""
        self.running[trial.id] = Running(trial)

    def move(self, progress: Progress) -> None:
        """It is alive."""
        if progress.id in self.running:
            self.running[progress.id].progress = progress

    def end(self, trial: Trial) -> None:
        """It has ended."""
        self.running.pop(trial.id, None)
        self.ended.pop(trial.id, None)  # to the end of the order
        self.ended[trial.id] = trial

    def drop(self, identifier: str) -> None:
        """It is with no worker any more."""
        self.running.pop(identifier, None)

    def elapsed(self, now: float) -> float:
        """Seconds since the beginning, those of earlier sessions included."""
        return self._used + now - self._began

    def left(self, now: float) -> float | None:
        """Seconds until the search is over, as far as can be told; None before the first trial of this session."""
        over = None if self.plan.max_seconds is None else max(self.plan.max_seconds - self.elapsed(now), 0.0)
        done = self.counted - self._earlier
        if done == 0:
            return over
        by_trials = (now - self._began) / done * max(self.plan.trials - self.counted, 0)
        return by_trials if over is None else min(over, by_trials)

    def score_text(self, score: float | None) -> str:
        """The objective with its name: "accuracy 0.9876"."""
        return f"{label(self.plan.objective)} {plain_score(self.plan.objective, score)}"


def plain_score(objective: str, score: float | None) -> str:
    """A score in four digits; a dash where there is none."""
    if score is None:
        return "-"
    return f"{score:.4g}" if objective in ERRORS else f"{score:.4f}"
