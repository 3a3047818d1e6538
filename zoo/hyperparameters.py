"""One declaration per knob: its type, default, range and a line of help.

Builders, the training configuration, the command line, `zoo info` and the searches all read the same declaration.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from zoo.errors import UsageError
from zoo.registry import suggest

Value = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """A named, typed knob.

    Attributes:
        low: Smallest value, included (int and float).
        high: Largest value, included; None is unbounded.
        log: A search samples it on a logarithmic scale.
        choices: All values of a choice.
        words: Values outside the range that are allowed by name, such as "full" for a batch size.
        search: Usual range or choices of a search: (low, high) or choices. A number without it, and anything with a
            single value, is searched only where a user names it.
    """

    name: str
    type: Literal["int", "float", "bool", "choice", "text", "names"]
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    search: tuple[Value, ...] = ()

    @property
    def range(self) -> str:
        """The allowed values, for people: "0 to 0.9", "relu, tanh", "at least 1, or full"."""
        if self.type == "bool":
            return "true or false"
        if self.type == "choice":
            return ", ".join(self.choices)
        if self.type in ("text", "names"):
            return "text" if self.type == "text" else "names with commas between them"
        low, high = (self._bound(bound) for bound in (self.low, self.high))
        if low and high:
            text = f"{low} to {high}"
        elif low:
            text = f"at least {low}"
        else:
            text = f"at most {high}" if high else "any number"
        return ", or ".join((text, *self.words))

    def _bound(self, bound: float | None) -> str:
        if bound is None:
            return ""
        return f"{int(bound):,}" if self.type == "int" else f"{bound:g}"

    def validate(self, value: object) -> Value:
        """The value in its own type, from Python, TOML or the command line's text.

        Raises:
            UsageError: Wrong type or out of range; the message names what is allowed.
        """
        converted = self._convert(value)
        if converted is None or not self._allowed(converted):
            near = suggest(str(value), self.choices) if self.type == "choice" else ""
            expected = f"expected {'' if self.type == 'choice' else self.type + ', '}{self.range}"
            raise UsageError(f"{self.name} = {value!r} is not allowed; {expected}{near if 'mean' in near else ''}")
        return converted

    def _convert(self, value: object) -> Value | None:
        """The value in this knob's type, or None where it has no meaning there."""
        if self.type == "names" and isinstance(value, (list, tuple)):
            return join_names([str(name) for name in value])
        if isinstance(value, str) and (value in self.words or self.type in ("choice", "text", "names")):
            return value.strip() if self.type in ("text", "names") else value
        if self.type == "bool":
            spoken = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            return value if isinstance(value, bool) else spoken.get(str(value).lower())
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return None
        try:
            number = float(value)
        except ValueError:
            return None
        if not math.isfinite(number) or (self.type == "int" and number != int(number)):
            return None
        return int(number) if self.type == "int" else number

    def _allowed(self, value: Value) -> bool:
        if self.type in ("text", "names"):
            return isinstance(value, str)
        if isinstance(value, str):
            return value in self.words or value in self.choices
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return self.type == "bool" or low <= value <= high


def integer(name: str, default: int | str, help: str, **kwargs: Any) -> Hyperparameter:
    """Declares a whole number."""
    return Hyperparameter(name=name, type="int", default=default, help=help, **kwargs)


def real(name: str, default: float | str, help: str, **kwargs: Any) -> Hyperparameter:
    """Declares a real number."""
    return Hyperparameter(name=name, type="float", default=default, help=help, **kwargs)


def choice(name: str, default: str, help: str, choices: tuple[str, ...], **kwargs: Any) -> Hyperparameter:
    """Declares one of several names."""
    return Hyperparameter(name=name, type="choice", default=default, help=help, choices=choices, **kwargs)


def flag(name: str, default: bool, help: str, **kwargs: Any) -> Hyperparameter:
    """Declares a yes or no."""
    return Hyperparameter(name=name, type="bool", default=default, help=help, **kwargs)


def text(name: str, help: str, default: str = "") -> Hyperparameter:
    """Declares free text, such as a path or the name of a column."""
    return Hyperparameter(name=name, type="text", default=default, help=help)


def names(name: str, help: str) -> Hyperparameter:
    """Declares a list of names; as text with commas between them, quoted where a name has a comma."""
    return Hyperparameter(name=name, type="names", default="", help=help)


def knob_field(declared: Hyperparameter) -> Any:
    """A dataclass field with the knob's default; the declaration is its metadata."""
    return field(default=declared.default, metadata={"knob": declared})


def split_names(given: str) -> tuple[str, ...]:
    """The names of a `names` knob, in order.

    Example:
        >>> split_names('age, "income, yearly"')
        ('age', 'income, yearly')
    """
    found = next(csv.reader([given], skipinitialspace=True), [])
    return tuple(name.strip() for name in found if name.strip())


def join_names(given: Sequence[str]) -> str:
    """The text of a `names` knob; the inverse of `split_names`."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(given)
    return line.getvalue()


def resolve(declared: Iterable[Hyperparameter], given: Mapping[str, object], owner: str) -> dict[str, Value]:
    """Every declared knob with its value: the given one, validated, or the default.

    Raises:
        UsageError: A name that was not declared, or a value that is not allowed.
    """
    knobs = {knob.name: knob for knob in declared}
    for name in given:
        if name not in knobs:
            raise UsageError(f"{owner} has no hyperparameter {name!r}{suggest(name, knobs)}")
    return {name: knob.validate(given[name]) if name in given else knob.default for name, knob in knobs.items()}


ACTIVATIONS = ("relu", "sigmoid", "tanh", "gelu", "elu", "selu", "silu", "leaky_relu", "softplus", "linear")

ACTIVATION = choice("activation", "relu", "activation of the hidden layers", ACTIVATIONS, search=("relu",))
DROPOUT = real("dropout", 0.0, "fraction of units dropped while training", low=0.0, high=0.95, search=(0.0, 0.6))
_PENALTY = {"low": 0.0, "high": 10.0, "log": True}
L1 = real("l1", 0.0, "L1 penalty on the weights (drives weights to zero)", search=(1e-7, 1e-4), **_PENALTY)
L2 = real("l2", 0.0, "L2 penalty on the weights (keeps weights small)", search=(1e-6, 1e-3), **_PENALTY)
