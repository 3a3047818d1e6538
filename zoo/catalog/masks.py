"""Recipes on images with masks."""

from __future__ import annotations

from zoo.cards import Anchor, RecipeCard

CARDS = (
    RecipeCard(
        name="membrane-unet",
        builder="unet",
        dataset="membranes",
        task="segmentation",
        summary="a U-Net at half resolution finds the membranes of nerve cells",
        hyperparameters={"filters": 16, "depth": 4, "stem_stride": 2, "dropout": 0.2},
        training={
            "epochs": 16,
            "batch_size": 4,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "monitor": "last",
            "augment": "flip+flip_vertical+rotate+shift",
        },
        data={"tile": 256},
        anchors=(
            Anchor(
                what="U-Net, 31 million parameters, on the challenge's own test sections",
                figure="pixel error 0.0611",
                source="Ronneberger et al., arXiv:1505.04597, table 1",
            ),
        ),
    ),
)
