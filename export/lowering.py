"""From a Keras model to a SavedModel that the converter's process can read without the toolkit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from export.forms import Plan, StepModel, replaced_loops, time_loops
from export.layers import plain_layers
from export.signature import Arrays, Signature
from zoo.errors import ModelError
from zoo.interpreters import one_line


def as_float32(model: Any) -> Any:
    """The model under the float32 policy; itself where it is, else a copy with the same weights.

    The converter knows no bfloat16, and a policy of mixed precision leaves casts in the graph.

    Raises:
        ModelError: The copy cannot be made.
    """
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "dtype_policy")]
    lower = next((layer for layer in layers if layer.compute_dtype != "float32"), None)
    if lower is None:
        return model
    custom = {type(layer).__name__: type(layer) for layer in layers}
    try:
        import keras

        with keras.utils.custom_object_scope(custom):
            copy = type(model).from_config(_float32_config(model.get_config()))
        copy.set_weights(model.get_weights())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(
            f"layer {lower.name!r} of model {model.name!r} runs in {lower.compute_dtype} and the model cannot be "
            f"rebuilt in float32 ({one_line(error)[:120]}); build it under keras.config.set_dtype_policy('float32') "
            "and load its weights"
        ) from error
    return copy


def _float32_config(config: Any) -> Any:
    """A layer's configuration with every dtype policy replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        return {key: _float32_config(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_float32_config(value) for value in config)
    return config


def lower(
    model: Any, signature: Signature, folder: Path, *, batch: int | None, form: str = "graph", plan: Plan | None = None
) -> None:
    """Traces the model in inference mode into a SavedModel with the signatures `serve` and `serving_default`.

    Args:
        model: Under the float32 policy.
        signature: Of `describe`.
        folder: To be made.
        batch: 1 for TFLite: the shape of every tensor is then known, which keeps recurrent layers on built-in
            operators. None leaves it free.
        form: One of `export.forms.FORMS` but "step", for which see `lower_step`.
        plan: Of `export.forms.plan_forms`, for a form with recurrent layers.

    Raises:
        ModelError: The model cannot be traced.
    """

    def serve(tensors: dict[str, Any]) -> dict[str, Any]:
        return signature.unpack(model(signature.pack(tensors), training=False))

    with replaced_loops(time_loops(plan.calls, form) if plan else {}):
        _trace(model, signature, serve, folder, batch)


def lower_step(step: StepModel, model: Any, folder: Path) -> None:
    """Traces one time step of a model, its state as inputs and outputs, likewise; batch 1.

    Raises:
        ModelError: The model cannot be traced.
    """
    _trace(model, step.signature, step, folder, 1)


def _trace(
    model: Any, signature: Signature, serve: Callable[[dict[str, Any]], dict[str, Any]], folder: Path, batch: int | None
) -> None:
    import keras
    import tensorflow as tf

    names = [tensor.name for tensor in signature.inputs]
    specs = [tf.TensorSpec((batch, *tensor.shape), tensor.dtype, name=tensor.name) for tensor in signature.inputs]
    archive = keras.export.ExportArchive()
    try:
        archive.track(model)
        with plain_layers(model) if batch else contextlib.nullcontext():  # TensorFlow has all operators
            archive.add_endpoint(
                "serve", lambda *samples: serve(dict(zip(names, samples, strict=True))), input_signature=specs
            )
            archive.write_out(folder, verbose=False)
    except OSError:
        raise
    except Exception as error:  # tracing runs the user's own layers, which raise anything
        reason = one_line(error)
        raise ModelError(
            f"model {model.name!r} cannot be traced for export: {reason}; it must run as a graph"
        ) from error


def _call(model: Any, batch: Any) -> Any:
    try:
        return model(batch, training=False)
    except Exception as error:  # the user's own layers, and ids beyond an embedding, raise anything
        reason = one_line(error)
        raise ModelError(
            f"model {model.name!r} does not run on the samples given: {reason}; check their values"
        ) from error


def predict(model: Any, signature: Signature, inputs: Arrays, batch_size: int = 128) -> dict[str, np.ndarray]:
    """Outputs of the Keras model in inference mode by name, each (n, *shape) float32.

    Args:
        model: Under the float32 policy.
        signature: Of `describe`.
        inputs: Samples after the preprocessing steps.
        batch_size: Samples of one call.

    Raises:
        ModelError: It does not run on them.
    """
    count = len(next(iter(inputs.values())))
    parts: dict[str, list[np.ndarray]] = {tensor.name: [] for tensor in signature.outputs}
    for at in range(0, count, batch_size):
        batch = {
            tensor.name: inputs[tensor.name][at : at + batch_size].astype(tensor.dtype) for tensor in signature.inputs
        }
        for name, answer in signature.unpack(_call(model, signature.pack(batch))).items():
            parts[name].append(np.asarray(answer))
    return {name: np.concatenate(answers).astype(np.float32) for name, answers in parts.items()}
