"""Command-line options made from the declarations of the knobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from zoo.config import TRAINING
from zoo.data.options import DATA
from zoo.errors import UsageError
from zoo.hyperparameters import ACTIVATION, DROPOUT, L1, L2, Hyperparameter

F = TypeVar("F", bound=Callable[..., Any])

FLAGS = (
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "dropout",
    "l1",
    "l2",
    "activation",
    "loss",
    "seed",
    "precision",
)
"""Knobs with a flag of their own; every other one is `--set KEY=VALUE`."""


DATA_FLAGS: Mapping[str, tuple[str, str]] = {
    "strict_data": ("--strict-data", ""),
    "target": ("--target", "COLUMN|INDEX"),
    "task": ("--task", "TASK"),
    "normal": ("--normal", "LABEL,LABEL"),
    "columns": ("--columns", "A,B"),
    "drop": ("--drop", "C,D"),
    "missing_values": ("--missing-values", "X,Y"),
    "split": ("--split", "HOW"),
    "test_data": ("--test", "PATH"),
    "label_from": ("--label-from", "WHERE"),
    "group_from": ("--group-from", "WHERE"),
    "window": ("--window", "N"),
    "hop": ("--hop", "N"),
    "rate": ("--rate", "HZ"),
    "target_transform": ("--target-transform", "HOW"),
    "train_samples": ("--train-samples", "N"),
}
"""Knobs of the data with a flag of their own, the flag and what stands for its value."""


def knob_options(function: F) -> F:
    """Adds a flag for each of FLAGS; its value is text, validated where the knob is declared."""
    declared = {knob.name: knob for knob in (*TRAINING, DROPOUT, L1, L2, ACTIVATION)}
    for name in reversed(FLAGS):
        function = _option(declared[name])(function)
    return function


def data_option(function: F) -> F:
    """Adds `--data`."""
    help_text = "Data: a set's name (zoo data list), a file or folder of your own, or a data.toml (zoo data check)."
    return click.option("--data", metavar="NAME|PATH", help=help_text)(function)


def data_options(function: F) -> F:
    """Adds a flag for each of DATA_FLAGS; values are text, None where a flag was not given."""
    return some_data_options(*DATA_FLAGS)(function)


def some_data_options(*names: str) -> Callable[[F], F]:
    """Adds the flags of these knobs of DATA_FLAGS, as `data_options` does."""
    declared = {knob.name: knob for knob in DATA}

    def add(function: F) -> F:
        for name in reversed(names):
            function = _option(declared[name], *DATA_FLAGS[name])(function)
        return function

    return add


def _option(knob: Hyperparameter, flag: str = "", metavar: str = "") -> Callable[[F], F]:
    flag = flag or f"--{knob.name.replace('_', '-')}"
    if knob.type == "bool":
        return click.option(
            flag, knob.name, flag_value="true", default=None, help=f"{knob.help[0].upper()}{knob.help[1:]}."
        )
    metavar = metavar or {"int": "N", "float": "X"}.get(knob.type, "NAME")
    described = f"{knob.help[0].upper()}{knob.help[1:]}"
    allowed = "" if knob.type in ("text", "names") else f" ({knob.range})"
    return click.option(flag, knob.name, metavar="|".join((metavar, *knob.words)), help=f"{described}{allowed}.")


def overrides(options: dict[str, Any], sets: Iterable[str]) -> dict[str, Any]:
    """What the user gave of the knob flags and of `--set KEY=VALUE`.

    Raises:
        UsageError: A `--set` without a value, or a knob given twice.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for text in sets:
        key, separator, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not separator or not key:
            raise UsageError(f"--set {text!r} is not KEY=VALUE, such as --set filters=32")
        if key in given:
            raise UsageError(f"{key!r} is given twice: {given[key]} and {value}")
        given[key] = value.strip()
    return given
