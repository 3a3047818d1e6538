"""Runs the programs that install a runtime; what goes wrong is one line."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.errors import ResourceError

SECONDS = 600
ADVICE = "connect to the network, free 1 GB of disk, and try again"


def run(
    command: Sequence[str], what: str, *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Runs a program to its end.

    Args:
        command: The program and its arguments.
        what: Said of a failure, such as "pip cannot install it".
        cwd: Folder it runs in.
        environment: All of its environment variables; by default those of this process.

    Returns:
        What it wrote on standard output.

    Raises:
        ResourceError: It failed or takes more than `SECONDS`.
    """
    try:
        child = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=SECONDS, cwd=cwd, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise ResourceError(f"{what}: no end after {SECONDS} s; try again on a faster line") from error
    except subprocess.CalledProcessError as error:
        raise ResourceError(f"{what}: {_reason(error)}; {ADVICE}") from error
    return child.stdout


def _reason(error: subprocess.CalledProcessError) -> str:
    """What apt says first ("E: ...") or pip last ("ERROR: ..."), else the last line there is."""
    lines = [line for line in error.stderr.splitlines() if line.strip()]
    apt, pip = ([line for line in lines if line.startswith(start)] for start in ("E: ", "ERROR"))
    chosen = apt[:1] or pip[-1:] or lines[-1:] or [f"exit code {error.returncode}"]
    return " ".join(str(chosen[0]).split())[:300]
