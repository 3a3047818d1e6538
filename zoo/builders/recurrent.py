"""Recurrent network: LSTM or GRU over a sequence; the rows of an image are one.

LSTM: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.
GRU: Cho et al., arXiv:1406.1078. Bidirectional: Schuster and Paliwal, IEEE Trans. Signal Processing 45, 1997.
Attention over the steps: Raffel and Ellis, "Feed-forward networks with attention", arXiv:1512.08756.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, as_sequence, drop, for_series, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import ACTIVATIONS, DROPOUT, L1, L2, choice, flag, integer, real


@declare(
    "recurrent",
    summary="LSTM or GRU over a sequence, stacked, bidirectional, a convolution in front where asked for",
    kinds=("series", "image", "audio"),
    hyperparameters=(
        choice("cell", "lstm", "the recurrent cell", ("lstm", "gru")),
        integer("units", 64, "width of the state", low=1, high=2048, log=True, search=(8, 128)),
        integer("layers", 1, "stacked recurrent layers", low=1, high=6, search=(1, 2)),
        flag("bidirectional", False, "read the sequence in both directions", search=(False,)),
        flag("attention", False, "a learnt average of the states of all steps, not the last one", search=(False,)),
        choice("activation", "tanh", "activation of the state", ACTIVATIONS, search=("tanh",)),
        integer("convolution", 0, "filters of a convolution in front; 0 is none", low=0, high=1024),
        integer("kernel", 5, "kernel size of the convolution", low=1, high=31),
        integer("stride", 1, "stride of the convolution: shortens the sequence", low=1, high=16),
        DROPOUT,
        real("recurrent_dropout", 0.0, "fraction of the state dropped at each step while training", low=0.0, high=0.95),
        L1,
        L2,
    ),
    paper="Hochreiter, Schmidhuber: Long short-term memory; Cho et al.: arXiv:1406.1078",
    year=1997,
    recommend=for_series(steps=1_200, learning_rate=0.01),
)
def recurrent(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    cell: str,
    units: int,
    layers: int,
    bidirectional: bool,
    attention: bool,
    activation: str,
    convolution: int,
    kernel: int,
    stride: int,
    dropout: float,
    recurrent_dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, steps, channels) float32 -> (batch, *outputs.shape) float32.

    An image (height, width, channels) is a sequence of its rows: (height, width * channels).
    """
    import keras

    if stride > 1 and not convolution:
        raise ModelError(f"recurrent with stride = {stride} needs a convolution in front; set convolution = 32, say")
    start, x = scaled_input(inputs)
    x = as_sequence(x)
    if convolution:
        x = keras.layers.Conv1D(
            convolution, kernel, strides=stride, padding="same", activation="relu", kernel_regularizer=penalty(l1, l2)
        )(x)
    for layer in range(layers):
        rnn = (keras.layers.LSTM if cell == "lstm" else keras.layers.GRU)(
            units,
            activation=activation,
            return_sequences=attention or layer < layers - 1,
            recurrent_dropout=recurrent_dropout,
            kernel_regularizer=penalty(l1, l2),
        )
        x = drop((keras.layers.Bidirectional(rnn) if bidirectional else rnn)(x), dropout)
    if attention:
        x = weighted_mean(x)
    return keras.Model(start, answer(x, outputs, l1=l1, l2=l2), name="recurrent")


def weighted_mean(x: Any) -> Any:
    """(batch, steps, units) -> (batch, units): the mean over the steps, weighed by what a dense unit makes of each."""
    import keras

    weights = keras.layers.Softmax(axis=1)(keras.layers.Dense(1, activation="tanh")(x))  # (batch, steps, 1)
    return keras.layers.Flatten()(keras.layers.Dot(axes=1)([weights, x]))  # (batch, 1, units) -> (batch, units)
