"""The chief's side: answers workers' calls from a dealer, and takes trials from workers that are heard no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any

import grpc

from tuning.books import Books
from tuning.distribution import addresses
from tuning.distribution.callers import Callers
from tuning.distribution.folder import read_outcome, remove_outcome, write_token
from tuning.distribution.leases import Leases
from tuning.distribution.protocol import (
    FOLDER,
    OPTIONS,
    TOKEN,
    Caller,
    empty_message,
    messages,
    progress_in,
    space_message,
    status_of,
    trial_message,
)
from tuning.distribution.servicer import Servicer
from tuning.roles import Keeper, SearchListener, WorkerChanged
from tuning.trial import Trial
from zoo.errors import UsageError

HEARTBEAT_SECONDS = 30.0
CALLS_AT_ONCE = 32
_STATUS = {"running": "RUNNING", "completed": "COMPLETED", "failed": "FAILED", "rejected": "FAILED"}


class Chief:
    """Serves the trials of a dealer to workers anywhere; a context manager.

    Every call of the dealer is made under one lock, from threads of the server.

    Args:
        keeper: Who deals; one that left what runs by the books with its workers.
        books: Of the search.
        address: HOST:PORT to listen on, and on no other; port 0 takes a free one.
        listener: Told who joined and who is gone, from threads of the server.
        patience: Seconds without a sign of life after which a trial is given to another worker.

    Raises:
        UsageError: The address is occupied or not this machine's.

    Example:
        >>> with Chief(engine, books, "0.0.0.0:8765") as chief:
        ...     while not chief.over:
        ...         chief.watch()
        ...         time.sleep(0.2)
    """

    def __init__(
        self,
        keeper: Keeper,
        books: Books,
        address: str = "127.0.0.1:0",
        *,
        listener: SearchListener = lambda _event: None,
        patience: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.address = address
        self._books, self._listener, self._patience = books, listener, patience
        self._leases = Leases(keeper, self._still_running(keeper), patience=patience)
        self._lock = threading.RLock()
        self._callers = Callers()
        self._exhausted = self._closing = False
        self._error: BaseException | None = None
        self._server: Any = None
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Chief:
        addresses.check_free(self.address)
        self._token = write_token(self._books.path)
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE, "chief")
        self._server = grpc.server(self._pool, options=OPTIONS)
        messages().service_pb2_grpc.add_OracleServicer_to_server(Servicer(self), self._server)
        try:
            port = self._server.add_insecure_port(self.address)
        except RuntimeError as error:
            self._stop()
            raise UsageError(
                f"the chief cannot listen on {self.address}: it is occupied; choose a free port"
            ) from error
        self.address = addresses.join(addresses.split(self.address)[0], port)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._server.stop(grace=1.0).wait()
        if self._pool is not None:
            self._pool.shutdown()

    @property
    def over(self) -> bool:
        """Whether there is nothing left to deal, and nothing in anybody's hands."""
        with self._lock:
            return self._exhausted and not len(self._leases)

    @property
    def idle(self) -> bool:
        """Whether no trial is in anybody's hands."""
        with self._lock:
            return not len(self._leases)

    def workers(self) -> list[str]:
        """Names of workers that were heard lately."""
        with self._lock:
            return self._callers.waiting(self._patience)

    def watch(self) -> None:
        """Takes the trials of workers that are not heard; to be called a few times a second.

        Raises:
            ZooError: What went wrong while a call was answered, as any other exception.
        """
        with self._lock:
            late = self._leases.expire()
        for lease in late:
            gone = f"was not heard for {self._patience:g} s; trial {lease.trial.id} goes to another"
            self._listener(WorkerChanged(worker=lease.worker, what=gone))
        if self._error is not None:
            raise self._error

    def lose(self, worker: str, cause: str) -> list[Trial]:
        """Takes what a worker held that is known to be dead, at once."""
        with self._lock:
            self._callers.forget(worker)
            return self._leases.lose(worker, cause)

    def dismiss(self, seconds: float) -> None:
        """Ends the search early: every worker is told to stop, and what is not put back in time is taken back."""
        with self._lock:
            self._closing = self._exhausted = True
        self._await(lambda: not len(self._leases), seconds)
        with self._lock:
            self._leases.release()

    def farewell(self, seconds: float) -> None:
        """Waits until every worker that was heard in the last seconds has been told that the search is over."""
        self._await(lambda: not self._callers.waiting(seconds), seconds)

    def _still_running(self, keeper: Keeper) -> list[Trial]:
        """Trials that workers of an earlier chief may still be at; those that ended meanwhile are taken."""
        given = [trial for trial in self._books.trials()[0] if trial.status == "running" and trial.worker]
        found = {trial.id: read_outcome(self._books, trial) for trial in given}
        for outcome in found.values():
            if outcome is not None:
                keeper.end(outcome)
                remove_outcome(self._books, outcome)
        return [trial for trial in given if found[trial.id] is None]

    def _await(self, done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            time.sleep(0.05)

    def space(self) -> Any:
        """GetSpace: which folder the search has; the space itself is in the plan there."""
        return space_message({TOKEN: self._token, FOLDER: str(self._books.path)})

    def deal(self, caller: Caller) -> Any:
        """CreateTrial: a trial, IDLE or STOPPED."""
        with self._lock:
            is_new = self._callers.greet(caller)
        if is_new:
            self._listener(WorkerChanged(worker=caller.worker, what="joined"))
        with self._lock:
            dealt = None if self._closing else self._leases.deal(caller)
            if dealt is None and len(self._leases) and not self._closing:
                dealt = "wait"  # what others still hold may have to be dealt again
            if dealt is None:
                self._exhausted = True
                self._callers.dismissed(caller)
                return empty_message("STOPPED")
        return empty_message("IDLE") if dealt == "wait" else trial_message(dealt, "RUNNING", whole=bool(caller.session))

    def tell(self, caller: Caller, request: Any, metadata: dict[str, Any]) -> Any:
        """UpdateTrial: RUNNING, or STOPPED where the worker is to leave the trial."""
        progress = progress_in(request, metadata, self._books.plan.objective)
        with self._lock:
            self._callers.heard(caller)
            going_on = not self._closing and self._leases.tell(caller, progress)
        pb = messages().keras_tuner_pb2
        return pb.Trial(trial_id=progress.id, status=pb.TrialStatus.Value("RUNNING" if going_on else "STOPPED"))

    def end(self, caller: Caller, message: Any, record: Trial | None) -> None:
        """EndTrial: takes an outcome, or with INVALID the trial itself; of one that is not the caller's, nothing."""
        status = status_of(message)
        with self._lock:
            self._callers.heard(caller)
            lease = self._leases.find(caller, message.trial_id)
            if lease is None:
                if record is not None and not self._leases.dealt(record.id):
                    remove_outcome(self._books, record)  # a late one, of a trial that has ended
                return
            if status == "INVALID" and record is not None:
                self._leases.put_back(caller, lease.trial.id)
            elif status == "INVALID":
                self._leases.lose(lease.worker, "its worker gave it up; keras-tuner's protocol tells no cause")
            else:
                self._leases.end(caller, record or plain_outcome(lease.trial, status, lease.score))
                remove_outcome(self._books, lease.trial)

    def trial(self, identifier: str) -> Any:
        """GetTrial.

        Raises:
            UsageError: It is no trial's id.
        """
        if not identifier.isdecimal():
            raise UsageError(f"{identifier!r} is no trial's id; expected digits")
        found = self._books.read(identifier)
        return trial_message(found, _STATUS[found.status], whole=False)

    def best(self, count: int) -> list[Any]:
        """GetBestTrials."""
        return [trial_message(trial, "COMPLETED", whole=False) for trial in self._books.ranked()[:count]]

    def refusal(self, caller: Caller) -> str:
        """Why a caller is not served; empty where it is."""
        with self._lock:
            if self._callers.replaced(caller):
                return f"another worker has taken the name {caller.worker!r}; give every worker a name of its own"
        return ""

    def fail(self, error: BaseException) -> None:
        """Keeps the first error of a call, for `watch`."""
        self._error = self._error or error


def plain_outcome(trial: Trial, status: str, score: float | None) -> Trial:
    """What a plain keras-tuner worker's end of a trial means; its protocol tells no cause and no figures.

    Args:
        trial: As it was dealt.
        status: A name of keras-tuner's `TrialStatus`.
        score: The objective it told last.
    """
    if status == "COMPLETED" and score is not None:
        return replace(trial, status="completed", score=score, scores=(score,))
    cause = "no objective was told" if status == "COMPLETED" else "keras-tuner's protocol tells no cause"
    return replace(trial, status="failed", reason=cause)
