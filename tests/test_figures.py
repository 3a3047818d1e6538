"""Real training on the real sets: the figures that the README claims, reached again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def zoo(*words, where):
    environment = {**os.environ, "ZOO_DATA_PATH": str(DATA), "ZOO_HOME": str(where / "home")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "zoo", *words, "--json"],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def changed_answers(run, bundle):
    """Test samples that a bundle decides differently from the Keras model of its run."""
    from zoo.config import configure
    from zoo.data import load
    from zoo.inference import Predictor
    from zoo.metrics import decide

    config = configure(str(Path(run) / "config.toml"))
    data = load(config.dataset, seed=config.training.seed, validation=config.data.validation, test=config.data.test)
    assert data.identity.sha256 == json.loads((Path(run) / "run.json").read_text())["data"]["sha256"]
    before, after = (
        decide(data.output.task, Predictor.open(artifact).predict(data.test.samples)) for artifact in (run, bundle)
    )
    return int((before != after).sum())


@pytest.fixture(scope="module")
def mnist_cnn(tmp_path_factory):
    if not (DATA / "mnist" / "mnist.npz").is_file():
        pytest.skip(f"the real MNIST is not in {DATA}")
    where = tmp_path_factory.mktemp("real")
    return zoo("train", "mnist-cnn", "--strict-data", where=where), where


def test_mnist_cnn_reaches_its_figure(mnist_cnn):
    trained, _ = mnist_cnn
    assert trained["metrics"]["test"]["accuracy"] >= 0.992
    assert trained["data"]["stand_in"] is False


def test_mnist_cnn_in_int8_answers_as_keras_does_and_is_a_quarter_of_the_size(mnist_cnn):
    trained, where = mnist_cnn
    sizes = {}
    for mode in ("float32", "float16", "dynamic", "int8"):
        bundle = zoo("export", trained["run"], "--quantize", mode, where=where)
        tested = zoo("evaluate", bundle["bundle"], where=where)
        assert tested["samples"] == 10_000
        assert abs(tested["metrics"]["accuracy"] - trained["metrics"]["test"]["accuracy"]) <= 0.003
        sizes[mode] = bundle["bytes"]
    assert sizes["int8"] < sizes["float32"] / 4 + 8192


def test_mnist_cnn_in_int8_gives_the_same_answers_one_by_one(mnist_cnn, monkeypatch):
    trained, where = mnist_cnn
    monkeypatch.setenv("ZOO_DATA_PATH", str(DATA))
    bundle = zoo("export", trained["run"], "--quantize", "int8", "--out", str(where / "again"), where=where)
    assert changed_answers(trained["run"], bundle["bundle"]) <= 50  # of 10,000


@pytest.mark.parametrize("recipe", ["wine-mlp", "breast-cancer-mlp"])
def test_int8_changes_at_most_one_answer_on_a_table(recipe, tmp_path):
    trained = zoo("train", recipe, where=tmp_path)
    bundle = zoo("export", trained["run"], "--quantize", "int8", where=tmp_path)
    assert changed_answers(trained["run"], bundle["bundle"]) <= 1


def test_training_again_from_the_runs_config_gives_the_same_numbers(tmp_path):
    first = zoo("train", "digits-cnn", "--epochs", "3", where=tmp_path)
    again = zoo("train", str(Path(first["run"]) / "config.toml"), where=tmp_path)
    assert again["metrics"] == first["metrics"]
