"""Upsampling and embeddings are operators that tflite-micro has, and answer as Keras does."""

import numpy as np
import pytest

import export
from export.layers import plain_layers


def built(keras, shape, *layers, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


@pytest.mark.parametrize("mode", ["float32", "int8", "int16x8"])
def test_rows_and_columns_are_repeated_without_tile(keras, child, tmp_path, mode):
    inner = built(keras, (4, 6, 3), keras.layers.UpSampling2D((3, 1)), keras.layers.Conv2D(2, 3))
    model = built(keras, (4, 3, 3), keras.layers.UpSampling2D((1, 2)), inner)
    samples = np.random.default_rng(2).uniform(-1, 1, (40, 4, 3, 3)).astype(np.float32)
    bundle = export.to_tflite(model, mode, representative=samples, out=tmp_path / "larger", child=child)
    assert bundle.manifest["ops"]["RESIZE_NEAREST_NEIGHBOR"] == 2
    assert "TILE" not in bundle.manifest["ops"]
    assert bundle.parity["max_error"] < (1e-6 if mode == "float32" else 0.05)


def test_steps_of_a_series_are_repeated_likewise(keras, child, tmp_path):
    model = built(keras, (5, 2), keras.layers.UpSampling1D(3))
    bundle = export.to_tflite(model, out=tmp_path / "longer", child=child)
    assert "TILE" not in bundle.manifest["ops"]
    assert bundle.parity["max_error"] == 0.0


@pytest.mark.parametrize("mode", ["float32", "int8", "int16x8"])
def test_words_are_looked_up_and_nothing_else_in_every_mode(keras, child, tmp_path, mode):
    layers = keras.layers
    model = built(keras, (6,), layers.Embedding(40, 8), layers.Flatten(), layers.Dense(3), dtype="int32")
    words = np.random.default_rng(2).integers(0, 40, (60, 6)).astype(np.int32)
    bundle = export.to_tflite(model, mode, representative=words, out=tmp_path / "words", child=child)
    assert set(bundle.manifest["ops"]) <= {"GATHER", "RESHAPE", "FULLY_CONNECTED"}
    assert bundle.parity["max_error"] < (1e-6 if mode == "float32" else 0.02)


@pytest.mark.parametrize("shape", [(3, 2, 1), (None, None, 1)])
def test_the_answers_are_those_of_keras_and_the_layers_are_left_as_they_were(keras, shape):
    model = built(keras, shape, keras.layers.UpSampling2D((2, 3)))
    pixels = np.arange(6, dtype=np.float32).reshape(1, 3, 2, 1)
    before = np.asarray(model(pixels))
    with plain_layers(model):
        assert np.array_equal(model(pixels), before)
        assert "call" in vars(model.layers[0])
    assert "call" not in vars(model.layers[0])


def test_an_interpolation_and_a_layer_of_ones_own_stay_what_they_are(keras):
    class Backwards(keras.layers.Embedding):
        def call(self, inputs):
            return super().call(-1 - inputs)

    model = built(keras, (3, 2, 1), keras.layers.UpSampling2D(2, interpolation="bilinear"))
    other = built(keras, (4,), Backwards(5, 2), dtype="int32")
    with plain_layers(model), plain_layers(other):
        assert "call" not in vars(model.layers[0])
        assert "call" not in vars(other.layers[0])
