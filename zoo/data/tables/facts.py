"""What is in a table, for `zoo data check`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.tables.columns import Column
from zoo.data.tables.head import Head
from zoo.data.tables.passes import Table
from zoo.data.tables.roles import Roles
from zoo.data.tables.targets import Target

SHOWN_VALUES = 5
_RANGES: dict[str, Any] = {"min": np.min, "max": np.max, "mean": np.mean}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blank"}


def describe(
    head: Head,
    columns: Sequence[Column],
    roles: Roles,
    target: Target | None,
    count: int,
    table: Table | None,
    test: Table | None,
) -> dict[str, Any]:
    """Rows, columns with what they hold and what they are for, and the target, as plain JSON values."""
    facts: dict[str, Any] = {
        "rows": count,
        "delimiter": _DELIMITERS.get(head.delimiter, head.delimiter),
        "header": head.header,
    }
    if table is not None:
        facts["usable_rows"] = len(table)
    if test is not None:
        facts["test_rows"] = len(test)
    if target is not None and target.columns:
        facts["target"] = _target(target, table)
    facts["columns"] = [_column(column, roles) for column in columns]
    return facts


def _target(target: Target, table: Table | None) -> dict[str, Any]:
    names = [column.name for column in target.columns]
    facts: dict[str, Any] = {"name": names[0] if len(names) == 1 else names, "task": target.task}
    if target.counts:
        return {**facts, "classes": dict(target.counts)}
    if table is None or not len(table):
        return facts
    if target.task == "multilabel":
        shares = (target.decode(table.targets) == 1).sum(axis=0)
        return {**facts, "positive": {name: int(count) for name, count in zip(names, shares, strict=True)}}
    ranges = {key: function(table.targets, axis=0).tolist() for key, function in _RANGES.items()}
    return {**facts, **{key: values[0] if len(names) == 1 else values for key, values in ranges.items()}}


def _column(column: Column, roles: Roles) -> dict[str, Any]:
    sketch = column.sketch
    facts: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "role": _role(column, roles),
        "missing": sketch.missing,
        "distinct": column.distinct,
    }
    if column.type == "number" and sketch.numbers + sketch.commas:
        mean = sketch.total / (sketch.numbers + sketch.commas)
        return {**facts, "min": sketch.low, "max": sketch.high, "mean": mean if math.isfinite(mean) else None}
    if column.type == "category" and not sketch.overflow:
        top = sorted(sketch.counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_VALUES]
        return {**facts, "values": dict(top)}
    if column.type == "date" and sketch.counts:
        cells = list(sketch.counts)
        return {**facts, "first": cells[0], "last": cells[-1]}
    return facts


def _role(column: Column, roles: Roles) -> str:
    if column in roles.targets:
        return "target"
    if column in roles.features:
        return "feature"
    return f"left out: {roles.left_out.get(column.name, 'no name')}"
