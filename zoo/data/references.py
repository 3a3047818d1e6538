"""What a user calls data: a registered name, or a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data.catalog import DATASETS
from zoo.errors import DataError, UsageError
from zoo.registry import suggest

_EXPRESSION = re.compile(r"[\\\[\]^$|?*]|[+]\)")
"""What a regular expression has and the name of a table hardly ever."""


def resolve_reference(given: str, base: Path | None = None) -> str:
    """A data set's name as it is, a path made absolute.

    Args:
        given: A registered name, or the path of a file, a folder or a `data.toml`.
        base: Folder that relative paths start from; by default the current one.

    Raises:
        UsageError: Neither a known name nor a path that looks like one.
        DataError: A path that does not exist.
    """
    if given in DATASETS:
        return given
    path = (base or Path.cwd()) / Path(given).expanduser()
    if path.exists():
        return str(path.absolute())
    if path.suffix or "/" in given or "\\" in given:
        raise DataError(f"{given} does not exist; give a file, a folder, a data.toml or a name, see: zoo data list")
    raise UsageError(
        f"data {given!r} is neither a known set nor a file or folder here{suggest(given, DATASETS.names())}; "
        "see: zoo data list"
    )


def is_index(how: str) -> bool:
    """Whether `label_from` or `group_from` names a table of paths rather than a folder, a column or an expression."""
    return how.lower().endswith((".csv", ".tsv", ".txt")) and not _EXPRESSION.search(how)


def resolve_indices(options: Mapping[str, Any], base: Path | None = None) -> dict[str, Any]:
    """The knobs of the data, tables that `label_from` and `group_from` name made absolute where they exist.

    Args:
        options: Knobs of `zoo.data.options.DataConfig`, by name.
        base: Folder that relative paths start from; by default the current one.
    """
    resolved = dict(options)
    for key in ("label_from", "group_from"):
        how = str(resolved.get(key, ""))
        path = (base or Path.cwd()) / Path(how).expanduser()
        if is_index(how) and path.is_file():
            resolved[key] = str(path.absolute())
    return resolved


def data_stem(reference: str) -> str:
    """What runs on these data are called by default: the set's name, or the file's or folder's without its ending.

    Of a `data.toml`, it is that of the data behind it.
    """
    path = Path(reference)
    if path.suffix == ".toml":
        from zoo.data.schema import read_schema

        path = read_schema(path).path
    return path.stem if path.suffix else path.name
