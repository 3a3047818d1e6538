"""Which worker holds which trial, and when it was last heard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tuning.distribution.protocol import Caller
from tuning.roles import Keeper, Progress, Wait
from tuning.trial import Trial

STALLED_SECONDS = 2.0


@dataclass
class Lease:
    """A trial in a worker's hands.

    Attributes:
        session: The process that has it; empty until a worker of before the chief's restart is heard again.
        heard: When, by the clock of the leases.
        score: The last it told.
    """

    trial: Trial
    worker: str
    session: str
    heard: float
    score: float | None = None


class Leases:
    """Gives trials out for as long as their workers are heard; called by one thread at a time.

    Args:
        keeper: Whose trials they are.
        running: Trials that ran when the chief was last alive; their workers may still be at them.
        patience: Seconds without a sign of life after which a trial is given to another.
        clock: Seconds.
    """

    def __init__(
        self,
        keeper: Keeper,
        running: Iterable[Trial] = (),
        *,
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper, self._patience, self._clock = keeper, patience, clock
        self._checked = clock()
        self._leases = {trial.id: Lease(trial, trial.worker, "", self._checked) for trial in running}

    def __len__(self) -> int:
        return len(self._leases)

    def dealt(self, identifier: str) -> bool:
        """Whether a trial is in anybody's hands."""
        return identifier in self._leases

    def deal(self, caller: Caller) -> Trial | Wait | None:
        """As `Dealer.deal`; a call that is made again because its answer was lost is answered with the same trial."""
        for lease in self._of(caller.worker):
            if caller.session and lease.session == caller.session:
                lease.heard = self._clock()
                return lease.trial
            self._lose(lease, "its worker began anew")
        dealt = self._keeper.deal(caller.worker)
        if isinstance(dealt, Trial):
            self._leases[dealt.id] = Lease(dealt, caller.worker, caller.session, self._clock())
        return dealt

    def tell(self, caller: Caller, progress: Progress) -> bool:
        """As `Dealer.tell`; False too where the trial is no longer the caller's."""
        lease = self.find(caller, progress.id)
        if lease is None:
            return False
        lease.heard = self._clock()
        if progress.score is not None and math.isfinite(progress.score):
            lease.score = progress.score
        return self._keeper.tell(replace(progress, worker=lease.worker))

    def end(self, caller: Caller, trial: Trial) -> bool:
        """As `Dealer.end`; False where the trial is no longer the caller's, and nothing was done."""
        if self.find(caller, trial.id) is None:
            return False
        self._keeper.end(trial)
        del self._leases[trial.id]
        return True

    def put_back(self, caller: Caller, identifier: str) -> bool:
        """As `Dealer.put_back`; False where the trial is no longer the caller's, and nothing was done."""
        lease = self.find(caller, identifier)
        if lease is None:
            return False
        self._keeper.put_back(lease.trial)
        del self._leases[identifier]
        return True

    def find(self, caller: Caller, identifier: str) -> Lease | None:
        """The lease if it is the caller's; a plain keras-tuner worker does not say who it is, and is believed."""
        lease = self._leases.get(identifier)
        if lease is None or not caller.session:
            return lease
        if (lease.worker, lease.trial.attempt) != (caller.worker, caller.attempt):
            return None
        if not lease.session:
            lease.session = caller.session
        return lease if lease.session == caller.session else None

    def lose(self, worker: str, cause: str) -> list[Trial]:
        """Takes the trials of a worker that is known to be dead."""
        return [self._lose(lease, cause) for lease in self._of(worker)]

    def expire(self) -> list[Lease]:
        """Takes the trials of workers that were not heard for too long, and hands back what they held.

        Time in which this end itself stood still, and could hear nobody, does not count against them.
        """
        now = self._clock()
        stood_still = now - self._checked
        self._checked = now
        if stood_still > STALLED_SECONDS:
            for lease in self._leases.values():
                lease.heard += stood_still
        late = [lease for lease in self._leases.values() if now - lease.heard > self._patience]
        for lease in late:
            self._lose(lease, f"its worker was not heard for {self._patience:g} s")
        return late

    def release(self) -> None:
        """Puts back what is still held: the search is being interrupted."""
        for lease in list(self._leases.values()):
            self._keeper.put_back(lease.trial)
        self._leases.clear()

    def _of(self, worker: str) -> list[Lease]:
        return [lease for lease in self._leases.values() if lease.worker == worker]

    def _lose(self, lease: Lease, cause: str) -> Trial:
        self._keeper.lose(lease.trial, cause)
        del self._leases[lease.trial.id]
        return lease.trial
