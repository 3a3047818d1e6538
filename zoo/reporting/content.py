"""What a run folder holds for its report; what is missing or damaged is said, not crashed on."""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from zoo.errors import DataError
from zoo.runs import (
    BUNDLE_MANIFEST,
    CONFIG,
    EXPORT,
    HISTORY,
    PREDICTIONS,
    PREPROCESSING,
    Manifest,
    Run,
    read_json,
    read_npz,
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export of the run: a bundle, or the note of one that did not pass.

    Attributes:
        bundle: The content of `bundle.json` or `<name>.failed.json`; empty where it is not readable.
        failed: Why there is no usable bundle; empty for a good one.
    """

    name: str
    bundle: Mapping[str, Any]
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything a report is made of.

    Attributes:
        history: Column to one value an epoch; empty where no epoch was finished.
        predictions: "<split>_targets" and "<split>_outputs"; empty where nothing was predicted yet.
        output: The "output" part of `preprocessing.json`.
        missing: One line for each piece that could not be had.
    """

    path: Path
    manifest: Manifest
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    exports: Sequence[Export] = ()
    missing: Sequence[str] = ()

    @property
    def task(self) -> str:
        """One of `zoo.cards.TASKS`; empty where `preprocessing.json` is missing."""
        return str(self.output.get("task", ""))

    @property
    def labels(self) -> list[str]:
        """Class or target names."""
        return [str(label) for label in self.output.get("labels", [])]


def read_content(run: Run) -> Content:
    """Reads what there is of a run.

    Args:
        run: A run in any state, also an interrupted one.
    """
    missing: list[str] = []

    def optional(name: str, read: Callable[[Path], T], nothing: T) -> T:
        if not (run.path / name).is_file():
            missing.append(f"{name} is not there yet")
            return nothing
        try:
            return read(run.path / name)
        except DataError as error:
            missing.append(str(error))
            return nothing

    nothing: Mapping[str, Any] = {}
    return Content(
        path=run.path,
        manifest=run.manifest,
        history=optional(HISTORY, read_history, nothing),
        predictions=optional(PREDICTIONS, _read_predictions, nothing),
        output=optional(PREPROCESSING, _read_output, nothing),
        config=optional(CONFIG, _read_toml, nothing),
        exports=read_exports(run.path / EXPORT),
        missing=missing,
    )


def read_history(path: Path) -> Mapping[str, np.ndarray]:
    """Reads `history.csv`: column to (epochs,) float64; an empty field is NaN.

    Raises:
        DataError: A row that has other columns, or a field that is no number.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        columns = rows[0].keys() if rows else ()
        return {str(name): np.array([float(row[name] or math.nan) for row in rows]) for name in columns}
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _read_predictions(path: Path) -> Mapping[str, np.ndarray]:
    arrays = read_npz(path)
    for split in ("validation", "test"):
        targets, outputs = arrays.get(f"{split}_targets"), arrays.get(f"{split}_outputs")
        if targets is None or outputs is None or len(targets) != len(outputs):
            raise DataError(f"{path} has no matching targets and outputs of the {split} split")
    return arrays


def _read_output(path: Path) -> Mapping[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("output"), dict):
        raise DataError(f"{path} has no output; expected the contract of the run")
    output: Mapping[str, Any] = content["output"]
    return output


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not TOML: {error}") from error


def read_exports(folder: Path) -> list[Export]:
    """Bundles, and notes of exports that failed, by name; a failed one that was kept is told of by its note."""
    bundles = [path for path in sorted(folder.glob(f"*/{BUNDLE_MANIFEST}")) if path.parent.suffix != ".failed"]
    notes = sorted(folder.glob("*.failed.json"))
    return [_read_export(path.parent.name, path) for path in bundles] + [
        _read_export(path.name.removesuffix(".failed.json"), path) for path in notes
    ]


def _read_export(name: str, path: Path) -> Export:
    try:
        content = read_json(path)
    except DataError as error:
        return Export(name=name, bundle={}, failed=str(error))
    if not isinstance(content, dict):
        return Export(name=name, bundle={}, failed=f"{path.name} is not a mapping")
    if path.name == BUNDLE_MANIFEST:
        return Export(name=name, bundle=content)
    failed = content.get("failed")
    gates = "; ".join(str(gate) for gate in failed) if isinstance(failed, list) else "no gate is named"
    return Export(name=name, bundle=content, failed=f"did not pass: {gates}")
