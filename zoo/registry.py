"""One generic registry: name -> "module:object", resolved when it is asked for."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

from zoo.errors import UsageError

T = TypeVar("T")


def load_object(target: str) -> Any:
    """Imports "package.module:object".

    Raises:
        UsageError: The module does not import or has no such object.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{target!r} is not of the form module:object, such as my_models:wide_mlp")
    here = str(Path.cwd())
    if not {"", here}.intersection(sys.path):
        sys.path.append(here)  # last, so that a user's file shadows nothing of the toolkit's
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{target!r} does not import: {error}; run zoo where the module is, or install its package"
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        near = suggest(attribute, vars(module))
        raise UsageError(f"module {module_name!r} ({module.__file__}) has no {attribute!r}{near}") from error


def suggest(name: str, known: Iterable[str]) -> str:
    """The tail of an error on an unknown name: the nearest names, or all of a few."""
    names = sorted(entry for entry in known if not entry.startswith("_"))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are: {', '.join(names)}" if 0 < len(names) <= 24 else ""


class Registry(Generic[T]):
    """Named things of one kind.

    Args:
        what: The kind, for error messages: "builder".
        entry_points: Group of installed packages' entry points that adds names, or None.
        hint: The end of the error on an unknown name: the command that lists them.

    Example:
        >>> recipes: Registry[str] = Registry("recipe")
        >>> recipes.add("mnist-cnn", "my_package.recipes:MNIST_CNN")
    """

    def __init__(self, what: str, *, entry_points: str | None = None, hint: str = "") -> None:
        self._what = what
        self._group = entry_points
        self._hint = hint
        self._entries: dict[str, T | str] = {}

    def add(self, name: str, entry: T | str) -> None:
        """Adds a thing, or the "module:object" where it is found.

        Raises:
            UsageError: The name is taken.
        """
        if name in self._entries:
            raise UsageError(f"{self._what} {name!r} is registered twice: {self._entries[name]} and {entry}")
        self._entries[name] = entry

    def names(self, pattern: str = "*") -> list[str]:
        """Registered names that match a wildcard pattern, sorted; entry points included."""
        return sorted(fnmatch.filter({*self._entries, *self._installed()}, pattern))

    def get(self, name: str) -> T:
        """The thing of that name, imported now if it was not before.

        Raises:
            UsageError: The name is unknown; the message lists the nearest names.
        """
        entry = self._entries.get(name)
        if entry is None:
            entry = self._installed().get(name)
        if entry is None:
            known = {*self._entries, *self._installed()}
            raise UsageError(f"{self._what} {name!r} is unknown{suggest(name, known)}{self._hint}")
        return load_object(entry) if isinstance(entry, str) else entry

    def __contains__(self, name: str) -> bool:
        return name in self._entries or name in self._installed()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _installed(self) -> Mapping[str, str]:
        """Entry points of installed packages; a name of ours wins only by being an error."""
        if self._group is None:
            return {}
        found: dict[str, str] = {}
        for point in metadata.entry_points(group=self._group):
            if point.name in self._entries or found.get(point.name, point.value) != point.value:
                taken = self._entries.get(point.name, found.get(point.name))
                raise UsageError(f"{self._what} {point.name!r} is registered twice: {taken} and {point.value}")
            found[point.name] = point.value
        return found
