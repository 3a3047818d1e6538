"""Runs a .tflite file with numpy (>= 1.22) and a TFLite runtime, nothing else; Python 3.9 or later.

This file is copied into every TFLite bundle, beside preprocessing.py and predict.py: the device runs what the toolkit
verified with. As a program it probes one file; see `probe`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from .interpreters import DataError, ModelError, ZooError, check_file, create, import_runtime, one_line
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__
    from interpreters import (  # type: ignore[import-not-found,no-redef]
        DataError,
        ModelError,
        ZooError,
        check_file,
        create,
        import_runtime,
        one_line,
    )

BATCH = 32
BUNDLE_SUFFIXES = (".json", ".npz", ".pb", ".tflite", ".txt")
"""Of the files in a bundle's own folder."""
CODE_SUFFIXES = (".py", ".pyc", ".pyd", ".so")
"""Of what Python would import from there, however deep."""


class Port:
    """One input or output of a .tflite file.

    Args:
        name: Of the signature, or of the tensor in a file without one.
        details: Of the interpreter.

    Attributes:
        shape: Of one sample, without the batch axis.
        dtype: In the file.
        quantization: (scale, zero point) where it is quantized, else None.
    """

    def __init__(self, name: str, details: Mapping[str, Any]) -> None:
        self.name, self.index = name, int(details["index"])
        self.shape = tuple(int(size) for size in details["shape"][1:])
        self.dtype = np.dtype(details["dtype"])
        self.quantization = _quantization(details)
        signature = details.get("shape_signature", details["shape"])
        self.free_batch = len(signature) > 0 and signature[0] == -1
        self.batch = int(details["shape"][0]) if len(details["shape"]) else 1

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"

    def quantise(self, samples: np.ndarray) -> np.ndarray:
        """Values in the file's own type: scaled, rounded half to even and clipped where it is quantized."""
        if self.quantization is None:
            return self._cast(np.asarray(samples))
        scale, zero_point = self.quantization
        limits = np.iinfo(self.dtype)
        steps = np.rint(np.asarray(samples, np.float32) / np.float32(scale)) + zero_point
        return np.asarray(np.clip(steps, limits.min, limits.max), self.dtype)

    def _cast(self, samples: np.ndarray) -> np.ndarray:
        """Values in the file's own type; a DataError where an integer type cannot hold them."""
        if self.dtype.kind in "iu" and samples.size:
            limits = np.iinfo(self.dtype)
            if samples.dtype.kind == "f" and not np.array_equal(samples, np.rint(samples)):
                raise DataError(f"input {self.name!r} takes whole numbers ({self.dtype}); the samples hold fractions")
            if samples.min() < limits.min or samples.max() > limits.max:
                raise DataError(f"input {self.name!r} takes {limits.min} to {limits.max}; the samples go beyond")
        return samples.astype(self.dtype)

    def example(self, values: np.ndarray) -> np.ndarray:
        """Values of 0 to 1 in the file's own type: an integer one that is not quantized has 0 only."""
        return self.quantise(np.floor(values) if self.quantization is None and self.dtype.kind in "iu" else values)

    def dequantise(self, values: np.ndarray) -> np.ndarray:
        """Values of the file as float32."""
        if self.quantization is None:
            return np.asarray(values).astype(np.float32)
        scale, zero_point = self.quantization
        return np.asarray((values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale))


