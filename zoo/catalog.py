"""The recipes, as data: what `zoo train NAME` knows."""

from __future__ import annotations

from typing import Any

from zoo.cards import RecipeCard, Task
from zoo.registry import Registry

RECIPES: Registry[RecipeCard] = Registry("recipe", hint="; see: zoo list")

_IMAGE_SETS = {"mnist": "mnist", "fashion": "fashion_mnist", "digits": "digits"}

# One-cycle Adam at five to ten times the usual rate needs a few epochs only; a small set needs a number of steps.
_SHORT = {"schedule": "onecycle", "batch_size": 128, "min_steps": 400}

_IMAGE_RECIPES: dict[str, dict[str, Any]] = {
    "mlp": {
        "builder": "mlp",
        "summary": "dense layers on the pixels",
        "hyperparameters": {"units": 512, "layers": 2, "dropout": 0.3, "batch_norm": True},
        "training": {"epochs": 12, "learning_rate": 0.005, **_SHORT},
    },
    "cnn": {
        "builder": "convnet",
        "summary": "a small convolutional network",
        "hyperparameters": {"filters": 16, "head": "flatten"},
        "training": {"epochs": 3, "learning_rate": 0.01, **_SHORT},
    },
    "lstm": {
        "builder": "recurrent",
        "summary": "an LSTM over the rows of the image",
        "hyperparameters": {"cell": "lstm", "units": 96, "dropout": 0.2},
        "training": {"epochs": 10, "learning_rate": 0.005, **_SHORT},
    },
    "gru": {
        "builder": "recurrent",
        "summary": "a GRU over the rows of the image",
        "hyperparameters": {"cell": "gru", "units": 96, "dropout": 0.2},
        "training": {"epochs": 10, "learning_rate": 0.005, **_SHORT},
    },
}

_DIFFERENCES: dict[str, dict[str, dict[str, Any]]] = {
    "fashion-cnn": {
        "hyperparameters": {"stem_stride": 1, "stem_kernel": 3, "dropout": 0.5},
        "training": {"epochs": 8, "batch_size": 64},
    },
    "digits-mlp": {"hyperparameters": {"units": 64}, "training": {"epochs": 60, "batch_size": 32}},
    "digits-cnn": {
        "hyperparameters": {"stem_stride": 1, "stem_kernel": 3},
        "training": {"epochs": 20, "batch_size": 32},
    },
    "digits-lstm": {"hyperparameters": {"units": 48}, "training": {"epochs": 60, "batch_size": 32}},
    "digits-gru": {"hyperparameters": {"units": 48}, "training": {"epochs": 60, "batch_size": 32}},
}

_TABLES: dict[str, tuple[Task, dict[str, Any], dict[str, Any]]] = {
    "iris": ("multiclass", {"units": 16, "activation": "tanh"}, {"epochs": 60, "learning_rate": 0.01}),
    "wine": ("multiclass", {"units": 32, "dropout": 0.2}, {"epochs": 60}),
    "breast-cancer": (
        "binary",
        {"units": 32, "layers": 1, "dropout": 0.2, "l2": 1e-2},
        {"epochs": 40, "monitor": "loss"},
    ),
    "diabetes": ("regression", {"units": 32, "dropout": 0.2, "l2": 1e-3}, {"epochs": 80}),
}


def _register_images() -> None:
    for prefix, dataset in _IMAGE_SETS.items():
        for suffix, recipe in _IMAGE_RECIPES.items():
            name = f"{prefix}-{suffix}"
            change = _DIFFERENCES.get(name, {})
            card = RecipeCard(
                name=name,
                builder=recipe["builder"],
                dataset=dataset,
                task="multiclass",
                summary=recipe["summary"],
                hyperparameters=recipe["hyperparameters"] | change.get("hyperparameters", {}),
                training=recipe["training"] | change.get("training", {}),
            )
            RECIPES.add(name, card)


def _register_tables() -> None:
    for dataset, (task, hyperparameters, training) in _TABLES.items():
        shared = {"batch_size": 16, "learning_rate": 0.003, "schedule": "cosine"}
        card = RecipeCard(
            name=f"{dataset}-mlp",
            builder="mlp",
            dataset=dataset,
            task=task,
            summary="dense layers on standardised columns",
            hyperparameters=hyperparameters,
            training=shared | training,
        )
        RECIPES.add(card.name, card)


_register_images()
_register_tables()
