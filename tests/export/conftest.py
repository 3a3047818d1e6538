"""Run folders made by hand, tiny models, and one child process for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.child import Child
from zoo import preprocessing, runs

MakeRun = Callable[..., runs.Run]


@pytest.fixture(scope="session")
def child() -> Iterator[Child]:
    with Child() as started:
        yield started


@pytest.fixture(scope="session")
def keras(child: Child) -> Any:
    """Keras, imported while the child imports TensorFlow too."""
    from zoo.settings import quiet_tensorflow

    quiet_tensorflow()
    import keras

    keras.utils.set_random_seed(7)
    return keras


def contract(shape: tuple[int, ...], task: str, labels: list[str], steps: list[Any], **output: Any) -> dict[str, Any]:
    kind = {3: "image", 2: "series"}.get(len(shape), "table")
    columns = [f"c{index}" for index in range(shape[-1])] if kind == "table" else []
    return {
        "schema_version": 1,
        "input": {
            "kind": kind,
            "shape": list(shape),
            "dtype": "uint8" if kind == "image" else "float32",
            "columns": columns,
        },
        "steps": steps,
        "output": {"task": task, "labels": labels, **output},
    }


def write_run(
    root: Path, name: str, model: Any, content: dict[str, Any], raw: np.ndarray, targets: np.ndarray
) -> runs.Run:
    """A finished run whose calibration samples are the first half and validation samples the second."""
    run = runs.Run.create(root, runs.Manifest(name=name, builder="mlp", seed=1, data={"name": name, "sha256": "00"}))
    model.save(run.path / runs.MODEL)
    runs.write_json(run.path / runs.PREPROCESSING, content)
    runs.write_text(run.path / runs.LABELS, "".join(f"{label}\n" for label in content["output"]["labels"]))
    (run.path / runs.SAMPLES).mkdir()
    half = len(raw) // 2
    for file, part in ((runs.CALIBRATION, slice(half)), (runs.VALIDATION, slice(half, None))):
        runs.write_npz(run.path / runs.SAMPLES / file, samples=raw[part], targets=targets[part])
    run.update(status="finished")
    return run


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> MakeRun:
    """Makes a run on four columns of unlike units, fitted for a moment so that answers are not all one class."""

    def make(task: str, root: Path | None = None) -> runs.Run:
        generator = np.random.default_rng(3)
        raw = generator.normal(0, 1, (160, 4)) * [1.0, 100.0, 0.01, 5.0] + [0.0, 500.0, 1.0, -20.0]
        step = preprocessing.fit_standardise(raw)
        inputs = preprocessing.apply([step], raw)
        signal = inputs @ generator.normal(0, 1, (4, 3))
        targets: np.ndarray
        output: dict[str, Any] = {}
        if task == "regression":
            targets = signal[:, :1] * 40 + 300
            fitted = preprocessing.fit_standardise(targets)
            output = {"scale": fitted["scale"], "offset": fitted["offset"]}
            wanted, units, last, loss, labels = preprocessing.apply([fitted], targets), 1, "linear", "mse", ["price"]
        elif task == "binary":
            targets = (signal[:, 0] > 0).astype(int)
            wanted, units, last, loss, labels = targets[:, None], 1, "sigmoid", "binary_crossentropy", ["no", "yes"]
        elif task == "multilabel":
            targets = (signal > 0).astype(int)
            wanted, units, last, loss, labels = targets, 3, "sigmoid", "binary_crossentropy", ["a", "b", "c"]
        else:
            targets = signal.argmax(axis=1)
            wanted, units, last, loss = targets, 3, "softmax", "sparse_categorical_crossentropy"
            labels = ["red", "green", "blue"]
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(8, activation="tanh"), layers.Dense(units, activation=last)]
        )
        model.compile(keras.optimizers.Adam(0.05), loss)
        model.fit(inputs, wanted, batch_size=32, epochs=12, verbose=0)
        content = contract((4,), task, labels, [step], **output)
        return write_run(root or tmp_path_factory.mktemp(task), f"{task}-mlp", model, content, raw, targets)

    return make


@pytest.fixture(scope="session")
def image_run(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> runs.Run:
    """A run of a convnet on raw 8x8 pixels: which quarter is brightest."""
    generator = np.random.default_rng(5)
    raw = generator.integers(0, 120, (400, 8, 8)).astype(np.uint8)
    targets = generator.integers(0, 4, 400)
    for index, quarter in enumerate(targets):
        row, column = divmod(int(quarter), 2)
        raw[index, row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 120
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(raw[..., None], targets, batch_size=16, epochs=6, verbose=0)
    step = {"step": "image", "height": 8, "width": 8, "channels": 1}
    content = contract((8, 8, 1), "multiclass", ["nw", "ne", "sw", "se"], [step])
    return write_run(tmp_path_factory.mktemp("images in a folder"), "quarters-cnn", model, content, raw, targets)


@pytest.fixture(scope="session")
def mixed_run(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> runs.Run:
    """A run on a table of a number with gaps, a category and a date, for two classes."""
    generator = np.random.default_rng(6)
    raw = np.stack([generator.normal(50, 20, 120), generator.integers(0, 3, 120), generator.uniform(0, 900, 120)], 1)
    raw[::9, 0] = np.nan
    schema = [
        {"name": "size", "type": "number"},
        {"name": "colour", "type": "category", "values": ["red", "green", "dark, blue"]},
        {"name": "sold", "type": "date", "formats": ["iso"]},
    ]
    encode = preprocessing.fit_encode(schema, raw, ["?"])
    features = preprocessing.encode(raw, encode)
    steps = [encode, preprocessing.fit_standardise(features)]
    model = keras.Sequential(
        [
            keras.Input((features.shape[1],)),
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    targets = (model.predict(preprocessing.apply(steps, raw), verbose=0)[:, 0] > 0.5).astype(int)
    content = contract((features.shape[1],), "binary", ["no", "yes"], steps, target=["sick"])
    content["input"]["columns"] = [column["name"] for column in schema]
    return write_run(tmp_path_factory.mktemp("mixed table"), "mixed-mlp", model, content, raw, targets)
