"""What stands between raw samples, a model and its answer, as the run or the bundle recorded it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo import chunks, preprocessing, runs
from zoo.cards import BOX_NUMBERS, TASKS, Task
from zoo.errors import ModelError
from zoo.inference.artifacts import Artifact


@dataclass(frozen=True, kw_only=True)
class Contract:
    """How to feed a model and read its answer.

    Attributes:
        kind: "image", "table" or "series".
        shape: Of one sample as the model takes it, without the batch axis.
        columns: Names along the last axis of a table; empty where they have none.
        steps: Preprocessing, in order; see `zoo.preprocessing`.
        labels: Class, label or target names; empty where nobody recorded them.
        target: `scale`, `offset` and perhaps `transform` of a regression's targets; empty otherwise.
        target_columns: Names of the target's columns in the table trained on; empty where nobody recorded them.
        hop: Steps between two windows of a recording; 0 where samples are no windows.
        horizon: Steps that a series is forecast; 0 where nothing is.
        recording: Column of a table that tells the series of several; empty where there is none.
        time: Column of a series' times, see `zoo.data.series.clock.Clock.column`; empty where there is none.
        alarm: Of anomalies: `threshold` of the score, and the classes that were `normal`.
        tiles: Whether samples are overlapping tiles of images.
        masks: How masks are written: "values", "palette" and "mask_threshold"; empty where there are none.
        score_threshold: Score from which on an object counts as found; None where there are no objects.
        source: The file it was read from; None where it was guessed.
    """

    kind: str
    shape: tuple[int, ...]
    task: Task
    columns: tuple[str, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()
    labels: tuple[str, ...] = ()
    target: Mapping[str, Any] = field(default_factory=dict)
    target_columns: tuple[str, ...] = ()
    hop: int = 0
    horizon: int = 0
    recording: str = ""
    time: Mapping[str, Any] = field(default_factory=dict)
    alarm: Mapping[str, Any] = field(default_factory=dict)
    tiles: bool = False
    masks: Mapping[str, Any] = field(default_factory=dict)
    score_threshold: float | None = None
    source: Path | None = None

    @property
    def outputs(self) -> int | None:
        """Numbers the model answers a sample with; None where the labels do not tell."""
        if self.task == "detection":
            return len(self.labels) + BOX_NUMBERS if self.labels else None
        return 1 if self.task in ("binary", "anomaly") else len(self.labels) or None

    @property
    def threshold(self) -> float | None:
        """The score above which a sample is an anomaly; None for other tasks."""
        return self.alarm.get("threshold")

    def prepare(self, raw: np.ndarray) -> np.ndarray:
        """Raw samples after the steps, first axis the batch.

        Raises:
            DataError: The samples are not what the model was trained on.
        """
        return chunks.prepare(raw, self.describe())

    def finish(self, outputs: np.ndarray) -> np.ndarray:
        """Model outputs as probabilities, or in target units, (n, outputs) float32; a detector's maps as they are."""
        flat = outputs.reshape(len(outputs), -1) if self.task != "detection" else outputs
        return np.asarray(preprocessing.invert_target(flat, self.target), np.float32)

    def describe(self) -> dict[str, Any]:
        """The form that `zoo.inputs` and `zoo.answers` take; outputs are finished ones."""
        return {
            "input": {
                "kind": self.kind,
                "shape": list(self.shape),
                "columns": list(self.columns),
                "hop": self.hop,
                "recording": self.recording,
                "time": dict(self.time),
                "tiles": self.tiles,
            },
            "steps": list(self.steps),
            "output": {
                "task": self.task,
                "labels": list(self.labels),
                "target": list(self.target_columns),
                "horizon": self.horizon,
                **self.alarm,
                **self.masks,
                **({} if self.score_threshold is None else {"score_threshold": self.score_threshold}),
            },
        }


