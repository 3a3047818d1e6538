"""Latency, size and memory of artefacts, side by side; without TensorFlow where none of them needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.benching_elsewhere import check_runtime, time_there
from export.bundle import Bundle, model_bytes
from export.sources import KERAS_FILES
from zoo import runner, runs, streaming
from zoo.errors import ModelError, UsageError
from zoo.interpreters import one_line

SECONDS = 0.24
"""Time for all artefacts together; each has at least `ROUNDS` x `LEAST_CALLS` calls, however slow it is."""
ROUNDS = 8
LEAST_CALLS = 4
WARM_UP = 3


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one artefact costs.

    Attributes:
        artifact: Its path.
        runtime: "litert", "tflite-runtime", "tflite-micro" or "tensorflow".
        threads: Of the interpreter, in tflite-micro always one; None where TensorFlow was already running with its own
            number.
        p50_us: Median time of one call with one sample, in microseconds.
        p99_us: 99th percentile of the same.
        bytes: Of the model file, or of a SavedModel's files.
        memory_bytes: Anonymous resident memory that loading the model and running it once add to the process;
            None where the system does not tell.
        calls: How many calls were timed.
    """

    artifact: Path
    runtime: str
    threads: int | None
    p50_us: float
    p99_us: float
    bytes: int
    memory_bytes: int | None
    calls: int


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A loaded artefact: one call is one sample."""

    artifact: Path
    runtime: str
    threads: int | None
    bytes: int
    memory_bytes: int | None
    call: Callable[[], Any]


def benchmark(artifacts: Any, threads: int = 1, root: Path | str = "runs", *, runtime: str = "litert") -> list[Result]:
    """Times artefacts in alternating rounds, so that all of them meet the same noise; elsewhere one after the other.

    Args:
        artifacts: Bundles, .tflite files, runs (or their names under `root`), .keras files, SavedModel folders, or
            built Keras models in memory; one of them, or a sequence.
        threads: Threads of each interpreter.
        root: Where runs are looked up by name.
        runtime: Of the .tflite files; other than "litert" it runs nothing else, in its own environment.

    Returns:
        A result for each artefact, in their order.

    Raises:
        UsageError: An artefact that is none of these, or a runtime that is not installed.
        ModelError: A damaged one, or one that the runtime refuses.
    """
    if isinstance(artifacts, (str, Path, Bundle, runs.Run)) or callable(artifacts):
        artifacts = [artifacts]
    if not artifacts:
        raise UsageError("no artefacts to measure; give bundles, .tflite or .keras files, SavedModels or runs")
    if threads < 1:
        raise UsageError(f"{threads} threads are not possible; give 1 or more")
    check_runtime(runtime)
    found = [_locate(artifact, Path(root)) for artifact in artifacts]
    if runtime != "litert":
        return [_measure_there(artifact, model, runtime, threads) for artifact, model in found]
    files = [model for _, model in found if isinstance(model, Path) and model.suffix == ".tflite"]
    with ThreadPoolExecutor(max_workers=2) as pool:  # each probe is a process of its own
        probes = dict(zip(files, pool.map(runner.probe, files), strict=True))
    candidates = [_load(artifact, model, threads, probes) for artifact, model in found]
    times = _alternate([candidate.call for candidate in candidates])
    return [_result(candidate, calls) for candidate, calls in zip(candidates, times, strict=True)]


def _locate(artifact: Any, root: Path) -> tuple[Path, Any]:
    """The artefact's own path and the model in it: a .tflite or .keras file, a SavedModel's folder, or what it is."""
    if isinstance(artifact, (Bundle, runs.Run)):
        artifact = artifact.path
    if not isinstance(artifact, (str, Path)):
        if not (callable(artifact) and hasattr(artifact, "name")):
            raise UsageError(f"a {type(artifact).__name__} cannot be measured; give a path, a bundle or a Keras model")
        return Path(artifact.name), artifact
    path = Path(artifact).absolute()
    if (path / runs.BUNDLE_MANIFEST).is_file():
        bundle = Bundle(path)
        bundle.check()
        return path, bundle.model
    if (path / "saved_model.pb").is_file():
        return path, path
    if path.suffix in (".tflite", *KERAS_FILES):
        if not path.is_file():
            raise ModelError(f"{path} is missing; expected a {path.suffix} file")
        return path, path
    run = runs.find_run(artifact, root)
    return run.path, run.path / runs.MODEL


def _measure_there(artifact: Path, model: Any, runtime: str, threads: int) -> Result:
    used = 1 if runtime == "tflite-micro" else threads
    found = time_there(artifact, model, runtime, used)
    kept = {key: found[key] for key in ("p50_us", "p99_us", "calls", "memory_bytes")}
    return Result(artifact=artifact, runtime=runtime, threads=used, bytes=model_bytes(model), **kept)


def _load(artifact: Path, model: Any, threads: int, probes: dict[Path, dict[str, Any]]) -> Candidate:
    if isinstance(model, Path) and model.suffix == ".tflite":
        return _load_tflite(artifact, model, threads, probes[model])
    used = _set_threads(threads)
    before = runner.anonymous_memory()
    call = _saved_model_call(model) if isinstance(model, Path) and model.is_dir() else _keras_call(model)
    call()
    after = runner.anonymous_memory()
    memory = None if before is None or after is None else max(after - before, 0)
    return Candidate(
        artifact=artifact,
        runtime="tensorflow",
        threads=used,
        bytes=_size(artifact, model),
        memory_bytes=memory,
        call=call,
    )


def _size(artifact: Path, model: Any) -> int:
    """Of a bundle as it says itself: a SavedModel bundle holds other files too; of a model in memory its weights."""
    if not isinstance(model, Path):
        return sum(int(np.asarray(weight).nbytes) for weight in model.weights)
    return Bundle(artifact).bytes if (artifact / runs.BUNDLE_MANIFEST).is_file() else model_bytes(model)


def _load_tflite(artifact: Path, path: Path, threads: int, probe: dict[str, Any]) -> Candidate:
    contract = Bundle(artifact).manifest if (artifact / runs.BUNDLE_MANIFEST).is_file() else {}
    model = streaming.open_model(path, contract, threads=threads)
    sample = model.example()
    return Candidate(
        artifact=artifact,
        runtime=model.runtime,
        threads=threads,
        bytes=model_bytes(path),
        memory_bytes=probe["memory_bytes"],
        call=lambda: model.invoke(sample),
    )


def _set_threads(threads: int) -> int | None:
    """TensorFlow's threads for one operation; None where it runs already and can no longer be told."""
    from zoo.settings import quiet_tensorflow

    quiet_tensorflow()
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return threads if tf.config.threading.get_intra_op_parallelism_threads() == threads else None
    return threads


