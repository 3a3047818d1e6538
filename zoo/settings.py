"""The only module that reads environment variables."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Folder of downloads and runtimes: `$ZOO_HOME`, by default `~/.cache/zoo`."""
    return Path(os.environ.get("ZOO_HOME") or Path.home() / ".cache" / "zoo").expanduser().absolute()


def data_folders() -> tuple[Path, ...]:
    """Folders searched for data sets, first match wins: `$ZOO_DATA_PATH`, then `$ZOO_HOME/data`."""
    listed = (entry for entry in os.environ.get("ZOO_DATA_PATH", "").split(os.pathsep) if entry)
    return (*(Path(entry).expanduser().absolute() for entry in listed), home() / "data")


def quiet_tensorflow() -> None:
    """Silences TensorFlow's start-up chatter, in this process and its children, unless the user chose a level.

    Must run before TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def cpu_count() -> int:
    """Cores this process may use (affinity and containers respected where the system tells)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
