"""Command-line options made from the declarations of the knobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from zoo.config import DATA, TRAINING
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
    "train_samples",
    "strict_data",
)
"""Knobs with a flag of their own; every other one is `--set KEY=VALUE`."""


def knob_options(function: F) -> F:
    """Adds a flag for each of FLAGS; its value is text, validated where the knob is declared."""
    declared = {knob.name: knob for knob in (*TRAINING, *DATA, DROPOUT, L1, L2, ACTIVATION)}
    for name in reversed(FLAGS):
        function = _option(declared[name])(function)
    return function


def _option(knob: Hyperparameter) -> Callable[[F], F]:
    flag = f"--{knob.name.replace('_', '-')}"
    if knob.type == "bool":
        return click.option(
            flag, knob.name, flag_value="true", default=None, help=f"{knob.help[0].upper()}{knob.help[1:]}."
        )
    metavar = {"int": "N", "float": "X"}.get(knob.type, "NAME")
    described = f"{knob.help[0].upper()}{knob.help[1:]} ({knob.range})."
    return click.option(flag, knob.name, metavar="|".join((metavar, *knob.words)), help=described)


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
