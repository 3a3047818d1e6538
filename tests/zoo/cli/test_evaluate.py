import json
from pathlib import Path

import pytest

from zoo import inference
from zoo.cli import main
from zoo.errors import DataError
from zoo.inference import Evaluation

from .lean import run_lean

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"
FOUND = Evaluation(
    artifact=Path("/runs/mnist-cnn/1"),
    data="mnist",
    split="test",
    samples=359,
    metrics={"accuracy": 0.98, "macro_f1": float("nan")},
    stand_in="digits of scikit-learn",
)


def run(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *map(str, arguments)])
    return ended.value.code, capsys.readouterr().out


def test_json_has_the_keys_that_scripts_rely_on(monkeypatch, capsys):
    monkeypatch.setattr(inference, "evaluate", lambda artifact, **options: FOUND)
    code, out = run(["mnist-cnn", "--json"], capsys)
    value = json.loads(out)
    assert code == 0
    assert value["metrics"] == {"accuracy": 0.98, "macro_f1": None}
    assert (value["split"], value["samples"], value["artifact"]) == ("test", 359, "/runs/mnist-cnn/1")


def test_a_stand_in_cannot_be_overlooked(monkeypatch, capsys):
    monkeypatch.setattr(inference, "evaluate", lambda artifact, **options: FOUND)
    assert "NOT THE REAL MNIST: digits of scikit-learn" in run(["mnist-cnn"], capsys)[1]


def test_options_reach_the_library_and_its_errors_the_user(monkeypatch, capsys, tmp_path):
    given = {}

    def evaluate(artifact, **options):
        given.update(options, artifact=artifact)
        raise DataError("other data")

    monkeypatch.setattr(inference, "evaluate", evaluate)
    arguments = ["m.tflite", "--data", "iris", "--split", "train", "--seed", "4", "--runs", tmp_path, "--json"]
    code, out = run(arguments, capsys)
    assert (code, json.loads(out)) == (3, {"error": "other data", "exit_code": 3})
    del given["on_event"]
    assert given == {"artifact": "m.tflite", "data": "iris", "split": "train", "seed": 4, "runs": tmp_path}
    assert run(["m.tflite", "--split", "all"], capsys)[0] == 2


def test_a_tflite_file_on_mnist_needs_no_heavy_library(tmp_path, monkeypatch):
    if not (REAL / "mnist" / "mnist.npz").is_file():
        pytest.skip(f"the real sets are not in {REAL}")
    model = write_tiny_classifier(tmp_path)
    monkeypatch.setenv("ZOO_DATA_PATH", str(REAL))
    child = run_lean("evaluate", model, "--data", "mnist", "--json")
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout)["samples"] == 10_000


def write_tiny_classifier(folder):
    """A .tflite file that takes 28x28 pixels and gives 10 numbers."""
    import tensorflow as tf

    class Means(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 28, 28, 1), tf.float32)])
        def __call__(self, pixels):
            return tf.nn.softmax(tf.reduce_mean(pixels[:, :, :10, 0], axis=1))

    module = Means()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    (folder / "means.tflite").write_bytes(converter.convert())
    return folder / "means.tflite"
