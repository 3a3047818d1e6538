"""The only module that reads environment variables."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from zoo.errors import UsageError

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IWE]0000 |To enable the following instructions: "
)


def home() -> Path:
    """Folder of downloads and runtimes: `$ZOO_HOME`, by default `~/.cache/zoo`."""
    return Path(os.environ.get("ZOO_HOME") or Path.home() / ".cache" / "zoo").expanduser().absolute()


def data_folders() -> tuple[Path, ...]:
    """Folders searched for data sets, first match wins: `$ZOO_DATA_PATH`, then `$ZOO_HOME/data`."""
    listed = (entry for entry in os.environ.get("ZOO_DATA_PATH", "").split(os.pathsep) if entry)
    return (*(Path(entry).expanduser().absolute() for entry in listed), home() / "data")


def quiet_tensorflow() -> None:
    """Imports TensorFlow without its start-up chatter, unless the user chose a level of `$TF_CPP_MIN_LOG_LEVEL`."""
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    with without_chatter():
        importlib.import_module("tensorflow")


@contextmanager
def without_chatter() -> Iterator[None]:
    """Keeps TensorFlow's start-up chatter from standard error where the block imports it.

    TensorFlow 2.21 logs to file descriptor 2 before it reads any log level, so the descriptor is held while the import
    and the look for devices run; what is not that chatter is passed on.
    """
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed: nobody would see the chatter
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules:
                sys.modules["tensorflow"].config.list_physical_devices()
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            lines = held.read().splitlines(keepends=True)
            os.write(2, b"".join(line for line in lines if not _CHATTER.match(line)))
            if "tensorflow" not in sys.modules:
                del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # whoever imports it later finds things as they were


def cpu_count() -> int:
    """Cores this process may use (affinity and containers respected where the system tells)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class TunerRole(NamedTuple):
    """A process's place in a search of many, as keras-tuner's own environment variables say it.

    Attributes:
        address: HOST:PORT of the chief.
        name: This process's; one with "chief" in it deals the trials.
    """

    address: str
    name: str

    @property
    def is_chief(self) -> bool:
        """Whether this process deals the trials."""
        return "chief" in self.name


def tuner_role() -> TunerRole | None:
    """`$KERASTUNER_ORACLE_IP`, `$KERASTUNER_ORACLE_PORT` and `$KERASTUNER_TUNER_ID`; None where the first is unset.

    Raises:
        UsageError: The first is set and another is not.
    """
    host = os.environ.get("KERASTUNER_ORACLE_IP", "")
    if not host:
        return None
    port, name = os.environ.get("KERASTUNER_ORACLE_PORT", ""), os.environ.get("KERASTUNER_TUNER_ID", "")
    if not port or not name:
        missing = "KERASTUNER_TUNER_ID" if port else "KERASTUNER_ORACLE_PORT"
        raise UsageError(f"KERASTUNER_ORACLE_IP is set and {missing} is not; set all three, or none")
    return TunerRole(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", name)
