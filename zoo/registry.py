"""One generic registry: name -> "module:object", resolved when it is asked for."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from zoo.errors import UsageError, ZooError

T = TypeVar("T")
LONGEST = 300
"""Characters of another library's message that are passed on."""


def load_object(target: str, folder: str = "") -> Any:
    """Imports "package.module:object".

    Args:
        target: What to import.
        folder: Where the module may lie, besides the current folder and what Python knows.

    Raises:
        UsageError: The module does not import or has no such object; where its own code failed, the line is named.
    """
    name, _, attribute = target.partition(":")
    if not name or not attribute or name.startswith("."):
        raise UsageError(f"{target!r} is not of the form module:object, such as my_models:wide_mlp")
    here = str(Path.cwd())
    if folder and folder not in sys.path:
        sys.path.append(folder)  # last, so that a user's file shadows nothing of the toolkit's
    if not {"", here}.intersection(sys.path):
        sys.path.append(here)
    module = _import(name, target)
    if folder and (why := _shadowed(name, Path(folder))):
        raise UsageError(f"{target!r} is not the one in {folder}{why}")
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        file = getattr(module, "__file__", None) or "built in"
        why = _shadowed(name) or suggest(attribute, vars(module))
        raise UsageError(f"module {name!r} ({file}) has no {attribute!r}{why}") from error


def _import(name: str, target: str) -> ModuleType:
    """The module; whatever its own code raises while it is imported becomes one line."""
    try:
        return importlib.import_module(name)
    except (MemoryError, ZooError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            path = name.endswith(".py")
            how = (
                f"write {target.replace('.py:', ':')}"
                if path
                else "run zoo where the module is, or install its package"
            )
            why = _shadowed(name) or f"; {how}"
            raise UsageError(f"{target!r} does not import: {error}{why}") from error
        raise UsageError(f"module {name!r} does not import: {blame(error)}; correct it there") from error


def _shadowed(name: str, folder: Path | None = None) -> str:
    """The tail of an error where a file of the user's lies there and Python takes another module of that name."""
    top, folder = name.partition(".")[0], folder or Path.cwd()
    taken = getattr(sys.modules.get(top), "__file__", None) or "a module that is built into Python"
    for mine in (folder / f"{top}.py", folder / top / "__init__.py"):
        if top in sys.modules and mine.is_file() and mine != Path(taken):
            return f"; {mine} is shadowed by {taken}: give it another name"
    return ""


def blame(error: BaseException) -> str:
    """Where and what, in one line: "file:line: ValueError: text", the place the deepest one in the user's own code.

    Args:
        error: As it was caught; the first of its frames, the function that caught it, is passed over.
    """
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    said = f"{type(error).__name__}: {text[:LONGEST]}" if text else type(error).__name__
    called = [
        frame for frame in traceback.extract_tb(error.__traceback__)[1:] if not frame.filename.startswith("<frozen ")
    ]
    own = [frame for frame in called if not is_library(Path(frame.filename))]
    place = (
        own[-1] if own else next(iter(called), None)
    )  # a builder of ours, or of an installed package: its first line
    return f"{place.filename}:{place.lineno}: {said}" if place else said


def is_library(file: Path) -> bool:
    """Whether a file is code that is not the user's: Python's own, an installed package's, the toolkit's."""
    folders = {sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")} | {str(Path(__file__).parent)}
    return any(file.is_relative_to(folder) for folder in folders)


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
