"""The state of a search, made again from its trial files: nothing else has to survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.trial import Trial

if TYPE_CHECKING:
    from tuning.proposals import HeldOracle, SearchSpace

EPOCHS = "tuner/epochs"
"""Hyperband's entry in a proposal: the epochs of this trial."""


@dataclass(frozen=True)
class Replayed:
    """What the files amount to.

    Attributes:
        trials: All of them, by id.
        remade: Those of them whose record was lost: what the oracle proposes at their place; not yet written.
        events: Creations and ends so far.
    """

    trials: dict[str, Trial]
    remade: tuple[Trial, ...]
    events: int


def make_trial(identifier: str, proposed: dict[str, object], created: int, space: SearchSpace) -> Trial:
    """A trial that nobody runs yet."""
    epochs = proposed.get(EPOCHS)
    return Trial(
        id=identifier,
        values=space.decode(proposed),
        proposed=proposed,
        created=created,
        epochs=epochs if isinstance(epochs, int) else None,
    )


def replay(oracle: HeldOracle, space: SearchSpace, recorded: Sequence[Trial], identifiers: Sequence[str]) -> Replayed:
    """Tells a fresh oracle all that happened, in the order in which it did.

    Args:
        oracle: Of the search's plan.
        space: Likewise.
        recorded: Trials whose file is whole.
        identifiers: Of all trials that ever had a folder; one between them without a file is made again.
    """
    trials = {trial.id: trial for trial in recorded}
    created = _creations(trials, identifiers)
    ended = {trial.id: trial.ended for trial in recorded if trial.ended is not None}
    events = sorted(
        [(number, 0, name) for name, number in created.items()] + [(n, 1, name) for name, n in ended.items()]
    )
    remade = []
    for number, is_end, name in events:
        if is_end:
            if trials[name].proposed:
                oracle.conclude(name, trials[name].status, trials[name].score)
        elif name not in trials:
            trials[name] = _remake(oracle, space, name, number)
            remade.append(trials[name])
        elif trials[name].proposed:
            oracle.replay(name, trials[name].proposed)
    return Replayed(trials, tuple(remade), max((number for number, _, _ in events), default=-1) + 1)


def _creations(trials: dict[str, Trial], identifiers: Sequence[str]) -> dict[str, int]:
    """Id to the place of its creation; of one without a file the first free place after the one before it."""
    used = {number for trial in trials.values() for number in (trial.created, trial.ended)}
    last = max((int(name) for name in {*identifiers, *trials}), default=-1)
    found: dict[str, int] = {}
    before = -1
    for number in range(last + 1):
        name = f"{number:04d}"
        if name in trials:
            place = trials[name].created
        else:
            place = next(place for place in range(before + 1, before + 2 + len(used)) if place not in used)
            used.add(place)
        found[name] = before = place
    return found


def _remake(oracle: HeldOracle, space: SearchSpace, identifier: str, created: int) -> Trial:
    """What the oracle proposes at this place; a failed trial where it has nothing to propose without what was lost."""
    proposed = oracle.propose(identifier)
    if isinstance(proposed, str):
        lost = "its record was lost, and what it tried cannot be told from the others"
        return Trial(
            id=identifier, values={}, proposed={}, created=created, ended=created, status="failed", reason=lost
        )
    return make_trial(identifier, proposed, created, space)
