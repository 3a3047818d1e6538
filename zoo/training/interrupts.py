"""Ctrl-C and SIGTERM at a safe point: inside TensorFlow they come out as another error, or cut a save short."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from zoo.errors import SigtermInterrupt

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
IMPATIENT = 5
"""So many signals interrupt at once, wherever the program is."""


class DeferredInterrupts:
    """Takes SIGINT and SIGTERM while its block runs, and raises the first where `check` is called.

    In the main thread only, where Python delivers signals; elsewhere it does nothing.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> DeferredInterrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def check(self) -> None:
        """Raises what was received: KeyboardInterrupt, or SigtermInterrupt for SIGTERM."""
        if self._received:
            raise SigtermInterrupt if self._received[0] == signal.SIGTERM else KeyboardInterrupt

    def hand_on(self) -> None:
        """After the block, sends a signal that came too late to be raised in it to whoever takes signals now."""
        if self._received:
            signal.raise_signal(self._received[0])

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)
        if len(self._received) >= IMPATIENT:
            self.check()
