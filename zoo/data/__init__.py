"""Data: one module per modality, downloads, embedded sets, splits.

The cards are here at once; what needs numpy is imported when it is asked for, so that listing stays quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.data.catalog import DATASETS

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset, Raw, Split
    from zoo.data.loading import LoadRequest, load
    from zoo.data.preparing import prepare
    from zoo.data.samples import draw_samples

_LAZY: Mapping[str, str] = {
    "Dataset": "zoo.data.dataset",
    "Raw": "zoo.data.dataset",
    "Split": "zoo.data.dataset",
    "LoadRequest": "zoo.data.loading",
    "load": "zoo.data.loading",
    "prepare": "zoo.data.preparing",
    "draw_samples": "zoo.data.samples",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["DATASETS", "Dataset", "LoadRequest", "Raw", "Split", "draw_samples", "load", "prepare"]
