"""Recipes that forecast a series; history, network and penalties were chosen by the validation part alone."""

from __future__ import annotations

from zoo.cards import RecipeCard

# Windows overlap: neighbouring epochs differ by more on validation than the choice of one of them is worth.
_BY_MAE = {"loss": "mae", "schedule": "onecycle", "monitor": "last"}

CARDS = (
    RecipeCard(
        name="airline-forecast",
        builder="forecaster",
        dataset="airline",
        task="regression",
        summary="passengers of the next 12 months: a linear path on logarithms, told from the year before",
        hyperparameters={"network": "linear", "residual": "season", "l2": 0.01},
        training={"epochs": 100, "batch_size": 16, "learning_rate": 0.01, **_BY_MAE},
        data={"target_transform": "log1p"},
    ),
    RecipeCard(
        name="sunspots-forecast",
        builder="forecaster",
        dataset="sunspots",
        task="regression",
        summary="sunspots of the next 12 months by a causal dilated convolution beside a linear path",
        hyperparameters={"network": "conv1d", "units": 24, "layers": 5, "residual": "none", "dropout": 0.1},
        training={"epochs": 25, "batch_size": 32, "learning_rate": 0.005, **_BY_MAE},
    ),
    RecipeCard(
        name="temperatures-forecast",
        builder="forecaster",
        dataset="temperatures",
        task="regression",
        summary="lowest temperatures of the next 7 days by a GRU beside a linear path",
        hyperparameters={"network": "gru", "units": 16, "residual": "none", "dropout": 0.1},
        training={"epochs": 19, "batch_size": 32, "learning_rate": 0.005, **_BY_MAE},
    ),
    RecipeCard(
        name="etth1-forecast",
        builder="forecaster",
        dataset="etth1",
        task="regression",
        summary="oil temperature of the next 24 hours by a linear path from its last two weeks",
        hyperparameters={"network": "linear", "l2": 0.01},
        training={"epochs": 5, "batch_size": 64, "learning_rate": 0.01, **_BY_MAE},
        data={"window": 336, "columns": "OT"},
    ),
)
