"""What a model costs, counted from its layers: parameters and multiply-accumulate operations for one sample."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def count_parameters(model: Any) -> int:
    """Weights of the model, trained or not."""
    return int(model.count_params())


def count_macs(model: Any) -> int | None:
    """Multiply-accumulate operations for one sample, in dense, convolution and recurrent layers.

    Returns:
        The count; None where a layer with weights is not understood, its shape is open, or it is used twice.
    """
    total, calls = 0, _calls(model)
    for layer in getattr(model, "layers", ()):
        # Keras 3.15 gives the shapes of the first call for the layer's own
        count = None if layer.weights and calls[id(layer)] > 1 else _layer_macs(layer)
        if count is None:
            return None
        total += count
    return total if hasattr(model, "layers") and hasattr(model, "inputs") else None


def _calls(model: Any) -> Counter[int]:
    """How often a functional or sequential model calls each of its layers, by identity."""
    network = getattr(model, "_functional", None) or model
    depths = getattr(network, "_nodes_by_depth", {})
    return Counter(id(node.operation) for nodes in depths.values() for node in nodes)


def least_bytes(model: Any, mode: str) -> int:
    """Bytes that any file of a model holds at the least: the kernels and tables of its stock layers, one byte a weight.

    Biases and batch normalisation are left out, the converter folds them.

    Args:
        model: Built.
        mode: Of `export.quantization.PRESETS`; in float32 a weight takes 4 bytes, in float16 2.

    Returns:
        0 for a subclassed model, which may have layers that it does not call.
    """
    if type(model).__name__ not in ("Functional", "Sequential"):
        return 0
    layers = [layer for layer in model._flatten_layers(include_self=False) if _is_stock(layer)]
    weights = {id(weight): weight for layer in layers for weight in layer.weights if len(weight.shape) > 1}
    return sum(map(_size, weights.values())) * {"float32": 4, "float16": 2}.get(mode, 1)


def _is_stock(layer: Any) -> bool:
    return type(layer).__module__.partition(".")[0] == "keras"


def _layer_macs(layer: Any) -> int | None:
    import keras

    free = (keras.layers.BatchNormalization, keras.layers.LayerNormalization, keras.layers.GroupNormalization)
    if isinstance(layer, keras.Model):
        return count_macs(layer)
    if not layer.weights or isinstance(layer, (*free, keras.layers.Embedding, keras.layers.Normalization)):
        return 0
    try:
        inputs, outputs = layer.input.shape[1:], layer.output.shape[1:]
    except (AttributeError, ValueError):  # Keras has no single answer for a layer that is used twice
        return None
    if None in (*inputs, *outputs):
        return None
    if isinstance(layer, keras.layers.Bidirectional):
        counts = [_recurrent_macs(inner, inputs[0]) for inner in (layer.forward_layer, layer.backward_layer)]
        return None if None in counts else sum(count or 0 for count in counts)
    if isinstance(layer, keras.layers.RNN):
        return _recurrent_macs(layer, inputs[0])
    return _kernel_macs(layer, inputs, outputs)


def _kernel_macs(layer: Any, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> int | None:
    """Every kernel weight works once at every position."""
    import keras

    if isinstance(layer, keras.layers.Dense):
        return math.prod(inputs) * outputs[-1]
    positions = math.prod(outputs) // _channels(layer, outputs)
    if isinstance(layer, (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)):
        return (_size(layer.depthwise_kernel) + _size(layer.pointwise_kernel)) * positions
    if isinstance(layer, (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose)):
        return _size(layer.kernel) * (math.prod(inputs) // _channels(layer, inputs))
    plain = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    if isinstance(layer, (*plain, keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)):
        return _size(layer.kernel) * positions
    return None


def _size(weight: Any) -> int:
    return math.prod(int(size) for size in weight.shape)


def _channels(layer: Any, shape: tuple[int, ...]) -> int:
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return int(shape[0] if first else shape[-1])


def _recurrent_macs(layer: Any, steps: int) -> int | None:
    """Input and recurrent kernels of each step; None for a cell that is not one of the three stock ones."""
    import keras

    if not isinstance(layer, (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)):
        return None
    cell = layer.cell
    return steps * (_size(cell.kernel) + _size(cell.recurrent_kernel))
