"""`zoo.build`: a model from a builder's name and shapes, the shorthand for the specs."""

from __future__ import annotations

from typing import Any

from zoo.boxes import grid_of
from zoo.builders.builder import get_builder
from zoo.cards import BOX_NUMBERS, InputSpec, Kind, OutputSpec, Task
from zoo.errors import UsageError

KIND_OF_RANK: dict[int, Kind] = {1: "table", 2: "series", 3: "image"}


def build(
    builder: str,
    *,
    input_shape: tuple[int, ...] | None = None,
    num_classes: int | None = None,
    num_outputs: int = 1,
    task: Task | None = None,
    labels: tuple[str, ...] = (),
    inputs: InputSpec | None = None,
    outputs: OutputSpec | None = None,
    **hyperparameters: object,
) -> Any:
    """Builds an uncompiled `keras.Model` of stock layers.

    Args:
        builder: A registered name or "module:function".
        input_shape: Without the batch axis; (height, width, channels) is an image of raw pixels 0 to 255, scaled inside
            the model, (steps, channels) a series, (columns,) a table. Or give `inputs`.
        num_classes: Softmax of this many, for every pixel where the builder does that; with `task="binary"` or
            `"multilabel"`, see `task`.
        num_outputs: Targets of a regression, which is the task where neither classes nor labels are given.
        task: One of `zoo.cards.TASKS`, where it is not clear from the rest; a builder of one task has that.
        labels: Class or label names; their number counts where `num_classes` is not given.
        inputs: The full input spec.
        outputs: The full output spec.
        **hyperparameters: Of the builder; `zoo info NAME` lists them.

    Raises:
        UsageError: A missing shape, an unknown hyperparameter or a value out of range.
        ModelError: The builder does not take this input or this task.

    Example:
        >>> model = zoo.build("convnet", input_shape=(28, 28, 1), num_classes=10, dropout=0.3)
    """
    if inputs is None:
        inputs = _input_spec(input_shape)
    found = get_builder(builder)
    if found.card.tasks in (("anomaly",), ("segmentation",), ("detection",)):
        task = task or found.card.tasks[0]
    if outputs is None:
        outputs = _output_spec(num_classes or len(labels) or None, num_outputs, task, labels, inputs.shape)
    return found(inputs, outputs, **hyperparameters)


def _input_spec(shape: tuple[int, ...] | None) -> InputSpec:
    if shape is None or len(shape) not in KIND_OF_RANK or min(shape) < 1:
        raise UsageError(f"input_shape = {shape} is not (columns,), (steps, channels) or (height, width, channels)")
    kind = KIND_OF_RANK[len(shape)]
    if kind == "image":
        return InputSpec(shape=tuple(shape), kind=kind, dtype="uint8", scale=1 / 255)
    return InputSpec(shape=tuple(shape), kind=kind)


def _output_spec(
    num_classes: int | None, num_outputs: int, task: Task | None, labels: tuple[str, ...], shape: tuple[int, ...]
) -> OutputSpec:
    task = task or ("regression" if num_classes is None else "multiclass")
    if task == "regression":
        return OutputSpec(task=task, shape=(num_outputs,), labels=labels)
    if task in ("binary", "anomaly"):
        return OutputSpec(task=task, shape=(1,), labels=labels)
    if num_classes is None or num_classes < (1 if task in ("multilabel", "detection") else 2):
        raise UsageError(f"num_classes = {num_classes} for a {task} task; give the number of classes, 2 or more")
    if task == "segmentation":
        return OutputSpec(task=task, shape=(*shape[:2], num_classes), labels=labels)
    if task == "detection":
        if len(shape) != 3:
            raise UsageError(f"input shape {shape} for a detection task; give input_shape = (height, width, channels)")
        return OutputSpec(task=task, shape=(*grid_of(*shape[:2]), num_classes + BOX_NUMBERS), labels=labels)
    return OutputSpec(task=task, shape=(num_classes,), labels=labels)
