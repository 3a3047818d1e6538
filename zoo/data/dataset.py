"""What a data set is once it is loaded: raw arrays, then splits with their recorded preprocessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo import preprocessing
from zoo.cards import DataIdentity, InputSpec, Kind, OutputSpec, Task


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Arrays as a loader returns them, before anything was split or fitted.

    Attributes:
        samples: (n, height, width[, channels]) uint8 pixels, or (n, columns) numbers.
        targets: (n,) integer classes for binary and multiclass, (n, labels) of 0 and 1, (n, targets) in target units.
        labels: Class, label or target names.
        columns: Names along the last axis of a table.
        test_samples: The official test split, where the set has one.
        stand_in: Where these samples came from, if they are not the real set's; empty otherwise.
    """

    samples: np.ndarray
    targets: np.ndarray
    kind: Kind
    task: Task
    labels: tuple[str, ...]
    columns: tuple[str, ...] = ()
    test_samples: np.ndarray | None = None
    test_targets: np.ndarray | None = None
    stand_in: str = ""


@dataclass(frozen=True)
class Split:
    """Raw samples and their targets in target units, in a fixed order."""

    samples: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, indices: np.ndarray) -> Split:
        """The samples at these positions."""
        return Split(self.samples[indices], self.targets[indices])


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set ready for training: splits of raw samples, and the steps between them and the model.

    Attributes:
        steps: Preprocessing in order, fitted on the training split alone; see `zoo.preprocessing`.
        target_transform: `{"scale": [...], "offset": [...]}` of standardised regression targets; empty otherwise.
    """

    input: InputSpec
    output: OutputSpec
    train: Split
    validation: Split
    test: Split
    identity: DataIdentity
    steps: Sequence[Mapping[str, Any]] = ()
    target_transform: Mapping[str, Any] = field(default_factory=dict)

    def inputs(self, split: Split) -> np.ndarray:
        """What the model is fed: the steps applied to a split's raw samples, first axis the batch."""
        return preprocessing.apply(self.steps, split.samples)

    def model_targets(self, split: Split) -> np.ndarray:
        """Targets as the loss sees them: (n,) int32 classes, (n, 1) float32 for binary, standardised for regression."""
        targets = split.targets
        if self.output.task == "multiclass":
            return targets.astype(np.int32)
        if self.target_transform:
            scale, offset = self.target_transform["scale"], self.target_transform["offset"]
            targets = targets * np.asarray(scale) + np.asarray(offset)
        return targets.reshape(len(targets), -1).astype(np.float32)

    def contract(self) -> dict[str, Any]:
        """The content of `preprocessing.json`: all that stands between raw samples, the model and its answer."""
        return {
            "schema_version": 1,
            "input": {
                "kind": self.input.kind,
                "shape": list(self.input.shape),
                "dtype": self.input.dtype,
                "columns": list(self.input.columns),
            },
            "steps": [dict(step) for step in self.steps],
            "output": {"task": self.output.task, "labels": list(self.output.labels), **self.target_transform},
        }
