"""What is exported: a run, a `.keras` file or a model in memory, with the samples that stand beside it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from export import given
from export.guess import answer_activation, are_pixels, guess_contract, guess_contracts
from export.lowering import as_float32
from export.representative import draw, held_out
from export.signature import Arrays, Signature, count_inputs, describe
from export.source import Source, apply_steps, fit_targets
from zoo import runs
from zoo.errors import DataError, ModelError, UsageError
from zoo.settings import quiet_tensorflow

SAMPLE_LIMIT = 500
EVALUATION_LIMIT = 5000
"""Samples of a validation split that an export is compared on at most."""
KERAS_FILES = (".keras", ".h5", ".hdf5")


def load_keras(path: Path) -> Any:
    """A `.keras` file, or the HDF5 file of an earlier Keras, as an uncompiled model.

    Raises:
        ModelError: Missing, damaged, or with layers that this process does not know.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a .keras file")
    quiet_tensorflow()
    from zoo.hub_layer import load_model

    try:
        return load_model(path)
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
        "data": _data_origin(manifest.data),
    }
    return _from_folder(run.path, run.path / runs.MODEL, run.path / runs.EXPORT, manifest.name, origin)


def _data_origin(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What bundle.json says of data: a file of one's own by its name alone, a bundle holds no paths of this machine."""
    kept = {key: identity.get(key) for key in ("name", "sha256", "stand_in", "note")}
    return {**kept, "name": Path(str(kept["name"])).name if kept["name"] else None}


def locate(reference: str | Path, root: Path) -> runs.Run | Path:
    """What a run folder, a run's name under `root`, its TOML file or a `.keras` file stands for; nothing is loaded.

    Raises:
        UsageError: None of these.
        ModelError: A `.keras` file that does not exist.
    """
    path = Path(reference).absolute()
    if path.suffix not in KERAS_FILES:
        if (path.is_file() and path.suffix != ".toml") or (path / "saved_model.pb").is_file():
            raise UsageError(f"{path} cannot be exported; expected a run or a .keras file")
        return runs.find_run(reference, root)
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a {path.suffix} file")
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
    loaded = as_float32(load_keras(model))
    kept: dict[str, dict[str, np.ndarray]] = {}
    for file in (runs.CALIBRATION, runs.VALIDATION):
        if (folder / runs.SAMPLES / file).is_file():
            kept[file] = _kept_samples(folder / runs.SAMPLES / file)
    known = kept.get(runs.VALIDATION) or kept.get(runs.CALIBRATION)
    batch = None if known is None else apply_steps(contract["steps"], known["samples"][:1], name)
    signature = describe(loaded, batch)
    if not signature.single:
        raise ModelError(
            f"{model} has several inputs or outputs, {folder / runs.PREPROCESSING} is of a model with one of each"
        )
    entry, answer = signature.inputs[0].name, signature.outputs[0].name
    return Source(
        name=name,
        model=loaded,
        signature=signature,
        contract=contract,
        folder=exports,
        calibration={entry: kept[runs.CALIBRATION]["samples"]} if runs.CALIBRATION in kept else None,
        samples={entry: kept[runs.VALIDATION]["samples"]} if runs.VALIDATION in kept else None,
        targets={answer: kept[runs.VALIDATION]["targets"]} if runs.VALIDATION in kept else {},
        origin=origin,
    )


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
        model: A built `keras.Model`, or a subclassed one that was never called, whose shapes the samples tell.
        name: For messages; by default the model's own.
        folder: Where its exports go by default; `./export/<name>`.
        representative: Raw samples for calibration: an array; for several inputs a dict by name, or a list or tuple
            in the model's order; or an iterable of such batches (a `tf.data.Dataset`, a generator, a `PyDataset`).
        evaluate: Raw samples and targets to compare on: a pair of these, targets by output likewise (None for an
            output without), or an iterable of such batches.
        preprocessing: The recorded steps before the model's only input, or a whole contract as in
            `preprocessing.json`.
        origin: What bundle.json says of where it came from.

    Raises:
        UsageError, DataError: What is given does not fit the model.
        ModelError: The model cannot be exported.
    """
    name = name or str(model.name)
    model = as_float32(model)
    count = count_inputs(model)
    calibrating = (
        None
        if representative is None
        else given.read(representative, what="representative", inputs=count, limit=SAMPLE_LIMIT)
    )
    comparing = None if evaluate is None else given.read(evaluate, what="evaluate", inputs=count, with_targets=True)
    known = comparing or calibrating
    steps = preprocessing["steps"] if isinstance(preprocessing, Mapping) else list(preprocessing or ())
    signature = describe(model, None if known is None else _first(known[0].inputs, steps, name))
    contract = _contract(model, signature, preprocessing, steps)
    calibration: Arrays | None = None
    samples: Arrays | None
    targets: Arrays | None
    if calibrating is not None:
        calibration = given.join(calibrating, signature, "representative")[0]
    split, targets = "given", None
    if comparing is not None:
        samples, targets = given.join(comparing, signature, "evaluate")
    else:
        calibration, samples, split = held_out(calibration)
    if not preprocessing and signature.single and are_pixels(samples):
        contract["input"]["dtype"] = "uint8"
    source = Source(
        name=name,
        model=model,
        signature=signature,
        contract=contract,
        folder=folder or Path.cwd() / runs.EXPORT / runs.safe_name(name),
        calibration=None if calibration is None else draw(calibration, SAMPLE_LIMIT),
        samples=samples,
        split=split,
        origin=origin or {"model": name},
    )
    outputs = {tensor.name: tensor for tensor in signature.outputs}
    fitting = {key: fit_targets(array, outputs[key], source.answer(key)) for key, array in (targets or {}).items()}
    return replace(source, targets=fitting)


def _first(inputs: Any, steps: Sequence[Mapping[str, Any]], name: str) -> Any:
    """One sample as the model takes it, which tells a subclassed model's shapes."""
    import keras

    one = keras.tree.map_structure(lambda array: array[:1], inputs)
    return apply_steps(steps, one, name) if steps and isinstance(one, np.ndarray) else one


def _contract(
    model: Any, signature: Signature, preprocessing: Any, steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    if signature.single:
        return dict(preprocessing) if isinstance(preprocessing, Mapping) else guess_contract(model, signature, steps)
    if isinstance(preprocessing, Mapping) or (steps and len(signature.inputs) > 1):
        raise UsageError(
            f"preprocessing is for one input, model {model.name!r} has {len(signature.inputs)} inputs and "
            f"{len(signature.outputs)} outputs; prepare the samples before they are given, and before the exported file"
        )
    return guess_contracts(model, signature, steps)


def from_data(path: Path, data: str, options: Mapping[str, Any], tell: Callable[[str], None] | None = None) -> Source:
    """A `.keras` file with the samples and the contract of a data set.

    Args:
        path: The file.
        data: A set's name, or the path of data of one's own.
        options: Knobs of `zoo.data.options.DataConfig`.
        tell: Told what `zoo.data.load` tells.

    Raises:
        UsageError: A file that has a contract of its own.
        DataError: Data that do not fit the model.
    """
    if (path.parent / runs.PREPROCESSING).is_file():
        raise UsageError(
            f"{path} lies beside a {runs.PREPROCESSING} and is exported with that; leave --data out, or copy it"
        )
    from zoo.data import draw_samples, load

    dataset = load(data, seed=0, on_event=tell, **options)
    model = as_float32(load_keras(path))
    one = draw_samples(dataset.train, dataset.output.task, SAMPLE_LIMIT)
    signature = describe(model, dataset.inputs(one.take(np.arange(1))))
    _check_fit(path, signature, dataset, data)
    _check_probabilities(path, model, dataset.output.task)
    if tell:
        tell(_fed(path, data, dataset))
    entry, answer = signature.inputs[0], signature.outputs[0]
    held_out = draw_samples(dataset.validation, dataset.output.task, EVALUATION_LIMIT)
    return Source(
        name=path.name,
        model=model,
        signature=signature,
        contract=dataset.contract(),
        folder=path.parent / runs.EXPORT / path.stem,
        calibration={entry.name: np.asarray(one.samples)},
        samples={entry.name: np.asarray(held_out.samples)},
        targets={answer.name: np.asarray(held_out.targets)},
        origin={"model": path.name, "data": _data_origin(asdict(dataset.identity))},
    )


def _fed(path: Path, data: str, dataset: Any) -> str:
    """How the data reach the model: nobody knows how the model's owner prepared them in training."""
    steps = ", ".join(step["step"] for step in dataset.steps) or "no step"
    pixels = ", pixels of 0 to 255" if dataset.input.dtype == "uint8" else ""
    answers = (
        "; its answers are read as standardised targets (--target-transform none: as they are)"
        if dataset.target_transform
        else ""
    )
    return f"{path.name} is fed {data} as zoo train prepares it: {steps}{pixels}{answers}"


def _check_probabilities(path: Path, model: Any, task: str) -> None:
    """Raises ModelError for a classifier that answers with logits: they would be taken for probabilities."""
    if task not in ("regression", "anomaly") and answer_activation(model) == "linear":
        wanted = "softmax" if task in ("multiclass", "segmentation") else "sigmoid"
        raise ModelError(
            f"{path} answers with logits, a {task} model must answer with probabilities; add the last activation: "
            f"keras.Sequential([model, keras.layers.Activation({wanted!r})]), and save that"
        )


def _check_fit(path: Path, signature: Signature, dataset: Any, data: str) -> None:
    """Raises DataError where a data set cannot feed a model or does not ask what it answers."""
    if not signature.single:
        raise DataError(
            f"{path} has {len(signature.inputs)} inputs and {len(signature.outputs)} outputs, {data} feeds one of "
            "each; call zoo.export.to_tflite(model, representative=..., evaluate=...) from Python"
        )
    shape, wanted = tuple(dataset.input.shape), signature.inputs[0].shape
    if shape != wanted:
        raise DataError(
            f"{data} gives samples of shape {shape}, {path} takes {wanted}; give the data it was trained on"
        )
    width, asked = int(np.prod(signature.outputs[0].shape, dtype=np.int64)), int(np.prod(dataset.output.shape))
    if width != asked:
        raise DataError(
            f"{path} answers with {width} numbers, {data} asks for {asked} ({dataset.output.task}); "
            "give the data it was trained on"
        )
