"""Signs of life of a trial, sent from a thread while the trial has the main one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tuning.roles import Progress

SHORTEST_SECONDS = 0.2
"""Between two signs: a trial may tell after every epoch of milliseconds."""


class Heartbeat:
    """Sends what was told last, at once where it is new, and again every few seconds where it is not.

    Args:
        send: Sends one; False asks to stop.
        first: What to send until the trial tells something.
        seconds: Between two signs of which nothing is new.
    """

    def __init__(self, send: Callable[[Progress], bool], first: Progress, seconds: float) -> None:
        self._send, self._latest, self._seconds = send, first, seconds
        self._news, self._ended, self._asked_to_stop = threading.Event(), threading.Event(), threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def tell(self, progress: Progress) -> bool:
        """Hands over what to send; False where the last answer asked to stop.

        Raises:
            Exception: What ended the signs before their time.
        """
        if self._error is not None:
            raise self._error
        if progress != self._latest:
            self._latest = progress
            self._news.set()
        return not self._asked_to_stop.is_set()

    def stop(self) -> None:
        """Ends the signs."""
        self._ended.set()
        self._news.set()
        self._thread.join(timeout=1)  # one that hangs in a call to a chief that is away ends by itself

    @property
    def alive(self) -> bool:
        """Whether its thread has not ended: it is in a call."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Waits for its thread, which ends with the call that it is in."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._news.clear()
                if not self._send(self._latest):
                    self._asked_to_stop.set()
                    return
                self._ended.wait(SHORTEST_SECONDS)
                self._news.wait(self._seconds)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the trial's own thread has
            self._error = error
