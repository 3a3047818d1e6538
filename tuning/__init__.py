"""Searches over declared hyperparameters, or over a caller's own `build(hp)`, that respect a device and survive.

Nothing heavy is imported until it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.hypermodels import hypermodel as hypermodel
    from tuning.launching import tune as tune
    from tuning.own.search import search as search
    from tuning.result import Search as Search
    from tuning.trial import Trial as Trial

_HOMES = {
    "Search": "tuning.result",
    "Trial": "tuning.trial",
    "hypermodel": "tuning.hypermodels",
    "search": "tuning.own.search",
    "tune": "tuning.launching",
}

__all__ = ["Search", "Trial", "hypermodel", "search", "tune"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
