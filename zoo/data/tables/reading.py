"""A table of one's own: CSV, TSV and the like, read twice with bounded memory."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from zoo import rows
from zoo.cards import Task
from zoo.data import cache
from zoo.data.dataset import IN_MEMORY_BYTES, Raw
from zoo.data.findings import SHOWN, Finding, errors
from zoo.data.options import DataConfig
from zoo.data.own import Reading, Request
from zoo.data.schema import Schema
from zoo.data.tables.advice import keep_option, names_option
from zoo.data.tables.columns import MAX_VALUES, Column, Sketch, infer
from zoo.data.tables.facts import describe
from zoo.data.tables.head import Head, read_head
from zoo.data.tables.leaks import find_leaks
from zoo.data.tables.passes import Lines, Plan, Table, is_kept, keep_table, read_kept, read_rows
from zoo.data.tables.roles import Roles, assign_roles
from zoo.data.tables.targets import Target, no_target, tell_target
from zoo.errors import DataError
from zoo.hyperparameters import split_names
from zoo.registry import suggest

KEPT_VALUES = 10_000
"""Different values of a category that is kept by name."""

KEPT_FORM = 2
"""Of a table kept on disk; one read by other rules is read again."""

TELL_SECONDS = 2.0


def read_table(request: Request) -> Reading:
    """Reads a table: what its columns hold, then its rows; see `zoo.data.own.Reading`.

    Raises:
        DataError: An empty file, one that is no UTF-8 text, or one whose quotes are not closed.
    """
    path, config = request.path, request.config
    missing = split_names(config.missing_values)
    head = read_head(path, request.schema, rows.missing_words(missing))
    columns, count, ragged = scan(head, request)
    findings = [*head.findings, *_unknown_columns(request, head), *ragged]
    if count == 0 and not errors(ragged):
        findings.append(Finding("error", f"{path} has a header (line {head.skip}) and no rows; give it rows"))
    roles, found = assign_roles(columns, config, path)
    findings += found if count else []
    target, table, test = None, None, None
    if roles.targets and count:
        target, found = tell_target(roles.targets, config, request.schema.labels)
        findings += [Finding(one.severity, f"{path}: {one.message}") for one in found]
    elif not config.target and count and config.task == "anomaly":
        target = Target(columns=(), task="anomaly", labels=())
    elif not config.target and count:
        findings.append(no_target(columns, path))
    if target is not None and not head.doubled.intersection(column.name for column in target.columns):
        plan = _plan(head, roles, target, missing)
        table = _read(path, plan, count, request)
        findings = [one for one in findings if one not in ragged] + _judge(table, plan, path, config)
        if config.test_data:
            test, found = _read_test(plan, config, request)
            findings += found
    return Reading(
        path=path,
        form="table",
        kind="table",
        task=target.task if target else None,
        findings=tuple(dict.fromkeys(findings)),
        facts=describe(head, columns, roles, target, count, table, test),
        schema=_schema(request, head, columns, roles, target),
        load=lambda: _raw(path, roles, target, table, test, config),
    )


def _unknown_columns(request: Request, head: Head) -> list[Finding]:
    """Columns that a `data.toml` says something of and the table does not have."""
    known = [name for name in head.names if name]
    return [
        Finding("error", f"[columns.{name}] of the data.toml is not in {request.path}{suggest(name, known)}")
        for name in request.schema.columns
        if name not in known
    ]


def scan(head: Head, request: Request) -> tuple[list[Column], int, list[Finding]]:
    """The first pass: what each column holds, how many rows there are, and the lines that are too long or short."""
    config, schema = request.config, request.schema
    kept = {*split_names(config.keep), *(name for name, column in schema.columns.items() if column["type"] != "ignore")}
    words = rows.missing_words(split_names(config.missing_values))
    sketches = [
        Sketch(words, comma=head.delimiter != ",", limit=KEPT_VALUES if name in kept else MAX_VALUES)
        for name in head.names
    ]
    progress = Progress(request.on_event, f"looking at {head.path.name}")
    ragged: list[Finding] = []
    extra = count = 0
    block: list[list[str]] = []
    with rows.open_text(head.path) as file:
        for line, cells in rows.records(file, head.path, head.delimiter):
            if line <= head.skip:
                continue
            if len(cells) == len(head.names):
                block.append(cells)
            elif len(ragged) < SHOWN:
                text = f"{head.path}, line {line}: {len(cells)} cells, the header has {len(head.names)}"
                ragged.append(Finding("error", text))
            else:
                extra += 1
            if len(block) == rows.BLOCK:
                count += _add(sketches, block)
                progress(count)
                block = []
    count += _add(sketches, block)
    if extra:
        ragged.append(Finding("error", f"{head.path}: {extra:,} more lines have another number of cells"))
    columns = [
        infer(name, at, sketch, schema.columns.get(name))
        for at, (name, sketch) in enumerate(zip(head.names, sketches, strict=True))
    ]
    return columns, count, ragged


def _add(sketches: Sequence[Sketch], block: Sequence[Sequence[str]]) -> int:
    for sketch, cells in zip(sketches, zip(*block, strict=True), strict=False):
        sketch.add(cells)
    return len(block)


@dataclass
class Progress:
    """Tells how many rows were read, every two seconds."""

    on_event: Callable[[str], None]
    what: str
    _told: float = 0.0

    def __call__(self, count: int) -> None:
        """Called with the rows read so far."""
        now = time.monotonic()
        self._told = self._told or now
        if now - self._told > TELL_SECONDS:
            self._told = now
            self.on_event(f"{self.what}: {count:,} rows")


def _plan(head: Head, roles: Roles, target: Target, missing: Sequence[str]) -> Plan:
    return Plan(
        features=[spec for spec in roles.specs() if spec["name"] not in head.doubled],
        target=target,
        missing=missing,
        split=roles.split,
        split_column=roles.split_column.spec() if roles.split_column else {},
        delimiter=head.delimiter,
        header=head.header,
    )


def _read(path: Path, plan: Plan, count: int, request: Request) -> Table:
    """The second pass; a large table is kept on disk, and found there the next time."""
    progress = Progress(request.on_event, f"reading {path.name}")
    width = len(plan.features)
    if count * width * 8 <= IN_MEMORY_BYTES:
        return read_rows(path, plan, count, folder=None, tell=progress)
    status = path.stat()
    how = [plan.features, plan.target.specs(), plan.target.labels, plan.missing, plan.split, plan.split_column]
    identity = [KEPT_FORM, str(path), status.st_size, status.st_mtime_ns, how, plan.delimiter, plan.header, count]
    key = "table-" + hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    folder = cache.cached(
        key,
        lambda folder: keep_table(read_rows(path, plan, count, folder=folder, tell=progress), folder),
        is_whole=lambda folder: is_kept(folder, count, width),
        size=count * (width + 3) * 8,
        on_event=request.on_event,
    )
    return read_kept(folder)


def _judge(table: Table, plan: Plan, path: Path, config: DataConfig) -> list[Finding]:
    """What the rows of the table to train on show: wrong cells, too few rows, leaks."""
    findings = table.findings(path, plan)
    if table.dropped:
        what = "no target" if plan.split != "time" else "no target or no time"
        findings.append(Finding("warning", f"{path}: {table.dropped:,} rows have {what} and are left out"))
    if not len(table):
        return [*findings, Finding("error", f"{path}: no row is left to train on")]
    targets, names = plan.target.decode(table.targets), [column.name for column in plan.target.columns]
    if config.target_transform == "log1p":
        findings += _check_log(plan.target.task, table, path)
    kept = split_names(config.keep)
    for leak in () if not names else find_leaks(plan.features, table.features, targets, plan.target.task, names):
        if leak.column in kept:
            continue
        drop = names_option("--drop", [*split_names(config.drop), leak.column])
        text = f"{path}: column {leak.column!r} gives the target {leak.target!r} away: {leak.how}"
        ways = f"leave it out with {drop}, or use it all the same with {keep_option([*kept, leak.column])}"
        findings.append(Finding("error", f"{text}; {ways}"))
    return findings


def _check_log(task: Task, table: Table, path: Path) -> list[Finding]:
    if task != "regression":
        return [Finding("error", f"{path}: target_transform log1p is for a regression, not for a {task} task")]
    low = np.flatnonzero((table.targets <= -1).any(axis=1))
    if not low.size:
        return []
    text = f"line {table.lines[low[0]]} has a target of {table.targets[low[0]].min():g}"
    return [Finding("error", f"{path}: {text}; log1p takes targets above -1, use --target-transform standard")]


def _read_test(plan: Plan, config: DataConfig, request: Request) -> tuple[Table | None, list[Finding]]:
    """The rows of the table to test on; what is wrong with it."""
    path = Path(config.test_data)
    if plan.split:
        text = f"--split {config.split} and --test {path} both say what is tested on; give one of them"
        return None, [Finding("error", text)]
    if path.is_dir() or not path.exists():
        return None, [Finding("error", f"{path}, given by --test, is no file; give a table like {request.path.name}")]
    try:
        with rows.open_text(path) as file:
            count = sum(1 for _ in file)
        plain = Plan(features=plan.features, target=plan.target, missing=plan.missing, header=plan.header)
        table = _read(path, plain, count, request)
    except UnicodeDecodeError as error:
        return None, [Finding("error", f"{path} is not UTF-8 text (byte {error.start} of a block); save it as UTF-8")]
    except DataError as error:
        return None, [Finding("error", str(error))]
    findings = table.findings(path, plain)
    if table.dropped:
        findings.append(Finding("warning", f"{path}: {table.dropped:,} rows have no target and are left out"))
    if not len(table):
        findings.append(Finding("error", f"{path}: no row is left to test on"))
    return table, findings


def _raw(
    path: Path, roles: Roles, target: Target | None, table: Table | None, test: Table | None, config: DataConfig
) -> Raw:
    if target is None or table is None:
        raise DataError(f"{path} cannot be read as it is; see: zoo data check")
    special = {"time": "times", "group": "groups", "column": "parts"}.get(roles.split, "")
    kinds: Mapping[str, type] = {"times": np.float64, "groups": np.int64, "parts": np.int8}
    split: dict[str, Any] = {special: table.special.astype(kinds[special])} if special else {}
    return Raw(
        samples=table.features,
        targets=target.decode(table.targets),
        kind="table",
        task=target.task,
        labels=target.labels,
        columns=tuple(column.name for column in roles.features),
        schema=tuple(roles.specs()),
        target_columns=tuple(column.name for column in target.columns),
        missing=split_names(config.missing_values),
        test_samples=test.features if test else None,
        test_targets=target.decode(test.targets) if test else None,
        names=Lines(path, table.lines),
        target_transform="standard" if config.target_transform == "auto" else config.target_transform,
        **split,
    )


def _schema(request: Request, head: Head, columns: Iterable[Column], roles: Roles, target: Target | None) -> Schema:
    """What was inferred, to be edited: columns that are left out for what they hold are of type "ignore"."""
    plain = DataConfig()
    options = {
        entry.name: getattr(request.config, entry.name)
        for entry in fields(DataConfig)
        if getattr(request.config, entry.name) != getattr(plain, entry.name)
    }
    if target is not None:
        options["task"] = target.task
    found: dict[str, dict[str, Any]] = {}
    for column in columns:
        if not column.name:
            continue
        spec = {key: value for key, value in column.spec().items() if key not in ("name", "values")}
        found[column.name] = {"type": "ignore"} if roles.left_out.get(column.name) == column.unfit != "" else spec
    return Schema(
        path=request.path,
        options=options,
        columns=found,
        labels=target.labels if target and target.values and target.task != "multilabel" else (),
        delimiter=head.delimiter,
        header=head.header,
    )
