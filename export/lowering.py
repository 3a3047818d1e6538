"""From a Keras model to a SavedModel that the converter's process can read without the toolkit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ModelError

OUTPUT_NAME = "output"
DEFAULT_INPUT_NAME = "input"
_COUNTED = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?$")  # Keras's own names, which count up per process


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What goes in and what comes out, one sample, without the batch axis."""

    input_name: str
    input_shape: tuple[int, ...]
    input_dtype: str
    output_shape: tuple[int, ...]


def describe(model: Any, sample_shape: tuple[int, ...] | None = None) -> Signature:
    """The signature of a built model with one input and one output.

    Args:
        model: A `keras.Model`.
        sample_shape: Shape of one sample, for a subclassed model that does not know its own.

    Raises:
        ModelError: Not built, several inputs or outputs, an open axis, or another backend's model.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"exports need Keras on TensorFlow, it runs on {keras.backend.backend()}; save the model as .keras and "
            "export that file with KERAS_BACKEND=tensorflow"
        )
    inputs = _inputs(model)
    if inputs is None and sample_shape is None:
        raise ModelError(f"model {model.name!r} has no known input shape; pass representative samples")
    if inputs is not None and (len(inputs) != 1 or len(model.outputs) != 1):
        raise ModelError(
            f"model {model.name!r} has {len(inputs)} inputs and {len(model.outputs)} outputs; an export has one of each"
        )
    shape = tuple(inputs[0].shape[1:]) if inputs is not None else sample_shape or ()
    if None in shape:
        raise ModelError(f"model {model.name!r} takes samples of shape {shape}; build it with every axis fixed")
    name = inputs[0].name if inputs is not None else DEFAULT_INPUT_NAME
    dtype = keras.backend.standardize_dtype(inputs[0].dtype) if inputs is not None else "float32"
    return Signature(
        input_name=name if name.isidentifier() and not _COUNTED.match(name) else DEFAULT_INPUT_NAME,
        input_shape=shape,
        input_dtype=dtype,
        output_shape=_output_shape(model, shape, dtype),
    )


def _inputs(model: Any) -> list[Any] | None:
    """Symbolic inputs of a functional or sequential model; None for one that has none."""
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):  # a sequential model that was never built, a subclassed one
        return None
    return list(inputs) if inputs else None


def _output_shape(model: Any, shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
    outputs = model(np.zeros((1, *shape), dtype), training=False)
    if isinstance(outputs, (Mapping, list, tuple)):
        raise ModelError(f"model {model.name!r} gives several outputs; an export has one")
    return tuple(int(size) for size in outputs.shape[1:])


def recurrent_layer(model: Any) -> str | None:
    """Name of the first recurrent layer, nested ones included; None where there is none."""
    import keras

    layers = model._flatten_layers(include_self=False)
    return next(
        (layer.name for layer in layers if isinstance(layer, (keras.layers.RNN, keras.layers.ConvLSTM2D))), None
    )


def as_float32(model: Any) -> Any:
    """The model under the float32 policy; itself where it is, else a copy with the same weights.

    The converter knows no bfloat16, and a policy of mixed precision leaves casts in the graph.

    Raises:
        ModelError: The copy cannot be made.
    """
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "dtype_policy")]
    if all(layer.compute_dtype == "float32" for layer in layers):
        return model
    custom = {type(layer).__name__: type(layer) for layer in layers}
    try:
        import keras

        with keras.utils.custom_object_scope(custom):
            copy = type(model).from_config(_float32_config(model.get_config()))
        copy.set_weights(model.get_weights())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(
            f"model {model.name!r} runs in {model.compute_dtype} and cannot be rebuilt in float32 ({error}); build it "
            "under keras.config.set_dtype_policy('float32') and load its weights"
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


def lower(model: Any, signature: Signature, folder: Path, *, batch: int | None) -> None:
    """Traces the model in inference mode into a SavedModel with the signatures `serve` and `serving_default`.

    Args:
        model: Under the float32 policy.
        signature: Of `describe`.
        folder: To be made.
        batch: 1 for TFLite: the shape of every tensor is then known, which keeps recurrent layers on built-in
            operators. None leaves it free.

    Raises:
        ModelError: The model cannot be traced.
    """
    import keras
    import tensorflow as tf

    def serve(samples: Any) -> dict[str, Any]:
        return {OUTPUT_NAME: model(samples, training=False)}

    spec = tf.TensorSpec((batch, *signature.input_shape), signature.input_dtype, name=signature.input_name)
    archive = keras.export.ExportArchive()
    try:
        archive.track(model)
        archive.add_endpoint("serve", serve, input_signature=[spec])
        archive.write_out(folder, verbose=False)
    except OSError:
        raise
    except Exception as error:  # tracing runs the user's own layers, which raise anything
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"model {model.name!r} cannot be traced for export: {reason}; it must run as a graph"
        ) from error


def predict(model: Any, samples: np.ndarray, dtype: str, batch_size: int = 128) -> np.ndarray:
    """Outputs of the Keras model in inference mode, (n, *output_shape) float32."""
    parts = range(0, len(samples), batch_size)
    outputs = [np.asarray(model(samples[at : at + batch_size].astype(dtype), training=False)) for at in parts]
    return np.concatenate(outputs).astype(np.float32)
