"""Exported image classifiers in MediaPipe's `vision.ImageClassifier`, which knows them by their metadata alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export.child import Child
from tests.device.conftest import installed
from zoo.runner import TFLiteModel

pytestmark = pytest.mark.device

LABELS = ["north west", "nord-ést", "sw", "se"]
PROGRAM = """
import json, sys
import mediapipe, numpy
from mediapipe.tasks.python import BaseOptions, vision

model, samples = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
try:
    with vision.ImageClassifier.create_from_options(options) as classifier:
        answers = []
        for pixels in numpy.load(samples):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=numpy.ascontiguousarray(pixels))
            best = classifier.classify(image).classifications[0].categories
            answers.append({category.category_name: category.score for category in best})
    print(json.dumps({"answers": answers}))
except ValueError as error:
    print(json.dumps({"refused": str(error)}))
"""


@pytest.fixture(scope="module")
def mediapipe() -> Path:
    """The Python of an environment with MediaPipe, made now if it is not there."""
    return installed("mediapipe").python


@pytest.fixture(scope="module")
def samples() -> tuple[np.ndarray, np.ndarray]:
    """Colour pictures of 12x12 pixels, and which quarter of each is brightest."""
    generator = np.random.default_rng(8)
    pixels = generator.integers(0, 120, (240, 12, 12, 3)).astype(np.uint8)
    targets = generator.integers(0, 4, 240)
    for index, quarter in enumerate(targets):
        row, column = divmod(int(quarter), 2)
        pixels[index, row * 6 : row * 6 + 6, column * 6 : column * 6 + 6] += 120
    return pixels, targets


def trained(keras: Any, pixels: np.ndarray, targets: np.ndarray) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(pixels.shape[1:]),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(pixels, targets, batch_size=16, epochs=5, verbose=0)
    return model


def exported(model: Any, pixels: np.ndarray, targets: np.ndarray, edges: str, out: Path, child: Child) -> Path:
    """The file of an exported bundle; edges "float" are of a float32 export, others of an int8 one."""
    head = {"kind": "image", "shape": list(pixels.shape[1:]), "dtype": "uint8"}
    step = {"step": "image", "height": pixels.shape[1], "width": pixels.shape[2], "channels": pixels.shape[3]}
    content = {"input": head, "steps": [step], "output": {"task": "multiclass", "labels": LABELS}}
    mode: dict[str, Any] = {"quantize": "float32"} if edges == "float" else {"quantize": "int8", "io": edges}
    given = {"representative": pixels[:100], "evaluate": (pixels, targets), "preprocessing": content}
    return export.to_tflite(model, out=out / "a bundle", max_drop=5.0, child=child, **mode, **given).model


def ask(python: Path, model: Path, pixels: np.ndarray) -> dict[str, Any]:
    """What MediaPipe answers for pictures, or why it refuses the file."""
    samples = model.parents[1] / "samples.npy"
    np.save(samples, pixels)
    command = [str(python), "-E", "-s", "-c", PROGRAM, str(model), str(samples)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=model.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def check_answers(answers: list[dict[str, float]], expected: np.ndarray, tolerance: float) -> None:
    assert all(set(answer) == set(LABELS) for answer in answers)
    scores = np.array([[answer[label] for label in LABELS] for answer in answers])
    np.testing.assert_allclose(scores, expected, atol=tolerance)
    assert [max(answer, key=lambda label: answer[label]) for answer in answers] == [
        LABELS[best] for best in expected.argmax(axis=1)
    ]


@pytest.mark.parametrize(("edges", "tolerance"), [("float", 1e-4), ("uint8", 0.05)])
def test_a_classifier_answers_there_with_our_labels_as_keras_does(
    mediapipe: Path, keras: Any, child: Child, samples: Any, tmp_path: Path, edges: str, tolerance: float
) -> None:
    pixels, targets = samples
    model = trained(keras, pixels[:200], targets[:200])
    expected = model.predict(pixels[200:], verbose=0)
    assert len(set(expected.argmax(axis=1))) == 4, "an answer that is always the same shows nothing"
    path = exported(model, pixels, targets, edges, tmp_path, child)
    found = ask(mediapipe, path, pixels[200:])
    check_answers(found["answers"], expected, tolerance)
    np.testing.assert_allclose(TFLiteModel(path).predict(pixels[200:]), expected, atol=tolerance)


def test_what_mediapipe_does_not_take_is_its_own_limit_not_ours(
    mediapipe: Path, keras: Any, child: Child, samples: Any, tmp_path: Path
) -> None:
    """Its classifier takes colour only, and float or uint8: see the next test for what to do with a grey model."""
    pixels, targets = samples
    model = trained(keras, pixels, targets)
    path = exported(model, pixels, targets, "int8", tmp_path / "int8", child)
    assert "uint8/float32" in ask(mediapipe, path, pixels)["refused"]
    grey = pixels[..., :1]
    path = exported(trained(keras, grey, targets), grey, targets, "float", tmp_path / "grey", child)
    assert "Only RGB color space is supported" in ask(mediapipe, path, pixels)["refused"]


def test_a_grey_model_behind_a_layer_that_takes_colour_answers_there(
    mediapipe: Path, keras: Any, child: Child, samples: Any, tmp_path: Path
) -> None:
    pixels, targets = samples
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    grey = (pixels @ luma)[..., np.newaxis]
    model = trained(keras, grey, targets)
    to_grey = keras.layers.Conv2D(1, 1, use_bias=False)
    colour = keras.Sequential([keras.Input((12, 12, 3)), to_grey, model])
    to_grey.set_weights([luma.reshape(1, 1, 3, 1)])
    expected = model.predict(grey[:20], verbose=0)
    found = ask(mediapipe, exported(colour, pixels, targets, "uint8", tmp_path, child), pixels[:20])
    check_answers(found["answers"], expected, 0.05)
