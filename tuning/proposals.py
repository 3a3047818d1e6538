"""How a search asks keras-tuner's algorithms: nothing printed, nothing written, and a recorded trial always counts.

`populate_space` is the algorithm; what keras-tuner does around it (its own JSON files, its own stop, its prints) is not
called. Importing this module imports keras-tuner, and with it TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import keras_tuner
import numpy as np

from tuning.trial import TrialStatus
from zoo.hyperparameters import Value


class SearchSpace(Protocol):
    """What a search asks of a space: `tuning.space.Space`, or one that a caller's build function declares."""

    def hyperparameters(self) -> Any:
        """A `keras_tuner.HyperParameters`."""

    def decode(self, proposed: Mapping[str, Any]) -> dict[str, Value]:
        """Knob to value as a person writes it."""

    def default(self) -> dict[str, Any] | None:
        """The proposal to begin with; None where there is none."""


class HeldOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """What our oracles have in common: proposals and outcomes, one call each.

    Attributes:
        first: Proposals to begin with, before those of the algorithm.
        scores: Of completed trials.
    """

    first: list[dict[str, Any]]
    scores: list[float]
    _seed_state: int

    def propose(self, identifier: str) -> dict[str, Any] | Literal["idle", "stopped"]:
        """What the next trial has; "idle" where that hangs on trials that run, "stopped" where there is no next."""
        response = self.populate_space(identifier)
        if response["status"] != "RUNNING":
            return "idle" if response["status"] == "IDLE" else "stopped"
        values = {name: plain(value) for name, value in response["values"].items()}
        self.register(identifier, values)
        return values

    def replay(self, identifier: str, proposed: Mapping[str, Any]) -> None:
        """Goes through the creation of a recorded trial; what was recorded counts, not what would be proposed now."""
        self.populate_space(identifier)
        self.register(identifier, dict(proposed))

    def register(self, identifier: str, values: dict[str, Any]) -> None:
        """Notes a trial that runs."""
        space = self.hyperparameters.copy()
        space.values = dict(values)
        trial = keras_tuner.engine.trial.Trial(hyperparameters=space, trial_id=identifier)
        self._record_values(trial)
        self.trials[identifier] = trial
        self.ongoing_trials[identifier] = trial
        self.start_order.append(identifier)

    def conclude(self, identifier: str, status: TrialStatus, score: float | None) -> None:
        """Notes how a trial ended."""
        trial = self.trials[identifier]
        self.ongoing_trials.pop(identifier, None)
        self.end_order.append(identifier)
        if status == "completed" and score is not None:
            self.scores.append(score)
            trial.score, trial.status = score, "COMPLETED"
        else:
            trial.status = "FAILED"
            self.penalise(identifier, status)

    def penalise(self, _identifier: str, _status: TrialStatus) -> None:
        """What the algorithm learns of a trial without a score: by default nothing."""

    def worst(self) -> float | None:
        """The worst score so far."""
        worst = max if self.objective.direction == "min" else min
        return worst(self.scores) if self.scores else None

    def _random_values(self) -> dict[str, Any] | None:
        while self.first:
            begin = self.first.pop(0)
            if not self._duplicate(begin):
                return dict(begin)
        state = self._seed_state
        values: dict[str, Any] | None = super()._random_values()
        if values is None:
            self._seed_state = state  # how often a worker asked in vain must not change what comes later
        return values


def plain(value: Any) -> Any:
    """A numpy number as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
