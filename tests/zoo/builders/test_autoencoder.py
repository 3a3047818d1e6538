import numpy as np
import pytest

from zoo.builders import get_builder
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError

SCORE = OutputSpec(task="anomaly", shape=(1,), labels=("normal", "anomaly"))


@pytest.mark.parametrize(
    ("shape", "kind", "hyperparameters"),
    [
        ((5,), "table", {}),
        ((13, 9, 3), "image", {"layers": 3}),
        ((28, 28, 1), "image", {"network": "dense"}),
        ((17, 3), "series", {"layers": 3}),
        ((1, 4), "series", {"network": "dense"}),
        ((20, 8), "audio", {"network": "conv"}),
    ],
)
def test_the_answer_is_the_mean_squared_error_of_the_rebuilt_input(shape, kind, hyperparameters):
    import keras

    scale = 1 / 255 if kind == "image" else 1.0
    model = get_builder("autoencoder")(InputSpec(shape=shape, kind=kind, scale=scale), SCORE, **hyperparameters)
    samples = np.random.default_rng(0).random((6, *shape)).astype("float32") / scale
    rebuilt = keras.Model(model.input, model.get_layer("residual").input[1])(samples).numpy()
    wanted = np.mean((samples.reshape(6, -1) * scale - rebuilt) ** 2, axis=1, keepdims=True)
    np.testing.assert_allclose(model(samples).numpy(), wanted, rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "kind", "hyperparameters", "message"),
    [
        ((5,), "table", {"network": "conv"}, "no table; take dense"),
        ((4, 4, 1), "image", {"layers": 3}, "layers = 3 halves 4 x 4 to nothing; take layers = 2 or fewer"),
        ((1, 4), "series", {}, "layers = 2 halves 1 x 1 to nothing; take network = dense"),
    ],
)
def test_convolutions_that_cannot_be_are_refused(shape, kind, hyperparameters, message):
    with pytest.raises(ModelError, match=message):
        get_builder("autoencoder")(InputSpec(shape=shape, kind=kind), SCORE, **hyperparameters)
