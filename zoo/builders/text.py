"""Text: an embedding of words, then their mean, convolutions, or a recurrent network.

Mean: Iyyer, Manjunatha, Boyd-Graber and Daume, "Deep unordered composition rivals syntactic methods", ACL 2015; Joulin
et al., arXiv:1607.01759. Convolution: Kim, arXiv:1408.5882. LSTM and GRU as in `zoo.builders.recurrent`.
"""

from __future__ import annotations

from typing import Any

from zoo.builders.blocks import answer, drop, onecycle, penalty
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.hyperparameters import DROPOUT, L1, L2, choice, flag, integer, real

ENCODERS = ("mean", "conv1d", "lstm", "gru")


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """Knobs for texts nobody has tried before: about 1,500 steps by a one-cycle schedule, and much dropout.

    Args:
        inputs: Not looked at.
        outputs: Not looked at.
        samples: Of the training split.
    """
    del inputs, outputs
    return {"dropout": 0.4, **onecycle(samples, steps=1500, learning_rate=0.003, most=20)}


@declare(
    "text",
    summary="words embedded, then their mean, a convolution, an LSTM or a GRU: classification of texts",
    kinds=("text",),
    hyperparameters=(
        choice("encoder", "conv1d", "what makes one of the words", ENCODERS, search=ENCODERS),
        integer("embedding", 48, "numbers that stand for a word", low=1, high=1024, log=True, search=(16, 96)),
        integer("units", 64, "filters, or width of the state", low=1, high=2048, log=True, search=(16, 128)),
        integer("kernel", 4, "words that a convolution sees", low=1, high=15, search=(2, 6)),
        integer("kernels", 1, "convolutions side by side, each a word wider; Kim has 3", low=1, high=6, search=(1, 3)),
        flag("bidirectional", False, "read the words in both directions too", search=(False,)),
        real("word_dropout", 0.2, "fraction of the embedding dropped for all words of a text", low=0.0, high=0.9),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Kim: arXiv:1408.5882; Joulin, Grave, Bojanowski, Mikolov: arXiv:1607.01759",
    year=2014,
    recommend=recommend,
)
def text(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    encoder: str,
    embedding: int,
    units: int,
    kernel: int,
    kernels: int,
    bidirectional: bool,
    word_dropout: float,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, words) int32 ids below `inputs.vocabulary` -> (batch, *outputs.shape) float32."""
    import keras

    start = keras.Input(inputs.shape, dtype="int32", name="input")
    x = keras.layers.Embedding(inputs.vocabulary, embedding)(start)
    if word_dropout:
        x = keras.layers.SpatialDropout1D(word_dropout)(x)
    if encoder == "mean":
        x = keras.layers.GlobalAveragePooling1D()(x)
        x = keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty(l1, l2))(drop(x, dropout))
    elif encoder == "conv1d":
        found = [
            keras.layers.Conv1D(units, size, padding="same", activation="relu", kernel_regularizer=penalty(l1, l2))(x)
            for size in range(kernel, kernel + kernels)
        ]
        pooled = [keras.layers.GlobalMaxPooling1D()(each) for each in found]
        x = keras.layers.Concatenate()(pooled) if kernels > 1 else pooled[0]
    else:
        kind = keras.layers.LSTM if encoder == "lstm" else keras.layers.GRU
        rnn = kind(units, kernel_regularizer=penalty(l1, l2))
        x = (keras.layers.Bidirectional(rnn) if bidirectional else rnn)(x)
    return keras.Model(start, answer(drop(x, dropout), outputs, l1=l1, l2=l2), name="text")
