"""What a model answers, guessed from its shapes and last activations where nobody recorded it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.signature import Arrays, Signature, Tensor, output_layers


def guess_contract(model: Any, signature: Signature, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The contract of a model with one input and one output: kind by its rank, task by the last activation."""
    (entry,), (answer,) = signature.inputs, signature.outputs
    return {
        "schema_version": 1,
        "input": {
            "kind": {3: "image", 2: "series"}.get(len(entry.shape), "table"),
            "shape": list(entry.shape),
            "dtype": "float32",
            "columns": [],
        },
        "steps": [dict(step) for step in steps],
        "output": {"task": guess_task(answer, answer_activation(model)), "labels": []},
    }


def guess_contracts(model: Any, signature: Signature, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Likewise of a model with several inputs or outputs: a task for each output, by name."""
    layers = output_layers(model)
    activations = [_activation(layer) for layer in layers] or ["linear"] * len(signature.outputs)
    return {
        "schema_version": 1,
        "steps": [dict(step) for step in steps],
        "outputs": {
            tensor.name: {"task": guess_task(tensor, activation), "labels": []}
            for tensor, activation in zip(signature.outputs, activations, strict=True)
        },
    }


def are_pixels(samples: Arrays | None) -> bool:
    """Whether samples are images of bytes, so that the model takes raw pixels."""
    return samples is not None and all(array.dtype == np.uint8 and array.ndim == 4 for array in samples.values())


def guess_task(output: Tensor, activation: str) -> str:
    """The task behind an activation; an answer that is not one row of numbers is compared number by number."""
    if len(output.shape) > 1 or not output.dtype.startswith("float"):
        return "regression"
    width = output.shape[-1] if output.shape else 1
    tasks = {"softmax": "multiclass", "sigmoid": "binary" if width == 1 else "multilabel"}
    return tasks.get(activation, "regression")


def answer_activation(model: Any) -> str:
    """Activation behind a model's only answer; "linear" for a subclassed model, whose layers say nothing of it."""
    layers = output_layers(model)
    if not layers:
        return "linear"
    return _last_activation(model) if type(layers[0]).__name__ == "Dropout" else _activation(layers[0])


def _last_activation(model: Any) -> str:
    layers = [layer for layer in getattr(model, "layers", ()) if not layer.name.startswith("dropout")]
    return _activation(layers[-1]) if layers else "linear"


def _activation(layer: Any) -> str:
    """Name of a layer's activation, or of a layer that is one; of a model within a model, of its last layer."""
    if getattr(layer, "layers", None):
        return _last_activation(layer)
    named = getattr(getattr(layer, "activation", None), "__name__", type(layer).__name__)
    return str(named).lower()
