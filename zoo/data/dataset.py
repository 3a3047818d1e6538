"""What a data set is once it is loaded: raw arrays, then splits with their recorded preprocessing."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo import boxes, preprocessing
from zoo.cards import DataIdentity, InputSpec, Kind, OutputSpec, Task
from zoo.data.findings import Finding

CHUNK = 65_536
"""Rows of a table that the steps are applied to at a time."""

IN_MEMORY_BYTES = 512 * 1024 * 1024
"""Model inputs of a split up to this size are made once and kept; larger ones are made anew for each batch."""

MAPPED_BYTES = 64 * 1024 * 1024
MAPPED_AT_ONCE = 64 * 1024
"""What Linux maps around a page that is read; so much at most of a file on disk is counted as memory before it goes."""


class Selection:
    """Rows of an array on disk, in an order of their own, read when they are asked for.

    Args:
        source: A `np.memmap`, first axis the samples.
        indices: Rows of it.
        change: Done to rows that were read, such as new codes for categories.

    Attributes:
        shape: As the array of these rows would have.
    """

    def __init__(
        self, source: np.ndarray, indices: np.ndarray, change: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        self._source, self._indices, self._change = source, indices, change
        self._mapped = 0
        self.shape: tuple[int, ...] = (len(indices), *source.shape[1:])
        self.dtype: np.dtype[Any] = source.dtype
        self.ndim = source.ndim
        self.nbytes = len(indices) * int(np.prod(source.shape[1:], dtype=np.int64)) * source.dtype.itemsize

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        """Rows in memory: a slice, or positions."""
        wanted = self._indices[chosen]
        order = np.argsort(wanted, kind="stable")  # read in the order of the file
        rows = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        rows[order] = self._source[wanted[order]]
        self._forget(len(wanted))
        return rows if self._change is None else self._change(rows)

    def _forget(self, rows: int) -> None:
        """Lets go of mapped pages that were read: they would count as this process's memory, up to the whole file."""
        width = self.nbytes // max(len(self), 1)
        self._mapped += rows * max(width, MAPPED_AT_ONCE)
        mapped = getattr(self._source, "_mmap", None)
        if self._mapped > MAPPED_BYTES and mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
            self._mapped = 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[slice(None)], dtype)

    def take(self, positions: np.ndarray) -> Selection:
        """These rows of this selection, still on disk."""
        return Selection(self._source, self._indices[positions], self._change)

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Selection:
        """The same rows, each changed when it is read."""
        return Selection(self._source, self._indices, change)


Samples = np.ndarray | Selection


class ModelInputs:
    """What the model is fed, made from raw samples when it is asked for.

    Args:
        samples: Raw.
        steps: Between them and the model.
    """

    def __init__(self, samples: Samples, steps: Sequence[Mapping[str, Any]]) -> None:
        self._samples, self._steps = samples, steps

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        return preprocessing.apply(self._steps, np.asarray(self._samples[chosen]))


SEASONAL = "seasonal_naive"
"""Name of the forecast that repeats the season before; it stands beside forecasts alone."""


@dataclass(frozen=True)
class Forecast:
    """What is forecast of a series.

    Attributes:
        channels: See `zoo.cards.OutputSpec`.
        references: Forecasts that need no training, by name, in target units: of each sample, (n, outputs) float32.
        season: Likewise.
    """

    channels: tuple[int, ...]
    season: int
    references: Mapping[str, np.ndarray] = field(default_factory=dict)

    def take(self, positions: np.ndarray) -> Forecast:
        """With the references of these samples alone."""
        return replace(self, references={name: values[positions] for name, values in self.references.items()})


