"""A Keras model zoo and deployment toolkit.

`zoo.build`, `zoo.train`, `zoo.Run`, `zoo.tuning` and `zoo.export` are what a notebook needs; each is imported when it
is first used, so that `import zoo` costs nothing.

Example:
    >>> import zoo
    >>> run = zoo.train("mnist-cnn", epochs=3)
    >>> bundle = zoo.export.to_tflite(run, quantize="int8")
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import export as export
    import tuning as tuning
    from zoo.builders.build import build as build
    from zoo.runs import Run as Run
    from zoo.training.trainer import train as train

_LAZY = {"build": "zoo.builders.build", "train": "zoo.training.trainer", "Run": "zoo.runs"}
_PACKAGES = ("export", "tuning")

__all__ = ["Run", "build", "export", "train", "tuning"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for (PEP 562)."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _PACKAGES:
        return _own_package(name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def _own_package(name: str) -> Any:
    """The toolkit's top-level package of that common name, not a file of the user's that shadows it."""
    from zoo.errors import UsageError

    package = importlib.import_module(name)
    found = Path(getattr(package, "__file__", None) or name).absolute()
    if found.parent.parent != Path(__file__).absolute().parent.parent:
        raise UsageError(f"zoo.{name} is shadowed by {found}; rename that file, or start Python elsewhere")
    return package
