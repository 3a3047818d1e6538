"""How good an artefact is, on the split that its own training left aside."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import metrics, runs
from zoo.data import DATASETS, Dataset, load
from zoo.data.dataset import Samples
from zoo.data.options import DataConfig, data_config
from zoo.data.references import resolve_reference
from zoo.data.schema import read_schema
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import join_names
from zoo.inference.artifacts import Artifact, find_artifact
from zoo.inference.contract import Contract
from zoo.inference.labelled import measure_files
from zoo.inference.pixels import measure_pairs
from zoo.inference.predictor import Predictor
from zoo.inference.translation import translate

SplitName = Literal["test", "validation", "train"]
TABLE_ROWS = 65_536
"""Rows of a table that are answered at a time."""
ANSWER_OPTIONS = ("target", "normal", "missing_values", "label_from")
"""Knobs of the data that say where a file has the right answers; the rest is the contract's."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an artefact reached.

    Attributes:
        data: Name of the data set, or path of the file or folder.
        split: "test", "validation" or "train"; "all" where every row of a file was measured.
        samples: Those measured.
        metrics: Metric name to value, errors in target units.
        stand_in: Where the data came from if they are not the set of that name; empty otherwise.
        notes: What a user should know, a line each.
    """

    artifact: Path
    data: str
    split: str
    samples: int
    metrics: Mapping[str, float]
    stand_in: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Origin:
    """Which data an artefact was trained on, and how those were split; None where nobody knows."""

    name: str | None = None
    sha256: str | None = None
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def evaluate(
    artifact: Path | str,
    *,
    data: str | None = None,
    split: SplitName = "test",
    seed: int | None = None,
    runs: Path = Path("runs"),
    on_event: Callable[[str], None] | None = None,
    **options: object,
) -> Evaluation:
    """Measures an artefact on a split of the data it was trained on, on another set, or on files of one's own.

    Args:
        artifact: A path, or a run's name.
        data: Another data set's name; or a file or folder, of which every row or image is measured, read as the
            artefact's contract says. By default the data it was trained on; so it is where their path is given, as
            long as they have not changed.
        split: Of its own data or a data set; the split is the training's own: same seed, same fractions.
        seed: Of the split, where neither a run nor an official test split tells.
        runs: Folder that names of runs are looked up in.
        on_event: Told, in one line each, of downloads, a stand-in, progress.
        **options: Knobs of `zoo.data.options.DataConfig`: how the data are read.

    Raises:
        UsageError: Nobody knows which data, which column is the target, or which samples were left aside.
        DataError: The data differ from those of the training, or do not fit the model.
        ModelError: The artefact is refused.
    """
    found = find_artifact(artifact, runs)
    origin = read_origin(found)
    name = origin.name if data is None else resolve_reference(data)
    if name is None:
        raise UsageError(
            f"{found.path} does not say which data it was trained on; add --data NAME or PATH, see: zoo data list"
        )
    if data is None and found.run is None and name not in DATASETS:
        raise UsageError(
            f"the run of {found.path}, which knows how {name} was read and split, is not around; add --data PATH to "
            "measure on every row of a file"
        )
    own = name == origin.name and (found.run is not None or name in DATASETS)
    if own or name in DATASETS:
        return _on_split(found, origin if own else Origin(), name, split, seed, data is not None, on_event, options)
    path, config = _file_config(name, options)
    return _on_files(found, path, config, _trained_on(origin, path), on_event)


def _on_files(
    found: Artifact, path: Path, config: DataConfig, notes: Sequence[str], on_event: Callable[[str], None] | None
) -> Evaluation:
    """On every row of a file, or every image of a folder."""
    predictor = Predictor.open(found)
    if predictor.contract.task == "segmentation":
        figures, images = measure_pairs(predictor, path, config, on_event=on_event)
        everything = (*predictor.notes, *notes)
        return Evaluation(
            artifact=found.path, data=str(path), split="all", samples=images, metrics=figures, notes=everything
        )
    measured = measure_files(predictor, path, config, on_event=on_event)
    return Evaluation(
        artifact=found.path,
        data=str(path),
        split="all",
        samples=len(measured.targets),
        metrics=metrics.evaluate(
            predictor.contract.task, measured.targets, measured.outputs, predictor.contract.threshold
        ),
        notes=(*predictor.notes, *notes, *measured.notes),
    )


def _trained_on(origin: Origin, path: Path) -> list[str]:
    """A note where what is measured is the file or folder that the training read."""
    behind = Path(origin.name or "")
    if not behind.is_absolute() or not behind.exists():
        return []
    source = read_schema(behind).path if behind.suffix == ".toml" else behind
    if source.resolve() != path.resolve():
        return []
    return [f"all rows of {path}, which the model was trained on, are measured; leave --data out for the test split"]


def _on_split(
    found: Artifact,
    origin: Origin,
    name: str,
    split: SplitName,
    seed: int | None,
    asked: bool,
    on_event: Callable[[str], None] | None,
    options: Mapping[str, object],
) -> Evaluation:
    """On a split of a data set, or of the artefact's own data; `asked` says that the user named them."""
    chosen = _seed(found, origin, name, split, seed)
    predictor = Predictor.open(found)
    fed = {} if origin.options else _forecast_options(predictor.contract, name)
    asked_for = {**_task(predictor.contract), **fed, **origin.options, **options}
    dataset = load(name, seed=chosen, on_event=on_event, **asked_for)
    notes = list(predictor.notes)
    if origin.sha256 not in (None, dataset.identity.sha256):
        changed = (
            f"{name} is not what {found.path} was trained on: sha256 {dataset.identity.sha256[:12]}, then "
            f"{str(origin.sha256)[:12]}{_stand_in_hint(dataset)}"
        )
        if not asked:
            raise DataError(f"{changed}; give --data {name} to measure on it all the same")
        if name not in DATASETS:  # its rows are split anew, whatever the model saw of them
            given = {**origin.options, **options}
            path, config = _file_config(name, {key: given[key] for key in ANSWER_OPTIONS if key in given})
            notes = [f"{changed}; all rows are measured, some of them may have been trained on"]
            return _on_files(found, path, config, notes, on_event)
        notes.append(f"{changed}; some of the {split} split may have been trained on")
    _check_fit(predictor.contract, dataset, name)
    samples = getattr(dataset, split)
    return Evaluation(
        artifact=found.path,
        data=name,
        split=split,
        samples=len(samples),
        metrics=metrics.evaluate(
            predictor.contract.task,
            samples.targets,
            answer_split(predictor, dataset, samples.samples),
            predictor.contract.threshold,
        ),
        stand_in=dataset.identity.note,
        notes=tuple(notes),
    )