class ModelTargets(ModelInputs):
    """What a detector should answer, made from boxes when it is asked for.

    Args:
        targets: (n, most, 5) as `zoo.boxes.encode` takes them.
        shape: Of the maps of one sample.
    """

    def __init__(self, targets: np.ndarray, shape: tuple[int, ...]) -> None:
        super().__init__(targets, ())
        self.shape, self.nbytes = (len(targets), *shape), len(targets) * int(np.prod(shape)) * 4

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        rows, columns, numbers = self.shape[1:]
        return boxes.encode(np.asarray(self._samples[chosen]), (rows, columns), numbers - boxes.BOX)


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Arrays as a loader returns them, before anything was split or fitted.

    Attributes:
        samples: (n, height, width[, channels]) uint8 pixels, (n, columns) raw numbers as in `zoo.rows`, (n, steps,
            channels) float32 of a series, NaN in front of a short one, (n, length) int16 of sounds, or (n,) text; a
            `np.memmap` where they are too many for the memory.
        targets: (n,) integer classes for binary and multiclass, (n, labels) of 0 and 1, (n, targets) in target units; a
            `zoo.data.masks.arrays.Masks` for segmentation, (n, most, 5) objects as in `zoo.boxes` for detection.
        labels: Class, label or target names.
        columns: Names along the last axis of a table or a series.
        schema: Of a table's columns, see `zoo.preprocessing.fit_encode`; empty where all are numbers.
        missing: Cells of a table that mean missing, besides the usual ones.
        target_columns: Names of the target's columns in a table.
        test_samples: The official test split, where the set has one.
        stand_in: Where these samples came from, if they are not the real set's; empty otherwise.
        parts: (n,) int8 split of each sample where the data say it: an index of `PARTS`, -1 where they do not.
        groups: (n,) int64; samples of one group never straddle splits.
        times: (n,) float64; the test split is later than the validation split, that later than the training split.
        steps: Those that come before what is fitted, such as the features of sounds.
        hop: Steps between two windows of a series; 0 where samples are no windows.
        source: What a contract says of the files of series: "recording" and "time", columns that are no channels.
        tiles: Whether samples are overlapping tiles of images.
        masks: How masks are written: "values" of the classes, "palette" and "threshold" where there are such.
        names: Where each sample comes from, a path or a line, for messages; empty where nobody knows.
        digests: (n,) uint64, equal for equal samples; None to make them from the samples.
        test_digests: Likewise of the test samples.
        sha256: Of the files, where that is quicker than of the arrays.
        target_transform: What a regression is trained on: "standard", "log1p" or "none".
        findings: What is worth knowing; none of them is an error.
        forecast: Where the targets come after the samples; `parts` are then given, and `steps` fitted.
    """

    samples: Samples
    targets: Any
    kind: Kind
    task: Task
    labels: tuple[str, ...]
    columns: tuple[str, ...] = ()
    schema: tuple[Mapping[str, Any], ...] = ()
    missing: tuple[str, ...] = ()
    target_columns: tuple[str, ...] = ()
    test_samples: np.ndarray | None = None
    test_targets: np.ndarray | None = None
    stand_in: str = ""
    parts: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    hop: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    tiles: bool = False
    masks: Mapping[str, Any] = field(default_factory=dict)
    names: Sequence[str] = ()
    digests: np.ndarray | None = None
    test_digests: np.ndarray | None = None
    sha256: str = ""
    target_transform: str = "standard"
    findings: tuple[Finding, ...] = ()
    forecast: Forecast | None = None


PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Raw samples and their targets in target units, in a fixed order.

    Attributes:
        samples: In memory, or a `Selection` of rows on disk; `np.asarray` of it is the array.
        targets: Likewise; on disk are masks alone.
    """

    samples: Samples
    targets: Any

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, indices: np.ndarray) -> Split:
        """The samples at these positions; those on disk stay there."""
        samples = self.samples
        if isinstance(samples, np.memmap):
            samples = Selection(samples, np.arange(len(samples)))
        kept = samples.take(indices) if isinstance(samples, Selection) else samples[indices]
        targets = self.targets
        return Split(kept, targets.take(indices) if isinstance(targets, Selection) else targets[indices])


