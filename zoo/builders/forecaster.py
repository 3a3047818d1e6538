"""Forecasts of the steps after a history: a linear path, and a recurrent or convolutional network beside it.

The last value is taken off the history and added to the forecast, and the linear path is shared by all channels that
are forecast, NLinear: Zeng, Chen, Zhang and Xu, "Are transformers effective for time series forecasting?",
arXiv:2205.13504. Recurrent beside linear: Lai, Chang, Yang and Liu, LSTNet, arXiv:1703.07015. Causal convolution with
doubled dilation: Bai, Kolter and Koltun, arXiv:1803.01271.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from zoo.builders.blocks import drop, onecycle, penalty, scaled_input
from zoo.builders.builder import declare
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError
from zoo.hyperparameters import DROPOUT, L1, L2, choice, flag, integer

NETWORKS = ("linear", "lstm", "gru", "conv1d")


def _recommend(inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, object]:
    """For series nobody has tried before: the mean error is what is trained and judged by; see `onecycle`."""
    del inputs, outputs
    knobs: dict[str, object] = {"loss": "mae", "monitor": "mae", "dropout": 0.1}
    return {**knobs, **onecycle(samples, steps=1_500, learning_rate=0.005)}


@declare(
    "forecaster",
    summary="the next steps of a series: a linear path from the history, an LSTM, GRU or convolution beside it",
    kinds=("series",),
    tasks=("regression",),
    hyperparameters=(
        choice("network", "linear", "what learns beside the linear path; linear is that path alone", NETWORKS),
        integer("units", 32, "width of the network", low=1, high=1024, log=True, search=(8, 64)),
        integer("layers", 1, "recurrent layers, or blocks of convolution", low=1, high=10, search=(1, 3)),
        integer("kernel", 3, "steps that a convolution sees", low=2, high=63),
        choice(
            "residual",
            "last",
            "what a forecast is told from: the last value, the season before (of a season within the window), or none; "
            "the last value is taken off the history but for none",
            ("last", "season", "none"),
            search=("last",),
        ),
        flag("linear_path", True, "a linear path beside the network", search=(True,)),
        DROPOUT,
        L1,
        L2,
    ),
    paper="Zeng, Chen, Zhang, Xu: arXiv:2205.13504; Lai, Chang, Yang, Liu: arXiv:1703.07015",
    year=2022,
    needs=("horizon",),
    recommend=_recommend,
)
def forecaster(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    network: str,
    units: int,
    layers: int,
    kernel: int,
    residual: str,
    linear_path: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, window, channels) float32 -> (batch, targets * horizon) float32.

    What ends both paths begins as zeros: an untrained model answers with what `residual` names, or with the mean.
    """
    import keras

    if not outputs.channels:
        raise ModelError("forecaster answers with the steps after a history; give data with a horizon: --set horizon=N")
    if network == "linear" and not linear_path:
        raise ModelError("forecaster with network = linear is its linear path; leave linear_path = true")
    start, x = scaled_input(inputs)
    targets, horizon = len(outputs.channels), outputs.horizon
    parts = []
    if residual != "none":
        last = _steps(x, inputs.shape[0] - 1, inputs.shape[0])  # (batch, 1, channels)
        before = last if residual == "last" else _season_before(x, outputs)
        x = keras.layers.Subtract()([x, last])
        parts.append(_chosen(before, outputs.channels))  # (batch, targets, horizon), or 1 in place of the horizon
    if linear_path:
        history = _chosen(x, outputs.channels)  # (batch, targets, window)
        parts.append(_beginning_at_zero(horizon, l1, l2)(history))
    if network != "linear":
        learnt = _convolved if network == "conv1d" else _recurrent
        x = learnt(x, network, units, layers, kernel, dropout, penalty(l1, l2))
        ahead = _beginning_at_zero(targets * horizon, l1, l2)(x)
        parts.append(keras.layers.Reshape((targets, horizon))(ahead))
    answer = keras.layers.Add()(parts) if len(parts) > 1 else parts[0]
    answer = keras.layers.Reshape(outputs.shape, dtype="float32", name="output")(answer)
    return keras.Model(start, answer, name="forecaster")


def _beginning_at_zero(size: int, l1: float, l2: float) -> Any:
    """A linear layer without effect until it is trained, in float32 under every precision policy."""
    import keras

    return keras.layers.Dense(size, kernel_initializer="zeros", kernel_regularizer=penalty(l1, l2), dtype="float32")


def _steps(x: Any, low: int, high: int) -> Any:
    """These steps of (batch, steps, channels)."""
    import keras

    return keras.layers.Cropping1D((low, x.shape[1] - high))(x)


def _season_before(x: Any, outputs: OutputSpec) -> Any:
    """(batch, window, channels) to (batch, horizon, channels): for each step ahead, the one a season before it.

    Raises:
        ModelError: A season is no part of the window.
    """
    import keras

    window, season = x.shape[1], outputs.season
    if not 1 <= season <= window:
        raise ModelError(
            f"forecaster with residual = season needs a season within the window of {window} steps, it has {season}; "
            "set season = N or a longer window, or residual = last"
        )
    begin, left, parts = window - season, outputs.horizon, []
    while left > 0:  # a horizon longer than a season goes through it again
        parts.append(_steps(x, begin, begin + min(left, season)))
        left -= season
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(axis=1)(parts)


def _chosen(x: Any, channels: tuple[int, ...]) -> Any:
    """(batch, steps, channels) to (batch, targets, steps): those of its channels that are forecast, in their order."""
    import keras

    every = x.shape[2]
    turned = keras.layers.Permute((2, 1))(x)
    if channels == tuple(range(every)):
        return turned
    runs = [[channel for _, channel in run] for _, run in groupby(enumerate(channels), lambda pair: pair[1] - pair[0])]
    cropped = [keras.layers.Cropping1D((run[0], every - 1 - run[-1]))(turned) for run in runs]
    return cropped[0] if len(cropped) == 1 else keras.layers.Concatenate(axis=1)(cropped)


def _recurrent(x: Any, network: str, units: int, layers: int, kernel: int, dropout: float, regularizer: Any) -> Any:
    """(batch, steps, channels) to (batch, units): the state after the last step."""
    import keras

    del kernel
    layer = keras.layers.LSTM if network == "lstm" else keras.layers.GRU
    for at in range(layers):
        x = drop(layer(units, return_sequences=at < layers - 1, kernel_regularizer=regularizer)(x), dropout)
    return x


def _convolved(x: Any, network: str, units: int, layers: int, kernel: int, dropout: float, regularizer: Any) -> Any:
    """(batch, steps, channels) to (batch, units): residual causal blocks, what they see of the past doubled each time.

    Only the last step of the deepest block is looked at: it has seen as far back as the blocks reach.
    """
    import keras

    del network
    for at in range(layers):
        inner = keras.layers.Conv1D(
            units, kernel, dilation_rate=2**at, padding="causal", activation="relu", kernel_regularizer=regularizer
        )(x)
        inner = drop(inner, dropout)
        x = keras.layers.Add()([x, inner]) if at else inner
    return keras.layers.Flatten()(_steps(x, x.shape[1] - 1, x.shape[1]))
