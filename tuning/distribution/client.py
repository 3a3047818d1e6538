"""The worker's side: a dealer whose other end is a chief, which may be away for a while."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from tuning.books import Books
from tuning.distribution import addresses
from tuning.distribution.folder import read_token, write_outcome
from tuning.distribution.heartbeat import Heartbeat
from tuning.distribution.protocol import (
    DOING,
    EPOCHS,
    FOLDER,
    OPTIONS,
    TOKEN,
    Caller,
    fixed_text,
    messages,
    progress_request,
    record_in,
    status_of,
    trial_message,
)
from tuning.roles import Progress, SearchListener, Wait
from tuning.trial import Trial
from zoo.errors import DataError, ResourceError, UsageError, ZooError
from zoo.training.events import Message

PATIENCE_SECONDS = 600.0
"""How long a chief may be away: it is started again by hand, or by a cluster's scheduler."""
CALL_SECONDS = 60.0
SHORTEST_SECONDS = 0.5
"""That the last attempt of a call may take."""
PUT_BACK_SECONDS = 5.0
LONGEST_PAUSE = 5.0
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_NO_CHIEF = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


class Connection:
    """Calls of a chief, each made again with growing pauses while the chief is away.

    Args:
        address: HOST:PORT.
        worker: The name of this worker.
        listener: Told once when the chief is away, and when it is back.
        patience: Seconds after which a call is given up.
        check: Called between attempts; raises where the worker was interrupted.

    Raises:
        UsageError: The address is none, or its host is unknown.
    """

    def __init__(
        self,
        address: str,
        worker: str,
        *,
        listener: SearchListener,
        patience: float,
        check: Callable[[], None],
    ) -> None:
        addresses.check_known(address)
        self.address = address
        self.caller = Caller(worker, secrets.token_hex(8))
        self._listener, self._patience, self._check = listener, patience, check
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._stub = messages().service_pb2_grpc.OracleStub(self._channel)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def warn(self, text: str) -> None:
        """Tells the listener what nobody may miss."""
        self._listener(Message(text, warning=True))

    def once(
        self,
        method: str,
        request: Any,
        attempt: int = 0,
        more: tuple[tuple[str, Any], ...] = (),
        seconds: float = CALL_SECONDS,
    ) -> Any:
        """One attempt of a call, for so many seconds; raises what grpc raises."""
        metadata = (*replace(self.caller, attempt=attempt).metadata(), *more)
        return getattr(self._stub, method)(request, timeout=seconds, metadata=metadata)

    def call(
        self,
        method: str,
        request: Any,
        attempt: int = 0,
        *,
        patience: float | None = None,
        needless: Callable[[], bool] = lambda: False,
    ) -> Any:
        """A call, until it is answered; None where it has become needless while the chief is away.

        Raises:
            ResourceError: The chief was away for too long.
            UsageError: What answers is no chief, or the chief refuses this worker.
            ZooError: The chief failed.
        """
        began, pause, told = time.monotonic(), 0.1, False
        patience = self._patience if patience is None else patience
        while True:
            left = max(began + patience - time.monotonic(), SHORTEST_SECONDS)
            try:
                answer = self.once(method, request, attempt, seconds=min(CALL_SECONDS, left))
            except grpc.RpcError as error:
                if error.code() not in _AWAY:
                    raise self._refused(error) from error
                self._give_up(time.monotonic() - began, patience, error)
                if not told and time.monotonic() - began > 1:
                    told = True
                    self.warn(f"the chief at {self.address} is away ({_words(error)}); trying for {self._minutes()}")
            else:
                if told:
                    self._listener(Message(f"the chief at {self.address} is back"))
                return answer
            if needless():
                return None
            self._check()
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _give_up(self, away: float, patience: float, error: Any) -> None:
        if away >= patience:
            raise ResourceError(
                f"the chief at {self.address} did not answer for {away:.0f} s ({_words(error)}); "
                "check the address and port, or start the chief again: zoo tune --resume FOLDER --chief HOST:PORT"
            ) from error

    def _minutes(self) -> str:
        return f"{self._patience / 60:.0f} minutes" if self._patience >= 120 else f"{self._patience:.0f} s"

    def _refused(self, error: Any) -> ZooError:
        details = _words(error)
        if error.code() in _NO_CHIEF:
            return UsageError(f"what listens on {self.address} is no chief of a search ({details}); check the port")
        if error.code() == grpc.StatusCode.ALREADY_EXISTS:
            return UsageError(f"{details} (--name)")
        return ZooError(f"{details}; see what the chief at {self.address} says")


