"""A search as a user of keras-tuner writes it, for comparison.

Call: python -m scripts.plain_search TRIALS EPOCHS SEED FOLDER.

The model is `mnist-cnn`'s, the space that of `scripts.searches`. Prints the seconds of the search
without imports and data.
"""

from __future__ import annotations

import json
import sys
import time

import keras
import keras_tuner

from zoo import data as zoo_data


def build(hp: keras_tuner.HyperParameters) -> keras.Model:
    """mnist-cnn in plain Keras."""
    layers = keras.layers
    filters = 16
    penalty = keras.regularizers.L2(hp.Float("l2", 1e-7, 1e-4, sampling="log"))
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255)])
    for index, (width, kernel, stride) in enumerate(((filters, 5, 2), (2 * filters, 3, 1), (4 * filters, 3, 1))):
        model.add(layers.Conv2D(width, kernel, stride, padding="same", use_bias=False, kernel_regularizer=penalty))
        if index:
            model.add(layers.MaxPooling2D(2))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
    model.add(layers.Flatten())
    model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.5)))
    model.add(layers.Dense(10, activation="softmax", kernel_regularizer=penalty))
    rate = hp.Float("learning_rate", 5e-4, 5e-3, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(trials: int, epochs: int, seed: int, folder: str) -> None:
    """Searches, and prints one JSON line."""
    dataset = zoo_data.load("mnist", seed=0)  # the same split
    images, labels = dataset.inputs(dataset.train), dataset.train.targets
    validation = dataset.inputs(dataset.validation), dataset.validation.targets
    tuner = keras_tuner.RandomSearch(
        build, "val_accuracy", max_trials=trials, seed=seed, directory=folder, project_name="plain", overwrite=True
    )
    began = time.perf_counter()
    tuner.search(images, labels, epochs=epochs, batch_size=128, validation_data=validation, verbose=0)
    seconds = time.perf_counter() - began
    scores = [trial.score for trial in tuner.oracle.get_best_trials(trials)]
    print(json.dumps({"seconds": seconds, "trials": len(scores), "best": max(scores)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
