"""Every failure a user can meet, each kind with the exit code of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ZooError(Exception):
    """A failure with a cause the user can act on.

    The message is one line: what was received, what was expected, what to do next.

    Attributes:
        exit_code: What the command line exits with.
        run: The run folder in which something was saved before the failure, if any.
    """

    exit_code = 1

    def __init__(self, message: str, *, run: Path | None = None) -> None:
        super().__init__(message)
        self.run = run


class UsageError(ZooError):
    """An unknown name, option or value."""

    exit_code = 2


class DataError(ZooError):
    """Data that is missing, damaged or not what it should be.

    Attributes:
        problems: Every problem found, a line each, where there was more than one to find.
    """

    exit_code = 3

    def __init__(self, message: str, *, run: Path | None = None, problems: Sequence[str] = ()) -> None:
        super().__init__(message, run=run)
        self.problems = tuple(problems)


class ModelError(ZooError):
    """A model or artefact that is refused, with the reason."""

    exit_code = 4


class DivergedError(ZooError):
    """Training whose loss became NaN or infinite."""

    exit_code = 5


class ResourceError(ZooError):
    """Not enough disk, memory or time."""

    exit_code = 6


class GateError(ZooError):
    """A quality or parity gate that was not passed."""

    exit_code = 7


class LockedError(ZooError):
    """A folder that another process is writing to."""

    exit_code = 75


class InterruptedRunError(ZooError):
    """Training stopped by Ctrl-C, after saving."""

    exit_code = 130


class TerminatedRunError(ZooError):
    """Training stopped by SIGTERM, after saving."""

    exit_code = 143


class SigtermInterrupt(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be, so that one path saves for both."""
