import json
import shutil

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
    found = evaluate(run.path, data="iris")
    assert found.samples == 45
    assert "some of the test split may have been trained on" in found.notes[-1]


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


ROWS = """id,sold,colour,size,price
{}"""


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    """A run on a table of one's own whose model answers with one of its features."""
    import keras

    folder = tmp_path_factory.mktemp("own data")
    generator = np.random.default_rng(8)
    lines = [
        f"{at},2020-{at % 12 + 1:02}-01,{generator.choice(['red', 'green', 'blue'])},{size:.3f},{size * 3 + 1:.3f}\n"
        for at, size in enumerate(generator.normal(50, 10, 120))
    ]
    table = folder / "my houses.csv"
    table.write_text(ROWS.format("".join(lines)))
    options = {"target": "price", "drop": "id", "keep": "size", "validation": 0.2}
    loaded = data.load(str(table), seed=4, **options)
    width = loaded.input.shape[0]
    model = keras.Sequential([keras.layers.Input((width,)), keras.layers.Dense(1)])
    identity = {"name": str(table), "sha256": loaded.identity.sha256}
    run = Run.create(folder / "runs", Manifest(name="houses", builder="mlp", seed=4, status="finished", data=identity))
    model.save(run.path / MODEL)
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
    (run.path / CONFIG).write_text(
        f"schema_version = 1\n[data]\ndataset = {json.dumps(str(table))}\n{settings}[training]\nseed = 4\n"
    )
    write_json(run.path / PREPROCESSING, loaded.contract())
    return run, table, loaded


def test_a_run_on_a_table_is_measured_on_its_own_split(own_run):
    run, table, loaded = own_run
    found = evaluate(run.path)
    assert (found.data, found.split, found.samples) == (str(table), "test", len(loaded.test))
    answers = run.model.predict(loaded.inputs(loaded.test), verbose=0)
    step = loaded.target_transform
    expected = np.abs((answers - step["offset"]) / step["scale"] - loaded.test.targets.reshape(-1, 1)).mean()
    assert found.metrics["mae"] == pytest.approx(expected, rel=1e-4)
    assert evaluate(run.path, data=str(table), split="train").samples == len(loaded.train)


def test_another_table_is_measured_row_by_row(own_run, tmp_path):
    run, _, loaded = own_run
    path = tmp_path / "new houses.csv"
    path.write_text("price,size,colour,sold\n100,40,red,2020-01-01\n,40,red,2020-01-01\n120,,pink,2020-05-01\n")
    found = evaluate(run.path, data=str(path))
    assert (found.data, found.split, found.samples) == (str(path), "all", 2)
    assert set(found.notes) == {
        "1 rows have no target and were left out",
        "unseen categories: colour 1",
        "missing cells, filled: size 1",
    }
    assert loaded.contract()["output"]["target"] == ["price"]
    with pytest.raises(UsageError, match="drop: options of training data"):
        evaluate(run.path, data=str(path), drop="size")


def test_a_changed_table_is_not_what_it_was_trained_on(own_run, tmp_path):
    run, table, _ = own_run
    text = table.read_text()
    try:
        table.write_text(text.replace(",red,", ",green,", 1))
        with pytest.raises(DataError, match=r"is not what .* was trained on"):
            evaluate(run.path)
        found = evaluate(run.path, data=str(table))
    finally:
        table.write_text(text)
    assert (found.split, found.samples) == ("all", 120)
    assert "all rows are measured, some of them may have been trained on" in found.notes[0]
    assert evaluate(run.path, data=str(table)).split == "test"


def test_the_file_behind_a_data_toml_is_said_to_be_the_one_trained_on(own_run, tmp_path):
    run, table, _ = own_run
    there = tmp_path / "through a schema"
    shutil.copytree(run.path, there)
    toml = tmp_path / "data.toml"
    toml.write_text(f'schema_version = 1\npath = {json.dumps(str(table))}\n[options]\ntarget = "price"\n')
    config = (there / CONFIG).read_text()
    (there / CONFIG).write_text(config.replace(json.dumps(str(table)), json.dumps(str(toml))))
    found = evaluate(there, data=str(table))
    assert (found.split, found.samples) == ("all", 120)
    assert any("which the model was trained on" in note for note in found.notes)
    other = tmp_path / "other.csv"
    other.write_text(table.read_text())
    assert not any("trained on" in note for note in evaluate(there, data=str(other)).notes)


def test_a_data_toml_says_where_the_rows_are(own_run, tmp_path):
    run, _, _ = own_run
    (tmp_path / "new.csv").write_text("cost,size,colour,sold\n100,40,red,2020-01-01\n")
    (tmp_path / "data.toml").write_text('schema_version = 1\npath = "new.csv"\n[options]\ntarget = "cost"\n')
    assert evaluate(run.path, data=str(tmp_path / "data.toml")).samples == 1


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
