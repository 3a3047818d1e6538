"""What a path or name stands for: a run, a `.keras` file, a SavedModel, a `.tflite` file or a bundle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo import runs
from zoo.errors import UsageError

Format = Literal["keras", "saved_model", "tflite"]
KERAS_FILES = (".keras", ".h5", ".hdf5")
SAVED_MODEL = "saved_model.pb"
EXPECTED = "a run, a .keras or .h5 file, a SavedModel folder, a .tflite file or a bundle"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A model on disk and what stands around it.

    Attributes:
        model: The file, or the SavedModel's folder.
        bundle: The folder whose SHA256SUMS and bundle.json describe it, if it is a bundle's model.
        run: The run folder it lies in, if any.
    """

    format: Format
    model: Path
    bundle: Path | None = None
    run: Path | None = None

    @property
    def path(self) -> Path:
        """What a user would call it: the bundle, the run of a `model.keras`, else the model itself."""
        if self.bundle is not None:
            return self.bundle
        return self.run if self.run is not None and self.format == "keras" else self.model


def find_artifact(reference: str | Path, root: Path = Path("runs")) -> Artifact:
    """The artefact that a path, a run's name under `root`, or a TOML file that such runs were made from stands for.

    Raises:
        UsageError: It does not exist, or is none of these.
    """
    path = Path(reference).absolute()
    if path.suffix == ".toml":
        return _from_run(runs.find_run(path, root).path)
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        return _from_file(path)
    if path.suffix in (*KERAS_FILES, ".tflite") or os.sep in str(reference):
        raise UsageError(f"{reference} does not exist; expected {EXPECTED}")
    return _from_run(runs.find_run(reference, root).path)


def _in_folder(path: Path) -> Artifact:
    if (path / runs.MANIFEST).is_file():
        return _from_run(path)
    if (path / runs.BUNDLE_MANIFEST).is_file():
        if (path / SAVED_MODEL).is_file():
            return Artifact(format="saved_model", model=path, bundle=path, run=_enclosing_run(path))
        return Artifact(format="tflite", model=path / runs.BUNDLE_MODEL, bundle=path, run=_enclosing_run(path))
    if (path / SAVED_MODEL).is_file():
        return Artifact(format="saved_model", model=path, run=_enclosing_run(path))
    if next(path.glob(f"*/{runs.MANIFEST}"), None):
        return _from_run(runs.find_run(path.name, path.parent).path)
    raise UsageError(f"folder {path} is neither a run, a SavedModel nor a bundle; expected {EXPECTED}")


def _from_file(path: Path) -> Artifact:
    with path.open("rb") as file:
        head = file.read(8)
    if path.suffix == ".tflite" or head[4:] == b"TFL3":
        if path.name == runs.BUNDLE_MODEL and (path.parent / runs.BUNDLE_MANIFEST).is_file():
            return _in_folder(path.parent)
        return Artifact(format="tflite", model=path, run=_enclosing_run(path.parent))
    if path.name == SAVED_MODEL:
        return _in_folder(path.parent)
    if path.suffix in KERAS_FILES:
        inside = (path.parent / runs.MANIFEST).is_file()
        return Artifact(format="keras", model=path, run=path.parent if inside else None)
    if head.startswith(b"\x89HDF"):
        raise UsageError(f"{path} is an HDF5 file; if Keras saved it, call it {path.stem}.h5")
    raise UsageError(f"{path} is no model that zoo knows; expected {EXPECTED}")


def _from_run(path: Path) -> Artifact:
    return Artifact(format="keras", model=path / runs.MODEL, run=path)


def _enclosing_run(folder: Path) -> Path | None:
    """The run of `<run>/export/<name>`."""
    run = folder.parent.parent
    return run if folder.parent.name == runs.EXPORT and (run / runs.MANIFEST).is_file() else None
