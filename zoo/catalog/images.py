"""Recipes on images: classification."""

from __future__ import annotations

from typing import Any

from zoo.cards import Anchor, RecipeCard

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


_ANCHORS = {
    "mnist-cnn": Anchor(
        what="Simple MNIST convnet, 34,826 parameters",
        figure="about 99 %",
        source="keras.io/examples/vision/mnist_convnet",
    ),
    "fashion-cnn": Anchor(
        what="two convolutions, pooling and batch norm",
        figure="93.4 %",
        source="README of zalandoresearch/fashion-mnist",
    ),
}


def _grid() -> tuple[RecipeCard, ...]:
    """Every recipe of small images on every set of them."""
    cards = []
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
                anchors=(_ANCHORS[name],) if name in _ANCHORS else (),
            )
            cards.append(card)
    return tuple(cards)


CARDS = (
    *_grid(),
    RecipeCard(
        name="mnist-lenet5",
        builder="lenet5",
        dataset="mnist",
        task="multiclass",
        summary="LeNet-5 with the largest of each pool and a softmax, by Adam",
        hyperparameters={"pooling": "max"},
        training={
            "epochs": 15,
            "learning_rate": 0.004,
            "schedule": "onecycle",
            "batch_size": 64,
            "min_steps": 400,
            "augment": "shift",
            "augment_strength": 0.3,
        },
        anchors=(
            Anchor(
                what="LeNet-5 of the paper, without distortions",
                figure="99.05 %",
                source="LeCun et al., Proc. IEEE 86, 1998",
            ),
        ),
    ),
    RecipeCard(
        name="mnist-cnn-nano",
        builder="convnet",
        dataset="mnist",
        task="multiclass",
        summary="a convolutional network for a micro-controller: under 10,000 parameters",
        hyperparameters={"filters": 10, "growth": 1.6, "head": "flatten"},
        training={"epochs": 10, "learning_rate": 0.01, **_SHORT},
    ),
    RecipeCard(
        name="fashion-resnet8",
        builder="resnet",
        dataset="fashion_mnist",
        task="multiclass",
        summary="ResNet-8 of MLPerf Tiny on clothing",
        hyperparameters={"l2": 0.00025},
        training={"epochs": 12, "optimizer": "nesterov", "learning_rate": 0.15, **_SHORT, "augment": "flip"},
        anchors=(
            Anchor(
                what="ResNet-18, 11 million parameters",
                figure="94.9 %",
                source="README of zalandoresearch/fashion-mnist",
            ),
        ),
    ),
    RecipeCard(
        name="flowers-mobilenet",
        builder="mobilenet",
        dataset="flowers_mini",
        task="multiclass",
        summary="MobileNet v1 without its last stage on photographs, from scratch",
        hyperparameters={"width": 0.5, "stages": 4, "dropout": 0.3},
        training={
            "epochs": 60,
            "batch_size": 32,
            "learning_rate": 0.005,
            "schedule": "onecycle",
            "augment": "flip+crop+colour+mixup",
            "monitor": "last",
        },
    ),
)
