"""The bundle: a folder with a model file, its contract, the proof that it works and a program that runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import (
    answers,
    arrays,
    boxes,
    chunks,
    device,
    edges,
    histories,
    images,
    inputs,
    interpreters,
    masks,
    micro_runtime,
    preprocessing,
    recordings,
    resampling,
    rows,
    runner,
    runs,
    sound,
    streaming,
    tabular,
    texts,
    tflite_file,
)
from zoo.errors import ModelError, ResourceError, UsageError

GOLDEN_SAMPLES = 32
PROGRAM = (
    answers,
    arrays,
    boxes,
    chunks,
    edges,
    histories,
    images,
    inputs,
    interpreters,
    masks,
    micro_runtime,
    preprocessing,
    recordings,
    resampling,
    rows,
    runner,
    sound,
    streaming,
    tabular,
    texts,
    tflite_file,
)
"""What predict.py needs beside it."""


class Bundle:
    """An exported model on disk.

    Args:
        path: The bundle's folder.

    Attributes:
        path: Absolute.
        manifest: The content of bundle.json.

    Example:
        >>> bundle = zoo.export.to_tflite(run, quantize="int8")
        >>> bundle.bytes, bundle.parity["metric_after"]
        (31432, 0.9910)
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        if not (self.path / runs.BUNDLE_MANIFEST).is_file():
            raise ModelError(f"{self.path} has no {runs.BUNDLE_MANIFEST}; expected a bundle, make one with: zoo export")
        self.manifest: Mapping[str, Any] = runner.read_contract(self.path)

    @property
    def model(self) -> Path:
        """The model file; of a SavedModel the folder."""
        return self.path / runs.BUNDLE_MODEL if self.format == "tflite" else self.path

    @property
    def format(self) -> str:
        """The kind of model file, "tflite" or "saved_model"."""
        return str(self.manifest["format"])

    @property
    def bytes(self) -> int:
        """Size of the model file; of a SavedModel, of its files together."""
        return int(self.manifest["bytes"])

    @property
    def ops(self) -> Mapping[str, int]:
        """Operator name to count."""
        ops: Mapping[str, int] = self.manifest["ops"]
        return ops

    @property
    def parity(self) -> Mapping[str, Any]:
        """How it compares with Keras; see `export.parity.Parity`."""
        parity: Mapping[str, Any] = self.manifest["parity"]
        return parity

    def check(self) -> None:
        """Compares every file with SHA256SUMS.

        Raises:
            ModelError: A byte differs or a file is missing.
        """
        if problems := runner.check_sums(self.path):
            raise ModelError(f"{self.path} is damaged: {'; '.join(problems)}; export it again")

    def summary(self) -> dict[str, Any]:
        """The answer of `zoo export --json`."""
        kept = (
            "format",
            "quantize",
            "form",
            "bytes",
            "ops",
            "parity",
            "parameters",
            "macs",
            "memory",
            "runtimes",
            "auto",
        )
        return {"bundle": self.path, **{key: self.manifest[key] for key in kept if key in self.manifest}}

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r}, bytes={self.bytes})"


GOLDEN_NUMBERS = 2**20
"""Numbers of all golden answers together, where one alone does not have more: a class for every pixel has many."""


def golden_indices(count: int, width: int = 1) -> np.ndarray:
    """Which of the compared samples are kept as golden: evenly spread, at most `GOLDEN_SAMPLES`.

    Args:
        count: Of those compared.
        width: Numbers of an answer.
    """
    most = max(min(count, GOLDEN_SAMPLES, GOLDEN_NUMBERS // max(width, 1)), 1)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


Extra = Callable[[Path, Path, Mapping[str, Any], Mapping[str, np.ndarray]], None]
"""Adds further files to a bundle's folder, from the model file, the content of bundle.json and the golden samples."""


def fill(
    folder: Path,
    model: Path,
    content: Mapping[str, Any],
    golden: Mapping[str, np.ndarray],
    extra: Extra | None = None,
) -> None:
    """Writes every file of a bundle into an empty folder, SHA256SUMS last.

    Args:
        folder: Exists.
        model: The .tflite file, or the SavedModel's folder.
        content: Of bundle.json.
        golden: `samples` (raw), `keras` and `outputs`; of several inputs or outputs with their name after a dot.
        extra: Adds further files.
    """
    if model.is_dir():
        shutil.copytree(model, folder, dirs_exist_ok=True)
        shutil.copyfile(str(preprocessing.__file__), folder / Path(str(preprocessing.__file__)).name)
    else:
        shutil.copyfile(model, folder / runs.BUNDLE_MODEL)
        shutil.copyfile(str(device.__file__), folder / runs.PREDICT)
        for source in PROGRAM:
            shutil.copyfile(str(source.__file__), folder / Path(str(source.__file__)).name)
    runs.write_json(folder / runs.BUNDLE_MANIFEST, content)
    labels = content.get("output", {}).get("labels") or ()
    runs.write_text(folder / runs.LABELS, "".join(f"{label}\n" for label in labels))
    words = _vocabulary(content)
    if words:
        runs.write_text(folder / runs.VOCABULARY, "".join(f"{word}\n" for word in words))
    runs.write_npz(folder / runs.GOLDEN, **golden)
    if extra is not None:
        extra(folder, model, content, golden)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [f"{runs.sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    runs.write_text(folder / runs.CHECKSUMS, "".join(lines))


def _vocabulary(content: Mapping[str, Any]) -> list[str]:
    """What each id of a model for texts stands for, in their order; empty for any other model."""
    steps = content.get("steps") or ()
    words = next((step["vocabulary"] for step in steps if step["step"] == "tokenise"), None)
    return [] if words is None else [*preprocessing.NO_WORDS, *words]


def model_bytes(model: Path) -> int:
    """Size of a model file, or of a SavedModel's files together."""
    files = [model] if model.is_file() else [file for file in model.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def check_target(path: Path) -> None:
    """Refuses to replace what is no bundle.

    Raises:
        UsageError: A file, or a folder with other things in it.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / runs.BUNDLE_MANIFEST).is_file()):
        raise UsageError(f"{path} exists and is no bundle; choose another --out, or remove it")


def write(
    path: Path,
    model: Path,
    content: Mapping[str, Any],
    golden: Mapping[str, np.ndarray],
    extra: Extra | None = None,
    check: Callable[[Path], None] | None = None,
) -> Bundle:
    """Writes a bundle whole or not at all; an older one is replaced in one step.

    Args:
        path: Its folder.
        model: As in `fill`, and so the next three.
        content: Of bundle.json.
        golden: Of golden.npz.
        extra: Adds further files.
        check: Looks at the whole folder before it gets its name; raises where it is not good enough.

    Raises:
        ResourceError: The disk is full or the folder cannot be written.
    """
    try:
        with runs.atomic_folder(path) as temporary:
            fill(temporary, model, content, golden, extra)
            if check is not None:
                check(temporary)
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written: {error.strerror or error}; free the disk or pass --out"
        ) from error
    return Bundle(path)
