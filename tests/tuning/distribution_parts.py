"""What the tests of distribution share: a dealer and a runner without TensorFlow, also for processes of their own.

As a program it is a chief: `python distribution_parts.py '{"folder": ..., "trials": 4, "workers": 2, ...}'`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from tuning.books import Books
from tuning.distribution.running import run_chief
from tuning.distribution.worker import run_worker
from tuning.plan import Plan
from tuning.roles import Keeper, Progress, Runner, SearchEvent, Tell, TrialStoppedError, Wait
from tuning.trial import Trial

RUNNER = f"{Path(__file__).resolve()}:make_runner"
ATTEMPTS = 2
LONG = 60.0
"""Seconds to wait for what takes one or two on a quiet machine."""


def make_books(folder: Path, seconds: float = 0.0, **given: object) -> Books:
    """A new search of trials that sleep."""
    return Books.create(folder, Plan(names=("sleep",), given={"seconds": seconds, **given}))


class Desk:
    """A `Keeper` with a fixed number of trials, which go on where the books were left."""

    def __init__(self, books: Books, trials: int) -> None:
        self.books, self.trials, self.calls = books, trials, 0
        known = books.trials()[0]
        self.given = len(known)
        self.counter = max([trial.ended or trial.created for trial in known], default=0)
        self.lock = threading.Lock()

    def tick(self) -> int:
        self.counter += 1
        return self.counter

    def deal(self, worker: str) -> Trial | Wait | None:
        with self.lock:
            waiting = [trial for trial in self.books.trials()[0] if trial.status == "running" and not trial.worker]
            if waiting:
                trial = replace(waiting[0], worker=worker)
            elif self.given < self.trials:
                value = self.given / 7
                known = {"x": value}
                trial = Trial(id=f"{self.given:04}", values=known, proposed=known, created=self.tick(), worker=worker)
                self.given += 1
            else:
                return None
            self.books.write(trial)
            return trial

    def tell(self, progress: Progress) -> bool:
        self.calls += 1
        return True

    def end(self, trial: Trial) -> None:
        with self.lock:
            known = self.books.read(trial.id)
            if (known.status, known.worker, known.attempt) == ("running", trial.worker, trial.attempt):
                self.books.write(replace(trial, ended=self.tick()))

    def put_back(self, trial: Trial) -> None:
        self.books.write(replace(trial, worker=""))

    def lose(self, trial: Trial, cause: str) -> None:
        if trial.attempt >= ATTEMPTS:
            self.books.write(replace(trial, status="failed", reason=cause, ended=self.tick()))
        else:
            self.books.write(replace(trial, worker="", attempt=trial.attempt + 1))


class Sleeper:
    """A `Runner` whose trials take `seconds`, and fail, die or refuse to start as the plan says.

    None ends before `together` workers have begun one.
    """

    def __init__(self, books: Books, check: Callable[[], None]) -> None:
        self.books, self.given, self.check = books, books.plan.given, check

    def run(self, trial: Trial, tell: Tell) -> Trial:
        (self.books.path / f"started-{trial.id}-{trial.attempt}-{trial.worker}-{os.getpid()}").touch()
        if trial.id == self.given.get("deadly"):
            if "exits" in self.given:
                os._exit(int(self.given["exits"]))
            os.kill(os.getpid(), signal.SIGKILL)
        end = time.monotonic() + float(self.given["seconds"])
        while time.monotonic() < end or self.begun() < int(self.given.get("together", 0)):
            self.check()
            time.sleep(0.02)
            if not tell(Progress(id=trial.id, epoch=1, epochs=2, score=0.1)):
                raise TrialStoppedError
        score = 0.1 + float(trial.values.get("x", 0.5))
        return replace(trial, status="completed", score=score, scores=(score,), reason="", seconds=1 / 3)

    def begun(self) -> int:
        """Workers so far: `started-<trial>-<attempt>-<worker>-<pid>`."""
        return len({path.name.split("-", 3)[3] for path in self.books.path.glob("started-*")})


def make_runner(books: Books, check: Callable[[], None]) -> AbstractContextManager[Runner]:
    if "broken" in books.plan.given:
        raise RuntimeError(str(books.plan.given["broken"]))
    return nullcontext(Sleeper(books, check))


class Notes:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[SearchEvent] = []
        self.threads: set[int] = set()

    def __call__(self, event: SearchEvent) -> None:
        self.threads.add(threading.get_ident())
        self.events.append(event)

    def __str__(self) -> str:
        return "\n".join(map(str, self.events))


def wait_for(what: Callable[[], object], seconds: float = LONG) -> object:
    """What `what` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing after {seconds} s")


def make_engine(books: Books) -> Keeper:
    """The one of real searches, as a chief has it that may find trials with their workers."""
    from tuning.engine import Engine
    from tuning.space import Space

    space = Space.from_json(books.plan.names, books.plan.space)
    return Engine(books, space, 5, lambda _event: None, leave_running=True)


def main() -> None:
    job = json.loads(sys.argv[1])
    books = Books.open(Path(job["folder"]))
    if "worker" in job:
        run_worker(job["address"], books.path, job["worker"], make_runner=make_runner, beat=0.1)
        return
    run_chief(
        books,
        make_engine(books) if job.get("engine") else Desk(books, job["trials"]),
        job.get("address", "127.0.0.1:0"),
        workers=job.get("workers", 0),
        runner=RUNNER,
        beat=0.1,
        patience=job.get("patience", LONG),
        listener=lambda event: sys.stdout.write(f"{event}\n") and None,
        on_address=lambda address: (books.path / "address").write_text(address),
    )


if __name__ == "__main__":
    main()