class WithheldSplit(Split):
    """A split that nobody may look at; whatever reads it fails."""

    def __init__(self) -> None:
        return

    def __len__(self) -> int:
        raise self._refusal()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refusal()

    def __repr__(self) -> str:
        return "WithheldSplit()"

    def _refusal(self) -> RuntimeError:
        return RuntimeError("this split is withheld: nothing may be decided by it; load the data anew to test")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set ready for training: splits of raw samples, and the steps between them and the model.

    Attributes:
        steps: Preprocessing in order, fitted on the training split alone; see `zoo.preprocessing`.
        target_transform: `{"scale": [...], "offset": [...]}` of standardised regression targets, with
            `"transform": "log1p"` where their logarithms were; empty otherwise.
        findings: What is worth knowing about the data.
        hop: As in `Raw`, as are `source`, `tiles` and `masks`.
        forecast: Likewise; its references are those of the test split.
        alarm: Where anomalies are looked for: `normal`, the classes that are; `false_alarms`, the share of normal
            samples that may be taken for anomalies; and once a model is trained its `threshold`.
    """

    input: InputSpec
    output: OutputSpec
    train: Split
    validation: Split
    test: Split
    identity: DataIdentity
    steps: Sequence[Mapping[str, Any]] = ()
    target_transform: Mapping[str, Any] = field(default_factory=dict)
    target_columns: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    hop: int = 0
    source: Mapping[str, Any] = field(default_factory=dict)
    forecast: Forecast | None = None
    alarm: Mapping[str, Any] = field(default_factory=dict)
    tiles: bool = False
    masks: Mapping[str, Any] = field(default_factory=dict)

    def inputs(self, split: Split) -> np.ndarray:
        """What the model is fed, all in memory: the steps applied to a split's raw samples, first axis the batch."""
        if self.input.kind != "table" or len(split) <= CHUNK:
            return preprocessing.apply(self.steps, np.asarray(split.samples))
        made = np.empty((len(split), *self.input.shape), self.input.dtype)
        for start in range(0, len(split), CHUNK):  # the steps' float64 of all rows would be several times the result
            rows = np.asarray(split.samples[start : start + CHUNK])
            made[start : start + CHUNK] = preprocessing.apply(self.steps, rows)
        return made

    def model_inputs(self, split: Split) -> np.ndarray | ModelInputs:
        """What the model is fed, by slice or positions: an array where it is small, else made when it is asked for."""
        width = int(np.prod(self.input.shape, dtype=np.int64)) * np.dtype(self.input.dtype).itemsize
        if len(split) * width <= IN_MEMORY_BYTES:
            return self.inputs(split)
        return ModelInputs(split.samples, self.steps)

    def without_test(self) -> Dataset:
        """The same without the samples of its test split: reading that raises RuntimeError."""
        return replace(self, test=WithheldSplit())

    def with_threshold(self, threshold: float | None) -> Dataset:
        """The same with the score above which a trained model's answer is an anomaly; None changes nothing."""
        return self if threshold is None else replace(self, alarm={**self.alarm, "threshold": threshold})

    def model_targets(self, split: Split) -> np.ndarray | ModelTargets:
        """Targets as the loss sees them: (n,) int32 classes, (n, 1) float32 for binary, standardised for regression.

        The score of an anomaly is to be 0: what is trained on is normal. Of a segmentation (n, height, width) uint8
        classes, all in memory. Of a detector maps, by slice or positions where they are too many for the memory.
        """
        targets = split.targets
        if self.output.task == "anomaly":
            return np.zeros((len(targets), 1), np.float32)
        if self.output.task == "segmentation":
            return np.asarray(targets)
        if self.output.task == "detection":
            maps = ModelTargets(np.asarray(targets), self.output.shape)
            return maps if maps.nbytes > IN_MEMORY_BYTES else maps[:]
        if self.output.task == "multiclass":
            return np.asarray(targets, np.int32)
        if self.target_transform:
            scale, offset = self.target_transform["scale"], self.target_transform["offset"]
            if self.target_transform.get("transform") == "log1p":
                targets = np.log1p(targets)
            targets = targets * np.asarray(scale) + np.asarray(offset)
        return np.asarray(targets.reshape(len(targets), -1), np.float32)

    def contract(self) -> dict[str, Any]:
        """The content of `preprocessing.json`: all that stands between raw samples, the model and its answer."""
        return {
            "schema_version": 1,
            "input": {
                "kind": self.input.kind,
                "shape": list(self.input.shape),
                "dtype": self.input.dtype,
                "columns": list(self.input.columns),
                **({"hop": self.hop} if self.hop else {}),
                **self.source,
                **({"tiles": True} if self.tiles else {}),
            },
            "steps": [dict(step) for step in self.steps],
            "output": {
                "task": self.output.task,
                "labels": list(self.output.labels),
                **({"target": list(self.target_columns)} if self.target_columns else {}),
                **(
                    {"horizon": self.output.horizon, "channels": list(self.output.channels)}
                    if self.output.channels
                    else {}
                ),
                **({"score_threshold": boxes.THRESHOLD} if self.output.task == "detection" else {}),
                **self.target_transform,
                **self.alarm,
                **self.masks,
            },
        }