def _task(contract: Contract) -> dict[str, object]:
    """Options that read a set of classes as what a model of anomalies answers."""
    if contract.task != "anomaly":
        return {}
    return {"task": "anomaly", "normal": ",".join(contract.alarm.get("normal") or ())}


def _forecast_options(contract: Contract, name: str) -> dict[str, Any]:
    """How a series known by name is cut for a model whose run is not around to tell; nothing for any other model."""
    if not contract.horizon or name not in DATASETS:
        return {}
    fed = {
        "window": contract.shape[0],
        "hop": contract.hop,
        "horizon": contract.horizon,
        "columns": join_names(list(contract.columns)),
        "target": join_names(list(contract.target_columns)),
        "target_transform": contract.target.get("transform", "standard"),
    }
    return {key: value for key, value in fed.items() if key in DATASETS.get(name).adjustable}


def answer_split(predictor: Predictor, dataset: Dataset, samples: Samples) -> np.ndarray:
    """Answers for a split, some rows in memory at a time."""
    if dataset.input.kind != "table":
        return predictor.predict(samples)
    contract = predictor.contract
    plain = [{"name": column, "type": "number"} for column in dataset.input.columns]
    columns = next((step["columns"] for step in dataset.steps if step["step"] == "encode"), plain)
    parts = []
    for start in range(0, len(samples), TABLE_ROWS):
        raw = np.asarray(samples[start : start + TABLE_ROWS])
        if contract.columns:
            raw = translate(raw, columns, contract, dataset.identity.name)
        parts.append(predictor.predict(raw))
    return np.concatenate(parts)


def _file_config(name: str, options: Mapping[str, object]) -> tuple[Path, DataConfig]:
    """Path and options of a file, a folder or a `data.toml`.

    Raises:
        UsageError: An option that says how training data are read, which is the contract's here.
    """
    config = data_config(**options)
    plain = DataConfig()
    given = [key for key in vars(plain) if key not in ANSWER_OPTIONS and getattr(config, key) != getattr(plain, key)]
    if given:
        raise UsageError(
            f"{', '.join(given)}: options of training data; every row of {name} is measured, read as the model takes it"
        )
    path = Path(name)
    if path.suffix == ".toml":
        schema = read_schema(path)
        return schema.path, data_config(**{**schema.options, **options})
    return path, config


def read_origin(artifact: Artifact) -> Origin:
    """What the run around an artefact, or else the bundle itself, says of its data."""
    if artifact.run is not None:
        identity = runs.Run(artifact.run).manifest.data
        config = _config(artifact.run / runs.CONFIG)
        given = config.get("data", {})
        options = {key: value for key, value in given.items() if key != "dataset"}
        return Origin(
            name=given.get("dataset") or identity.get("name"),
            sha256=identity.get("sha256"),
            seed=config.get("training", {}).get("seed"),
            options=options,
        )
    if artifact.bundle is not None:
        identity = runs.read_json(artifact.bundle / runs.BUNDLE_MANIFEST).get("source", {}).get("data") or {}
        return Origin(name=identity.get("name"), sha256=identity.get("sha256"))
    return Origin()


def _config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}; it is damaged, train the run again") from error


def _seed(artifact: Artifact, origin: Origin, name: str, split: str, given: int | None) -> int:
    """The seed that makes the training's own split; any will do for an official test split."""
    if origin.seed is not None:
        if given not in (None, origin.seed):
            raise UsageError(f"{artifact.path} was trained with seed {origin.seed}, --seed is {given}; leave it out")
        return origin.seed
    if given is not None:
        return given
    if split == "test" and name in DATASETS and DATASETS.get(name).test_samples:
        return 0
    raise UsageError(
        f"which samples of {name} {artifact.path} has not seen is not recorded: its run is not around, and {name} has "
        f"no official {split} split; give the run, or --seed N as in training"
    )


def _stand_in_hint(dataset: Dataset) -> str:
    return f" ({dataset.identity.note})" if dataset.identity.stand_in else ""


def _check_fit(contract: Contract, dataset: Dataset, name: str) -> None:
    if contract.task != dataset.output.task:
        raise DataError(f"{name} is a {dataset.output.task} task, the model answers a {contract.task} one")
    if contract.kind != dataset.input.kind:
        raise DataError(f"{name} holds {dataset.input.kind} samples, the model takes {contract.kind} samples")
    if contract.labels and len(contract.labels) != len(dataset.output.labels):
        raise DataError(f"{name} has {len(dataset.output.labels)} labels, the model {len(contract.labels)}")
