"""What the zoo's things are, as frozen values; imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from zoo.errors import UsageError
from zoo.hyperparameters import Hyperparameter

Task = Literal["binary", "multiclass", "multilabel", "regression", "anomaly", "segmentation", "detection"]
Kind = Literal["image", "table", "series", "audio", "text"]
TASKS: tuple[Task, ...] = get_args(Task)
USUAL_TASKS: tuple[Task, ...] = ("binary", "multiclass", "multilabel", "regression")
"""Those of a network with one last layer for the answers."""
SOFTMAX: tuple[Task, ...] = ("multiclass", "segmentation")
KINDS: tuple[Kind, ...] = get_args(Kind)
BOX_NUMBERS = 4
"""Numbers of a cell of a detector's map besides those of the classes; see `zoo.boxes`."""


def a_task(task: Task) -> str:
    """A task and its article, for messages: "a binary task"."""
    return f"{'an' if task == 'anomaly' else 'a'} {task} task"


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a model is fed: one sample, after the recorded preprocessing steps.

    Attributes:
        shape: Without the batch axis: (height, width, channels), (columns,) or (steps, channels).
        kind: How the axes are meant.
        dtype: Of the samples as they are fed: "uint8" for pixels, "int32" for words, "float32" otherwise.
        scale: One factor for the whole tensor, applied inside the model: `x * scale + offset`.
        offset: One summand for the whole tensor, applied inside the model.
        columns: Names along the last axis, where they have names.
        vocabulary: Of a text, ids that there are: known words and the two that stand for none; else 0.
    """

    shape: tuple[int, ...]
    kind: Kind
    dtype: Literal["float32", "uint8", "int32"] = "float32"
    scale: float = 1.0
    offset: float = 0.0
    columns: tuple[str, ...] = ()
    vocabulary: int = 0


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """What a model answers.

    Attributes:
        task: "binary" is one sigmoid, "multiclass" a softmax, "multilabel" a sigmoid each, "regression" linear,
            "anomaly" a score that is the higher the less a sample is like the normal ones,
            "segmentation" a softmax for every pixel, "detection" a map of sigmoids, see `zoo.boxes`.
        shape: Without the batch axis: (1,) for binary and anomaly, (classes,), (labels,), (targets,), (height, width,
            classes), or for detection (rows, columns, classes + 4).
        labels: Class names (two for binary and anomaly), label names, or target names.
        channels: Of a forecast, the positions of what is forecast among the input's channels. The answers are then all
            steps ahead of the first of them, in their order, followed by those of the next; empty where nothing is
            forecast.
        season: Steps of a season of what is forecast; 0 where nothing is.
    """

    task: Task
    shape: tuple[int, ...]
    labels: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    season: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(f"task {self.task!r} is unknown; choose one of {', '.join(TASKS)}")
        numbers = self.shape[-1] - (BOX_NUMBERS if self.task == "detection" else 0)
        wanted = 2 if self.task in ("binary", "anomaly") else numbers
        if self.labels and len(self.labels) != wanted:
            raise UsageError(f"{len(self.labels)} labels for a {self.task} output of {wanted}; give one label for each")

    @property
    def horizon(self) -> int:
        """Steps ahead that are forecast; 0 where nothing is."""
        return self.shape[-1] // len(self.channels) if self.channels else 0

    @property
    def activation(self) -> str:
        """The final activation that the task asks for."""
        linear = ("regression", "anomaly")
        return "linear" if self.task in linear else "softmax" if self.task in SOFTMAX else "sigmoid"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a builder builds and where it comes from.

    Attributes:
        needs: Knobs of the data without which it cannot be trained on files of the user's own.
    """

    name: str
    summary: str
    kinds: tuple[Kind, ...]
    tasks: tuple[Task, ...]
    hyperparameters: tuple[Hyperparameter, ...]
    paper: str = ""
    year: int | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """What a data set holds and where it comes from.

    Attributes:
        loader: "module:function" that takes a `zoo.data.LoadRequest` and returns a `zoo.data.Raw`.
        samples: Rows of the real set, test split included.
        shape: Of one raw sample, without the batch axis.
        labels: Class or target names, in the order of the class indices.
        test_samples: Rows of the official test split; 0 where there is none.
        files: Where the files come from; empty for a set that is embedded.
        content_sha256: Of the decoded arrays, so that a re-packed file is known for the same data; see
            `zoo.data.identity.digest`. Empty for a set that is embedded, and for one that is kept as its files are.
        place: Folder of the files inside a folder of data; by default the set's name.
        tree: Of a set that is a folder of many files, in place of `files`.
        path: Of a set that is read as a user's own files are: which file or folder, inside the set's folder.
        options: Knobs of `zoo.data.options.DataConfig` that it is read with.
        adjustable: Those knobs that a user may give another value.
    """

    name: str
    loader: str
    kind: Kind
    task: Task
    summary: str
    samples: int
    source: str
    licence: str
    shape: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    test_samples: int = 0
    files: tuple[RemoteFile, ...] = ()
    content_sha256: str = ""
    place: str = ""
    tree: Tree | None = None
    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    adjustable: tuple[str, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether it needs no file."""
        return not self.files and self.tree is None

    @property
    def folder(self) -> str:
        """Of its files, inside a folder of data."""
        return self.place or self.name


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a data set: its name inside the set's folder, its pinned checksum, its sources in order.

    Without sources nobody offers it in this form. Of a file that a user names the checksum and the size may be unknown:
    empty and 0.
    """

    name: str
    sha256: str
    bytes: int
    urls: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder of many files that nobody offers packed: all with one ending, in it and below it.

    Attributes:
        suffix: The ending, in lower case.
        files: How many there are.
        bytes: Of all of them.
        sha256: Of the lines "<sha256 of the file>  <its path in the folder>", sorted by path, each ended by a newline.
    """

    suffix: str
    files: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A published figure to hold a recipe's own against.

    Attributes:
        what: The model and how it was measured, where that differs from the recipe.
        figure: As published, with its metric.
        source: Where it stands.
    """

    what: str
    figure: str
    source: str


@dataclass(frozen=True, kw_only=True)
class RecipeCard:
    """One entry of the catalog: builder x data set x hyperparameters.

    Attributes:
        hyperparameters: What differs from the builder's defaults.
        training: What differs from the training defaults.
        data: Knobs of the data that differ from the set's own.
        anchors: What others have published for such a model on such data.
    """

    name: str
    builder: str
    dataset: str
    task: Task
    summary: str = ""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()

    @property
    def family(self) -> str:
        """The builder's name: one file of `zoo/builders` is one family."""
        return self.builder


@dataclass(frozen=True, kw_only=True)
class DataIdentity:
    """Which data a run saw, exactly.

    Attributes:
        sha256: Of the raw samples and targets as loaded, in order.
        samples: Split name to number of samples.
        class_counts: Split name to label to count; empty for regression.
        stand_in: True where other data took the place of the named set; nobody may mistake it for the real one.
        duplicates: Test samples that also stand in the training split, exactly equal.
        note: What stood in, from where; empty otherwise.
        findings: What was worth knowing about the data, a line each: "warning: ..." or "note: ...".
    """

    name: str
    sha256: str
    samples: Mapping[str, int]
    class_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    stand_in: bool = False
    duplicates: int = 0
    note: str = ""
    findings: tuple[str, ...] = ()