class TFLiteModel:
    """One .tflite file, ready to answer.

    Args:
        path: The file.
        threads: Threads of the interpreter.
        runtime: "litert" or "tflite-runtime"; by default the first of them that works here.

    Attributes:
        runtime: Which of them runs the file.
        inputs: Every input by name, a `Port` each.
        outputs: Likewise.

    A file that keeps state between calls (the fused LSTM operator does) is reset before each: a sample's answer never
    depends on the one before it.

    A file with one input and one output has them also as `input` and `output`, takes an array and answers with one;
    any other takes and gives a mapping by name.

    Raises:
        ModelError: The file is missing or damaged, or no runtime works here.

    Example:
        >>> TFLiteModel("model.tflite").predict({"image": pixels, "place": numbers})["price"]
    """

    def __init__(self, path: Path | str, *, threads: int = 1, runtime: str | None = None) -> None:
        self.path = Path(path)
        self._threads = threads
        check_file(self.path)
        self.runtime, self._interpreter = create(self.path, threads, runtime)
        self.inputs, self.outputs = _ports(self._interpreter)
        self._free_batch = all(port.free_batch for port in self.inputs.values())
        self._batch = max((port.batch for port in self.inputs.values()), default=1)

    @property
    def single(self) -> bool:
        """Whether there is one input and one output."""
        return len(self.inputs) == len(self.outputs) == 1

    @property
    def input(self) -> Port:
        """The only input.

        Raises:
            ModelError: There are several inputs or outputs.
        """
        return self._only(self.inputs)

    @property
    def output(self) -> Port:
        """The only output; otherwise as `input`."""
        return self._only(self.outputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample of the only input, without the batch axis."""
        return self.input.shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one answer of the only output, without the batch axis."""
        return self.output.shape

    def quantise(self, samples: np.ndarray) -> np.ndarray:
        """Values of the only input in the file's own type; see `Port.quantise`."""
        return self.input.quantise(samples)

    def predict(self, samples: Any) -> Any:
        """Answers for model inputs, after the preprocessing steps.

        Samples run one at a time, as on a device; in batches only where the file itself leaves its batch free.

        Args:
            samples: (n, *input_shape), pixels of 0 to 255 or float columns; or a mapping of such arrays by input.

        Returns:
            (n, *output_shape) float32, dequantised; for a mapping, a mapping by output.

        Raises:
            DataError: Samples of another shape or length, names that the file does not have, or NaN and infinite
                values.
            ModelError: One array for a file with several inputs or outputs.
        """
        if not isinstance(samples, Mapping):
            return self.predict({self.input.name: samples})[self.output.name]
        quantised = {name: self.inputs[name].quantise(values) for name, values in self._checked(samples).items()}
        count = len(next(iter(quantised.values())))
        size = BATCH if self._free_batch and count >= BATCH else 1
        chunks = [
            self._run({name: values[start : start + size] for name, values in quantised.items()})
            for start in range(0, count, size)
        ]
        return {
            name: port.dequantise(_joined([chunk[name] for chunk in chunks], port))
            for name, port in self.outputs.items()
        }

    def invoke(self, quantised: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One call of the interpreter with arrays in the file's own types, batch first: what a benchmark times."""
        self._interpreter.reset_all_variables()
        return self._call(quantised, self.inputs, self.outputs)

    def _call(
        self, quantised: Mapping[str, np.ndarray], inputs: Mapping[str, Port], outputs: Mapping[str, Port]
    ) -> dict[str, np.ndarray]:
        for name, values in quantised.items():
            self._interpreter.set_tensor(inputs[name].index, values)
        self._interpreter.invoke()
        return {name: np.asarray(self._interpreter.get_tensor(port.index)) for name, port in outputs.items()}

    def example(self) -> dict[str, np.ndarray]:
        """One sample for `invoke`: random numbers of 0 to 1, the first id of an integer input."""
        generator = np.random.default_rng(0)
        return {
            name: port.example(generator.uniform(0, 1, (1, *port.shape)).astype(np.float32))
            for name, port in self.inputs.items()
        }

    def _only(self, ports: dict[str, Port]) -> Port:
        if not self.single:
            raise ModelError(
                f"{self.path} has {len(self.inputs)} inputs, {len(self.outputs)} outputs; expected one of each: call "
                f"TFLiteModel.predict with a mapping of {', '.join(self.inputs)}"
            )
        return next(iter(ports.values()))

    def _checked(self, samples: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The samples as arrays, in the file's order; DataError where they do not fit it."""
        if set(samples) != set(self.inputs):
            given = ", ".join(map(str, samples)) or "nothing"
            raise DataError(
                f"samples are of {given}; {self.path.name} takes {', '.join(map(str, self.inputs.values()))}"
            )
        arrays = {name: np.asarray(samples[name]) for name in self.inputs}
        for name, values in arrays.items():
            of = f" of {name!r}" if len(arrays) > 1 else ""
            shape = self.inputs[name].shape
            if values.shape[1:] != shape or values.ndim == 0:
                raise DataError(f"samples{of} have shape {values.shape[1:]}; {self.path.name} expects {shape}")
            if np.issubdtype(values.dtype, np.floating) and not np.all(np.isfinite(values)):
                row = int(np.argmin(np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
                raise DataError(f"sample {row}{of} holds NaN or infinite values; give finite numbers")
        if len({len(values) for values in arrays.values()}) > 1:
            lengths = ", ".join(f"{len(values)} of {name!r}" for name, values in arrays.items())
            raise DataError(f"samples are of unlike number ({lengths}); give one row of each for every sample")
        return arrays

    def _run(self, quantised: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = len(next(iter(quantised.values())))
        if count != self._batch and not self._resize(count):
            rows = [
                self._run({name: values[row : row + 1] for name, values in quantised.items()}) for row in range(count)
            ]
            return {name: np.concatenate([row[name] for row in rows]) for name in self.outputs}
        try:
            outputs = self.invoke(quantised)
        except (RuntimeError, ValueError) as error:  # an operator that prepares and then cannot run
            raise ModelError(f"{self.path} does not run: {one_line(error)}; export it again") from error
        for values in outputs.values():
            given = len(values) if values.ndim else 0
            if given != count:
                raise ModelError(f"{self.path} gives {given} answers for {count} samples; its batch is mixed")
        return outputs

    def _resize(self, batch: int) -> bool:
        """Sets the batch size; False where the graph behind a free batch refuses it, which leaves batches of one."""
        try:
            for port in self.inputs.values():
                self._interpreter.resize_tensor_input(port.index, (batch, *port.shape))
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            if batch == 1:
                raise ModelError(f"{self.path} does not take one sample at a time: {one_line(error)}") from error
            self._free_batch, self._batch = False, 0
            _, self._interpreter = create(self.path, self._threads, self.runtime)
            return False
        self._batch = batch
        return True


def _ports(interpreter: Any) -> tuple[dict[str, Port], dict[str, Port]]:
    """Inputs and outputs by the names of the file's signature, which keeps them where the converter sorts them anew."""
    signatures = list(getattr(interpreter, "get_signature_list", dict)())
    if len(signatures) == 1:
        runner = interpreter.get_signature_runner(signatures[0])
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    else:
        inputs, outputs = _named(interpreter.get_input_details()), _named(interpreter.get_output_details())
    return (
        {name: Port(name, entry) for name, entry in inputs.items()},
        {name: Port(name, entry) for name, entry in outputs.items()},
    )


def _named(entries: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Tensors by their own names, with their place added where two share one."""
    names = [str(entry["name"]) for entry in entries]
    return {name if names.count(name) == 1 else f"{name}_{at}": entries[at] for at, name in enumerate(names)}


def _joined(parts: Sequence[np.ndarray], port: Port) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros((0, *port.shape), port.dtype)


def _quantization(details: Mapping[str, Any]) -> tuple[float, int] | None:
    scale, zero_point = details["quantization"]
    return (float(scale), int(zero_point)) if scale else None


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
    import_runtime()
    before = anonymous_memory()
    model = TFLiteModel(path)
    model.predict({name: np.zeros((1, *port.shape), np.float32) for name, port in model.inputs.items()})
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

    Files that a bundle may hold and that are not listed count too: nothing would tell whether they were changed.

    Raises:
        ModelError: There is no such list.
    """
    try:
        lines = (folder / "SHA256SUMS").read_bytes().decode().removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder} has no readable SHA256SUMS; it is no bundle, make one with: zoo export") from error
    # Names are compared with what the folder lists: a file system may find "Bundle.json" and "bundle.json " as well.
    present = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    listed = {name: wanted for wanted, _, name in (line.partition("  ") for line in lines)}
    problems = [] if len(listed) == len(lines) else ["SHA256SUMS lists a file twice"]
    for name, wanted in listed.items():
        if not name:
            problems.append("SHA256SUMS has a line that names no file")
        elif problem := _changed(present.get(name), wanted):
            problems.append(f"{name if name.isprintable() else repr(name)} {problem}")
    unlisted = [name for name in {**present, "bundle.json": None} if name not in listed and _belongs(name, listed)]
    return problems + [f"{name} is not in SHA256SUMS" for name in unlisted]


def _changed(path: Path | None, wanted: str) -> str:
    """What is wrong with a listed file, or nothing."""
    if path is None:
        return "is missing"
    try:
        return "" if hashlib.sha256(path.read_bytes()).hexdigest() == wanted else "was changed"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _belongs(name: str, listed: Mapping[str, str]) -> bool:
    """Whether an unlisted file is of a kind that a bundle holds, or lies in one of its folders.

    Answers written into the folder, what a system hides there and compiled modules are no part of it.
    """
    parts = name.split("/")
    if name == "SHA256SUMS" or any(part.startswith(".") or part == "__pycache__" for part in parts):
        return False
    inside = len(parts) > 1 and any(other.startswith(f"{parts[0]}/") for other in listed)
    suffix = Path(name).suffix
    return inside or suffix in CODE_SUFFIXES or (len(parts) == 1 and suffix in BUNDLE_SUFFIXES)


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
