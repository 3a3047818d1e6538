"""Keeps local worker processes alive: started, watched, started again, ended together."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from tuning.distribution.folder import WORKERS
from tuning.distribution.worker import BEAT_SECONDS, RECIPES, Job
from tuning.roles import SearchListener, WorkerChanged
from tuning.trial import Trial
from zoo.errors import InterruptedRunError, ResourceError, TerminatedRunError
from zoo.settings import cpu_count

STARTS_IN_A_ROW = 3
LAST_BYTES = 10_000
CHATTER = re.compile(r"WARNING: All log messages|[IWE]0000 |To enable the following")
"""What TensorFlow says when all is well."""
GRACE_SECONDS = 30.0
_START = "import sys; sys.path.append(sys.argv[1]); from tuning.distribution.worker import main; main()"
_FOR_GOOD = (*range(2, 8), InterruptedRunError.exit_code, TerminatedRunError.exit_code)
"""Exit codes of a `ZooError`, which would come again, and of a worker that somebody has ended."""


@dataclass
class Worker:
    """One local worker.

    Attributes:
        process: None until it is started.
        state: "left" where it has done its work, "failed" where it is not started again.
        starts: In a row, without a trial.
        log_begins: Where its own messages begin in the log, bytes.
        last_words: How it ended last.
    """

    name: str
    cores: tuple[int, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    state: Literal["alive", "left", "failed"] = "alive"
    starts: int = 0
    log_begins: int = 0
    last_words: str = ""


def divide_cores(count: int) -> list[tuple[int, ...]]:
    """The cores of this process in `count` equal shares; of more workers than cores several have the same one.

    Equal, so that a trial's threads and with them its result do not depend on the worker.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = sorted(affinity(0)) if affinity else list(range(cpu_count()))
    share = max(1, len(cores) // max(1, count))
    return [tuple(cores[(index * share + step) % len(cores)] for step in range(share)) for index in range(count)]


class Supervisor:
    """Local workers of a chief; a context manager that leaves no process behind.

    Args:
        folder: Of the search.
        address: Of the chief.
        count: How many; may be 0.
        lose: Told a dead worker's name and why it died; the trials that it held.
        listener: Told who died, and what was done.
        runner: See `Job`.
        beat: See `Job`.
    """

    def __init__(
        self,
        folder: Path,
        address: str,
        count: int,
        *,
        lose: Callable[[str, str], list[Trial]],
        listener: SearchListener = lambda _event: None,
        runner: str = RECIPES,
        beat: float = BEAT_SECONDS,
    ) -> None:
        self._folder, self._address, self._lose, self._listener = folder, address, lose, listener
        self._runner, self._beat = runner, beat
        shares = divide_cores(count)
        self.workers = [
            Worker(f"worker-{index + 1}", share, folder / WORKERS / f"worker-{index + 1}.log")
            for index, share in enumerate(shares)
        ]

    def __enter__(self) -> Supervisor:
        for worker in self.workers:
            self._start(worker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running():
            process.kill()
        for worker in self.workers:
            if worker.process is not None:
                worker.process.wait()
                _close(worker.process)

    def watch(self) -> None:
        """Sees who died; to be called a few times a second."""
        for worker in self._alive():
            if worker.process is not None and (code := worker.process.poll()) is not None:
                self._ended(worker, code)

    @property
    def failure(self) -> ResourceError | None:
        """Why no worker is left; None while one is, or where all have done their work."""
        failed = [worker for worker in self.workers if worker.state == "failed"]
        if not failed or self._alive():
            return None
        name, words, log = failed[-1].name, failed[-1].last_words, failed[-1].log
        return ResourceError(f"no worker is left: {name} {words}; its messages are in {log}")

    def interrupt(self, number: int) -> None:
        """Sends a signal to every worker, once: Ctrl-C itself reaches only the parent."""
        for process in self._running():
            process.send_signal(number)

    def wait(self, seconds: float) -> None:
        """Waits until all have ended, and starts none again."""
        end = time.monotonic() + seconds
        for process in self._running():
            with contextlib.suppress(subprocess.TimeoutExpired):  # who does not end in time is killed at the end
                process.wait(max(0.01, end - time.monotonic()))

    def _alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.state == "alive"]

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [worker.process for worker in self._alive() if worker.process is not None]

    def _start(self, worker: Worker) -> None:
        job = Job(
            address=self._address,
            folder=str(self._folder),
            name=worker.name,
            cores=worker.cores,
            runner=self._runner,
            beat=self._beat,
        )
        root = str(Path(__file__).resolve().parent.parent.parent)
        worker.log.parent.mkdir(parents=True, exist_ok=True)
        worker.log_begins = worker.log.stat().st_size if worker.log.exists() else 0
        worker.starts += 1
        with worker.log.open("ab") as log:
            # -P: a file of the user's named like a module of ours must not be imported;
            # its own session: Ctrl-C reaches the parent alone, which tells the workers once
            worker.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, root, job.to_text()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _ended(self, worker: Worker, code: int) -> None:
        """What is done about a worker that has ended."""
        if worker.process is not None:
            _close(worker.process)
        worker.last_words = how = self._how(worker, code)
        held = self._lose(worker.name, how)
        if code == 0 and not held:  # with a trial in hand it was the trial that ended the process
            worker.state = "left"
            self._listener(WorkerChanged(worker=worker.name, what="left"))
            return
        worker.starts = 0 if held else worker.starts
        if (code in _FOR_GOOD and not held) or worker.starts >= STARTS_IN_A_ROW:
            worker.state = "failed"
            self._listener(WorkerChanged(worker=worker.name, what=f"{how}; not started again"))
            return
        self._start(worker)
        self._listener(WorkerChanged(worker=worker.name, what=f"{how}; started again"))

    def _how(self, worker: Worker, code: int) -> str:
        """How a worker ended, with its last line where it said something."""
        if code == -signal.SIGKILL:
            return "killed by signal 9 (out of memory?)"
        how = f"killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
        words = self._words(worker)
        return f"{how}: {words}" if words else how

    def _words(self, worker: Worker) -> str:
        """The last line that the worker wrote since it was started."""
        with worker.log.open("rb") as log:
            log.seek(max(worker.log_begins, worker.log.stat().st_size - LAST_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        told = [line.strip().removeprefix("zoo: ") for line in lines if line.strip() and not CHATTER.match(line)]
        return told[-1][:300] if told else ""


def _close(process: subprocess.Popen[bytes]) -> None:
    """Closes our end of the pipe by which a worker sees that we live."""
    if process.stdin is not None:
        process.stdin.close()
