"""Recipes on sounds: which word was said."""

from __future__ import annotations

from zoo.cards import Anchor, RecipeCard

CARDS = (
    RecipeCard(
        name="fsdd-dscnn",
        builder="dscnn",
        dataset="fsdd",
        task="multiclass",
        summary="spoken digits by depthwise-separable convolutions",
        hyperparameters={"filters": 48, "dropout": 0.2},
        training={
            "epochs": 30,
            "batch_size": 32,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "augment": "shift+mask",
        },
    ),
    RecipeCard(
        name="speech-mini-dscnn",
        builder="dscnn",
        dataset="speech_commands_mini",
        task="multiclass",
        summary="three words by depthwise-separable convolutions, tested on other speakers",
        hyperparameters={"filters": 48, "dropout": 0.2},
        training={
            "epochs": 30,
            "batch_size": 16,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "augment": "shift+mask",
        },
        anchors=(
            Anchor(
                what="small DS-CNN, 38,600 parameters, twelve classes of the whole set",
                figure="94.4 %",
                source="Zhang et al., arXiv:1711.07128",
            ),
        ),
    ),
)
