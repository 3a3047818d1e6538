import numpy as np
import pytest

from zoo import data
from zoo.errors import DataError, UsageError
from zoo.inference import evaluate
from zoo.preprocessing import fit_standardise
from zoo.runs import CONFIG, MODEL, PREPROCESSING, Manifest, Run, write_json

CONFIG_TEXT = """
schema_version = 1
name = "iris-mlp"
builder = "mlp"
[data]
dataset = "{dataset}"
validation = 0.2
test = 0.3
train_samples = 0
strict_data = false
[training]
seed = {seed}
"""


@pytest.fixture(scope="module")
def iris_model(tmp_path_factory):
    """A linear model that tells setosa from the others by its petals."""
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    kernel = np.zeros((4, 3), np.float32)
    kernel[2] = [-5, 0, 2]
    model.set_weights([kernel, np.array([0, 1, 0], np.float32)])
    path = tmp_path_factory.mktemp("iris") / MODEL
    model.save(path)
    return path.read_bytes()


def make_run(root, model, *, seed=5, sha256=None, dataset="iris"):
    loaded = data.load("iris", seed=seed, validation=0.2, test=0.3)
    identity = {"name": "iris", "sha256": sha256 or loaded.identity.sha256}
    run = Run.create(root, Manifest(name="iris-mlp", builder="mlp", seed=seed, status="finished", data=identity))
    (run.path / MODEL).write_bytes(model)
    (run.path / CONFIG).write_text(CONFIG_TEXT.format(seed=seed, dataset=dataset))
    write_json(run.path / PREPROCESSING, loaded.contract())
    return run


def test_a_run_is_measured_on_the_split_of_its_own_training(tmp_path, iris_model):
    run = make_run(tmp_path, iris_model)
    found = evaluate("iris-mlp", runs=tmp_path)
    loaded = data.load("iris", seed=5, validation=0.2, test=0.3)
    step = fit_standardise(loaded.train.samples)
    inputs = loaded.test.samples[:, 2] * step["scale"][2] + step["offset"][2]
    scores = inputs[:, None] * [-5, 0, 2] + [0, 1, 0]
    accuracy = float(np.mean(scores.argmax(axis=1) == loaded.test.targets))
    assert found.metrics["accuracy"] == pytest.approx(accuracy)
    assert (found.artifact, found.data, found.split, found.samples) == (run.path, "iris", "test", len(loaded.test))
    assert evaluate(run.path, split="validation").samples == len(loaded.validation)


def test_other_data_under_the_same_name_are_refused_unless_asked_for(tmp_path, iris_model):
    run = make_run(tmp_path, iris_model, sha256="0" * 64)
    with pytest.raises(DataError, match=r"iris is not what .* was trained on.*--data iris"):
        evaluate(run.path)
    assert evaluate(run.path, data="iris").samples == 45


def test_a_model_without_a_run_needs_to_be_told_data_and_seed(tmp_path, iris_model):
    run = make_run(tmp_path, iris_model)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in (MODEL, PREPROCESSING):
        (alone / name).write_bytes((run.path / name).read_bytes())
    with pytest.raises(UsageError, match="add --data NAME"):
        evaluate(alone / MODEL)
    with pytest.raises(UsageError, match="--seed N as in training"):
        evaluate(alone / MODEL, data="iris")
    assert evaluate(alone / MODEL, data="iris", seed=5).data == "iris"


def test_a_seed_that_is_not_the_runs_is_refused(tmp_path, iris_model):
    with pytest.raises(UsageError, match="trained with seed 5"):
        evaluate(make_run(tmp_path, iris_model).path, seed=6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("diabetes", "is a regression task"),
        ("digits", "holds image samples"),
        ("wine", "lacks column"),
    ],
)
def test_data_that_do_not_fit_the_model_are_refused(tmp_path, iris_model, name, message):
    with pytest.raises(DataError, match=message):
        evaluate(make_run(tmp_path, iris_model).path, data=name, seed=1)


def test_a_damaged_configuration_is_named(tmp_path, iris_model):
    run = make_run(tmp_path, iris_model)
    (run.path / CONFIG).write_text("seed = ")
    with pytest.raises(DataError, match=r"config\.toml is not TOML"):
        evaluate(run.path)
