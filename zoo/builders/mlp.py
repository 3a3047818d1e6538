"""Multi-layer perceptron: dense layers on a flattened input.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
Batch normalisation: Ioffe and Szegedy, arXiv:1502.03167.
"""

from __future__ import annotations

import math
from typing import Any

from zoo.builders.blocks import answer, drop, normalise, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.hyperparameters import ACTIVATION, DROPOUT, L1, L2, flag, integer

MOST_EPOCHS = 60

TABLES = (
    # samples below, batch size, steps, learning rate, units, dropout, l2
    (2_000, 16, 1500, 0.003, 64, 0.2, 0.003),
    (10_000, 32, 3000, 0.003, 64, 0.2, 0.001),
    (math.inf, 128, 6000, 0.005, 128, 0.1, 0.0),
)
"""What a table of so many training samples is trained with, found on tables of 300 to 16,000 rows, seeds 0 to 4."""


def recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """Knobs for a table nobody has tried before; none for images and series.

    Adam at three to five times the usual rate, falling by a cosine; batch size, steps, width, dropout and L2 by the
    number of samples, see `TABLES`; 2 to 60 epochs.

    Args:
        inputs: Of any kind.
        outputs: Not looked at.
        samples: Of the training split.
    """
    del outputs
    if inputs.kind != "table":
        return {}
    batch, steps, rate, units, dropout, l2 = next(row[1:] for row in TABLES if samples < row[0])
    return {
        "units": units,
        "dropout": dropout,
        "l2": l2,
        "batch_size": batch,
        "epochs": min(max(round(steps / math.ceil(samples / batch)), 2), MOST_EPOCHS),
        "learning_rate": rate,
        "schedule": "cosine",
    }


@declare(
    "mlp",
    summary="dense layers on a flattened input: classification (binary, multi-class, multi-label) and regression",
    kinds=("table", "image", "series", "audio"),
    hyperparameters=(
        integer("units", 64, "width of each hidden layer", low=1, high=8192, log=True, search=(8, 256)),
        integer("layers", 2, "number of hidden layers; 0 is a linear model", low=0, high=16, search=(1, 4)),
        ACTIVATION,
        flag("batch_norm", False, "normalise before each activation", search=(False,)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Rumelhart, Hinton, Williams: Learning representations by back-propagating errors",
    year=1986,
    recommend=recommend,
)
def mlp(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    units: int,
    layers: int,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the perceptron, (batch, *inputs.shape) float32 -> (batch, *outputs.shape) float32."""
    import keras

    start, x = scaled_input(inputs)
    if len(inputs.shape) > 1:
        x = keras.layers.Flatten()(x)
    for _ in range(layers):
        x = keras.layers.Dense(units, kernel_regularizer=penalty(l1, l2), use_bias=not batch_norm)(x)
        if batch_norm:
            x = normalise(x)
        x = keras.layers.Activation(activation)(x)
        x = drop(x, dropout)
    return keras.Model(start, answer(x, outputs, l1=l1, l2=l2), name="mlp")
