"""tflite-micro's host interpreter behind the methods of the other TFLite runtimes.

Its Python knows inputs and outputs by position only, fixes the batch, and reuses the memory of its inputs while it
runs: what was set is gone after a call. A file that it does not take is explained on standard error, not in the
exception; `explain` makes the reason of those words.

This file is copied into every TFLite bundle, beside runner.py; numpy (>= 1.22), Python 3.9 or later.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from .interpreters import quiet
    from .tflite_file import TensorEntry, read_file
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__
    from interpreters import quiet  # type: ignore[import-not-found,no-redef]
    from tflite_file import TensorEntry, read_file  # type: ignore[import-not-found,no-redef]

ARENA = 512 * 2**20
"""Bytes. An arena that is too small crashes some kernels, and memory that is not touched costs nothing."""

MODES = "export it with --quantize float32, int8 or int16x8"
ANOTHER = "export it with another --quantize mode, or verify it on another runtime"
ELSEWHERE = "verify it on another runtime, or export it in another form"
REASONS = (
    (r"Node DEQUANTIZE .*failed to prepare", "tflite-micro has no float16 weights", MODES),
    (
        r"Hybrid models are not supported|Input type: FLOAT32 with filter type: INT8",
        "tflite-micro has no int8 weights for float inputs (dynamic range)",
        MODES,
    ),
    (r"Type '(\w+)' is not supported by (\w+)\.", r"tflite-micro has no \2 of \1", ANOTHER),
    (r"Output type is 7, requires float or int8\. Node (\w+)", r"tflite-micro has no \1 of INT16", ANOTHER),
    (r"Didn't find op for builtin opcode '(\w+)'", r"tflite-micro has no operator \1", ELSEWHERE),
    (r"Failed to get registration from op code (\w+)", r"tflite-micro has no operator \1", ELSEWHERE),
    (r"Node (\w+) \(number \d+\) failed to prepare", r"tflite-micro does not take this \1", ELSEWHERE),
)
"""Patterns in what it writes, what they mean, and what to do."""


def explain(said: Sequence[str], error: BaseException) -> str:
    """The reason of a refusal in one line: of what the interpreter wrote on standard error, else of its exception."""
    lines = [" ".join(line.split()) for line in said if line.strip()]
    for pattern, reason, advice in REASONS:
        found = re.search(pattern, " ".join(lines))
        if found:
            return f"{found.expand(reason)} ({lines[-1]}); {advice}"
    return f"{' '.join(lines)[-300:] or error}; {ELSEWHERE}"


class MicroInterpreter:
    """One .tflite file in tflite-micro.

    Args:
        path: The file.
        module: `tflite_micro.runtime`, imported.

    Raises:
        ModelError: The file is damaged.
        RuntimeError: tflite-micro does not take it; the reason is on standard error.
    """

    def __init__(self, path: Path, module: Any) -> None:
        self._file = read_file(path)
        self._interpreter = module.Interpreter.from_bytes(path.read_bytes(), arena_size=ARENA)

    def allocate_tensors(self) -> None:
        """Done when it was made."""

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        """Names of inputs and outputs, by signature."""
        return {
            name: {"inputs": list(inputs), "outputs": list(outputs)}
            for name, (inputs, outputs) in self._file.signatures.items()
        }

    def get_signature_runner(self, name: str) -> _Signature:
        """The details of a signature; it cannot be called."""
        inputs, outputs = self._file.signatures[name]
        return _Signature(*({key: self._details(at) for key, at in side.items()} for side in (inputs, outputs)))

    def get_input_details(self) -> list[dict[str, Any]]:
        """A mapping for each input, in the file's order."""
        return [self._details(at) for at in self._file.inputs]

    def get_output_details(self) -> list[dict[str, Any]]:
        """A mapping for each output, in the file's order."""
        return [self._details(at) for at in self._file.outputs]

    def resize_tensor_input(self, index: int, shape: Sequence[int]) -> None:
        """Refuses: the arena is planned for the shapes in the file.

        Raises:
            ValueError: Another shape than the file's.
        """
        planned = self._file.tensors[index].shape
        if tuple(shape) != planned:
            raise ValueError(f"tflite-micro runs the shape in the file, {planned}, and no other")

    def set_tensor(self, index: int, values: np.ndarray) -> None:
        """Copies values into an input; they are gone after the next `invoke`."""
        self._interpreter.set_input(np.ascontiguousarray(values), self._file.inputs.index(index))

    def invoke(self) -> None:
        """Runs the graph once.

        Raises:
            RuntimeError: An operator is prepared and then cannot run; says which and why.
        """
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            said: list[str] = []
            with contextlib.suppress(RuntimeError), quiet(said):
                self._interpreter.invoke()  # again, for the words that go with it
            raise RuntimeError(explain(said, error)) from error

    def get_tensor(self, index: int) -> np.ndarray:
        """A copy of an output."""
        return np.array(self._interpreter.get_output(self._file.outputs.index(index)))

    def reset_all_variables(self) -> None:
        """Sets the state back to zeros; without it a recurrent operator goes on from the sequence before."""
        self._interpreter.reset()

    def _details(self, at: int) -> dict[str, Any]:
        return {**_described(self._file.tensors[at]), "index": at}


class _Signature:
    """Inputs and outputs of a signature by name."""

    def __init__(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        self._inputs, self._outputs = inputs, outputs

    def get_input_details(self) -> Mapping[str, Any]:
        """A mapping for each input."""
        return self._inputs

    def get_output_details(self) -> Mapping[str, Any]:
        """A mapping for each output."""
        return self._outputs


def _described(tensor: TensorEntry) -> dict[str, Any]:
    """A tensor as the other runtimes tell it, the shape signature left out: the batch is never free here."""
    return {
        "name": tensor.name,
        "shape": np.array(tensor.shape, np.int32),
        "dtype": np.dtype(tensor.dtype),
        "quantization": tensor.quantization or (0.0, 0),
        "is_variable": tensor.variable,
    }
