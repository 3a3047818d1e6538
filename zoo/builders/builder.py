"""What a builder is: a function from specs and hyperparameters to an uncompiled Keras model, and its card."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards import KINDS, TASKS, USUAL_TASKS, InputSpec, Kind, ModelCard, OutputSpec, Task
from zoo.errors import ModelError, UsageError, ZooError
from zoo.hyperparameters import Hyperparameter, Value, resolve
from zoo.registry import Registry, blame, is_library, load_object
from zoo.settings import without_chatter


class BuilderError(ModelError):
    """A builder that failed, or returned no model of the shapes asked for; one that refuses raises a ModelError."""


Recommend = Callable[[InputSpec, OutputSpec, int], Mapping[str, object]]
"""From what goes in, what comes out and the number of training samples to knobs that suit them."""

Prepare = Callable[[InputSpec, Mapping[str, Value], Callable[[str], None]], Mapping[str, Value]]
"""From what goes in, hyperparameters and whom to tell to those that change: files that they name are fetched, verified
and pinned."""


@dataclass(frozen=True)
class Builder:
    """A builder function with its card; calling it checks what it is given first.

    Attributes:
        prepare: Called once before a training, where hyperparameters name files or addresses: what it returns stands in
            the run's configuration, so that a repeated run finds the same files or is refused. It is told lines for
            people; one that begins with "WARNING" is for what nobody may miss.
        recommend: Hyperparameters and knobs of the training for data at hand, where neither the user nor a recipe says
            otherwise; None keeps every declared default.

    Example:
        >>> model = get_builder("mlp")(inputs, outputs, units=64)
    """

    card: ModelCard
    function: Callable[..., Any]
    recommend: Recommend | None = None
    prepare: Prepare | None = None

    def __call__(self, inputs: InputSpec, outputs: OutputSpec, **hyperparameters: object) -> Any:
        """An uncompiled `keras.Model`.

        Raises:
            UsageError: An unknown hyperparameter or a value out of range.
            ModelError: The builder does not take this kind of input or this task, its function failed, or the model is
                not what was asked.
        """
        self.check_fits(inputs, outputs)
        resolved = self.resolve(hyperparameters)
        try:
            model = self.function(inputs, outputs, **resolved)
        except (MemoryError, ZooError):
            raise
        except Exception as error:
            raise BuilderError(f"builder {self.card.name!r} failed: {blame(error)}") from error
        self._check_model(model, inputs, outputs)
        return model

    def _check_model(self, model: Any, inputs: InputSpec, outputs: OutputSpec) -> None:
        """Raises BuilderError unless it is a built Keras model that takes these inputs and gives these outputs."""
        import keras

        returned = f"builder {self.card.name!r} returned {type(model).__name__}"
        if not isinstance(model, keras.Model):
            raise BuilderError(f"{returned}, which is no keras.Model; return the model, not compiled")
        taken, answered = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
        if taken is None or answered is None:
            raise BuilderError(
                f"{returned}, which does not know its shapes; begin it with keras.Input(inputs.shape): "
                "keras.Sequential([keras.Input(inputs.shape), ...]) or keras.Model(start, layers(start))"
            )
        wanted = (None, *inputs.shape)
        if not _accepts(taken, wanted):
            raise BuilderError(
                f"{returned} with input {taken}; expected input {wanted}, from keras.Input(inputs.shape)"
            )
        if answered != (None, *outputs.shape):
            raise BuilderError(
                f"{returned} with output {answered}; expected a keras.Model with output {(None, *outputs.shape)}"
            )

    def resolve(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Every hyperparameter with its value, the given ones validated."""
        return resolve(self.card.hyperparameters, given, f"builder {self.card.name!r}")

    def check_fits(self, inputs: InputSpec, outputs: OutputSpec) -> None:
        """Raises ModelError unless the builder takes this kind of input and this task."""
        if inputs.kind not in self.card.kinds:
            raise ModelError(
                f"builder {self.card.name!r} takes {' or '.join(self.card.kinds)} input, not {inputs.kind} "
                f"of shape {inputs.shape}; see: zoo info {self.card.name}"
            )
        if outputs.task not in self.card.tasks:
            raise ModelError(
                f"builder {self.card.name!r} does {', '.join(self.card.tasks)}, not {outputs.task}; "
                f"see: zoo info {self.card.name}"
            )


