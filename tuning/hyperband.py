"""keras-tuner's Hyperband as a function of the trials so far.

Importing this module imports keras-tuner, and with it TensorFlow.
"""

from __future__ import annotations

import math
from typing import Any

import keras_tuner

from tuning.brackets import FACTOR
from tuning.proposals import HeldOracle
from tuning.trial import TrialStatus


class HyperbandOracle(HeldOracle, keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    """Many candidates for few epochs, the best of them for more.

    Where a space has no further candidate, the rounds that wait for one go on with what they have.

    Args:
        brackets: As `Plan.brackets`.
        **settings: Of keras-tuner's oracle.
    """

    _brackets: list[dict[str, Any]]

    def __init__(self, brackets: int, **settings: Any) -> None:
        self._most_brackets, self._is_exhausted = brackets, False
        super().__init__(factor=FACTOR, **settings)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """A candidate for a first round, one that goes on to a later round, or why there is none."""
        if self._is_exhausted:
            return self._go_on(trial_id)
        found: dict[str, Any] = super().populate_space(trial_id)
        return found

    def penalise(self, identifier: str, _status: TrialStatus) -> None:
        """A first round's trial without a score gives its place back; a later round's counts as the worst so far.

        keras-tuner waits for the score of every place: one failure could keep a bracket from ever going on.
        """
        for bracket in self._brackets:
            first, *later = bracket["rounds"]
            first[:] = [place for place in first if place["id"] != identifier]
            if any(place["id"] == identifier for places in later for place in places):
                self.trials[identifier].score, self.trials[identifier].status = self.worst(), "COMPLETED"

    def _remove_completed_brackets(self) -> None:
        """Brackets whose last round is done; one whose trials still run may yet get a place back."""
        whole = list(self._brackets)
        super()._remove_completed_brackets()
        self._brackets = [
            bracket
            for bracket in whole
            if bracket in self._brackets or any(place["id"] in self.ongoing_trials for place in bracket["rounds"][-1])
        ]

    def _get_num_brackets(self) -> int:
        """The brackets that are gone through, again and again."""
        possible = int(super()._get_num_brackets())
        return min(possible, self._most_brackets) if self._most_brackets else possible

    def _random_trial(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = super()._random_trial(trial_id, bracket)
        if found["status"] == "RUNNING":
            return found
        # For good: what was tried grows only, and a vain draw leaves the seed as it was.
        self._is_exhausted = True
        return self._go_on(trial_id)

    def _go_on(self, trial_id: str) -> dict[str, Any]:
        """The best of a round goes on, of an exhausted space."""
        for bracket in self._brackets:
            sizes = self._sizes(bracket)
            for number in range(1, len(sizes)):
                best = self._to_go_on(bracket, number, sizes)
                if best is not None:
                    return self._promoted(trial_id, best, bracket, number)
        return {"status": "IDLE" if self.ongoing_trials else "STOPPED"}

    def _sizes(self, bracket: dict[str, Any]) -> list[int]:
        """Trials of each round where the first has no more than it has: in the proportions of a whole bracket."""
        first, number = len(bracket["rounds"][0]), bracket["bracket_num"]
        whole = [self._get_size(number, later) for later in range(len(bracket["rounds"]))]
        return [math.ceil(size * first / whole[0]) for size in whole]

    def _to_go_on(self, bracket: dict[str, Any], number: int, sizes: list[int]) -> Any:
        """The trial that surely is among the best of the round before `number`; None where none is yet."""
        before, here = bracket["rounds"][number - 1], bracket["rounds"][number]
        gone_on = {place["past_id"] for place in here}
        trials = [self.trials[place["id"]] for place in before if place["id"] not in gone_on]
        completed = [trial for trial in trials if trial.status == "COMPLETED"]
        left_behind = max(len(before), sizes[number - 1]) - sizes[number]
        if len(here) >= sizes[number] or len(completed) <= left_behind:
            return None
        best = max if self.objective.direction == "max" else min
        return best(completed, key=lambda trial: trial.score)

    def _promoted(self, trial_id: str, best: Any, bracket: dict[str, Any], number: int) -> dict[str, Any]:
        bracket["rounds"][number].append({"past_id": best.trial_id, "id": trial_id})
        values = {
            **best.hyperparameters.values,
            "tuner/trial_id": best.trial_id,
            "tuner/epochs": self._get_epochs(bracket["bracket_num"], number),
            "tuner/initial_epoch": self._get_epochs(bracket["bracket_num"], number - 1),
            "tuner/bracket": bracket["bracket_num"],
            "tuner/round": number,
        }
        return {"status": "RUNNING", "values": values}
