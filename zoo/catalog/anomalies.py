"""Recipes for anomalies: what is not like the normal classes."""

from __future__ import annotations

from zoo.cards import RecipeCard

_SHORT = {"batch_size": 64, "learning_rate": 0.003, "schedule": "onecycle"}

CARDS = (
    RecipeCard(
        name="breast-cancer-autoencoder",
        builder="autoencoder",
        dataset="breast-cancer",
        task="anomaly",
        summary="malignant cells by what is not like benign ones",
        training={"epochs": 80, "batch_size": 16, "learning_rate": 0.005, "schedule": "onecycle"},
        data={"task": "anomaly", "normal": "benign"},
    ),
    RecipeCard(
        name="mnist-autoencoder",
        builder="autoencoder",
        dataset="mnist",
        task="anomaly",
        summary="every digit but zero by what is not like zeros, dense layers",
        hyperparameters={"network": "dense"},
        training={"epochs": 15, **_SHORT},
        data={"task": "anomaly", "normal": "0"},
    ),
    RecipeCard(
        name="fashion-autoencoder",
        builder="autoencoder",
        dataset="fashion_mnist",
        task="anomaly",
        summary="other clothes by what is not like trousers, convolutions",
        training={"epochs": 8, **_SHORT},
        data={"task": "anomaly", "normal": "Trouser"},
    ),
)
