"""What each column of a table is for: a feature, the target, the split, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.tables.advice import keep_option, option
from zoo.data.tables.columns import Column
from zoo.data.tables.targets import find_columns
from zoo.hyperparameters import join_names, split_names
from zoo.rows import made_up

SPLITS = ("time", "group", "column")


@dataclass(frozen=True)
class Roles:
    """The columns by what they are for.

    Attributes:
        split: "time", "group" or "column", by `split_column`; empty for chance.
        left_out: Column to why it is no feature.
        width: Columns of a file without a header; 0 where it has one.
    """

    features: tuple[Column, ...]
    targets: tuple[Column, ...]
    split: str = ""
    split_column: Column | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    width: int = 0

    def specs(self) -> list[dict[str, Any]]:
        """The features as the step "encode" takes them."""
        specs = []
        layout = {"width": self.width, "targets": sorted(target.position for target in self.targets)}
        for column in self.features:
            spec = {**column.spec(), **(layout if self.width else {})}
            if column.type == "date" and self.split == "time" and column is self.split_column:
                spec["elapsed"] = False  # every later row lies beyond what was learnt of it
            specs.append(spec)
        return specs


def assign_roles(columns: Sequence[Column], config: DataConfig, path: Path) -> tuple[Roles, list[Finding]]:
    """Which columns are used for what, by what a user says and by what they hold; and what should be known of it."""
    named = [column for column in columns if column.name]
    targets, findings = find_columns(config.target, columns, "--target")
    chosen, found = find_columns(config.columns, columns, "--columns")
    findings += found
    dropped, found = find_columns(config.drop, columns, "--drop")
    findings += found
    kept, found = find_columns(config.keep, columns, "--set keep")
    findings += found
    split, split_column, found = _split(config.split, columns)
    findings += found
    left_out: dict[str, str] = {}
    features = []
    for column in named:
        if column in targets:
            continue
        why = _why_not(column, config, chosen, dropped, kept)
        stays = column in kept or (split == "time" and column.type == "date")
        if not why and column is split_column and not stays:
            why = f"it says the split ({config.split})"
        if why:
            left_out[column.name] = why
            if why == column.unfit:
                findings.append(_left_out(column, config))
            continue
        features.append(column)
        if column.remark:
            findings.append(Finding("note", f"column {column.name!r}: {column.remark}"))
        if split == "time" and column is split_column and column.type == "date":
            text = (
                f"column {column.name!r}: month, weekday and hour are fed, not the days elapsed: all that is tested on"
            )
            findings.append(Finding("note", f"{text} lies beyond those learnt"))
    findings = [Finding(one.severity, f"{path}: {one.message}") for one in findings]
    if targets and not features:
        findings.append(Finding("error", f"{path}: no column is left to predict from; see: zoo data check"))
    dates = [column.name for column in features if column.type == "date"]
    if dates and not split and not config.test_data:
        text = f"{path}: column {dates[0]!r} is a date; if later rows are to be predicted, test on later rows: "
        findings.append(Finding("warning", f"{text}{option('--split', f'time:{dates[0]}')}"))
    nameless = all(column.name == made_up(column.position) for column in columns)
    width = len(columns) if nameless else 0
    return Roles(tuple(features), tuple(targets), split, split_column, left_out, width), findings


def _why_not(
    column: Column,
    config: DataConfig,
    chosen: Sequence[Column],
    dropped: Sequence[Column],
    kept: Sequence[Column],
) -> str:
    """Why a column is no feature, or nothing."""
    if column in dropped:
        return "dropped"
    if split_names(config.columns) and column not in chosen and column not in kept:
        return "not among --columns"
    if column.ignored:
        return "ignored in the data.toml"
    return "" if column in kept or column.declared else column.unfit


def _left_out(column: Column, config: DataConfig) -> Finding:
    text = f"column {column.name!r} is left out: {column.unfit}"
    if column.severity == "warning":
        text += f"; to use it: {keep_option([*split_names(config.keep), column.name])}"
    return Finding(column.severity, text)


def _split(given: str, columns: Sequence[Column]) -> tuple[str, Column | None, list[Finding]]:
    """The kind of split and its column."""
    if given == "random":
        return "", None, []
    kind, _, name = given.partition(":")
    if kind not in SPLITS or not name:
        text = f"--split {given} is not known; expected random, time:COLUMN, group:COLUMN or column:COLUMN"
        return "", None, [Finding("error", text)]
    found, findings = find_columns(join_names([name]), columns, "--split")
    if not found:
        return "", None, findings
    if kind == "time" and found[0].type == "category":
        text = f"column {name!r}, given by --split, is text, no date and no number; give its form in a data.toml"
        return "", None, [Finding("error", text)]
    return kind, found[0], []
