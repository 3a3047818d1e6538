"""The content of bundle.json: the contract between the model file and whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from export.attempt import Attempt
from export.options import Options
from export.parity import Parity, figures
from export.quantization import Preset
from export.signature import Tensor
from export.source import Source


def describe_bundle(
    *,
    attempt: Attempt,
    options: Options,
    source: Source,
    cost: Mapping[str, int | None],
    memory: Mapping[str, Any],
    runtimes: Sequence[str] = (),
    rungs: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The content of bundle.json: a superset of the run's preprocessing.json, without times or paths.

    A model with one input and one output has them under `input` and `output`, any other under the lists `inputs` and
    `outputs`, whose entries have names.

    Args:
        attempt: The converted file.
        options: What was asked for.
        source: What was exported.
        cost: "parameters" and "macs".
        memory: "flash" and "arena", bytes.
        runtimes: That it is verified on besides this one.
        rungs: Every mode that was tried, where the mode was to be found.
    """
    contract, signature, edges = source.contract, source.signature, attempt.edges
    inputs = [_input(tensor, edges["inputs"].get(tensor.name, {})) for tensor in signature.inputs]
    outputs = [
        _output(tensor, edges["outputs"].get(tensor.name, {}), _own(source.answer(tensor.name), attempt, tensor.name))
        for tensor in signature.outputs
    ]
    limits = {
        tensor.name: _golden_limits(
            attempt.preset,
            _quantization(edges["outputs"], tensor),
            attempt.comparisons[tensor.name],
        )
        for tensor in signature.outputs
    }
    head = {
        "schema_version": 1,
        "format": options.file_format,
        "quantize": attempt.preset.name,
        "form": attempt.form,
        "io": attempt.io,
    }
    steps = [dict(step) for step in contract["steps"]]
    gates = options.gates(attempt.preset)
    tail = {
        "state": attempt.state,
        "stream": _stream(attempt, options, source),
        "ops": attempt.ops,
        "bytes": attempt.bytes,
        **cost,
        "memory": memory,
        "keep_float": list(attempt.keep_float),
        "asked": options.asked,
        "parity": figures(attempt.comparisons),
        "limits": {key: getattr(gates, key) for key in ("max_error", "max_drop", "min_agreement")},
        "golden": next(iter(limits.values())) if signature.single else {"outputs": limits},
        "runtimes": [edges["runtime"], *(name for name in runtimes if name != "litert")],
        "source": dict(source.origin),
        **({"auto": rungs} if rungs else {}),
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


def _stream(attempt: Attempt, options: Options, source: Source) -> dict[str, Any] | None:
    """How a file takes a series sample by sample; None for what is no series.

    A file that is one time step says so itself; any other over a series answers when a window of it is full.
    """
    if attempt.stream is not None:
        states = [
            {**state, **{key: _named(state[key]) for key in ("input_quantization", "output_quantization")}}
            for state in attempt.stream["states"]
        ]
        return {**attempt.stream, "states": states}
    signature = source.signature
    if options.file_format != "tflite" or not signature.single:
        return None
    shape = signature.inputs[0].shape
    if len(shape) != 2 or source.contract["input"]["kind"] != "series":
        return None
    return {
        "steps": shape[0],
        "hop": source.contract["input"].get("hop") or shape[0],
        "answer": "window",
        "sample_shape": list(shape[1:]),
        "states": [],
        "streaming": options.streaming,
    }


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


def _own(answer: Mapping[str, Any], attempt: Attempt, name: str) -> Mapping[str, Any]:
    """What an output means, with the threshold of the file's own scores where anomalies are looked for."""
    threshold = attempt.comparisons[name].threshold
    return answer if threshold is None else {**answer, "threshold": threshold}


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
    if output["task"] == "anomaly":
        above = f", an anomaly above {output['threshold']:.6g}" if "threshold" in output else ""
        return f"mean squared difference of input and reconstruction{above}"
    if output["task"] == "detection":
        return "in each cell the score of each label, centre x and y in it, roots of width and height; see boxes.py"
    if output["task"] == "regression":
        return "(y - offset) / scale is the value in target units" if output.get("scale") else "value in target units"
    if output["task"] == "segmentation":
        return "probability of each label at every pixel, summing to 1"
    return "probability of each label" + (", summing to 1" if output["task"] == "multiclass" else "")


def _output_step(quantization: Any, output: Mapping[str, Any]) -> list[float] | None:
    """What one quantization step is in target units, for each output; None for a float output."""
    if quantization is None:
        return None
    return [float(quantization[0] / abs(scale)) for scale in output.get("scale") or [1.0]]


def _golden_limits(preset: Preset, quantization: Any, parity: Parity) -> dict[str, Any]:
    """How far another runtime may be from the recorded outputs, absolute; in steps where the output has them."""
    if quantization is not None:
        return {"tolerance": preset.golden_steps * quantization[0], "steps": preset.golden_steps}
    return {"tolerance": preset.golden_tolerance * max(1.0, parity.largest_output), "steps": None}
