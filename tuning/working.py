"""What a worker does: deal, run, end, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tuning.roles import Dealer, Progress, Runner, TrialStoppedError
from tuning.trial import Trial
from zoo.errors import DivergedError, ResourceError, ZooError
from zoo.registry import LONGEST

WAIT_SECONDS = 1.0


def work(
    dealer: Dealer,
    runner: Runner,
    worker: str,
    *,
    check: Callable[[], None] = lambda: None,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Runs trials until there are no more; one that fails is an outcome like any other.

    Args:
        dealer: Who has the trials.
        runner: Who runs them.
        worker: This worker's name, as no other has it.
        check: Called between trials; raises KeyboardInterrupt to stop.
        wait_seconds: Until asking again where a trial may come later.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the trial in hand was put back.
    """
    while True:
        check()
        dealt = dealer.deal(worker)
        if dealt is None:
            return
        if isinstance(dealt, Trial):
            _run(dealer, runner, dealt)
        else:
            time.sleep(wait_seconds)


def _run(dealer: Dealer, runner: Runner, trial: Trial) -> None:
    """One trial, from the dealer and back to it."""

    def tell(progress: Progress) -> bool:
        return dealer.tell(replace(progress, worker=trial.worker))

    begin = time.monotonic()
    try:
        outcome = runner.run(trial, tell)
    except (KeyboardInterrupt, TrialStoppedError) as stopped:
        dealer.put_back(trial)
        if isinstance(stopped, KeyboardInterrupt):
            raise
        return
    except (Exception, SystemExit) as error:  # noqa: BLE001  a builder may raise anything: a failed trial is data
        seconds = time.monotonic() - begin
        outcome = replace(trial, status="failed", reason=reason_of(error), seconds=seconds)
    try:
        dealer.end(outcome)
    except KeyboardInterrupt:
        dealer.put_back(trial)
        raise


def reason_of(error: BaseException) -> str:
    """Why a trial failed, one line that begins with the kind of failure."""
    said = " ".join(str(error).split())[:LONGEST]
    name = type(error).__name__
    if isinstance(error, DivergedError):
        return f"diverged: {said}"
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":
        return f"out of memory: {said or name}"
    if isinstance(error, ResourceError):
        return f"out of disk or memory: {said}"
    kind = name.removesuffix("Error").lower() if isinstance(error, ZooError) else name
    return f"{kind}: {said}" if said else kind
