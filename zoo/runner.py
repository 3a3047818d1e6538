"""Runs a .tflite file with numpy (>= 1.22) and a TFLite runtime, nothing else; Python 3.9 or later.

This file is copied into every TFLite bundle, beside preprocessing.py and predict.py: the device runs what the toolkit
verified with. As a program it probes one file; see `probe`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from .errors import DataError as DataError
    from .errors import GateError as GateError
    from .errors import ModelError as ModelError
    from .errors import UsageError as UsageError
    from .errors import ZooError as ZooError
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__

    class ZooError(Exception):  # type: ignore[no-redef]
        """A failure with a cause the user can act on, and the exit code it has in the toolkit."""

        exit_code = 1

    class UsageError(ZooError):  # type: ignore[no-redef]
        """An unknown option or value."""

        exit_code = 2

    class DataError(ZooError):  # type: ignore[no-redef]
        """Data that is missing, damaged or not what it should be."""

        exit_code = 3

    class ModelError(ZooError):  # type: ignore[no-redef]
        """A model or bundle that is refused."""

        exit_code = 4

    class GateError(ZooError):  # type: ignore[no-redef]
        """A bundle that does not answer here as it did when it was made."""

        exit_code = 7


RUNTIMES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
BATCH = 32


class TFLiteModel:
    """One .tflite file with one input and one output, ready to answer.

    Args:
        path: The file.
        threads: Threads of the interpreter.
        runtime: "litert" or "tflite-runtime"; by default the first of them that works here.

    Attributes:
        runtime: Which of them runs the file.
        input_shape: Of one sample, without the batch axis.
        input_quantization: (scale, zero point) of a quantized input, else None.
        output_quantization: Likewise of the output.
        stateful: Whether the file has variable tensors, which are reset before each sample.

    Raises:
        ModelError: The file is missing, damaged or not of that form, or no runtime works here.
    """

    def __init__(self, path: Path | str, *, threads: int = 1, runtime: str | None = None) -> None:
        self.path = Path(path)
        self._threads = threads
        check_file(self.path)
        self.runtime, self._interpreter = _create(self.path, threads, runtime)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{self.path} has {len(inputs)} inputs, {len(outputs)} outputs; expected one of each, split the model"
            )
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self.input_name, self.output_name = str(inputs[0]["name"]), str(outputs[0]["name"])
        self.input_shape = tuple(int(size) for size in inputs[0]["shape"][1:])
        self.output_shape = tuple(int(size) for size in outputs[0]["shape"][1:])
        self.input_dtype, self.output_dtype = np.dtype(inputs[0]["dtype"]), np.dtype(outputs[0]["dtype"])
        self.input_quantization = _quantization(inputs[0])
        self.output_quantization = _quantization(outputs[0])
        self.stateful = any(tensor.get("is_variable") for tensor in self._interpreter.get_tensor_details())
        signature = inputs[0].get("shape_signature", inputs[0]["shape"])
        self._free_batch = len(signature) > 0 and signature[0] == -1 and not self.stateful
        self._batch = int(inputs[0]["shape"][0]) if len(inputs[0]["shape"]) else 1

    def quantise(self, samples: np.ndarray) -> np.ndarray:
        """Model inputs in the file's own type: scaled, rounded half to even and clipped where it is quantized."""
        if self.input_quantization is None:
            return np.asarray(samples).astype(self.input_dtype)
        scale, zero_point = self.input_quantization
        limits = np.iinfo(self.input_dtype)
        steps = np.rint(np.asarray(samples, np.float32) / np.float32(scale)) + zero_point
        return np.asarray(np.clip(steps, limits.min, limits.max), self.input_dtype)

    def dequantise(self, outputs: np.ndarray) -> np.ndarray:
        """Answers of the file as float32."""
        if self.output_quantization is None:
            return np.asarray(outputs).astype(np.float32)
        scale, zero_point = self.output_quantization
        return np.asarray((outputs.astype(np.float32) - np.float32(zero_point)) * np.float32(scale))

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Answers for model inputs, after the preprocessing steps.

        Samples run one at a time, as on a device; in batches only where the file itself leaves its batch free.

        Args:
            samples: (n, *input_shape), pixels of 0 to 255 or float columns.

        Returns:
            (n, *output_shape) float32, dequantised.

        Raises:
            DataError: Samples of another shape, or NaN and infinite values.
        """
        samples = np.asarray(samples)
        if samples.shape[1:] != self.input_shape:
            raise DataError(f"samples have shape {samples.shape[1:]}; {self.path.name} expects {self.input_shape}")
        if np.issubdtype(samples.dtype, np.floating) and not np.all(np.isfinite(samples)):
            row = int(np.argmin(np.isfinite(samples.reshape(len(samples), -1)).all(axis=1)))
            raise DataError(f"sample {row} holds NaN or infinite values; give finite numbers")
        quantised = self.quantise(samples)
        size = BATCH if self._free_batch and len(samples) >= BATCH else 1
        chunks = [self._run(quantised[start : start + size]) for start in range(0, len(quantised), size)]
        outputs = np.concatenate(chunks) if chunks else np.zeros((0, *self.output_shape), self.output_dtype)
        return self.dequantise(outputs)

    def invoke(self, quantised: np.ndarray) -> np.ndarray:
        """One call of the interpreter, (batch, *input_shape) in the file's own type: what a benchmark times."""
        if self.stateful:
            self._interpreter.reset_all_variables()
        self._interpreter.set_tensor(self._input, quantised)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output))

    def _run(self, quantised: np.ndarray) -> np.ndarray:
        if len(quantised) != self._batch and not self._resize(len(quantised)):
            return np.concatenate([self._run(quantised[row : row + 1]) for row in range(len(quantised))])
        try:
            outputs = self.invoke(quantised)
        except (RuntimeError, ValueError) as error:  # an operator that prepares and then cannot run
            raise ModelError(f"{self.path} does not run: {one_line(error)}; export it again") from error
        if len(outputs) != len(quantised):
            raise ModelError(
                f"{self.path} gives {len(outputs)} answers for {len(quantised)} samples; its batch is mixed"
            )
        return outputs

    def _resize(self, batch: int) -> bool:
        """Sets the batch size; False where the graph behind a free batch refuses it, which leaves batches of one."""
        try:
            self._interpreter.resize_tensor_input(self._input, (batch, *self.input_shape))
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            if batch == 1:
                raise ModelError(f"{self.path} does not take one sample at a time: {one_line(error)}") from error
            self._free_batch, self._batch = False, 0
            _, self._interpreter = _create(self.path, self._threads, self.runtime)
            return False
        self._batch = batch
        return True


