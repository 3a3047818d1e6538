"""Keeps one warm child process and asks it; limits its time and memory, and replaces it when it dies."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from zoo.errors import DataError, ModelError, ResourceError, UsageError, ZooError

POLL_SECONDS = 0.05
_KINDS: dict[int, type[ZooError]] = {
    kind.exit_code: kind for kind in (UsageError, DataError, ModelError, ResourceError)
}
_START = "import sys; sys.path.append(sys.argv[1]); from export.worker import main; main()"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may take.

    Attributes:
        seconds: Wall-clock time.
        memory_bytes: Resident memory of the child; None is four fifths of what is available when it starts.
    """

    seconds: float = 600.0
    memory_bytes: int | None = None


class Child:
    """A child process that converts and runs models, started once and asked many times.

    Importing TensorFlow takes it seconds, so start it before the parent imports the same: both load side by side.

    Args:
        limits: Time and memory of one request.
        program: Command line of the process; by default `export.worker`.

    Example:
        >>> with Child() as child:
        ...     child.ask("convert", "mnist-cnn to int8", saved_model=..., mode="int8", out=...)
    """

    def __init__(self, limits: Limits | None = None, program: list[str] | None = None) -> None:
        self._limits = limits or Limits()
        root = str(Path(__file__).resolve().parent.parent)
        # -P: a folder or file of the user's named like a module of ours must not be imported
        self._program = program or [sys.executable, "-P", "-c", _START, root]
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._messages: IO[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._memory_limit = 0

    def __enter__(self) -> Child:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id while it lives."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process is not None else None

    def start(self) -> None:
        """Starts the process unless it runs; returns at once."""
        if self.pid is not None:
            return
        self.close()
        import psutil

        self._memory_limit = self._limits.memory_bytes or int(psutil.virtual_memory().available * 0.8)
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._lines = queue.Queue()
        # its own session: Ctrl-C reaches the parent alone, which then ends the child in `close`
        self._process = subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True)
        self._reader.start()

    def ask(self, operation: str, doing: str, **arguments: Any) -> dict[str, Any]:
        """Sends one request and waits for its value.

        Args:
            operation: Of `export.worker.OPERATIONS`.
            doing: What it is about, for messages: "converting mnist-cnn to int8".
            arguments: Of the operation; JSON values.

        Raises:
            ModelError: The child refused it or crashed on it.
            ResourceError: It took more time or memory than the limits allow.
        """
        self.start()
        process = self._process
        if process is None or process.stdin is None:
            raise ResourceError(f"no child process for {doing}; try again")
        try:
            process.stdin.write(json.dumps({"op": operation, **arguments}) + "\n")
            process.stdin.flush()
            line = self._wait(process, doing)
        except BrokenPipeError:
            line = None
        except BaseException:
            self.close()
            raise
        if line is None:
            raise self._death(process, doing)
        answer = json.loads(line)
        if "error" in answer:
            raise _KINDS.get(answer["exit_code"], ModelError)(f"{doing} failed: {answer['error']}")
        value: dict[str, Any] = answer["value"]
        return value

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._reader is not None:
                self._reader.join()  # it sees the end of the pipe, and must be done before the pipe is closed
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        if self._messages is not None:
            self._messages.close()
        self._process = self._messages = self._reader = None

    def _wait(self, process: subprocess.Popen[str], doing: str) -> str | None:
        """The next line of the child; None when it died. Watches the limits meanwhile."""
        end = time.monotonic() + self._limits.seconds
        while True:
            try:
                return self._lines.get(timeout=POLL_SECONDS)
            except queue.Empty:
                used = _resident(process.pid)
            if used > self._memory_limit:
                raise ResourceError(
                    f"{doing} took {used / 2**20:.0f} MiB of memory, {self._memory_limit / 2**20:.0f} MiB are allowed; "
                    "close other programs, or take a smaller model or fewer samples"
                )
            if time.monotonic() > end:
                raise ResourceError(
                    f"{doing} took over {self._limits.seconds:g} s and was stopped; try a smaller model or another mode"
                )

    def _death(self, process: subprocess.Popen[str], doing: str) -> ZooError:
        """Why the child died, as an error; it is replaced at the next request."""
        code = process.wait()
        words = self._last_words()
        self.close()
        if code == -signal.SIGKILL:
            return ResourceError(
                f"{doing} was killed from outside (SIGKILL), most likely for memory; close other programs and try again"
            )
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        tail = f" ({words})" if words else ""
        advice = "try another quantization mode" if code < 0 else "see: zoo doctor"
        return ModelError(f"{doing} crashed the process that did it: {how}{tail}; {advice}")

    def _last_words(self) -> str:
        if self._messages is None:
            return ""
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").split("\n")
        told = [line.strip() for line in lines if line.strip() and not line.startswith(("WARNING", "I0000", "W0000"))]
        return told[-1][:200] if told else ""


def _read(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    """Hands on the child's lines, then None when the pipe ends."""
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _resident(pid: int) -> int:
    """Resident memory in bytes; 0 for a process that has just ended."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
