"""A converted file and how it compares with Keras, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.forms import StepModel
from export.parity import Parity
from export.quantization import Preset
from export.signature import Arrays


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The samples that every attempt is compared on.

    Attributes:
        inputs: After the preprocessing steps, by input.
        targets: By output; outputs without targets are left out.
        reference: What Keras answers, by output.
        split: What the samples are: "validation", "given", "calibration" or "random"; see `export.parity.Parity`.
    """

    inputs: Arrays
    targets: Arrays
    reference: Arrays
    split: str

    @property
    def count(self) -> int:
        """Samples."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A converted file, and how it compares with Keras.

    Attributes:
        preset: The quantization mode.
        form: One of `export.forms.FORMS`.
        io: What the file takes and gives: "int8", "uint8", "int16" or "float".
        model: The file, or a SavedModel's folder.
        bytes: Its size.
        ops: Operator name to count.
        edges: What the child said of the file: runtime, and by name dtype and quantization of inputs and outputs.
        outputs: Its answers by output, dequantized.
        comparisons: By output.
        builtin: Of a mode that rounds activations, likewise the answers of LiteRT's built-in kernels to the golden
            samples.
        failed: The gates that it missed, a sentence each.
        stream: Of bundle.json, for the form "step".
        microseconds: Median time of one sample on this machine, told and never written.
        remembers: Whether the file keeps state from one call to the next.
        keep_float: Layers that were kept in float.
    """

    preset: Preset
    form: str
    io: str
    model: Path
    bytes: int
    ops: Mapping[str, int]
    edges: Mapping[str, Any]
    outputs: Arrays
    comparisons: Mapping[str, Parity]
    failed: tuple[str, ...]
    builtin: Arrays | None = None
    stream: Mapping[str, Any] | None = None
    microseconds: float | None = None
    remembers: bool = False
    keep_float: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Of bundle.json: "none", "reset per sequence" or "explicit"."""
        if self.stream is not None:
            return "explicit"
        return "reset per sequence" if self.remembers else "none"

    @property
    def max_error(self) -> float:
        """Largest over all outputs."""
        return max(parity.max_error for parity in self.comparisons.values())

    def describe(self) -> str:
        """One line: form, size, error and time."""
        time = "" if self.microseconds is None else f", {self.microseconds:,.0f} us here"
        failed = f"; not good enough: {'; '.join(self.failed)}" if self.failed else ""
        return f"{self.form}: {self.bytes:,} bytes, maximum error {self.max_error:.2g}{time}{failed}"


def step_stream(step: StepModel, streaming: bool) -> dict[str, Any]:
    """The "stream" of bundle.json for a file that is one time step."""
    return {
        "steps": step.steps,
        "answer": "each" if step.each else "last",
        "sample_shape": list(step.sample.shape),
        "states": [{"input": state.input, "output": state.output, "shape": list(state.shape)} for state in step.states],
        "streaming": streaming,
        "reset_after": step.steps,
    }


def with_quantization(stream: Mapping[str, Any], edges: Mapping[str, Any]) -> dict[str, Any]:
    """Its states with the types and scales that they have in the file."""
    states = []
    for state in stream["states"]:
        into, out = edges["state_inputs"][state["input"]], edges["state_outputs"][state["output"]]
        quantization = {"input_quantization": into["quantization"], "output_quantization": out["quantization"]}
        states.append({**state, "dtype": into["dtype"], **quantization})
    return {**stream, "states": states}
