"""What an earlier call has done already, and whether it is still what would be done now."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo import runner, runs
from zoo.config import RunConfig
from zoo.data.dataset import Dataset
from zoo.deployment import ExportWish
from zoo.errors import DataError, ZooError
from zoo.runs import Run
from zoo.training import checkpoints
from zoo.training.trainer import versions

EXPORT_PACKAGES = ("keras-deploy-zoo", "tensorflow", "keras", "ai-edge-litert", "numpy")


def find_earlier(root: Path, config: RunConfig, dataset: Dataset) -> tuple[Run | None, bool]:
    """The newest run of the same configuration, data and versions, and whether it is finished.

    A finished one whose model was changed since is passed over, and so is an unfinished one without a checkpoint.

    Args:
        root: Folder of all runs.
        config: Resolved.
        dataset: What would be trained on.
    """
    wanted = tomllib.loads(config.to_toml())
    made_with = versions(config.builder)
    unfinished = None
    for file in sorted((root / runs.safe_name(config.name)).glob(f"*/{runs.MANIFEST}"), reverse=True):
        with suppress(DataError, OSError, tomllib.TOMLDecodeError):  # a damaged run is none
            run = Run(file.parent)
            same = tomllib.loads((run.path / runs.CONFIG).read_text(encoding="utf-8")) == wanted
            same = same and run.manifest.data.get("sha256") == dataset.identity.sha256
            if not same or run.manifest.versions != made_with:
                continue
            if run.manifest.status == "finished" and is_whole(run):
                return run, True
            if run.manifest.status in ("running", "interrupted") and unfinished is None:
                checkpoints.load(run.path)
                unfinished = run
    return unfinished, False


def is_whole(run: Run) -> bool:
    """Whether what exports are made from is as it was written."""
    files = run.manifest.files
    samples = (name for name in files if name.startswith(f"{runs.SAMPLES}/"))
    return all(_is_as_written(run, name) for name in (runs.MODEL, runs.PREPROCESSING, *samples))


def _is_as_written(run: Run, name: str) -> bool:
    path = run.path / name
    return path.is_file() and runs.sha256(path) == run.manifest.files.get(name)


def _record_path(run: Run, wish: ExportWish) -> Path:
    """Beside the bundle: a bundle itself is the same whenever and wherever it is made."""
    return run.path / runs.EXPORT / f"{wish.name}.made.json"


def _made_from(run: Run, wish: ExportWish) -> dict[str, Any]:
    """All that a bundle hangs on."""
    packages = {package: metadata.version(package) for package in EXPORT_PACKAGES}
    return {"model_sha256": run.manifest.files.get(runs.MODEL), "options": asdict(wish), "versions": packages}


def find_bundle(run: Run, wish: ExportWish) -> Mapping[str, Any] | None:
    """What was recorded of a bundle that is whole and was made from this model with these options; None otherwise."""
    folder = run.path / runs.EXPORT / wish.name
    with suppress(ZooError, OSError):  # a damaged record or bundle is none
        record = runs.read_json(_record_path(run, wish))
        same = isinstance(record, dict) and record.get("made_from") == runs.jsonable(_made_from(run, wish))
        whole = same and record.get("sums_sha256") == runs.sha256(folder / runs.CHECKSUMS)
        if whole and not runner.check_sums(folder):
            found: Mapping[str, Any] = record
            return found
    return None


def record_bundle(run: Run, wish: ExportWish, figures: Mapping[str, Any]) -> None:
    """Writes down what a good bundle was made from, with what was measured on it."""
    folder = run.path / runs.EXPORT / wish.name
    made = {"made_from": _made_from(run, wish), "sums_sha256": runs.sha256(folder / runs.CHECKSUMS), **figures}
    runs.write_json(_record_path(run, wish), made)