def runtime_version(runtime: str) -> str:
    """Name and version of a runtime's distribution, such as "ai-edge-litert 2.3.0"."""
    from importlib import metadata

    distribution = RUNTIMES[runtime].replace("_", "-")
    return f"{distribution} {metadata.version(distribution)}"


def check_file(path: Path) -> None:
    """Refuses what is plainly no .tflite file, without handing it to a runtime.

    Raises:
        ModelError: Missing, or without the format's identifier.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; expected a .tflite file") from error
    if head[4:] != b"TFL3":
        raise ModelError(f"{path} is not a .tflite file (no TFL3 identifier); export it again")


def _create(path: Path, threads: int, wanted: str | None) -> tuple[str, Any]:
    """An interpreter of the first runtime that works: an import alone says little, creating one says all."""
    if wanted is not None and wanted not in RUNTIMES:
        raise UsageError(f"runtime {wanted!r} is unknown; there are: {', '.join(RUNTIMES)}")
    reasons = []
    for name in [wanted] if wanted else list(RUNTIMES):
        try:
            with _quiet():
                module = importlib.import_module(RUNTIMES[name] + ".interpreter")
                interpreter = module.Interpreter(model_path=str(path), num_threads=threads)
                interpreter.allocate_tensors()
        except (ImportError, SystemError, AttributeError) as error:  # tflite-runtime beside numpy 2: SystemError
            reasons.append(f"{name}: {one_line(error)}")
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path} is refused by {name}: {one_line(error)}; export it again") from error
        else:
            return name, interpreter
    raise ModelError(f"no TFLite runtime works here ({'; '.join(reasons)}); try: pip install ai-edge-litert numpy")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Holds back what the runtimes write to file descriptor 2 while they load.

    ai-edge-litert 2.3 and tflite-runtime 2.14 greet with "INFO: Created TensorFlow Lite XNNPACK delegate", and offer
    Python no switch. Everything else is passed on.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # a service without standard error has nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            rest = [line for line in caught.read().splitlines(True) if not line.startswith(b"INFO: ")]
            os.write(2, b"".join(rest))


def _quantization(details: Mapping[str, Any]) -> tuple[float, int] | None:
    scale, zero_point = details["quantization"]
    return (float(scale), int(zero_point)) if scale else None


def one_line(error: BaseException) -> str:
    """The message of another library's error, cut to one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def probe(path: Path | str, timeout: float = 20.0) -> dict[str, Any]:
    """Loads and runs a file of unknown origin in a child process, because a malformed one can kill or hang its process.

    Args:
        path: A .tflite file.
        timeout: Seconds until it counts as hanging.

    Returns:
        "runtime" and "memory_bytes": anonymous memory that loading it and one run added (None where unknown).

    Raises:
        ModelError: It crashed, hung or was refused.
    """
    check_file(Path(path))
    command = [sys.executable, str(Path(__file__).resolve()), "--probe", str(path)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{path} hangs the TFLite runtime (over {timeout:g} s); it is damaged, export it again"
        ) from error
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise ModelError(f"{path} crashes the TFLite runtime ({name}); it is damaged, export it again")
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        raise ModelError(f"{path} cannot be probed: {' '.join(child.stderr.split())[-300:]}") from error
    if "error" in answer:
        raise ModelError(answer["error"])
    return answer


