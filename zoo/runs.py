"""The run folder: file names, atomic writes, manifest, lock."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import secrets
import shutil
import tomllib
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock
import numpy as np

from zoo.errors import DataError, LockedError, ResourceError, UsageError
from zoo.registry import suggest

MANIFEST = "run.json"
CONFIG = "config.toml"
PREDICTIONS = "predictions.npz"
HISTORY = "history.csv"
MODEL = "model.keras"
CHECKPOINT = "checkpoint"
SAMPLES = "samples"
CALIBRATION = "calibration.npz"
VALIDATION = "validation.npz"
LABELS = "labels.txt"
VOCABULARY = "vocabulary.txt"
PREPROCESSING = "preprocessing.json"
PLOTS = "plots"
REPORT = "report.html"
TENSORBOARD = "tensorboard"
EXPORT = "export"
LOCK = ".lock"

BUNDLE_MANIFEST = "bundle.json"
BUNDLE_MODEL = "model.tflite"
CHECKSUMS = "SHA256SUMS"
GOLDEN = "golden.npz"
PREDICT = "predict.py"

SCHEMA_VERSION = 1
Status = Literal["running", "finished", "interrupted", "diverged", "failed"]
UNFINISHED: tuple[Status, ...] = ("running", "interrupted", "diverged", "failed")


def jsonable(value: Any) -> Any:
    """The value as JSON can say it: paths as text, numpy as Python, NaN and infinities as null."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, (list, tuple)):
        return [jsonable(entry) for entry in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def to_json(value: Any, *, indent: int | None = None) -> str:
    """One JSON value as text; see `jsonable` for what it accepts beyond JSON's own types."""
    return json.dumps(jsonable(value), indent=indent, ensure_ascii=False, allow_nan=False)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, synced to disk, when the block ends well.

    The temporary name keeps the suffix, because Keras looks at it. A failure leaves an older file as it was.

    Raises:
        ResourceError: The disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"{path} cannot be written: {reason}; free the disk or pass --out") from error
    finally:
        if temporary.exists():
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that replaces it whole when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    retired = temporary.with_name(temporary.name + ".old")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rename(retired)
        try:
            temporary.rename(path)
        except OSError:
            if retired.exists():
                retired.rename(path)  # the old folder comes back: it is never lost for a new one that does not come
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Writes a UTF-8 file whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes an indented JSON file whole or not at all."""
    write_text(path, to_json(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        DataError: The file is missing, cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}; it is damaged or not ours") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; expected a JSON file") from error


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Writes arrays as a compressed `.npz` whose bytes depend on the arrays alone."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            plain = array.astype(np.str_) if array.dtype == object else array  # texts
            np.lib.format.write_array(buffer, np.asarray(plain, order="C"), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads every array of an `.npz` file.

    Raises:
        DataError: The file is missing, cut short or holds pickled objects.
    """
    try:
        # numpy 2.4 leaves a file that it opened itself open where the archive is damaged
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except (ValueError, TypeError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path} is not a readable .npz file: {error}") from error


def sha256(path: Path) -> str:
    """Checksum of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder for this process; the lock goes with the process, however it ends.

    Raises:
        LockedError: Another process holds it.
    """
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise LockedError(f"{folder} is in use by another process; wait for it or choose another folder") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `run.json` says.

    Attributes:
        data: A `DataIdentity` as a mapping.
        metrics: Split name ("train", "validation", "test") to metric name to value, at the best epoch;
            "last" holds the same mapping at the last epoch.
        baselines: Baseline name to its metrics on the test split.
        epochs: Epochs finished, and the one whose weights were kept.
        seconds: Wall-clock time from the start of the library call to the end.
        files: Name inside the folder to sha256, written when the run ends.
        message: Why the run ended as it did, where there is more to say than the status.
        threshold: Of the score of anomalies, chosen on the normal samples of the validation split; None of other tasks.
        search: Of a run that a search chose: its folder, the trial, the objective and what validation promised; see
            `tuning.final`.
    """

    name: str
    builder: str
    seed: int
    recipe: str | None = None
    status: Status = "running"
    schema_version: int = SCHEMA_VERSION
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    threshold: float | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)
    parameters: int = 0
    seconds: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    search: Mapping[str, Any] = field(default_factory=dict)


class Run:
    """A run folder on disk.

    Args:
        path: An existing run folder.

    Raises:
        UsageError: The path is no run folder.
        DataError: Its manifest is damaged or of another schema version.

    Example:
        >>> run = zoo.train("mnist-cnn", epochs=3)
        >>> run.metrics["test"]["accuracy"]
        0.9928
    """

    def __init__(self, path: Path | str) -> None:
        if not is_run(path):
            raise UsageError(
                f"{str(path)!r} is not a run folder; expected one with a {MANIFEST}, such as runs/NAME/ID, which zoo "
                "train prints"
            )
        self.path = Path(path).absolute()
        self.manifest = read_manifest(self.path / MANIFEST)

    @classmethod
    def create(cls, root: Path, manifest: Manifest) -> Run:
        """Makes `root/<name>/<utc time>-<4 hex>` and its first manifest; names of folders sort by time."""
        path = root / safe_name(manifest.name) / stamp()
        write_json(path / MANIFEST, asdict(manifest))
        return cls(path)

    def update(self, **changes: Any) -> None:
        """Changes manifest fields and writes them."""
        self.manifest = replace(self.manifest, **changes)
        write_json(self.path / MANIFEST, asdict(self.manifest))

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Split name to metric name to value, at the best epoch."""
        return self.manifest.metrics

    @property
    def model(self) -> Any:
        """The best weights as an uncompiled `keras.Model`."""
        from zoo.settings import quiet_tensorflow

        quiet_tensorflow()
        from zoo.hub_layer import load_model

        return load_model(self.path / MODEL)

    def checksums(self) -> dict[str, str]:
        """Name to sha256 of every file of the finished run; exports, logs and what a killed write left are left out."""
        return file_checksums(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, status={self.manifest.status!r})"


