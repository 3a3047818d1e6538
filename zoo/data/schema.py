"""`data.toml`: what was inferred of a user's data, to look at, correct and pass on as `--data data.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from zoo.data.options import DATA
from zoo.data.references import resolve_indices
from zoo.errors import UsageError
from zoo.registry import suggest

SCHEMA_VERSION = 1
KEYS = ("schema_version", "path", "delimiter", "header", "labels", "options", "columns")
COLUMN_KEYS = ("type", "values", "formats", "decimal")
TYPES = ("number", "category", "date", "ignore")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Where data lie and how they are read, beyond what can be seen in them.

    Attributes:
        path: The file or folder, absolute.
        options: Knobs of `zoo.data.options.DataConfig`; options given elsewhere go before them.
        columns: Of a table: name to "type" ("number", "category", "date" or "ignore") and what belongs to it:
            "values", "formats", "decimal".
        labels: Class names in the order of the class indices; empty for those that are found, sorted.
        delimiter: Of a table; empty to find it out.
        header: Whether a table's first line holds names; None to find it out.
    """

    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    delimiter: str = ""
    header: bool | None = None


def read_schema(file: Path) -> Schema:
    """Reads a `data.toml`; its path is relative to the file's folder.

    Raises:
        UsageError: It cannot be read, or holds what no schema has.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}; make one with: zoo data check PATH --write"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}; correct it there") from error
    for key in content:
        if key not in KEYS:
            raise UsageError(f"{file}: unknown key {key!r}{suggest(key, KEYS)}; a data.toml has {', '.join(KEYS)}")
    if content.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION or not isinstance(content.get("path"), str):
        raise UsageError(f"{file}: expected schema_version = {SCHEMA_VERSION} and path = a file or folder")
    options, columns = resolve_indices(content.get("options", {}), file.parent), content.get("columns", {})
    known = [knob.name for knob in DATA]
    for key in options:
        if key not in known:
            raise UsageError(f"{file}: [options] has no knob {key!r}{suggest(key, known)}")
    for name, column in columns.items():
        _check_column(file, name, column)
    if options.get("test_data"):
        options["test_data"] = str((file.parent / Path(options["test_data"]).expanduser()).absolute())
    return Schema(
        path=(file.parent / Path(content["path"]).expanduser()).absolute(),
        options=options,
        columns=columns,
        labels=tuple(str(label) for label in content.get("labels", ())),
        delimiter=str(content.get("delimiter", "")),
        header=content.get("header"),
    )


def with_options(reference: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Knobs of the data: those that were given, over those that a `data.toml` says.

    Args:
        reference: A name, a path or a `data.toml`.
        given: Knob to value, only what somebody gave.

    Raises:
        UsageError: The `data.toml` cannot be read.
    """
    path = Path(reference)
    return {**(read_schema(path).options if path.suffix == ".toml" and path.is_file() else {}), **given}


def _check_column(file: Path, name: str, column: Any) -> None:
    where = f"{file}: [columns.{name}]"
    if not isinstance(column, dict) or column.get("type") not in TYPES:
        raise UsageError(f"{where} has no type; expected type = one of {', '.join(TYPES)}")
    for key in column:
        if key not in COLUMN_KEYS:
            raise UsageError(f"{where}: unknown key {key!r}{suggest(key, COLUMN_KEYS)}")


def write_schema(file: Path, schema: Schema) -> None:
    """Writes a `data.toml` that `read_schema` reads."""
    from zoo.runs import write_text  # brings numpy, which reading a configuration does without

    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "path": str(schema.path)}
    if schema.delimiter:
        content["delimiter"] = schema.delimiter
    if schema.header is not None:
        content["header"] = schema.header
    if schema.labels:
        content["labels"] = list(schema.labels)
    content["options"] = dict(schema.options)
    content["columns"] = {name: dict(column) for name, column in schema.columns.items()}
    write_text(file, tomli_w.dumps({key: value for key, value in content.items() if value != {}}))
