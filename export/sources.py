"""What is exported: a run, a `.keras` file or a model in memory, with the samples that stand beside it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo import runs
from zoo.errors import DataError, ModelError, UsageError
from zoo.preprocessing import apply
from zoo.settings import quiet_tensorflow

SAMPLE_LIMIT = 500
RANDOM_SAMPLES = 64


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model and all that is known around it.

    Attributes:
        name: For messages.
        model: A `keras.Model`.
        contract: As `zoo.data.Dataset.contract`: input, steps, output.
        folder: Where its exports go by default.
        calibration: Raw samples for calibration, first axis the batch; None where there are none.
        samples: Raw samples to compare on, likewise.
        targets: Of those, in target units or class indices.
        split: What those samples are: "validation", "given" or "random".
        origin: What bundle.json says of where it came from; the same at every export.
    """

    name: str
    model: Any
    contract: Mapping[str, Any]
    folder: Path
    calibration: np.ndarray | None = None
    samples: np.ndarray | None = None
    targets: np.ndarray | None = None
    split: str = "validation"
    origin: Mapping[str, Any] = field(default_factory=dict)

    def inputs(self, raw: np.ndarray) -> np.ndarray:
        """Raw samples after the preprocessing steps.

        Raises:
            DataError: The steps refuse them.
        """
        try:
            return apply(self.contract["steps"], raw)
        except ValueError as error:
            raise DataError(f"the samples of {self.name} do not fit its preprocessing: {error}") from error


def load_keras(path: Path) -> Any:
    """A `.keras` file as an uncompiled model.

    Raises:
        ModelError: Missing, damaged, or with layers that this process does not know.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a .keras file")
    quiet_tensorflow()
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path} does not load as a Keras model ({reason}); if it has layers of your own, load it in Python and "
            "call zoo.export.to_tflite(model)"
        ) from error


def from_run(run: runs.Run) -> Source:
    """A run's best model with the samples it kept."""
    manifest = run.manifest
    origin = {
        "run": f"{run.path.parent.name}/{run.path.name}",
        "recipe": manifest.recipe,
        "builder": manifest.builder,
        "data": {key: manifest.data.get(key) for key in ("name", "sha256", "stand_in", "note")},
    }
    return _from_folder(run.path, run.path / runs.MODEL, run.path / runs.EXPORT, manifest.name, origin)


def locate(reference: str | Path, root: Path) -> runs.Run | Path:
    """What a run folder, a run's name under `root`, its TOML file or a `.keras` file stands for; nothing is loaded.

    Raises:
        UsageError: None of these.
        ModelError: A `.keras` file that does not exist.
    """
    path = Path(reference).absolute()
    if path.suffix != ".keras":
        if path.is_file() and path.suffix != ".toml":
            raise UsageError(f"{path} cannot be exported; expected a run or a .keras file")
        return runs.find_run(reference, root)
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a .keras file")
    inside = path.name == runs.MODEL and (path.parent / runs.MANIFEST).is_file()
    return runs.Run(path.parent) if inside else path


def from_file(path: Path) -> Source:
    """A `.keras` file that belongs to no run, with what lies beside it."""
    folder = path.parent
    exports = folder / runs.EXPORT / path.stem
    if (folder / runs.PREPROCESSING).is_file():
        return _from_folder(folder, path, exports, path.name, {"model": path.name})
    return from_model(load_keras(path), name=path.name, folder=exports, origin={"model": path.name})


def _from_folder(folder: Path, model: Path, exports: Path, name: str, origin: Mapping[str, Any]) -> Source:
    """A model with `preprocessing.json` and perhaps `samples/` beside it."""
    contract = runs.read_json(folder / runs.PREPROCESSING)
    samples: dict[str, Any] = {}
    if (folder / runs.SAMPLES / runs.CALIBRATION).is_file():
        samples["calibration"] = _kept_samples(folder / runs.SAMPLES / runs.CALIBRATION)["samples"]
    if (folder / runs.SAMPLES / runs.VALIDATION).is_file():
        samples.update(_kept_samples(folder / runs.SAMPLES / runs.VALIDATION))
    return Source(name=name, model=load_keras(model), contract=contract, folder=exports, origin=origin, **samples)


def _kept_samples(path: Path) -> dict[str, np.ndarray]:
    arrays = runs.read_npz(path)
    if not {"samples", "targets"} <= arrays.keys():
        raise DataError(f"{path} holds {', '.join(arrays) or 'nothing'}; expected samples and targets, train it again")
    return {name: arrays[name] for name in ("samples", "targets")}