def read_contract(artifact: Artifact) -> Contract | None:
    """The recorded contract of an artefact, or None where there is none.

    It is bundle.json of a bundle, else preprocessing.json beside the model, else that of its run.

    Raises:
        ModelError: The file is not a contract.
    """
    beside = artifact.model if artifact.model.is_dir() else artifact.model.parent
    places = [beside / runs.PREPROCESSING]
    if artifact.bundle is not None:
        places.insert(0, artifact.bundle / runs.BUNDLE_MANIFEST)
    if artifact.run is not None:
        places.append(artifact.run / runs.PREPROCESSING)
    found = next((place for place in places if place.is_file()), None)
    return None if found is None else from_mapping(runs.read_json(found), found)


def from_mapping(content: Any, path: Path) -> Contract:
    """The contract of a decoded bundle.json or preprocessing.json.

    Raises:
        ModelError: Keys are missing or of the wrong kind.
    """
    try:
        if content["schema_version"] != runs.SCHEMA_VERSION:
            raise ModelError(f"{path} has schema version {content['schema_version']}; export or train it again")
        _refuse_several(content, path)
        given, output = content["input"], content["output"]
        if output["task"] not in TASKS:
            raise ModelError(f"{path}: task {output['task']!r} is unknown; expected one of {', '.join(TASKS)}")
        return Contract(
            kind=given["kind"],
            shape=tuple(int(size) for size in given["shape"]),
            columns=tuple(given.get("columns") or ()),
            steps=tuple(content["steps"]),
            task=output["task"],
            labels=tuple(output.get("labels") or ()),
            target={key: output[key] for key in ("scale", "offset", "transform") if output.get(key)},
            target_columns=tuple(output.get("target") or ()),
            hop=int(given.get("hop") or 0),
            horizon=int(output.get("horizon") or 0),
            recording=str(given.get("recording") or ""),
            time=dict(given.get("time") or {}),
            alarm={key: output[key] for key in ("threshold", "normal") if key in output},
            tiles=bool(given.get("tiles")),
            masks={key: output[key] for key in ("values", "palette", "mask_threshold") if output.get(key)},
            score_threshold=float(output["score_threshold"]) if "score_threshold" in output else None,
            source=path,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} is not a contract of this toolkit ({error!r}); export or train it again") from error


def _refuse_several(content: Any, path: Path) -> None:
    """Raises ModelError for a bundle with several inputs or outputs: no table or folder can feed it."""
    named = {key: [entry["name"] for entry in content.get(key) or ()] for key in ("inputs", "outputs")}
    if any(named.values()):
        described = "; ".join(f"{key} {', '.join(names)}" for key, names in named.items() if names)
        call = "tf.saved_model.load" if content.get("format") == "saved_model" else "zoo.runner.TFLiteModel"
        raise ModelError(
            f"{path.parent} has several inputs or outputs ({described}), files feed a model with one of each; call it "
            f"from Python, see {call}"
        )


def guess_contract(
    artifact: Artifact, shape: tuple[int, ...], outputs: int, activation: str | None, *, pixels: bool = False
) -> Contract:
    """The contract of a bare model file: pixels where the input is shaped like an image.

    Args:
        artifact: The model, for messages.
        shape: Of its input, without the batch axis.
        outputs: Numbers it answers a sample with.
        activation: Of its last layer, where that is known.
        pixels: Whether it answers for every pixel.

    Raises:
        ModelError: An input of another shape: nobody knows what it wants.
    """
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ModelError(
            f"{artifact.model} takes inputs of shape {shape}, and nothing beside it says how to prepare them "
            f"(standardisation, columns); give the run or the bundle, or put its {runs.PREPROCESSING} beside it"
        )
    height, width, channels = shape
    tasks: dict[str | None, Task] = {
        "linear": "regression",
        "softmax": "multiclass",
        "sigmoid": "binary" if outputs == 1 else "multilabel",
    }
    step = {"step": "image", "height": height, "width": width, "channels": channels}
    if pixels:
        labels = tuple(map(str, range(outputs)))
        return Contract(kind="image", shape=shape, task="segmentation", steps=(step,), labels=labels)
    return Contract(
        kind="image", shape=shape, task=tasks.get(activation, "binary" if outputs == 1 else "multiclass"), steps=(step,)
    )