def run_once(path: Path) -> dict[str, Any]:
    """What `probe` asks its child for: load, one run on zeros, memory before and after."""
    if importlib.util.find_spec(RUNTIMES["litert"]):  # its own memory is not the file's
        importlib.import_module(RUNTIMES["litert"] + ".interpreter")
    before = anonymous_memory()
    model = TFLiteModel(path)
    model.predict(np.zeros((1, *model.input_shape), np.float32))
    after = anonymous_memory()
    memory = None if before is None or after is None else max(after - before, 0)
    return {"runtime": model.runtime, "memory_bytes": memory}


def anonymous_memory() -> int | None:
    """Bytes of this process's resident memory that belong to no file; None where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(sizes[0]) * 1024 if sizes else None


def check_sums(folder: Path) -> list[str]:
    """What differs from a bundle's SHA256SUMS, a line each; empty where every byte is as it was written.

    Raises:
        ModelError: There is no such list.
    """
    try:
        lines = (folder / "SHA256SUMS").read_bytes().decode().removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder} has no readable SHA256SUMS; it is no bundle, make one with: zoo export") from error
    problems = [] if any(line.endswith("  bundle.json") for line in lines) else ["bundle.json is not in SHA256SUMS"]
    for line in lines:
        wanted, _, name = line.partition("  ")
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            problems.append(f"{name} is missing")
            continue
        if found != wanted:
            problems.append(f"{name} was changed")
    return problems


def read_contract(folder: Path) -> dict[str, Any]:
    """The bundle.json of a folder.

    Raises:
        ModelError: Missing or damaged.
    """
    try:
        contract: dict[str, Any] = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has no readable bundle.json; it is no bundle, make one with: zoo export") from error
    return contract


def main(arguments: Sequence[str] | None = None) -> int:
    """`runner.py --probe FILE`: the child's side of `probe`; prints one JSON value."""
    parser = argparse.ArgumentParser(description="Load a .tflite file and run it once.")
    parser.add_argument("--probe", metavar="FILE", required=True)
    options = parser.parse_args(arguments)
    try:
        answer = run_once(Path(options.probe))
    except ZooError as error:
        answer = {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - a malformed file makes a runtime raise anything
        answer = {"error": f"{options.probe} is damaged: {type(error).__name__}: {one_line(error)}; export it again"}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
