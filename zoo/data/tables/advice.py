"""Options that a finding advises, as they can be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from zoo.hyperparameters import join_names


def option(name: str, value: str) -> str:
    """An option with its value quoted, and joined to it where the value looks like an option of its own.

    Example:
        >>> option("--drop", "a b"), option("--missing-values", "-999")
        ("--drop 'a b'", '--missing-values=-999')
    """
    return f"{name}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}"


def names_option(name: str, given: Sequence[str]) -> str:
    """An option that takes a list of names, each of them once."""
    return option(name, join_names(list(dict.fromkeys(given))))


def keep_option(given: Sequence[str]) -> str:
    """The setting that uses columns all the same."""
    return option("--set", f"keep={join_names(list(dict.fromkeys(given)))}")
