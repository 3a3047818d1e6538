"""Recipes on images with objects to find."""

from __future__ import annotations

from zoo.cards import RecipeCard

CARDS = (
    RecipeCard(
        name="digits-detector",
        builder="detector",
        dataset="digit_scenes",
        task="detection",
        summary="digits found on a canvas, each with its class and its box",
        hyperparameters={},
        training={"epochs": 12, "batch_size": 32, "learning_rate": 0.005, "schedule": "onecycle"},
    ),
)
