"""Studies on the embedded tables: tiny, real, about half a second a training."""

import csv
import json
import os
import signal

import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from zoo import data
from zoo.cli.study import command
from zoo.config import configure
from zoo.errors import DivergedError, InterruptedRunError, ModelError, UsageError
from zoo.reporting.content import read_history
from zoo.runs import Run
from zoo.training import EpochDone, Message, checkpoints
from zoo.training.assembly import initial_weights
from zoo.training.study import study
from zoo.training.study_records import sparsity


def study_of(folder, vary, **options):
    return study("iris-mlp", out=folder / "a folder", vary=vary, **{"epochs": 2, "seeds": 1, **options})


def curves(training):
    history = dict(read_history(training.run / "history.csv"))
    del history["seconds"]
    return history


def equal(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def dropouts(tmp_path_factory):
    """Rates so small that nothing moves: what comes out are the initial weights."""
    folder = tmp_path_factory.mktemp("dropout")
    return folder, study_of(folder, "dropout=0.5,0", seeds=2, learning_rate=1e-8)


def test_values_begin_with_the_same_weights_although_dropout_changes_what_keras_draws(dropouts):
    _, found = dropouts
    by_seed = {training.seed: {} for training in found.trainings}
    for training in found.trainings:
        by_seed[training.seed][training.value] = Run(training.run).model.get_weights()
    for values in by_seed.values():
        for with_dropout, without in zip(values[0.5], values[0.0], strict=True):
            np.testing.assert_allclose(with_dropout, without, atol=1e-6)
    assert not np.allclose(by_seed[0][0.0][0], by_seed[1][0.0][0])
    assert [row.same_start for row in found.rows] == [True, True]


def test_left_to_keras_the_weights_would_differ():
    dataset = data.load("iris", seed=0)
    configs = [configure("iris-mlp", {"dropout": rate}).for_data("multiclass", len(dataset.train)) for rate in (0, 0.5)]
    drawn = [initial_weights(config, dataset) for config in configs]
    assert not all(np.array_equal(first, second) for first, second in zip(*drawn, strict=True))


@pytest.mark.slow
def test_a_result_does_not_hang_on_the_values_before_it(tmp_path):
    first = study_of(tmp_path / "one", "dropout=0.5,0").rows[1].trainings[0]
    second = study_of(tmp_path / "two", {"dropout": [0.0, 0.9]}).rows[0].trainings[0]
    assert first.value == second.value == 0.0
    assert equal(curves(first), curves(second))


@pytest.mark.slow
def test_the_recipes_own_value_is_trained_as_train_does(tmp_path):
    found = study_of(tmp_path, "l2=0,0.1").rows[0].trainings[0]
    plain = {"optimizer": "sgd", "learning_rate": "auto", "schedule": "constant", "epochs": 2, "tensorboard": False}
    run = zoo.train("iris-mlp", out=tmp_path / "runs", **plain)
    expected = dict(read_history(run.path / "history.csv"))
    del expected["seconds"]
    assert equal(curves(found), expected)
    assert found.last["test"] == run.metrics["last"]["test"]


@pytest.mark.slow
def test_a_repeated_study_trains_only_what_is_new(dropouts):
    folder, before = dropouts
    events = []
    again = study_of(folder, "dropout=0,0.5,0.2", learning_rate=1e-8, on_event=events.append)
    assert again.path == before.path
    told = [event.text for event in events if isinstance(event, Message)]
    assert sum("done before" in line for line in told) == 2
    assert [row.text for row in again.rows] == ["0", "0.5", "0.2"]
    assert again.rows[1].trainings == before.rows[0].trainings[:1]
    other = study_of(folder, "dropout=0,0.5", learning_rate=1e-8, seeds=1, epochs=1)
    assert other.path != before.path


@pytest.mark.slow
def test_an_interrupted_study_goes_on_where_it_was(tmp_path):
    def interrupt(event):
        if isinstance(event, EpochDone) and event.row["epoch"] == 2 and len(list(tmp_path.rglob("history.csv"))) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRunError, match="the same command goes on") as raised:
        study_of(tmp_path, "l1=0,0.01", epochs=3, on_event=interrupt)
    assert json.loads((raised.value.run / "study.json").read_text())["status"] == "interrupted"
    cut = study_of(tmp_path, "l1=0,0.01", epochs=3)
    whole = study_of(tmp_path / "whole", "l1=0,0.01", epochs=3)
    assert cut.path == raised.value.run
    assert len(list(cut.path.glob("trainings/*/*"))) == 2
    for first, second in zip(cut.trainings, whole.trainings, strict=True):
        assert equal(curves(first), curves(second))
        assert (first.sparsity, first.last) == (second.sparsity, second.last)


@pytest.mark.slow
def test_a_table_of_ones_own_is_compared_and_what_was_fixed_is_told(tmp_path):
    generator = np.random.default_rng(0)
    rows = [f"{a:.3f},{'no' if a < 0 else 'yes'}" for a in generator.normal(size=80)]
    (tmp_path / "points.csv").write_text("\n".join(["a,answer", *rows]) + "\n")
    options = {"data": str(tmp_path / "points.csv"), "target": "answer", "epochs": 1, "seeds": 1, "out": tmp_path}
    found = study("mlp", vary="units=2,4", **options)
    assert found.name == "study-mlp-points-units"
    assert "optimizer sgd (otherwise adam)" in found.notes[0]


