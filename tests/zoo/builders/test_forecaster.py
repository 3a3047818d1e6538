"""The forecaster: what it answers before it is trained, which channels, which seasons."""

import numpy as np
import pytest

from zoo.builders import get_builder
from zoo.builders.forecaster import NETWORKS
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError

WINDOW, CHANNELS = 12, 5
SERIES = np.random.default_rng(0).normal(size=(3, WINDOW, CHANNELS)).astype(np.float32)


def build(channels=(0,), horizon=4, season=7, window=WINDOW, every=CHANNELS, **hyperparameters):
    inputs = InputSpec(shape=(window, every), kind="series")
    shape = (max(len(channels), 1) * horizon,)
    outputs = OutputSpec(task="regression", shape=shape, channels=tuple(channels), season=season)
    return get_builder("forecaster")(inputs, outputs, **{"units": 4, **hyperparameters})


def answers(model):
    return np.asarray(model(SERIES))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels", [(0, 1, 2, 3, 4), (3,), (4, 0, 1)])
def test_it_begins_as_the_last_value_of_each_target(network, channels):
    found = answers(build(channels, network=network))
    np.testing.assert_allclose(found, np.repeat(SERIES[:, -1, list(channels)], 4, axis=1), rtol=1e-6)


@pytest.mark.parametrize(("season", "places"), [(7, [5, 6, 7, 8]), (4, [8, 9, 10, 11]), (3, [9, 10, 11, 9])])
def test_or_as_the_season_before(season, places):
    found = answers(build((2, 4), season=season, residual="season"))
    expected = np.concatenate([SERIES[:, places, 2], SERIES[:, places, 4]], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_or_as_the_mean_which_is_zero():
    assert not answers(build(network="gru", residual="none")).any()


@pytest.mark.parametrize("network", NETWORKS)
def test_both_paths_learn(network):
    import keras

    model = build((1, 3), network=network)
    model.compile(keras.optimizers.Adam(0.01), "mae")
    before = [weight.copy() for weight in model.get_weights()]
    model.fit(SERIES, np.ones((3, 8), np.float32), epochs=2, verbose=0)
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_penalties_come_with_the_weights():
    model = build(network="conv1d", layers=2, l1=0.01, l2=0.1)
    assert len(model.losses) == 4
    assert not build(network="conv1d", layers=2).losses


def test_what_it_cannot_be_is_refused_in_a_line():
    with pytest.raises(ModelError, match=r"forecaster answers with the steps after a history; .* horizon=N"):
        build(channels=())
    with pytest.raises(ModelError, match=r"residual = season needs a season within the window of 12 steps, it has 24"):
        build(season=24, residual="season")
    with pytest.raises(ModelError, match="leave linear_path = true"):
        build(linear_path=False)
