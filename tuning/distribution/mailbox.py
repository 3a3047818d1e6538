"""What servers' threads say, told in another: a listener may draw a page, and no worker waits for it."""

from __future__ import annotations

import queue

from tuning.roles import SearchEvent, SearchListener


class Mailbox:
    """A listener that keeps what it is told until it is asked to hand it on.

    Args:
        listener: Told it then, in the order in which it was said.

    Example:
        >>> box = Mailbox(listener)
        >>> engine = Engine(books, space, epochs, box, leave_running=True)
        >>> run_chief(books, engine, address, listener=box, between=box.empty)
    """

    def __init__(self, listener: SearchListener) -> None:
        self._listener = listener
        self._events: queue.SimpleQueue[SearchEvent] = queue.SimpleQueue()

    def __call__(self, event: SearchEvent) -> None:
        """Keeps an event."""
        self._events.put(event)

    def empty(self) -> None:
        """Tells the listener what was said meanwhile, in the caller's thread."""
        while not self._events.empty():
            self._listener(self._events.get())
