"""Every registered recipe builds, takes a training step and exports; a new recipe is tested without a new test."""

import numpy as np
import pytest

import export
from zoo.builders import get_builder
from zoo.cards import InputSpec, OutputSpec
from zoo.catalog import RECIPES
from zoo.config import configure
from zoo.data import DATASETS

VOCABULARY = 300
SHAPES = {"flowers_mini": (32, 32, 3), "text": (24,), "audio": (49, 40)}
"""Of sets whose card has no shape, or a large one: what is tested here does not hang on it."""
MAPS = ("segmentation", "detection")
"""Tasks whose answers are maps: their targets are made elsewhere, and so are their tests."""
NAMES = [name for name in RECIPES.names() if RECIPES.get(name).task not in MAPS]
QUICK = ("iris-mlp", "digits-cnn", "digits-lstm", "digits-gru", "mnist-lenet5", "basic-motions-gru", "sms-spam-gru")
QUICK += ("fsdd-dscnn", "har-conv1d", "airline-forecast", "breast-cancer-autoencoder")
"""Of every family one that is quickly exported; the others wait for the slow suite."""
CASES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]


def specs(card):
    """The specs of a recipe from its data set's card, without the data."""
    dataset = DATASETS.get(card.dataset)
    image, text = dataset.kind == "image", dataset.kind == "text"
    shape = SHAPES.get(dataset.name) or SHAPES.get(dataset.kind) or dataset.shape
    shape = (*shape, 1) if image and len(shape) == 2 else shape
    outputs = 1 if card.task in ("binary", "regression", "anomaly") else len(dataset.labels)
    inputs = InputSpec(
        shape=shape,
        kind=dataset.kind,
        dtype="uint8" if image else "int32" if text else "float32",
        scale=1 / 255 if image else 1.0,
        vocabulary=VOCABULARY if text else 0,
    )
    if "horizon" in dataset.options:
        return forecast_specs(configure(card.name), dataset)
    labels = {"regression": (), "anomaly": ("normal", "anomaly")}.get(card.task, dataset.labels)
    return inputs, OutputSpec(task=card.task, shape=(outputs,), labels=labels)


def forecast_specs(config, dataset):
    """Of the first channel; a season is half the window."""
    window = config.data.window or dataset.shape[0]
    channels = 1 if config.data.columns else dataset.shape[1]
    horizon = config.data.horizon or dataset.options["horizon"]
    inputs = InputSpec(shape=(window, channels), kind="series")
    return inputs, OutputSpec(task="regression", shape=(horizon,), channels=(0,), season=window // 2)


def samples(inputs, outputs, count=24):
    generator = np.random.default_rng(0)
    most = {"image": 256, "text": VOCABULARY}.get(inputs.kind)
    shape = (count, *inputs.shape)
    x = generator.integers(0, most, shape) if most else generator.normal(size=shape)
    x = x.astype(np.int32 if inputs.kind == "text" else np.float32)
    if outputs.task == "multiclass":
        return x, np.eye(outputs.shape[0], dtype=np.float32)[np.arange(count) % outputs.shape[0]]
    return x, generator.integers(0, 2, (count, *outputs.shape)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_every_recipe_builds_takes_a_step_and_exports(name, keras, child, tmp_path):
    from zoo.training.optimizers import loss_function, optimizer

    card = RECIPES.get(name)
    config = configure(name).for_data(card.task, 1000)
    inputs, outputs = specs(card)
    model = get_builder(card.builder)(inputs, outputs, **config.hyperparameters)
    x, y = samples(inputs, outputs)
    before = [weight.copy() for weight in model.get_weights()]
    model.compile(optimizer(config.training, 10), loss_function(config.training.loss))
    assert np.isfinite(model.train_on_batch(x, y))
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))

    targets = y.argmax(axis=1) if outputs.task == "multiclass" else y
    bundle = export.to_tflite(model, evaluate=(x, targets), child=child, out=tmp_path / "bundle")
    assert bundle.manifest["bytes"] == (bundle.path / "model.tflite").stat().st_size
    assert bundle.manifest["parity"]["samples"] == len(x)
    assert bundle.manifest["parity"]["max_error"] < 1e-5
    if card.family == "recurrent":
        cell = config.hyperparameters["cell"]
        assert bundle.manifest["form"] == {"lstm": "fused", "gru": "loop"}[cell]