def _words(error: Any) -> str:
    """What grpc says, on one line and not too long."""
    return " ".join((error.details() or "").split())[:300]


class Client:
    """A `Dealer` whose trials come from a chief.

    Args:
        connection: To the chief.
        books: Of the search, in the shared folder.
        beat: Seconds between signs of life of a trial.
    """

    def __init__(self, connection: Connection, books: Books, *, beat: float = 3.0) -> None:
        self._connection, self._books, self._beat = connection, books, beat
        self._heartbeat: Heartbeat | None = None
        self._silenced: list[Heartbeat] = []

    def deal(self, worker: str) -> Trial | Wait | None:
        """As `Dealer.deal`.

        Raises:
            ResourceError: The chief was away for too long.
        """
        request = messages().service_pb2.CreateTrialRequest(tuner_id=worker)
        response = self._connection.call("CreateTrial", request, needless=self._over)
        if response is None:
            return None
        answer = response.trial
        status = status_of(answer)
        if status != "RUNNING":
            return "wait" if status == "IDLE" else None
        trial = record_in(answer)
        if trial is None:
            raise UsageError(f"what listens on {self._connection.address} is a chief of plain keras-tuner; start ours")
        self._heartbeat = Heartbeat(partial(self._send, trial.attempt), Progress(id=trial.id), self._beat)
        return trial

    def close(self) -> None:
        """Ends the signs of life and the connection, and with it the calls under way.

        No thread is left in a call: at the end of the program it could die with what grpc needs to end.
        """
        self._silence()
        self._connection.close()
        for heartbeat in self._silenced:
            heartbeat.join()

    def tell(self, progress: Progress) -> bool:
        """As `Dealer.tell`; comes back at once: the heartbeat sends it, and knows the chief's last answer."""
        return self._heartbeat is not None and self._heartbeat.tell(progress)

    def end(self, trial: Trial) -> None:
        """As `Dealer.end`: first into the shared folder, where a chief that is started again finds it."""
        self._silence()
        write_outcome(self._books, trial)
        self._hand_in(trial, "COMPLETED" if trial.status == "completed" else "FAILED")

    def put_back(self, trial: Trial) -> None:
        """As `Dealer.put_back`; a chief that is away learns it from the silence."""
        self._silence()
        try:
            self._hand_in(trial, "INVALID", PUT_BACK_SECONDS)
        except ResourceError as error:
            self._connection.warn(f"trial {trial.id} was not handed back: {error}")

    def _over(self) -> bool:
        """Whether the search has ended: this worker may have missed the chief's farewell."""
        try:
            return self._books.status().get("status") in ("finished", "failed")
        except DataError:  # the folder may be away with its chief
            return False

    def _silence(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._silenced = [heartbeat for heartbeat in (*self._silenced, self._heartbeat) if heartbeat.alive]
            self._heartbeat = None

    def _hand_in(self, trial: Trial, status: str, patience: float | None = None) -> None:
        request = messages().service_pb2.EndTrialRequest(trial=trial_message(trial, status, whole=True))
        self._connection.call("EndTrial", request, trial.attempt, patience=patience)

    def _send(self, attempt: int, progress: Progress) -> bool:
        """One sign of life; True as well where the chief is away, for it may come back."""
        more = ((DOING, progress.doing.encode()), (EPOCHS, str(progress.epochs)))
        request = progress_request(progress, self._books.plan.objective)
        try:
            answer = self._connection.once("UpdateTrial", request, attempt, more)
        except grpc.RpcError:
            return True
        return status_of(answer.trial) != "STOPPED"


def find_folder(connection: Connection, given: Path | None, seconds: float) -> Path:
    """The folder of the chief's search, on this machine; a shared folder may show a new file late.

    Args:
        connection: To the chief.
        given: Where it is here; None where it has the same path on every machine.
        seconds: To wait for it.

    Raises:
        UsageError: It is another folder, or not there.
    """
    answer = connection.call("GetSpace", messages().service_pb2.GetSpaceRequest()).hyperparameters
    expected, end = fixed_text(answer, TOKEN), time.monotonic() + seconds
    if expected is None:
        raise UsageError(f"what listens on {connection.address} is a chief of plain keras-tuner; start ours: zoo tune")
    folder = given or Path(fixed_text(answer, FOLDER) or "")
    while read_token(folder) != expected:
        if time.monotonic() > end:
            what = "not the folder of" if folder.exists() else "not there, the folder of"
            raise UsageError(
                f"{folder} is {what} the chief at {connection.address}; share one folder between the machines, and "
                "name it to the worker where its path differs"
            )
        time.sleep(0.2)
    return folder