@pytest.fixture(scope="module")
def rates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rates")
    return study("diabetes-mlp", vary="learning_rate=0.01,100", out=folder, seeds=2, epochs=3)


def test_a_value_that_diverges_is_a_result(rates):
    whole, diverged = rates.rows
    assert (whole.diverged, diverged.diverged) == (0, 2)
    assert [training.diverged for training in diverged.trainings] == [1, 1]
    assert whole.figures["test_r2"].low <= whole.figures["test_r2"].mean <= whole.figures["test_r2"].high
    assert "test_r2" not in diverged.figures


def test_the_folder_holds_a_table_a_picture_and_a_page(rates):
    with (rates.path / "study.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["learning_rate"], line["seed"], line["diverged"]) for line in lines] == [
        ("0.01", "0", ""),
        ("0.01", "1", ""),
        ("100", "0", "1"),
        ("100", "1", "1"),
    ]
    assert float(lines[0]["test_r2"]) == rates.rows[0].trainings[0].last["test"]["r2"]
    assert (rates.path / "study.png").read_bytes().startswith(b"\x89PNG")
    page = (rates.path / "study.html").read_text()
    assert "2 of 2 in epoch 1, 1" in page
    assert "learning_rate = 0.01 is best" in page


@pytest.mark.slow
def test_where_everything_diverges_the_study_is_written_and_refused(tmp_path):
    with pytest.raises(DivergedError, match="every training diverged") as raised:
        study("diabetes-mlp", vary="l2=0,0.1", out=tmp_path, seeds=1, epochs=1, learning_rate=100)
    assert json.loads((raised.value.run / "study.json").read_text())["status"] == "finished"


def test_a_knob_that_changes_shapes_says_so_and_a_model_that_cannot_be_built_stops_it_at_once(tmp_path):
    found = study_of(tmp_path, "units=4,16", epochs=1)
    assert [row.same_start for row in found.rows] == [False, True]
    assert any("units = 4 changes the shapes" in note for note in found.notes)
    with pytest.raises(ModelError, match="blocks"):
        study("digits-cnn", vary="blocks=1,8", out=tmp_path, seeds=1, epochs=1, train_samples=100)
    assert not list(tmp_path.glob("study-digits*/*/trainings"))


@pytest.mark.slow
def test_l1_makes_weights_zero(tmp_path):
    found = study_of(tmp_path, "l1=0,0.01", epochs=25, activation="relu")
    none, strong = (row.figures["sparsity"].mean for row in found.rows)
    assert none < 0.03 < strong
    coarse = study_of(tmp_path, "l1=0,0.1", epochs=1, learning_rate=0.1)
    assert any("sparsity is understated" in note for note in coarse.notes)
    assert not any("sparsity is understated" in note for note in found.notes)


def test_sparsity_counts_kernels_against_their_own_largest_weight(tmp_path):
    arrays = {
        "model0": np.array([[1000.0, 0.5], [2.0, -1000.0]], np.float32),  # one of four: 0.5 is below 1
        "model1": np.zeros(100, np.float32),  # a bias
        "model2": np.zeros((2, 2), np.float32),  # a kernel that is zero altogether
        "optimizer0": np.zeros((9, 9), np.float32),
        "best0": np.zeros((9, 9), np.float32),
    }
    checkpoints.save(tmp_path, 1, arrays, {})
    assert sparsity(tmp_path) == 5 / 8


@pytest.mark.parametrize(
    ("vary", "why"),
    [
        ("l2", "is not KEY=VALUE"),
        ("l2=0", "has one value"),
        ("l2=0,0.0", "repeats a value"),
        ("l2=-1,0", "l2 = '-1' is not allowed; expected float, 0 to 10"),
        ("activation=relu,rleu", "did you mean relu"),
        ("actvation=relu,tanh", "did you mean activation"),
        ("seed=1,2", "--seeds"),
        ("patience=1,2", "no early stopping"),
        ("drop=a,b", "commas"),
        ({"l1": [0, 1], "l2": [0, 1]}, "a study varies one"),
        ({"l1": "0,1"}, "no list of values"),
        ("epochs=1,2", "is varied and given"),
    ],
)
def test_what_cannot_be_varied_is_refused_before_anything_is_made(tmp_path, vary, why):
    with pytest.raises(UsageError, match=why):
        study_of(tmp_path, vary)
    assert not any(tmp_path.iterdir())


def test_early_stopping_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no early stopping"):
        study_of(tmp_path, "l2=0,1", patience=3)


def test_the_command_gives_one_json_value(tmp_path):
    words = ["mlp", "--data", "iris", "--vary", "batch-size=16,full", "--epochs", "1", "--seeds", "1", "--json"]
    done = CliRunner().invoke(command, [*words, "--out", str(tmp_path)], catch_exceptions=False)
    value = json.loads(done.stdout.splitlines()[-1])
    assert [row["value"] for row in value["rows"]] == [16, "full"]
    assert value["settings"]["optimizer"] == "sgd"
    assert value["study"].startswith(str(tmp_path))
    assert "study-mlp-iris-batch_size" in value["study"]
