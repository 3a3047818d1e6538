"""Recipes on texts: what they say, ask for or sell."""

from __future__ import annotations

from typing import Any

from zoo.cards import Anchor, RecipeCard

_REVIEWS: dict[str, Any] = {"batch_size": 128, "learning_rate": 0.003, "schedule": "onecycle"}
_MAAS = Anchor(
    what="word vectors learnt from unlabelled reviews too, and a bag of words",
    figure="88.89 %",
    source="Maas et al., ACL 2011",
)

CARDS = (
    RecipeCard(
        name="imdb-gru",
        builder="text",
        dataset="imdb",
        task="binary",
        summary="film reviews by a GRU over embedded words",
        hyperparameters={"encoder": "gru", "embedding": 64, "units": 64, "dropout": 0.4, "word_dropout": 0.3},
        training={"epochs": 4, **_REVIEWS},
        anchors=(_MAAS,),
    ),
    RecipeCard(
        name="imdb-lstm",
        builder="text",
        dataset="imdb",
        task="binary",
        summary="film reviews by an LSTM in both directions over embedded words",
        hyperparameters={
            "encoder": "lstm",
            "embedding": 64,
            "units": 48,
            "bidirectional": True,
            "dropout": 0.4,
            "word_dropout": 0.3,
        },
        training={"epochs": 4, **_REVIEWS},
        anchors=(_MAAS,),
    ),
    RecipeCard(
        name="imdb-conv1d",
        builder="text",
        dataset="imdb",
        task="binary",
        summary="film reviews by convolutions over 3, 4 and 5 embedded words",
        hyperparameters={
            "encoder": "conv1d",
            "embedding": 64,
            "units": 64,
            "kernel": 3,
            "kernels": 3,
            "dropout": 0.4,
            "word_dropout": 0.3,
        },
        training={"epochs": 5, **_REVIEWS},
        data={"words": 400, "vocabulary": 20_000},
        anchors=(_MAAS,),
    ),
    RecipeCard(
        name="sms-spam-gru",
        builder="text",
        dataset="sms_spam",
        task="binary",
        summary="wanted messages and spam by a GRU over embedded words",
        hyperparameters={"encoder": "gru", "dropout": 0.4},
        training={"epochs": 12, "batch_size": 32, "learning_rate": 0.003, "schedule": "onecycle"},
        anchors=(
            Anchor(
                what="a support vector machine on words",
                figure="97.64 %",
                source="Almeida, Hidalgo, Yamakami, DocEng 2011",
            ),
        ),
    ),
    RecipeCard(
        name="trec-gru",
        builder="text",
        dataset="trec",
        task="multiclass",
        summary="what a question asks for, by a GRU over embedded words",
        hyperparameters={"encoder": "gru", "embedding": 64, "dropout": 0.4, "bidirectional": True},
        training={"epochs": 10, "batch_size": 32, "learning_rate": 0.003, "schedule": "onecycle"},
        anchors=(
            Anchor(
                what="a convolution over embeddings learnt from these questions alone",
                figure="91.2 %",
                source="Kim, arXiv:1408.5882",
            ),
        ),
    ),
)
