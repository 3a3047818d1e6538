"""Recipes on series: which activity, gesture or speaker."""

from __future__ import annotations

from zoo.cards import Anchor, RecipeCard

_HAR = {"batch_size": 128, "schedule": "onecycle", "augment": "scale+jitter", "monitor": "macro_f1"}


def _har(cell: str, units: int) -> RecipeCard:
    """A recurrent recipe of at most 50,000 parameters on the activities of a watch."""
    return RecipeCard(
        name=f"har-{cell}",
        builder="recurrent",
        dataset="wisdm51_watch",
        task="multiclass",
        summary=f"a convolution, then {cell.upper()}s both ways with attention, over a watch, tested on other people",
        hyperparameters={
            "cell": cell,
            "units": units,
            "bidirectional": True,
            "attention": True,
            "convolution": 48,
            "kernel": 9,
            "stride": 2,
            "dropout": 0.4,
        },
        training={"epochs": 30, "learning_rate": 0.005, **_HAR, "augment": "scale+jitter+mixup"},
    )


CARDS = (
    RecipeCard(
        name="har-conv1d",
        builder="conv1d",
        dataset="wisdm51_watch",
        task="multiclass",
        summary="convolution along the steps of a watch's accelerometer, tested on other people",
        hyperparameters={"filters": 28, "blocks": 4, "growth": 1.2, "kernel": 9, "dropout": 0.2},
        training={
            "epochs": 40,
            "learning_rate": 0.005,
            **_HAR,
            "augment": "rotate+scale+jitter",
            "augment_strength": 0.7,
        },
    ),
    *(_har(cell, units) for cell, units in (("gru", 64), ("lstm", 54))),
    RecipeCard(
        name="gesture-lstm",
        builder="recurrent",
        dataset="magic_wand",
        task="multiclass",
        summary="gestures with a wand by an LSTM in both directions, its states weighed by attention",
        hyperparameters={
            "cell": "lstm",
            "units": 32,
            "bidirectional": True,
            "attention": True,
            "convolution": 16,
            "stride": 2,
            "dropout": 0.4,
        },
        training={
            "epochs": 120,
            "batch_size": 16,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "augment": "scale+shift+jitter",
            "monitor": "last",
        },
    ),
    RecipeCard(
        name="basic-motions-gru",
        builder="recurrent",
        dataset="basic_motions",
        task="multiclass",
        summary="standing, running, walking or badminton by a GRU",
        hyperparameters={"cell": "gru", "units": 32, "convolution": 16, "stride": 2, "dropout": 0.2},
        training={
            "epochs": 80,
            "batch_size": 8,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "augment": "scale+jitter",
            "monitor": "last",
        },
        anchors=(
            Anchor(
                what="nearest neighbour by dependent time warping",
                figure="97.5 %",
                source="Bagnall et al., arXiv:1811.00075",
            ),
        ),
    ),
    RecipeCard(
        name="vowels-lstm",
        builder="recurrent",
        dataset="japanese_vowels",
        task="multiclass",
        summary="nine speakers by two vowels, an LSTM in both directions",
        hyperparameters={"cell": "lstm", "units": 48, "bidirectional": True, "dropout": 0.3},
        training={
            "epochs": 60,
            "batch_size": 16,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "augment": "jitter",
            "monitor": "last",
        },
        anchors=(
            Anchor(
                what="rules on regions that the series pass",
                figure="94.1 %",
                source="Kudo, Toyama, Shimbo, Pattern Recognition Letters 20, 1999",
            ),
        ),
    ),
)
