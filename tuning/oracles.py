"""keras-tuner's four search algorithms, each as a function of the trials so far.

Importing this module imports keras-tuner, and with it TensorFlow.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from typing import Any

import keras_tuner
import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from tuning.hyperband import HyperbandOracle
from tuning.plan import Plan
from tuning.proposals import HeldOracle, SearchSpace, plain
from tuning.space import Space
from tuning.trial import TrialStatus
from zoo.errors import UsageError

__all__ = ["HeldOracle", "SearchSpace", "make_oracle"]

MOST_COLLISIONS = 500
"""Draws in a row that were all tried before, after which a space counts as exhausted; keras-tuner gives up at 20, when
a small space still has a few left."""

SCREENED, DESCENTS, DESCENT_STEPS = 2000, 5, 30
"""Points of which a Gaussian process names the most promising, how many of these it looks around, and how far."""


class RandomOracle(HeldOracle, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    """Candidates at random, no two alike."""


class GridOracle(HeldOracle, keras_tuner.oracles.GridSearchOracle):  # type: ignore[misc]
    """All combinations, in keras-tuner's order, whatever order they end in.

    keras-tuner's own finds the next combination only when the one before has ended, in case new entries turn up. Here
    the space is whole from the start, so that many workers are never short of trials.
    """

    _at: dict[str, Any] | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002
        """The next combination that was not tried."""
        values = self._at
        while values is None or self._duplicate(values):
            values = self._start() if values is None else self._get_next_combination(values)
            if values is None:
                return {"status": "STOPPED", "values": None}
            self._at = values
        return {"status": "RUNNING", "values": dict(values)}

    def _start(self) -> dict[str, Any]:
        space = self.get_space()
        space.values = {}
        for entry in space.space:
            if space.is_active(entry):
                space.values[entry.name] = entry.default
        return dict(space.values)


class BayesianOracle(HeldOracle, keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """keras-tuner's Gaussian process; a proposal is a function of the trials so far, not of earlier proposals."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002
        """A random candidate at first, later the one of the best expectation; never one that was tried."""
        if self._begins():
            return dict(self._random_populate_space())
        # One thread: the matrices are tiny, and the threads of a trial that trains beside would be waited for.
        with threadpool_limits(limits=1):
            self._fit(*self._vectorize_trials())
            values = self._vector_to_values(self._most_promising())
        if self._duplicate({name: plain(value) for name, value in values.items()}):
            return dict(self._random_populate_space())
        return {"status": "RUNNING", "values": values}

    def _most_promising(self) -> Any:
        """The point of the lowest confidence bound, (dimensions,) in [0, 1].

        keras-tuner descends from 50 random points, seconds of a search's time for each proposal; one pass over many
        points and a descent from the best of them takes a tenth of a second.
        """
        draw = np.random.RandomState((self.seed + len(self.trials)) % 2**32)
        bounds = self._get_hp_bounds()
        points = draw.uniform(bounds[:, 0], bounds[:, 1], size=(SCREENED, len(bounds)))
        starts = points[np.argsort(self._bound(points))[:DESCENTS]]
        found = [
            optimize.minimize(self._slope, start, jac=True, bounds=bounds, options={"maxiter": DESCENT_STEPS})
            for start in starts
        ]
        return min(found, key=lambda result: float(result.fun)).x

    def _bound(self, points: Any) -> Any:
        """Lower confidence bound of the score, as something to minimise: (n, dimensions) -> (n,)."""
        mean, deviation = self.gpr.predict(points, return_std=True)
        return mean - self.beta * deviation

    def _slope(self, point: Any) -> tuple[Any, Any]:
        """The bound at a point and its gradient, of one prediction for all directions."""
        step = 1e-6
        here, *there = self._bound(np.vstack([point, point + step * np.eye(len(point))]))
        return here, (np.array(there) - here) / step

    def _fit(self, x: Any, y: Any) -> None:
        self.gpr = self._make_gpr()
        self.gpr.n_restarts_optimizer = DESCENTS
        with warnings.catch_warnings():
            # A length scale at its bound only says that a knob has no effect yet.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.gpr.fit(x, y)

    def replay(self, identifier: str, proposed: Mapping[str, Any]) -> None:
        """As of all oracles; only random candidates need to be drawn again."""
        if self._begins():
            super().replay(identifier, proposed)
        else:
            self.register(identifier, dict(proposed))

    def penalise(self, identifier: str, _status: TrialStatus) -> None:
        """A trial without a score counts as the worst so far, so that its region is avoided."""
        worst = self.worst()
        if worst is not None:
            self.trials[identifier].score, self.trials[identifier].status = worst, "COMPLETED"

    def _begins(self) -> bool:
        completed = sum(trial.status == "COMPLETED" for trial in self.trials.values())
        return bool(completed < self.num_initial_points)

    def _vectorize_trials(self) -> tuple[Any, Any]:
        """Ended trials, and those that run with a pessimistic guess, from a fit to what has ended by now.

        keras-tuner guesses from the fit of the proposal before, which makes a proposal hang on when others were made.
        """
        sign = -1.0 if self.objective.direction == "max" else 1.0
        ended = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        x = np.array([self._vector(trial) for trial in ended])
        y = np.array([sign * trial.score for trial in ended])
        running = [self._vector(trial) for trial in self.ongoing_trials.values()]
        if running:
            self._fit(x, y)
            mean, deviation = self.gpr.predict(np.array(running), return_std=True)
            x, y = np.concatenate([x, running]), np.concatenate([y, mean + deviation])
        return x, y

    def _vector(self, trial: Any) -> list[float]:
        values = trial.hyperparameters.values
        return [entry.value_to_prob(values.get(entry.name, entry.default)) for entry in self._nonfixed_space()]


