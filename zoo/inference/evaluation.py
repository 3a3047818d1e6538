"""How good an artefact is, on the split that its own training left aside."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import metrics, runs
from zoo.data import DATASETS, Dataset, load
from zoo.errors import DataError, UsageError
from zoo.inference.artifacts import Artifact, find_artifact
from zoo.inference.contract import Contract
from zoo.inference.predictor import Predictor

SplitName = Literal["test", "validation", "train"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an artefact reached.

    Attributes:
        data: Name of the data set.
        samples: Size of the split.
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
) -> Evaluation:
    """Measures an artefact on a split of the data it was trained on, or of another set.

    Args:
        artifact: A path, or a run's name.
        data: Another data set; by default the one it was trained on.
        split: The split is the training's own: same seed, same fractions.
        seed: Of the split, where neither a run nor an official test split tells.
        runs: Folder that names of runs are looked up in.
        on_event: Told, in one line each, of downloads, a stand-in, duplicates.

    Raises:
        UsageError: Nobody knows which data, or which samples were left aside.
        DataError: The data differ from those of the training, or do not fit the model.
        ModelError: The artefact is refused.
    """
    found = find_artifact(artifact, runs)
    origin = read_origin(found)
    name = data or origin.name
    if name is None:
        raise UsageError(f"{found.path} does not say which data it was trained on; add --data NAME, see: zoo data list")
    own_data = name == origin.name
    chosen = _seed(found, origin if own_data else Origin(), name, split, seed)
    predictor = Predictor.open(found)
    dataset = load(name, seed=chosen, on_event=on_event, **(origin.options if own_data else {}))
    if data is None and origin.sha256 not in (None, dataset.identity.sha256):
        raise DataError(
            f"{name} is not what {found.path} was trained on: sha256 {dataset.identity.sha256[:12]}, then "
            f"{str(origin.sha256)[:12]}{_stand_in_hint(dataset)}; give --data {name} to measure on it all the same"
        )
    _check_fit(predictor.contract, dataset, name)
    samples = getattr(dataset, split)
    raw = samples.samples if dataset.input.kind != "table" else _ordered(samples.samples, predictor.contract, dataset)
    values = metrics.evaluate(predictor.contract.task, samples.targets, predictor.predict(raw))
    return Evaluation(
        artifact=found.path,
        data=name,
        split=split,
        samples=len(samples),
        metrics=values,
        stand_in=dataset.identity.note,
        notes=predictor.notes,
    )


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
    if split == "test" and DATASETS.get(name).test_samples:
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


def _ordered(samples: np.ndarray, contract: Contract, dataset: Dataset) -> np.ndarray:
    """A table's columns in the model's order."""
    have, wanted = list(dataset.input.columns), list(contract.columns)
    if not wanted or have == wanted:
        return samples
    missing = [column for column in wanted if column not in have]
    if missing:
        raise DataError(f"{dataset.identity.name} lacks column {', '.join(missing)}, which the model takes")
    return samples[:, [have.index(column) for column in wanted]]
