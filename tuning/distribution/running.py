"""A search of many workers from the chief's process: here, elsewhere, or both."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from tuning.books import Books
from tuning.distribution import addresses
from tuning.distribution.chief import HEARTBEAT_SECONDS, Chief
from tuning.distribution.supervisor import GRACE_SECONDS, Supervisor
from tuning.distribution.worker import BEAT_SECONDS, RECIPES
from tuning.roles import Keeper, SearchListener
from zoo.errors import SigtermInterrupt
from zoo.training.interrupts import DeferredInterrupts

POLL_SECONDS = 0.1
FAREWELL_SECONDS = 10.0
"""For workers elsewhere to ask once more; one that misses it sees the search's end in the folder."""
LEAVING_SECONDS = 5.0
"""For a worker that has handed its trial back, and has only to end."""


def run_chief(
    books: Books,
    keeper: Keeper,
    address: str = "127.0.0.1:0",
    *,
    workers: int = 0,
    listener: SearchListener = lambda _event: None,
    on_address: Callable[[str], None] = lambda _address: None,
    patience: float = HEARTBEAT_SECONDS,
    beat: float = BEAT_SECONDS,
    runner: str = RECIPES,
    seconds_left: Callable[[], float | None] = lambda: None,
    between: Callable[[], None] = lambda: None,
) -> None:
    """Deals trials to workers until the search is over.

    Args:
        books: Of the search.
        keeper: Who deals.
        address: HOST:PORT for workers elsewhere; the default is for those of this machine.
        workers: Processes to start here; may be 0.
        listener: Told what happens, also from other threads.
        on_address: Told the address when workers may come.
        patience: Seconds without a sign of life after which a trial is given to another worker.
        beat: Seconds between the signs of the workers here.
        runner: What makes their `Runner`, see `tuning.distribution.worker.Job`.
        seconds_left: Until the time is over: then the search ends, whether or not a worker is there to be told.
        between: Called in this thread all the time and at the end, such as `Mailbox.empty`.

    Raises:
        UsageError: The address is occupied or not this machine's.
        ResourceError: Workers were started here, and none can go on.
        KeyboardInterrupt: Ctrl-C, after every trial was put back; SigtermInterrupt for SIGTERM.
    """
    with DeferredInterrupts() as interrupts, ExitStack() as stack:
        stack.callback(between)
        chief = stack.enter_context(Chief(keeper, books, address, listener=listener, patience=patience))
        on_address(chief.address)
        nearby = addresses.local(chief.address)
        team = Supervisor(books.path, nearby, workers, lose=chief.lose, listener=listener, runner=runner, beat=beat)
        stack.enter_context(team)
        try:
            while not (chief.over or (chief.idle and seconds_left() == 0)):
                interrupts.check()
                between()
                chief.watch()
                team.watch()
                if team.failure is not None and not chief.workers():
                    raise team.failure
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt as interrupt:
            team.interrupt(signal.SIGTERM if isinstance(interrupt, SigtermInterrupt) else signal.SIGINT)
            chief.dismiss(GRACE_SECONDS)
            team.wait(LEAVING_SECONDS)
            raise
        chief.farewell(FAREWELL_SECONDS)
        team.wait(LEAVING_SECONDS)
    interrupts.hand_on()
