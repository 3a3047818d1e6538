"""A model that may never be exported, converted as an export would: measured and asked, and nothing is written.

A search asks what a model costs before it is trained, and what its file answers afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from export import given, lowering
from export.attempt import Attempt, Compared
from export.attempts import Attempts, OnEvent
from export.child import Child
from export.forms import refuse_stateful
from export.guess import are_pixels, guess_contract, guess_contracts
from export.options import Options
from export.quantization import Preset, find_preset
from export.representative import draw
from export.signature import Arrays, Signature, describe
from export.source import Source, apply_steps, random_samples
from export.worker import load_arrays, save_arrays

FEW = 8
"""Samples that calibrate a file of which only the size and the time are wanted."""
COMPARED = 500
"""Samples on which a file is compared with Keras at most: as many as a run keeps for its exports."""


def open_candidate(
    model: Any, contract: Mapping[str, Any] | None, calibration: Any, samples: Any = None, *, name: str = ""
) -> Source:
    """A model in memory as something to convert.

    Args:
        model: A built `keras.Model`.
        contract: As `zoo.data.Dataset.contract`; None where nobody knows it.
        calibration: Raw samples, (n, ...); for several inputs a dict by name; None for a mode that needs none.
        samples: Raw samples to ask about, likewise; None where only its costs are wanted.
        name: For messages and in the file's metadata; by default the model's.

    Raises:
        DataError: Samples that do not fit the model.
        ModelError: The model cannot be exported.
    """
    name = name or str(model.name)
    refuse_stateful(model)
    model = lowering.as_float32(model)
    steps = list((contract or {}).get("steps", ()))
    known = calibration if calibration is not None else samples
    signature = describe(model, None if known is None else _first(known, steps, name))
    calibrating, asked = _joined(calibration, signature, "calibration"), _joined(samples, signature, "samples")
    if contract is None:
        contract = _guessed(model, signature, asked if asked is not None else calibrating)
    return Source(
        name=name,
        model=model,
        signature=signature,
        contract=contract,
        folder=Path(),
        calibration=calibrating,
        samples=asked,
    )


def _joined(raw: Any, signature: Signature, what: str) -> Arrays | None:
    return (
        None
        if raw is None
        else given.join(given.read(raw, what=what, inputs=len(signature.inputs)), signature, what)[0]
    )


def _guessed(model: Any, signature: Signature, samples: Arrays | None) -> dict[str, Any]:
    if not signature.single:
        return guess_contracts(model, signature, ())
    contract = guess_contract(model, signature, ())
    if are_pixels(samples):
        contract["input"]["dtype"] = "uint8"
    return contract


def _first(raw: Any, steps: list[Any], name: str) -> Any:
    """One sample as the model takes it, which tells a subclassed model's shapes."""
    import keras

    one = keras.tree.map_structure(lambda array: np.asarray(array)[:1], raw)
    return apply_steps(steps, one, name) if steps and isinstance(one, np.ndarray) else one


def convert_untrained(
    source: Source, mode: str, child: Child, scratch: Path, *, micro: bool = False, tell: OnEvent
) -> Attempt:
    """A file of the size and speed that the trained model's would have; what it answers says nothing.

    Args:
        source: Of `open_candidate`.
        mode: Of `export.quantization.PRESETS`.
        child: The process that converts.
        scratch: An empty folder.
        micro: Whether tflite-micro is to run it.
        tell: Told what happens, a line each.

    Raises:
        ModelError: The mode does not serve this model; says why.
        UsageError: The mode needs calibration samples and there are none.
        ResourceError: It took too much time or memory.
    """
    samples = source.calibration or random_samples(source.contract, source.signature)
    few = replace(
        source, calibration=None if source.calibration is None else draw(source.calibration, FEW), samples=samples
    )
    preset = replace(find_preset(mode), max_error=None, max_drop=None, min_agreement=None)
    with as_if_trained(source.model):
        return _attempt(few, {name: array[:1] for name, array in samples.items()}, preset, child, scratch, micro, tell)


@contextlib.contextmanager
def as_if_trained(model: Any) -> Iterator[None]:
    """Within the block, weights that begin with equal values (biases, batch normalisation) have unlike ones.

    The converter leaves out a bias of zeros and keeps equal constants once: an untrained file would be up to a quarter
    smaller than the trained one (TensorFlow 2.21, a dense network in int8: 9,682 against 12,338 bytes).
    """
    generator = np.random.default_rng(0)
    before = [
        (weight, values)
        for weight in model.weights
        if np.issubdtype((values := np.array(weight)).dtype, np.floating) and _repeats(values)
    ]
    try:
        for weight, values in before:
            # upwards: a variance stays above 0
            weight.assign(values + generator.uniform(0.01, 0.1, values.shape).astype(values.dtype))
        yield
    finally:
        for weight, values in before:
            weight.assign(values)


def _repeats(values: np.ndarray) -> bool:
    return values.size == 1 or len(np.unique(values)) < values.size


def convert(source: Source, mode: str, child: Child, scratch: Path, *, micro: bool = False, tell: OnEvent) -> Attempt:
    """The file that an export of a trained model writes, and its answers to `source.samples` in `.outputs`.

    Its form is chosen as an export chooses it, by size, error and agreement with Keras on at most `COMPARED` of the
    samples; that it misses a gate after all is in `.failed` and no error.

    Raises:
        ModelError, UsageError, ResourceError: As `convert_untrained`.
    """
    if source.samples is None:
        raise ValueError("convert() needs samples; open the candidate with some")
    some = draw(source.samples, COMPARED)
    attempt = _attempt(source, some, find_preset(mode), child, scratch, micro, tell)
    if len(next(iter(some.values()))) == len(next(iter(source.samples.values()))):
        return attempt
    inputs, out = save_arrays(scratch / "all-inputs", source.inputs(source.samples)), scratch / "all-outputs"
    asked = {"model": str(attempt.model), "samples": str(inputs), "out": str(out), "stream": attempt.stream}
    child.ask("run", f"running {source.name} ({attempt.model.stem})", **asked)
    return replace(attempt, outputs=load_arrays(out))


def _attempt(
    source: Source, raw: Arrays, preset: Preset, child: Child, scratch: Path, micro: bool, tell: OnEvent
) -> Attempt:
    inputs = source.inputs(raw)
    reference = lowering.predict(source.model, source.signature, inputs)
    compared = Compared(inputs=inputs, targets=source.targets, reference=reference, split="validation")
    options = Options(quantize=preset.name, target="micro" if micro else None)
    return Attempts(source, options, child, scratch, compared, tell).best(preset)


def time_attempt(
    attempt: Attempt, child: Child, *, rounds: int, enough: float | None = None, pause: float = 0.0
) -> float:
    """Microseconds of one sample on this machine, one thread: the quickest of the medians of several rounds.

    Args:
        attempt: A TFLite file.
        child: The process that runs it.
        rounds: At most.
        enough: A median at or below ends it.
        pause: Seconds between rounds.

    Raises:
        ModelError, ResourceError: The file does not run, or not in time.
    """
    asked = {"rounds": rounds, "enough": enough, "pause": pause, "stream": attempt.stream}
    found = child.ask("time", f"timing {attempt.model.stem}", model=str(attempt.model), **asked)
    return float(min(found["medians"]))
