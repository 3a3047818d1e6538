"""An LSTM as the one operator that TFLite has for it.

The converter of TensorFlow 2.21 replaces a function by UNIDIRECTIONAL_SEQUENCE_LSTM where its attribute
`api_implements` begins with "lstm_" and its arguments and results are those of Keras 2's own: (inputs, h, c, kernel,
recurrent kernel, bias) to (last, sequence, h, c, runtime). Keras 3 has no such function, so its layers would become
loops; here they get it. The operator keeps h and c between calls, in variable tensors which begin as zeros.
"""

from __future__ import annotations

from typing import Any

from export.forms.calls import Loop, RecurrentCall


def why_not_fused(call: RecurrentCall) -> str:
    """What the operator cannot do of a layer; empty where it can do all."""
    import keras

    layer = call.layer
    if not isinstance(layer, keras.layers.LSTM) or type(layer.cell) is not keras.layers.LSTMCell:
        return f"{call.name!r} is a {type(layer).__name__}, for which TFLite has no operator"
    if type(layer).inner_loop is not keras.layers.LSTM.inner_loop:
        return f"{call.name!r} has a loop of its own"
    cell = layer.cell
    if cell.activation is not keras.activations.tanh or cell.recurrent_activation is not keras.activations.sigmoid:
        return f"{call.name!r} has other activations than tanh and sigmoid"
    if layer.return_state:
        return f"{call.name!r} gives its state to other layers"
    if call.masked:
        return f"{call.name!r} has a mask"
    return f"{call.name!r} begins with a given state" if call.given_state else ""


def fused_loop(layer: Any) -> Loop:
    """The loop of an LSTM layer, marked for the converter."""
    import keras
    import tensorflow as tf

    cell = layer.cell
    attributes = {
        "api_implements": f"lstm_{layer.name}",
        "api_preferred_device": "CPU",
        "time_major": False,
        "go_backwards": False,  # sequences are reversed before the operator, which reads forwards only
    }

    @tf.function(autograph=False, experimental_attributes=attributes)  # type: ignore[untyped-decorator]
    def lstm(inputs: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        def step(state: Any, sample: Any) -> Any:
            gates = tf.matmul(sample, kernel) + tf.matmul(state[0], recurrent) + bias
            entry, forget, candidate, out = tf.split(gates, 4, axis=1)
            memory = tf.sigmoid(forget) * state[1] + tf.sigmoid(entry) * tf.tanh(candidate)
            return tf.sigmoid(out) * tf.tanh(memory), memory

        hidden, memory = tf.scan(step, tf.transpose(inputs, (1, 0, 2)), (h, c))  # (steps, batch, units) each
        sequence = tf.transpose(hidden, (1, 0, 2))
        return hidden[-1], sequence, hidden[-1], memory[-1], tf.constant(0.0, name="runtime")

    def loop(sequences: Any, initial_state: Any, mask: Any = None, training: bool = False) -> Any:  # noqa: ARG001
        inputs = tf.reverse(sequences, [1]) if layer.go_backwards else sequences
        bias = cell.bias if cell.use_bias else keras.ops.zeros((4 * cell.units,))
        weights = [tf.convert_to_tensor(weight) for weight in (cell.kernel, cell.recurrent_kernel, bias)]
        last, sequence, h, c, _ = lstm(inputs, *initial_state, *weights)
        return last, sequence, [h, c]

    return loop