def declare(
    name: str,
    *,
    summary: str,
    kinds: tuple[Kind, ...],
    hyperparameters: tuple[Hyperparameter, ...],
    tasks: tuple[Task, ...] = USUAL_TASKS,
    paper: str = "",
    year: int | None = None,
    needs: tuple[str, ...] = (),
    recommend: Recommend | None = None,
    prepare: Prepare | None = None,
) -> Callable[[Callable[..., Any]], Builder]:
    """Decorates a function `(inputs, outputs, *, <hyperparameters>) -> keras.Model` into a Builder."""
    card = ModelCard(
        name=name,
        summary=summary,
        kinds=kinds,
        tasks=tasks,
        hyperparameters=hyperparameters,
        paper=paper,
        year=year,
        needs=needs,
    )
    return lambda function: Builder(card, function, recommend, prepare)


def of_function(function: Callable[..., Any], name: str) -> Builder:
    """A Builder around a user's plain function; its keyword-only parameters with defaults are the hyperparameters.

    Raises:
        UsageError: Not two positional parameters, a keyword without a plain default, or no signature at all.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{name} is no Python function that tells its parameters; a builder takes (inputs, outputs, *, ...)"
        ) from error
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != 2:
        raise UsageError(
            f"{name} takes {len(positional)} positional parameters; a builder takes (inputs, outputs, *, ...)"
        )
    knobs = tuple(_knob(parameter, name) for parameter in parameters if parameter.kind == parameter.KEYWORD_ONLY)
    summary = (inspect.getdoc(function) or "a user's own builder").splitlines()[0]
    return Builder(ModelCard(name=name, summary=summary, kinds=KINDS, tasks=TASKS, hyperparameters=knobs), function)


def _accepts(taken: Any, wanted: tuple[int | None, ...]) -> bool:
    """Whether an input of the wanted shape goes in; sizes that the model leaves open fit all."""
    return (
        isinstance(taken, tuple)
        and len(taken) == len(wanted)
        and all(size is None or size == expected for size, expected in zip(taken, wanted, strict=True))
    )


def _knob(parameter: inspect.Parameter, name: str) -> Hyperparameter:
    default = parameter.default
    kinds = {bool: "bool", int: "int", float: "float"}
    if type(default) in kinds:
        return Hyperparameter(name=parameter.name, type=kinds[type(default)], default=default, help="")  # type: ignore[arg-type]
    raise UsageError(
        f"{name}: hyperparameter {parameter.name!r} needs a default that is a number or a bool, "
        f"or declare it with zoo.builders.declare"
    )


BUILDERS: Registry[Builder] = Registry("builder", entry_points="zoo.builders", hint="; see: zoo list --builders")
for _name in (
    "mlp",
    "autoencoder",
    "convnet",
    "lenet5",
    "resnet",
    "mobilenet",
    "dscnn",
    "conv1d",
    "recurrent",
    "text",
    "forecaster",
    "hub",
    "application",
    "unet",
    "detector",
):
    BUILDERS.add(_name, f"zoo.builders.{_name}:{_name}")


def get_builder(name: str, folder: str = "") -> Builder:
    """The builder of a registered name, of an entry point, or of "module:function".

    Args:
        name: Which.
        folder: Where the module may lie, besides the current folder and what Python knows.

    Raises:
        UsageError: Unknown name, or an object that is no builder.
    """
    with without_chatter():  # a user's own module may import Keras
        found: Any = load_object(name, folder) if ":" in name else BUILDERS.get(name)
    if isinstance(found, Builder):
        return found
    if not callable(found):
        raise UsageError(f"{name!r} is a {type(found).__name__}, not a builder function (inputs, outputs, *, ...)")
    return of_function(found, name)


def source_file(builder: Builder) -> Path | None:
    """The file with a user's own builder; None for one of the toolkit's, or where there is no file."""
    function = inspect.unwrap(builder.function)
    if (getattr(function, "__module__", "") or "").partition(".")[0] == "zoo":
        return None
    try:
        found = inspect.getsourcefile(function)
    except TypeError:  # made without a file, in a notebook say
        return None
    return Path(found).absolute() if found and Path(found).is_file() else None


def source_folder(name: str, builder: Builder) -> str:
    """Where "module:function" is imported from; empty for a registered name, and for an installed package."""
    file = source_file(builder)
    if ":" not in name or file is None or is_library(file):
        return ""
    depth = name.partition(":")[0].count(".") + (file.name == "__init__.py")
    return str(file.parents[depth])
