"""One thing to export: a model, what it takes and answers, and the samples that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from export.signature import Arrays, Signature, Tensor
from zoo.cards import BOX_NUMBERS
from zoo.errors import DataError, UsageError
from zoo.preprocessing import apply

RANDOM_SAMPLES = 64
CLASSES = ("binary", "multiclass", "anomaly")
"""Tasks whose targets are a class each."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model and all that is known around it.

    Attributes:
        name: For messages.
        model: A `keras.Model` under the float32 policy.
        signature: Its inputs and outputs.
        contract: As `zoo.data.Dataset.contract`: input, steps, output; of several inputs or outputs, steps and
            `outputs`, by name.
        folder: Where its exports go by default.
        calibration: Raw samples for calibration by input, first axis the batch; None where there are none.
        samples: Raw samples to compare on, likewise.
        targets: Of those by output, in target units or class indices; outputs without targets are left out.
        split: What those samples are: "validation", "given" or "random".
        origin: What bundle.json says of where it came from; the same at every export.
    """

    name: str
    model: Any
    signature: Signature
    contract: Mapping[str, Any]
    folder: Path
    calibration: Arrays | None = None
    samples: Arrays | None = None
    targets: Arrays = field(default_factory=dict)
    split: str = "validation"
    origin: Mapping[str, Any] = field(default_factory=dict)

    def inputs(self, raw: Arrays) -> dict[str, np.ndarray]:
        """Raw samples after the preprocessing steps, which belong to the only input.

        Raises:
            DataError: The steps refuse them, or they are not of the model's shape.
        """
        prepared = {tensor.name: raw[tensor.name] for tensor in self.signature.inputs}
        if self.contract["steps"]:
            ((name, samples),) = prepared.items()
            prepared = {name: apply_steps(self.contract["steps"], samples, self.name)}
        for tensor in self.signature.inputs:
            check_input(prepared[tensor.name], tensor, self.name)
        return prepared

    def advice(self, argument: str) -> str:
        """How to give this source the samples that it lacks.

        Args:
            argument: Of `export.to_tflite`, "representative" or "evaluate".
        """
        if "run" in self.origin:
            return "train it again without --no-samples"
        if "model" in self.origin:
            return "name the data it was trained on with --data NAME or PATH"
        return f"call zoo.export.to_tflite(model, {argument}=...)"

    def answer(self, output: str) -> Mapping[str, Any]:
        """What an output means: task, labels, and scale and offset of standardised targets."""
        found: Mapping[str, Any] = (
            self.contract["outputs"][output] if "outputs" in self.contract else self.contract["output"]
        )
        return found


def apply_steps(steps: Sequence[Mapping[str, Any]], samples: np.ndarray, name: str) -> np.ndarray:
    """Raw samples after the steps of the model called `name`.

    Raises:
        DataError: The steps refuse them.
    """
    try:
        return apply(steps, samples)
    except ValueError as error:
        raise DataError(f"the samples of {name} do not fit its preprocessing: {error}") from error


def check_input(samples: np.ndarray, tensor: Tensor, name: str) -> None:
    """Raises DataError for samples that the model would refuse, or quietly take for something else."""
    if samples.shape[1:] != tensor.shape:
        raise DataError(
            f"samples of {name} for input {tensor.name!r} have shape {samples.shape[1:]}; expected {tensor.shape}"
        )
    if np.issubdtype(samples.dtype, np.floating) and not np.all(np.isfinite(samples)):
        row = int(np.argmin(np.isfinite(samples.reshape(len(samples), -1)).all(axis=1)))
        raise DataError(
            f"sample {row} of {name} for input {tensor.name!r} holds NaN or infinite values; give finite numbers"
        )
    whole = np.issubdtype(np.dtype(tensor.dtype), np.integer)
    if whole and samples.dtype.kind == "f" and not np.array_equal(samples, np.rint(samples)):
        raise DataError(f"samples of {name} for input {tensor.name!r} are fractions; it takes {tensor.dtype}")


def fit_targets(targets: np.ndarray, output: Tensor, answer: Mapping[str, Any]) -> np.ndarray:
    """Targets as `zoo.metrics` takes them; class indices also where they come one-hot or as a column.

    Raises:
        DataError: Not of the output's width, or classes that it does not have.
    """
    task, width = answer["task"], int(np.prod(output.shape, dtype=np.int64))
    if task == "segmentation":
        if targets.shape[1:] != output.shape[:2]:
            raise DataError(f"masks have shape {targets.shape[1:]}; output {output.name!r} answers {output.shape}")
        return targets
    if task == "detection":
        return _fit_objects(targets, output)
    flat = targets.reshape(len(targets), -1)
    if task == "multiclass" and flat.shape[1] == width > 1:
        flat = flat.argmax(axis=1)[:, None]
    wanted = 1 if task in CLASSES else width
    if flat.shape[1] != wanted:
        raise DataError(
            f"targets of output {output.name!r} have shape {targets.shape[1:]} a sample; its answers, read as {task}, "
            f"have shape {output.shape}"
        )
    if task not in CLASSES:
        return flat
    classes = max(width, 2)
    if not np.all(np.isin(flat, np.arange(classes))):
        raise DataError(
            f"targets of output {output.name!r} are not all classes from 0 to {classes - 1}; number them so"
        )
    return flat[:, 0].astype(np.int64)


def _fit_objects(targets: np.ndarray, output: Tensor) -> np.ndarray:
    """Objects as they are; raises DataError where they are none of a detector's classes."""
    if targets.ndim != 3 or targets.shape[-1] != 5:
        raise DataError(
            f"targets of output {output.name!r} have shape {targets.shape[1:]} a sample; expected (most, 5): class, "
            "x_min, y_min, x_max, y_max"
        )
    classes = output.shape[-1] - BOX_NUMBERS
    if not targets[..., 0].max(initial=0) < classes:
        raise DataError(f"targets of output {output.name!r} have classes beyond 0 to {classes - 1}; number them so")
    return targets


def random_samples(contract: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """Raw samples for a model without data, seeded, which its preprocessing steps accept.

    Pixels where the contract says so; columns that come out standardised; and for a model of which nothing is known,
    half of either size.

    Args:
        contract: Input and steps.
        signature: Of the model.

    Raises:
        UsageError: The model takes integers, whose range nobody knows.
    """
    generator = np.random.default_rng(0)
    if contract.get("input", {}).get("dtype") == "uint8":
        (tensor,) = signature.inputs
        return {tensor.name: generator.integers(0, 256, (RANDOM_SAMPLES, *tensor.shape)).astype(np.uint8)}
    return {tensor.name: _random(generator, tensor, contract["steps"]) for tensor in signature.inputs}


def _random(generator: np.random.Generator, tensor: Tensor, steps: Sequence[Mapping[str, Any]]) -> np.ndarray:
    shape = (RANDOM_SAMPLES, *tensor.shape)
    if tensor.dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    if not tensor.dtype.startswith("float"):
        raise UsageError(
            f"the model takes {tensor.dtype} values of unknown range (input {tensor.name!r}); export it with samples, "
            "or as its run"
        )
    values = generator.normal(0, 1, shape)
    for step in reversed(steps):
        if step["step"] == "standardise":
            values = (values - np.asarray(step["offset"])) / np.asarray(step["scale"])
    if not steps:
        half = RANDOM_SAMPLES // 2
        values[half:] = generator.integers(0, 256, (RANDOM_SAMPLES - half, *tensor.shape))
    return values.astype(np.float32)
