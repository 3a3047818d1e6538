"""Which workers a chief has heard of, when, and which process goes by a name."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tuning.distribution.protocol import Caller


@dataclass
class _Known:
    session: str
    heard: float
    dismissed: bool = False


class Callers:
    """The workers of a chief; of two processes of one name the later is the worker, and the earlier is refused."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._replaced: set[tuple[str, str]] = set()

    def greet(self, caller: Caller) -> bool:
        """Notes who asks for a trial; whether that process is new."""
        known = self._known.get(caller.worker)
        if known is not None and known.session == caller.session:
            known.heard = time.monotonic()
            return False
        if known is not None and known.session:
            self._replaced.add((caller.worker, known.session))
        self._known[caller.worker] = _Known(caller.session, time.monotonic())
        return True

    def heard(self, caller: Caller) -> None:
        """Notes a sign of life; that of a process that was replaced is none."""
        known = self._known.get(caller.worker)
        if known is not None and known.session == caller.session:
            known.heard = time.monotonic()

    def replaced(self, caller: Caller) -> bool:
        """Whether another process has taken the caller's name."""
        return (caller.worker, caller.session) in self._replaced

    def dismissed(self, caller: Caller) -> None:
        """Notes that a worker was told that the search is over; one that was forgotten meanwhile stays so."""
        known = self._known.get(caller.worker)
        if known is not None:
            known.dismissed = True

    def forget(self, worker: str) -> None:
        """Notes that a worker is dead: nobody waits for it."""
        self._known.pop(worker, None)

    def waiting(self, patience: float) -> list[str]:
        """Workers that were heard lately and do not yet know that the search is over."""
        now = time.monotonic()
        return [name for name, known in self._known.items() if not known.dismissed and now - known.heard < patience]