def from_model(
    model: Any,
    *,
    name: str | None = None,
    folder: Path | None = None,
    representative: Any = None,
    evaluate: Any = None,
    preprocessing: Any = None,
    origin: Mapping[str, Any] | None = None,
) -> Source:
    """A model in memory, with what its owner gives along.

    Args:
        model: A built `keras.Model`.
        name: For messages; by default the model's own.
        folder: Where its exports go by default; `./export/<name>`.
        representative: Raw samples for calibration: an array, or an iterable of batches (a `tf.data.Dataset`).
        evaluate: Raw samples and targets to compare on: a pair of arrays, or an iterable of such batches.
        preprocessing: The recorded steps before the model, or a whole contract as in `preprocessing.json`.
        origin: What bundle.json says of where it came from.
    """
    name = name or str(model.name)
    contract = dict(preprocessing) if isinstance(preprocessing, Mapping) else None
    if contract is None:
        contract = guess_contract(model, list(preprocessing or ()))
    calibration = None if representative is None else _batches(representative)[0]
    samples, targets, split = calibration, None, "given"
    if evaluate is not None:
        samples, targets = _batches(evaluate)
        if targets is None:
            raise UsageError("evaluate has no targets; give (samples, targets) or batches of both")
        targets = _flat_targets(targets, contract["output"]["task"])
    return Source(
        name=name,
        model=model,
        contract=contract,
        folder=folder or Path.cwd() / runs.EXPORT / runs.safe_name(name),
        calibration=None if calibration is None else calibration[:SAMPLE_LIMIT],
        samples=samples,
        targets=targets,
        split=split,
        origin=origin or {"model": name},
    )


def _batches(given: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples and targets of an array, a pair of arrays, or an iterable of batches of either."""
    if isinstance(given, tuple) and len(given) == 2:
        return np.asarray(given[0]), np.asarray(given[1])
    if hasattr(given, "__array__"):
        return np.asarray(given), None
    if not isinstance(given, Iterable):
        raise UsageError(f"samples are a {type(given).__name__}; give an array or an iterable of batches")
    parts = [entry if isinstance(entry, tuple) else (entry, None) for entry in given]
    if not parts:
        raise DataError("the samples given are empty; give at least one batch")
    samples = np.concatenate([np.asarray(part[0]) for part in parts])
    return samples, None if parts[0][1] is None else np.concatenate([np.asarray(part[1]) for part in parts])


def _flat_targets(targets: np.ndarray, task: str) -> np.ndarray:
    """Class indices for binary and multi-class, also where they come one-hot or as a column."""
    if task == "multiclass" and targets.ndim == 2 and targets.shape[1] > 1:
        return np.asarray(targets.argmax(axis=1))
    return targets.reshape(-1) if task in ("binary", "multiclass") else targets.reshape(len(targets), -1)


def guess_contract(model: Any, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The contract of a model of which nothing else is known: kind by its input's rank, task by its last activation."""
    quiet_tensorflow()
    shape = tuple(getattr(model, "input_shape", None) or (None,))[1:]
    activation = _last_activation(model)
    width = (getattr(model, "output_shape", None) or (None, None))[-1]
    tasks = {"softmax": "multiclass", "sigmoid": "binary" if width == 1 else "multilabel"}
    return {
        "schema_version": 1,
        "input": {
            "kind": {3: "image", 2: "series"}.get(len(shape), "table"),
            "shape": list(shape),
            "dtype": "float32",
            "columns": [],
        },
        "steps": [dict(step) for step in steps],
        "output": {"task": tasks.get(activation, "regression"), "labels": []},
    }


def _last_activation(model: Any) -> str:
    layers = [layer for layer in getattr(model, "layers", ()) if not layer.name.startswith("dropout")]
    if not layers:
        return "linear"
    last = layers[-1]
    activation = getattr(last, "activation", None)
    named = getattr(activation, "__name__", type(last).__name__)
    return str(named).lower()


def random_samples(contract: Mapping[str, Any], shape: Sequence[int], dtype: str) -> np.ndarray:
    """Raw samples for a model without data, seeded, which its preprocessing steps accept.

    Pixels where the contract says so; columns that come out standardised; and for a model of which nothing is known,
    half of either size.

    Args:
        contract: Input and steps.
        shape: Of one model input.
        dtype: Of the model's input.

    Raises:
        UsageError: The model takes integers, whose range nobody knows.
    """
    generator = np.random.default_rng(0)
    if contract["input"]["dtype"] == "uint8":
        return generator.integers(0, 256, (RANDOM_SAMPLES, *shape)).astype(np.uint8)
    if not dtype.startswith("float"):
        raise UsageError(f"the model takes {dtype} inputs of unknown range; export it with samples, or as its run")
    values = generator.normal(0, 1, (RANDOM_SAMPLES, *shape))
    for step in reversed(contract["steps"]):
        if step["step"] == "standardise":
            values = (values - np.asarray(step["offset"])) / np.asarray(step["scale"])
    if not contract["steps"]:
        half = RANDOM_SAMPLES // 2
        values[half:] = generator.integers(0, 256, (RANDOM_SAMPLES - half, *shape))
    return values.astype(np.float32)
