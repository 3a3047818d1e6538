import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from zoo.preprocessing import fit_standardise
from zoo.runs import MODEL, PREPROCESSING, Manifest, Run, write_json

LABELS = ["cat", "dog", "owl"]
COLUMNS = ["length", "width, in cm", "mass"]
STEP = {"step": "image", "height": 6, "width": 6, "channels": 1}
RNG = np.random.default_rng(0)
ROWS = RNG.normal([10, 200, 3000], [1, 20, 300], (12, 3))
PIXELS = RNG.integers(0, 256, (5, 6, 6), np.uint8)


def contract(kind, shape, steps, output, columns=()):
    return {
        "schema_version": 1,
        "input": {"kind": kind, "shape": shape, "dtype": "float32", "columns": list(columns)},
        "steps": steps,
        "output": output,
    }


IMAGES = contract("image", [6, 6, 1], [STEP], {"task": "multiclass", "labels": LABELS})
TABLE = contract(
    "table",
    [3],
    [fit_standardise(ROWS)],
    {"task": "regression", "labels": ["age"], "scale": [0.5], "offset": [-4.0]},
    COLUMNS,
)


@dataclass(frozen=True)
class Formats:
    """One model in each format, with what it answers for the raw samples of this module."""

    folder: Path
    expected: np.ndarray

    def __getitem__(self, name):
        return self.folder / name


def save_everywhere(folder, model):
    """model.keras, saved/ and model.tflite of one Keras model."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter, not ours
        model.save(folder / "model.keras")
        model.export(folder / "saved", verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    (folder / "model.tflite").write_bytes(content)


@pytest.fixture(scope="session")
def image_model(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("image model")
    layers = [
        keras.layers.Input((6, 6, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax", kernel_initializer="random_normal"),
    ]
    model = keras.Sequential(layers)
    save_everywhere(folder, model)
    return Formats(folder, model(PIXELS[..., None].astype(np.float32)).numpy())


@pytest.fixture(scope="session")
def table_model(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(2)
    folder = tmp_path_factory.mktemp("table model")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    save_everywhere(folder, model)
    standardised = (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0)
    return Formats(folder, (model(standardised.astype(np.float32)).numpy() + 4.0) / 0.5)


@pytest.fixture
def table_run(table_model, tmp_path):
    run = Run.create(tmp_path / "runs", Manifest(name="ages", builder="mlp", seed=3, status="finished"))
    (run.path / MODEL).write_bytes(table_model["model.keras"].read_bytes())
    write_json(run.path / PREPROCESSING, TABLE)
    return run


@pytest.fixture
def image_folder(image_model, tmp_path):
    """model.tflite with its contract beside it."""
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(image_model["model.tflite"].read_bytes())
    (folder / PREPROCESSING).write_text(json.dumps(IMAGES))
    return folder