def file_checksums(folder: Path, *, without: Sequence[str] = ()) -> dict[str, str]:
    """As `Run.checksums`, of a folder that is to become a run; `without` are further names to leave out."""
    kept = (file for file in sorted(folder.rglob("*")) if file.is_file())
    inside = ((file.relative_to(folder), file) for file in kept)
    left_out = {EXPORT, TENSORBOARD, CHECKPOINT, MANIFEST, *without}
    return {
        name.as_posix(): sha256(file)
        for name, file in inside
        if name.parts[0] not in left_out and not any(part.startswith(".") for part in name.parts)
    }


def stamp() -> str:
    """A new folder's name, `<utc time>-<4 hex>`; they sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}"


def safe_name(name: str) -> str:
    """The name as a folder's name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"


def is_run(path: str | Path) -> bool:
    """Whether the path is a folder with a manifest in it."""
    return str(path) != "" and (Path(path) / MANIFEST).is_file()


def read_manifest(path: Path) -> Manifest:
    """What a `run.json` says; keys of a later toolkit are passed over.

    Raises:
        DataError: It is damaged, or of another schema version.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{path} is not a run of schema version {SCHEMA_VERSION}; train it again")
    known = {key: value for key, value in content.items() if key in Manifest.__dataclass_fields__}
    missing = [key for key in ("name", "builder", "seed", "status") if key not in known]
    if missing or not isinstance(known.get("data", {}), dict):
        what = f"lacks {', '.join(missing)}" if missing else f"has data = {known['data']!r}"
        raise DataError(f"{path} {what}; it is damaged, train the run again")
    return Manifest(**known)


def find_run(reference: str | Path, root: Path) -> Run:
    """The run that a folder, or a name for its latest finished run under `root`, stands for.

    A TOML file stands for the latest of its name, for it names its data; a run's own `config.toml` for that run.

    Raises:
        UsageError: No such run; or the name covers runs on different data, which are listed.
        DataError: The folder's manifest is damaged.
    """
    if str(reference).endswith(".toml"):
        reference = _run_of_file(Path(reference))
        return Run(reference) if is_run(reference) else _runs_named(reference, root, ("finished",), "finished")[-1]
    if is_run(reference):
        return Run(reference)
    finished = _runs_named(reference, root, ("finished",), "finished")
    if len({run.manifest.data.get("sha256") for run in finished}) > 1:
        listed = "; ".join(f"{run.path} ({run.manifest.data.get('name')})" for run in finished)
        raise UsageError(f"{str(reference)!r} covers runs on different data, name one: {listed}")
    return finished[-1]


def _run_of_file(path: Path) -> str:
    """The run folder that a TOML file lies in, or the name of the file's runs."""
    if path.name == CONFIG and is_run(path.parent):
        return str(path.parent)
    try:
        name = tomllib.loads(path.read_text(encoding="utf-8")).get("name", path.stem)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; give a TOML file or a run") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}; correct it there") from error
    return safe_name(str(name))


def find_unfinished(reference: str | Path, root: Path) -> Run:
    """The run to go on with: that of a folder, whatever its status, or the latest unfinished one of a name.

    Raises:
        UsageError: No such run, or none of that name is unfinished.
        DataError: The folder's manifest is damaged.
    """
    return Run(reference) if is_run(reference) else _runs_named(reference, root, UNFINISHED, "unfinished")[-1]


def _runs_named(reference: str | Path, root: Path, wanted: tuple[Status, ...], what: str) -> list[Run]:
    """Runs of a name with one of the wanted statuses, by time, at least one; one that cannot be read hides no other."""
    name = str(reference)
    runs: list[Run] = []
    unreadable: list[DataError] = []
    for manifest in sorted((root / name).glob(f"*/{MANIFEST}")) if name else []:
        try:
            runs.append(Run(manifest.parent))
        except DataError as error:
            unreadable.append(error)
    found = [run for run in runs if run.manifest.status in wanted]
    if found:
        return found
    damaged = f"; not readable: {unreadable[-1]}" if unreadable else ""
    if runs:
        raise UsageError(
            f"{name!r} has {len(runs)} runs, none {what} under {root}{damaged}; train one with: zoo train NAME"
        )
    if unreadable:
        raise UsageError(f"{name!r} has no readable run under {root}{damaged}; or train it anew")
    known = [entry.name for entry in root.iterdir() if entry.is_dir()] if root.is_dir() else []
    raise UsageError(
        f"{name!r} is neither a run folder nor the name of one under {root}{suggest(name, known)}; "
        "train one with: zoo train NAME"
    )
