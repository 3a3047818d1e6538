"""From a run or any Keras model to something that ships, and the proof that it still works.

Nothing heavy is imported until it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.benchmarking import benchmark as bench
    from export.benchmarking import benchmark as benchmark
    from export.bundle import Bundle as Bundle
    from export.exporting import export_model as export_model
    from export.exporting import to_saved_model as to_saved_model
    from export.exporting import to_tflite as to_tflite
    from export.rebuilding import rebuild as rebuild
    from export.verification import verify as verify

_HOMES = {
    "Bundle": "export.bundle",
    "benchmark": "export.benchmarking",
    "export_model": "export.exporting",
    "rebuild": "export.rebuilding",
    "to_saved_model": "export.exporting",
    "to_tflite": "export.exporting",
    "verify": "export.verification",
}

__all__ = ["Bundle", "bench", "benchmark", "export_model", "rebuild", "to_saved_model", "to_tflite", "verify"]


_ALSO = {"bench": "benchmark"}  # the command's name


def __getattr__(name: str) -> Any:
    name = _ALSO.get(name, name)
    if name not in _HOMES:
        raise AttributeError(f"module 'export' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*_HOMES, *_ALSO])
