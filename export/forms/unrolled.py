"""A recurrent layer with operators of its own for every time step.

A constant of zeros as the first state will not do: in int8 two layers share it, and the converter of TensorFlow 2.21
then chooses by chance which operators stay in float. A GRU's and a simple layer's first step is written out without a
state; any other layer begins with next to nothing, a number that no other layer has.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from export.forms.calls import Loop, RecurrentCall, plain_loop


def unrolled_loop(call: RecurrentCall) -> Loop:
    """The loop over time of a layer, unrolled."""
    layer, first = call.layer, _first_step(call)
    if first is None:
        return _from_own_zeros(layer, plain_loop(layer, unroll=True))

    def loop(sequences: Any, initial_state: Any, mask: Any = None, training: bool = False) -> Any:  # noqa: ARG001
        import keras

        samples = keras.ops.unstack(sequences, axis=1)
        if layer.go_backwards:
            samples = samples[::-1]
        state = first(layer.cell, samples[0])
        answers = [state[0]]
        for sample in samples[1:]:
            answer, state = layer.cell(sample, state, training=False)
            answers.append(answer)
        return answers[-1], keras.ops.stack(answers, axis=1), state

    return loop


def _from_own_zeros(layer: Any, loop: Loop) -> Loop:
    """A loop from a state that rounds to zero in every integer mode, and no other mode takes the form."""
    import keras

    size = 1e-9 * (1 + zlib.crc32(layer.name.encode()) / 2**32)

    def begun(sequences: Any, initial_state: Any, mask: Any = None, training: bool = False) -> Any:
        leaves = keras.tree.flatten(initial_state)
        own = [leaf + size * number for number, leaf in enumerate(leaves, start=1)]
        return loop(sequences, keras.tree.pack_sequence_as(initial_state, own), mask, training)

    return begun


def _first_step(call: RecurrentCall) -> Callable[[Any, Any], list[Any]] | None:
    """From a cell and a sample to the state after the first step; None for a cell that is not a stock one."""
    import keras

    if call.masked or call.given_state:
        return None
    stock = {keras.layers.GRUCell: _gru, keras.layers.SimpleRNNCell: _simple}
    own_loop = type(call.layer).inner_loop not in (keras.layers.RNN.inner_loop, keras.layers.GRU.inner_loop)
    own_state = type(call.layer).get_initial_state is not keras.layers.RNN.get_initial_state
    return None if own_loop or own_state else stock.get(type(call.layer.cell))


def _gru(cell: Any, sample: Any) -> list[Any]:
    import keras

    inputs, carried = keras.ops.matmul(sample, cell.kernel), None
    if cell.use_bias:
        inputs = inputs + (cell.bias[0] if cell.reset_after else cell.bias)
        carried = cell.bias[1] if cell.reset_after else None
    update, reset, candidate = keras.ops.split(inputs, 3, axis=1)
    if carried is not None:
        of_update, of_reset, of_candidate = keras.ops.split(carried, 3)
        update = update + of_update
        candidate = candidate + cell.recurrent_activation(reset + of_reset) * of_candidate
    return [(1 - cell.recurrent_activation(update)) * cell.activation(candidate)]


def _simple(cell: Any, sample: Any) -> list[Any]:
    import keras

    inputs = keras.ops.matmul(sample, cell.kernel)
    return [cell.activation(inputs + cell.bias if cell.use_bias else inputs)]