def make_oracle(plan: Plan, space: SearchSpace, max_epochs: int) -> HeldOracle:
    """The oracle of a plan, before its first trial.

    Args:
        plan: Says which, and what the objective is.
        space: To propose from.
        max_epochs: Of a trial that Hyperband trains to the end.

    Raises:
        UsageError: Hyperband is to search the epochs that it deals out itself.
    """
    hyperparameters = space.hyperparameters()
    common = {
        "objective": keras_tuner.Objective(plan.objective, "min" if plan.smaller_is_better else "max"),
        "hyperparameters": hyperparameters,
        # Spread, because keras-tuner draws with seed, seed + 1, ...: neighbouring seeds would try the same values.
        "seed": random.Random(plan.seed).randrange(1, 2**31),
        "allow_new_entries": False,
        "tune_new_entries": False,
    }
    if plan.tuner == "hyperband":
        if any(entry.name.partition("@")[0] == "epochs" for entry in hyperparameters.space):
            raise UsageError(
                "epochs cannot be searched by hyperband, which deals them out; fix them with --set epochs=N"
            )
        oracle: HeldOracle = HyperbandOracle(plan.brackets, max_epochs=max_epochs, hyperband_iterations=None, **common)
    elif plan.tuner == "bayesian":
        # keras-tuner begins with three random points a dimension: of a short search of many knobs that would be all.
        points = max(3, min(3 * len(hyperparameters.space), plan.trials // 3))
        oracle = BayesianOracle(max_trials=None, num_initial_points=points, **common)
    elif plan.tuner == "grid":
        oracle = GridOracle(max_trials=None, **common)
    else:
        oracle = RandomOracle(max_trials=None, **common)
    oracle.first, oracle.scores = _first(space), []
    oracle._max_collisions = MOST_COLLISIONS
    return oracle


def _first(space: SearchSpace) -> list[dict[str, Any]]:
    """What to begin with: the recipes as they stand."""
    if isinstance(space, Space):
        return space.defaults()
    default = space.default()
    return [] if default is None else [default]
