"""The content of bundle.json: the contract between the model file and whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from export.lowering import OUTPUT_NAME, Signature
from export.parity import Parity
from export.quantization import GOLDEN_STEPS, Preset


def describe_bundle(
    *,
    preset: Preset,
    file_format: str,
    contract: Mapping[str, Any],
    signature: Signature,
    edges: Mapping[str, Any],
    parity: Parity,
    cost: Mapping[str, int | None],
    size: int,
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of bundle.json: a superset of the run's preprocessing.json, without times or paths.

    Args:
        preset: The quantization mode.
        file_format: "tflite" or "saved_model".
        contract: The content of preprocessing.json.
        signature: Of the model.
        edges: What the child said of the file: dtypes, quantization, runtime, ops.
        parity: The comparison with Keras.
        cost: "parameters" and "macs".
        size: Bytes of the model.
        origin: Where it came from; see `export.sources.Source`.
    """
    standardised: Mapping[str, Any] = next((step for step in contract["steps"] if step["step"] == "standardise"), {})
    output = dict(contract["output"])
    figures = {key: value for key, value in asdict(parity).items() if key != "largest_output"}
    return {
        "schema_version": 1,
        "format": file_format,
        "quantize": preset.name,
        "task": output["task"],
        "input": {
            **contract["input"],
            "name": signature.input_name,
            "shape": list(signature.input_shape),
            "dtype": edges.get("input_dtype", signature.input_dtype),
            "quantization": _named(edges.get("input_quantization")),
            "scale": standardised.get("scale"),
            "offset": standardised.get("offset"),
        },
        "steps": [dict(step) for step in contract["steps"]],
        "output": {
            **output,
            "name": OUTPUT_NAME,
            "shape": list(signature.output_shape),
            "dtype": edges.get("output_dtype", "float32"),
            "meaning": _meaning(output),
            "quantization": _named(edges.get("output_quantization")),
            "step": _output_step(edges.get("output_quantization"), output),
        },
        "state": "none",
        "ops": edges["ops"],
        "bytes": size,
        **cost,
        "parity": figures,
        "golden": _golden_limits(preset, edges.get("output_quantization"), parity),
        "runtimes": [edges["runtime"]],
        "source": dict(origin),
    }


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
