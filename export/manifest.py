"""The content of bundle.json: the contract between the model file and whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.parity import Parity, figures
from export.quantization import GOLDEN_STEPS, Preset
from export.signature import Tensor
from export.source import Source


def describe_bundle(
    *,
    preset: Preset,
    file_format: str,
    source: Source,
    edges: Mapping[str, Any],
    comparisons: Mapping[str, Parity],
    cost: Mapping[str, int | None],
    size: int,
) -> dict[str, Any]:
    """The content of bundle.json: a superset of the run's preprocessing.json, without times or paths.

    A model with one input and one output has them under `input` and `output`, any other under the lists `inputs` and
    `outputs`, whose entries have names.

    Args:
        preset: The quantization mode.
        file_format: "tflite" or "saved_model".
        source: What was exported.
        edges: What the child said of the file: runtime, ops, and by name dtype and quantization of inputs and outputs.
        comparisons: With Keras, by output.
        cost: "parameters" and "macs".
        size: Bytes of the model.
    """
    contract, signature = source.contract, source.signature
    inputs = [_input(tensor, edges["inputs"].get(tensor.name, {})) for tensor in signature.inputs]
    outputs = [
        _output(tensor, edges["outputs"].get(tensor.name, {}), source.answer(tensor.name))
        for tensor in signature.outputs
    ]
    limits = {
        tensor.name: _golden_limits(preset, _quantization(edges["outputs"], tensor), comparisons[tensor.name])
        for tensor in signature.outputs
    }
    head = {"schema_version": 1, "format": file_format, "quantize": preset.name}
    steps = [dict(step) for step in contract["steps"]]
    tail = {
        "state": "none",
        "ops": edges["ops"],
        "bytes": size,
        **cost,
        "parity": figures(comparisons),
        "golden": next(iter(limits.values())) if signature.single else {"outputs": limits},
        "runtimes": [edges["runtime"]],
        "source": dict(source.origin),
    }
    if not signature.single:
        return {**head, "inputs": inputs, "steps": steps, "outputs": outputs, **tail}
    standardised: Mapping[str, Any] = next((step for step in steps if step["step"] == "standardise"), {})
    entry = {
        **contract["input"],
        **inputs[0],
        "scale": standardised.get("scale"),
        "offset": standardised.get("offset"),
    }
    task = contract["output"]["task"]
    return {**head, "task": task, "input": entry, "steps": steps, "output": outputs[0], **tail}


def _input(tensor: Tensor, edge: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": edge.get("dtype", tensor.dtype),
        "quantization": _named(edge.get("quantization")),
    }


def _output(tensor: Tensor, edge: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **answer,
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": edge.get("dtype", "float32"),
        "meaning": _meaning(answer),
        "quantization": _named(edge.get("quantization")),
        "step": _output_step(edge.get("quantization"), answer),
    }


def _quantization(edges: Mapping[str, Any], tensor: Tensor) -> Any:
    return edges.get(tensor.name, {}).get("quantization")


def _named(quantization: Any) -> dict[str, Any] | None:
    if quantization is None:
        return None
    scale, zero_point = quantization
    return {"scale": scale, "zero_point": zero_point}


def _meaning(output: Mapping[str, Any]) -> str:
    labels = list(output.get("labels") or ())
    if output["task"] == "binary":
        return f"probability of {labels[-1] if labels else 'class 1'}"
    if output["task"] == "regression":
        return "(y - offset) / scale is the value in target units" if output.get("scale") else "value in target units"
    return "probability of each label" + (", summing to 1" if output["task"] == "multiclass" else "")


def _output_step(quantization: Any, output: Mapping[str, Any]) -> list[float] | None:
    """What one quantization step is in target units, for each output; None for a float output."""
    if quantization is None:
        return None
    return [float(quantization[0] / abs(scale)) for scale in output.get("scale") or [1.0]]


def _golden_limits(preset: Preset, quantization: Any, parity: Parity) -> dict[str, Any]:
    """How far another runtime may be from the recorded outputs, absolute; in steps where the output has them."""
    if quantization is not None:
        return {"tolerance": GOLDEN_STEPS * quantization[0], "steps": GOLDEN_STEPS}
    return {"tolerance": preset.golden_tolerance * max(1.0, parity.largest_output), "steps": None}