def _keras_call(given: Any) -> Callable[[], Any]:
    """A compiled call of a Keras model, as a service would make it; `model.predict` alone costs milliseconds."""
    import tensorflow as tf

    from export.signature import describe
    from export.sources import load_keras

    model = load_keras(given) if isinstance(given, Path) else given
    signature = describe(model)
    function = tf.function(lambda samples: signature.unpack(model(signature.pack(samples), training=False)))
    generator = np.random.default_rng(0)
    sample = {
        tensor.name: tf.constant(generator.uniform(0, 1, (1, *tensor.shape)).astype(tensor.dtype))
        for tensor in signature.inputs
    }
    return lambda: [answer.numpy() for answer in function(sample).values()]


def _saved_model_call(folder: Path) -> Callable[[], Any]:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
        inputs = loaded.signatures["serving_default"].structured_input_signature[1]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        reason = one_line(error)
        raise ModelError(f"{folder} does not load as a SavedModel with serving_default: {reason}") from error
    arguments = {name: tf.zeros([size or 1 for size in spec.shape], spec.dtype) for name, spec in inputs.items()}

    def call() -> Any:
        # through `loaded`: the function alone does not keep the variables alive
        return [output.numpy() for output in loaded.signatures["serving_default"](**arguments).values()]

    return call


def _alternate(calls: Sequence[Callable[[], Any]]) -> list[list[float]]:
    """Microseconds of single calls, a list for each callable; rounds go through all of them in turn."""
    for call in calls:
        for _ in range(WARM_UP):
            call()
    times: list[list[float]] = [[] for _ in calls]
    share = SECONDS / (ROUNDS * len(calls))
    for _ in range(ROUNDS):
        for call, own in zip(calls, times, strict=True):
            end, least = time.perf_counter() + share, len(own) + LEAST_CALLS
            while len(own) < least or time.perf_counter() < end:
                start = time.perf_counter()
                call()
                own.append((time.perf_counter() - start) * 1e6)
    return times


def _result(candidate: Candidate, times: Sequence[float]) -> Result:
    return Result(
        artifact=candidate.artifact,
        runtime=candidate.runtime,
        threads=candidate.threads,
        p50_us=float(np.percentile(times, 50)),
        p99_us=float(np.percentile(times, 99)),
        bytes=candidate.bytes,
        memory_bytes=candidate.memory_bytes,
        calls=len(times),
    )
