"""The recurrent layers of a model, how it calls them, and another time loop put in the place of theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from export.signature import Signature
from zoo.errors import ModelError
from zoo.interpreters import one_line

Loop = Callable[..., Any]
"""As `keras.layers.RNN.inner_loop`: (sequences, initial_state, mask, training) to (last, sequence, states)."""


@dataclass(frozen=True, kw_only=True)
class RecurrentCall:
    """One recurrent layer, as the model calls it.

    Attributes:
        layer: A `keras.layers.RNN`, of a bidirectional layer each of the two, or a `keras.layers.ConvLSTM`.
        masked: Whether a mask reaches it.
        given_state: Whether the model gives it a state to begin with.
        steps: Length of its sequences.
    """

    layer: Any
    masked: bool = False
    given_state: bool = False
    steps: int = 0

    @property
    def name(self) -> str:
        """Of the layer."""
        return str(self.layer.name)


def recurrent_layers(model: Any) -> list[Any]:
    """Every recurrent layer, those inside other layers and models included."""
    import keras

    return [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, keras.layers.RNN)]


def find_calls(model: Any, signature: Signature) -> list[RecurrentCall]:
    """How the model calls its recurrent layers, found by calling it once.

    Args:
        model: Under the float32 policy.
        signature: Of `export.signature.describe`.

    Raises:
        ModelError: It does not run.
    """
    layers = recurrent_layers(model)
    if not layers:
        return []
    found = {id(layer): RecurrentCall(layer=layer) for layer in layers}
    zeroed: set[int] = set()  # layers that make their own first state

    def recorder(layer: Any) -> Loop:
        def loop(sequences: Any, initial_state: Any, mask: Any = None, training: bool = False) -> Any:
            known = found[id(layer)]
            found[id(layer)] = replace(
                known,
                masked=known.masked or mask is not None,
                given_state=known.given_state or (id(layer) not in zeroed and not layer.stateful),
                steps=max(known.steps, int(sequences.shape[1])),
            )
            zeroed.discard(id(layer))
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training)

        return loop

    def zero_state(layer: Any) -> Callable[..., Any]:
        def get_initial_state(batch_size: Any) -> Any:
            zeroed.add(id(layer))
            return type(layer).get_initial_state(layer, batch_size)

        return get_initial_state

    zeros = {tensor.name: np.zeros((1, *tensor.shape), tensor.dtype) for tensor in signature.inputs}
    with (
        replaced({layer: zero_state(layer) for layer in layers}, "get_initial_state"),
        replaced_loops({layer: recorder(layer) for layer in layers}),
    ):
        try:
            model(signature.pack(zeros), training=False)
        except Exception as error:  # the user's own layers raise anything
            raise ModelError(
                f"model {model.name!r} does not run: {one_line(error)}; check what call() takes"
            ) from error
    return list(found.values())


@contextlib.contextmanager
def replaced_loops(loops: Mapping[Any, Loop]) -> Iterator[None]:
    """Within the block, recurrent layers run these loops over time instead of their own, and draw no dropout.

    Keras 3.15 draws dropout masks also where nobody trains, and the seed they are drawn from is a variable that TFLite
    cannot hold.
    """
    nothing = dict.fromkeys(loops, _draw_nothing)
    with replaced(loops, "inner_loop"), replaced(nothing, "_maybe_config_dropout_masks"):
        yield


def _draw_nothing(*_arguments: Any) -> None:
    """In place of a recurrent layer's drawing of dropout masks."""


def plain_loop(layer: Any, *, unroll: bool) -> Loop:
    """Keras's own loop over time, never a kernel of a GPU; with `unroll`, a copy of the cell for every step."""
    import keras

    def loop(sequences: Any, initial_state: Any, mask: Any = None, training: bool = False) -> Any:
        own, layer.unroll = layer.unroll, unroll or layer.unroll
        try:
            if isinstance(layer, (keras.layers.LSTM, keras.layers.GRU)):
                return keras.layers.RNN.inner_loop(layer, sequences, initial_state, mask, training)
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        finally:
            layer.unroll = own

    return loop


@contextlib.contextmanager
def replaced(functions: Mapping[Any, Callable[..., Any]], name: str) -> Iterator[None]:
    """A method of each layer instance, replaced; past Keras's own __setattr__, which would track it."""
    for layer, function in functions.items():
        object.__setattr__(layer, name, function)
    try:
        yield
    finally:
        for layer in functions:
            object.__delattr__(layer, name)
