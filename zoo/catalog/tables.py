"""Recipes on tables: classification and regression."""

from __future__ import annotations

from typing import Any

from zoo.cards import Anchor, RecipeCard, Task

_SHARED = {"batch_size": 16, "learning_rate": 0.003, "schedule": "cosine"}

_TABLES: dict[str, tuple[Task, dict[str, Any], dict[str, Any]]] = {
    "iris": ("multiclass", {"units": 16, "activation": "tanh"}, {"epochs": 60, "learning_rate": 0.01}),
    "wine": ("multiclass", {"units": 32, "dropout": 0.2}, {"epochs": 60}),
    "breast-cancer": (
        "binary",
        {"units": 32, "layers": 1, "dropout": 0.2, "l2": 1e-2},
        {"epochs": 40, "monitor": "loss"},
    ),
    "diabetes": ("regression", {"units": 32, "dropout": 0.2, "l2": 1e-3}, {"epochs": 80}),
    "california": (
        "regression",
        {"units": 128, "dropout": 0.1},
        {"epochs": 50, "batch_size": 128, "learning_rate": 0.005},
    ),
    "titanic": ("binary", {"units": 64, "dropout": 0.2, "l2": 3e-3}, {"epochs": 37, "monitor": "last"}),
    "wine_quality": ("multiclass", {"units": 256, "dropout": 0.3}, {"epochs": 80, "monitor": "last"}),
}
"""Set to its task, its hyperparameters and its training."""

_ANCHORS = {
    "wine_quality": Anchor(
        what="a support vector machine, cross-validated",
        figure="62.4 %",
        source="Cortez et al., Decision Support Systems 47, 2009",
    )
}

CARDS = tuple(
    RecipeCard(
        name=f"{dataset.replace('_', '-')}-mlp",
        builder="mlp",
        dataset=dataset,
        task=task,
        summary="dense layers on standardised columns",
        hyperparameters=hyperparameters,
        training=_SHARED | training,
        anchors=(_ANCHORS[dataset],) if dataset in _ANCHORS else (),
    )
    for dataset, (task, hyperparameters, training) in _TABLES.items()
)
