"""A worker: asks a chief for trials and runs them, in this process or as a process of its own."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from tuning.books import Books
from tuning.distribution.client import PATIENCE_SECONDS, Client, Connection, find_folder
from tuning.roles import Runner, SearchEvent, SearchListener
from tuning.working import work
from zoo.errors import InterruptedRunError, SigtermInterrupt, TerminatedRunError, UsageError, ZooError
from zoo.runs import to_json
from zoo.training.events import Message
from zoo.training.interrupts import DeferredInterrupts

BEAT_SECONDS = 3.0
WAIT_SECONDS = 0.5
FOLDER_SECONDS = 30.0
RECIPES = "tuning.distribution.worker:recipe_runner"
MakeRunner = Callable[[Books, Callable[[], None]], AbstractContextManager[Runner]]
"""From the books, and from what raises on an interrupt, to what runs the trials."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker process is told.

    Attributes:
        address: Of the chief.
        folder: Of the search.
        name: The worker's.
        cores: That it may use; empty for all.
        runner: "module:function" or "FILE.py:function" that makes the runner, a `MakeRunner`.
        beat: Seconds between signs of life.
        patience: Seconds for which the chief may be away.
    """

    address: str
    folder: str
    name: str
    cores: Sequence[int] = ()
    runner: str = RECIPES
    beat: float = BEAT_SECONDS
    patience: float = PATIENCE_SECONDS

    def to_text(self) -> str:
        """As an argument of the process."""
        return to_json(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Job:
        """The inverse of `to_text`."""
        return cls(**json.loads(text))


def run_worker(
    address: str,
    folder: Path | None = None,
    name: str = "",
    *,
    make_runner: MakeRunner | None = None,
    listener: SearchListener = lambda _event: None,
    beat: float = BEAT_SECONDS,
    patience: float = PATIENCE_SECONDS,
    folder_seconds: float = FOLDER_SECONDS,
) -> None:
    """Runs trials of a chief until the search is over.

    Waits for the chief, then for the folder, so both may be started in any order.

    Args:
        address: HOST:PORT of the chief.
        folder: Of the search, on this machine; None where the chief's path holds here too.
        name: This worker's, by default of the machine and the process; no other may have it. One that comes back under
            its name is given its trial again.
        make_runner: Makes what runs the trials; by default of recipes.
        listener: Told when the chief is away.
        beat: Seconds between signs of life of a trial.
        patience: Seconds for which the chief may be away.
        folder_seconds: To wait for the chief's folder, which a network may show late.

    Raises:
        UsageError: The address is unknown, no chief's, or the folder is another one; or the name is taken.
        ResourceError: The chief was away for too long.
        KeyboardInterrupt: Ctrl-C, after the trial was handed back; SigtermInterrupt for SIGTERM.
    """
    name = name or f"{socket.gethostname()}-{os.getpid()}"
    with DeferredInterrupts() as interrupts:
        connection = Connection(address, name, listener=listener, patience=patience, check=interrupts.check)
        with closing(connection):
            books = Books.open(find_folder(connection, folder, folder_seconds))
            with (
                closing(Client(connection, books, beat=beat)) as client,
                (make_runner or recipe_runner)(books, interrupts.check) as runner,
            ):
                work(client, runner, name, check=interrupts.check, wait_seconds=WAIT_SECONDS)
    interrupts.hand_on()


def recipe_runner(books: Books, check: Callable[[], None], threads: int = 0) -> AbstractContextManager[Runner]:
    """What runs the trials of recipes in a worker; it says on standard error what nobody may miss.

    Args:
        books: Of the search.
        check: Raises where the worker was interrupted.
        threads: Cores for the arithmetic; 0 for all that this process may use.
    """
    from tuning.running import RecipeRunner

    return RecipeRunner(books, threads=threads, listener=_log, check=check)


def load(runner: str) -> MakeRunner:
    """The function that "module:function" or "FILE.py:function" names.

    Raises:
        UsageError: There is none.
    """
    where, _, function = runner.rpartition(":")
    try:
        module = _of_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
        found: MakeRunner = getattr(module, function)
    except (ImportError, AttributeError, OSError, ValueError) as error:
        raise UsageError(f"runner {runner!r} was not found ({error}); expected module:function") from error
    return found


def _of_file(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)
    return module


def main() -> NoReturn:
    """A worker process: a `Job` as its last argument, and a standard input that ends when its parent does."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    code = _work(Job.from_text(sys.argv[-1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is written; TensorFlow would take seconds to go, for which the chief would wait


def _work(job: Job) -> int:
    """Does the job; the exit code."""
    make_runner = load(job.runner)
    if not _keep_to(job.cores) and job.runner == RECIPES:
        make_runner = partial(recipe_runner, threads=len(job.cores))
    try:
        run_worker(
            job.address,
            Path(job.folder),
            job.name,
            make_runner=make_runner,
            listener=_log,
            beat=job.beat,
            patience=job.patience,
        )
    except SigtermInterrupt:
        return TerminatedRunError.exit_code
    except KeyboardInterrupt:
        return InterruptedRunError.exit_code
    except ZooError as error:
        _write(f"zoo: {' '.join(str(error).split())}")
        return error.exit_code
    return 0


def _end_with_parent() -> None:
    """Ends this process when the other end of its standard input is closed: a parent that is killed tells nobody."""
    while os.read(0, 4096):
        pass
    _write("zoo: the process that started this worker has ended")
    os._exit(1)


def _keep_to(cores: Sequence[int]) -> bool:
    """Leaves other cores to other workers: TensorFlow, numpy and child processes then take so many threads.

    Returns:
        Whether this system can; where it cannot, TensorFlow has to be told.
    """
    set_affinity = getattr(os, "sched_setaffinity", None)
    if set_affinity is None:
        return not cores
    if cores:
        set_affinity(0, cores)
    return True


def _log(event: SearchEvent) -> None:
    if isinstance(event, Message):
        _write(event.text)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
