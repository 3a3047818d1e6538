"""The winner: trained again on all but the test split, then tested, and what search promised stands beside it."""

import json
from dataclasses import replace

import numpy as np
import pytest

import zoo
from export.child import Child
from tuning.books import Books
from tuning.final import retrain
from tuning.plan import Limits, Plan
from tuning.running import RecipeRunner
from tuning.trial import Trial
from zoo.errors import GateError, UsageError
from zoo.inference import evaluate
from zoo.runs import Run, read_json


def quiet(event):
    return None


def searched(folder, *names, values=None, **plan):
    """Books with one completed trial."""
    given = {"epochs": 4, "tensorboard": False, **plan.pop("given", {})}
    books = Books.create(folder / "search", Plan(names=names or ("digits-mlp",), given=given, **plan))
    trial = Trial(id="0000", values=values or {}, proposed=values or {}, created=0)
    books.write(trial)
    with RecipeRunner(books) as runner:
        done = runner.run(trial, lambda progress: True)
    books.write(done)
    return books, done


@pytest.fixture(scope="module")
def winner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a folder")
    books, trial = searched(folder, values={"units": 24})
    return books, trial, retrain(books, trial, out=folder / "runs", listener=quiet)


def test_it_is_trained_on_training_and_validation_split(winner):
    books, trial, final = winner
    searched_on = Run(books.folder(trial)).manifest.data["samples"]
    trained_on = final.run.manifest.data["samples"]
    assert searched_on == {"train": 1294, "validation": 144, "test": 359}
    assert trained_on == {"train": 1366, "validation": 72, "test": 359}
    assert "1,366 samples for" in final.notes[0]


def test_it_has_the_epochs_that_the_search_found_and_keeps_the_last_weights(winner):
    _, trial, final = winner
    assert final.run.manifest.epochs == {"done": trial.best, "best": trial.best}
    assert final.run.metrics["test"] == final.run.metrics["last"]["test"]
    assert (final.run.path.parent.name, final.run.manifest.status) == ("digits-mlp-tuned", "finished")


def test_its_config_repeats_it(winner, tmp_path):
    *_, final = winner
    again = zoo.train(str(final.run.path / "config.toml"), out=tmp_path)
    assert again.metrics == final.run.metrics
    for one, two in zip(again.model.get_weights(), final.run.model.get_weights(), strict=True):
        assert np.array_equal(one, two)


def test_what_the_search_promised_stands_in_the_run_and_in_its_report(winner):
    books, trial, final = winner
    said = read_json(final.run.path / "run.json")["search"]
    assert (said["folder"], said["trial"], said["objective"]) == (str(books.path), trial.id, "accuracy")
    assert said["validation"] == final.search_score == trial.score
    assert said["test"] == final.metrics["accuracy"] == evaluate(final.run.path).metrics["accuracy"]
    assert final.optimism == pytest.approx(trial.score - final.metrics["accuracy"])
    page = (final.run.path / "report.html").read_text()
    assert "Chosen by a search, trial 0000: accuracy" in page
    assert final.run.manifest.files["report.html"] == Run(final.run.path).checksums()["report.html"]


def test_the_weights_of_the_trial_can_be_kept_and_are_then_tested(winner, tmp_path):
    books, trial, _ = winner
    final = retrain(books, trial, out=tmp_path, name="own name", listener=quiet, keep_as_it_is=True)
    kept = Run(books.folder(trial))
    for one, two in zip(final.run.model.get_weights(), kept.model.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert final.run.path.parent.name == "own-name"
    assert final.run.metrics["validation"]["accuracy"] == trial.score
    assert final.metrics["accuracy"] == evaluate(kept.path).metrics["accuracy"]
    assert final.run.manifest.baselines["logistic"]["accuracy"] > 0.9
    assert final.run.manifest.data["samples"]["validation"] == 144
    assert json.loads((final.run.path / "run.json").read_text())["status"] == "finished"


def test_weights_that_were_not_kept_are_named(winner, tmp_path):
    books, trial, _ = winner
    other = Trial(id="0007", values=trial.values, proposed={}, created=9, status="completed", score=0.5)
    with pytest.raises(UsageError, match="0007 kept no weights"):
        retrain(books, other, out=tmp_path, listener=quiet, keep_as_it_is=True)


@pytest.mark.slow
def test_a_schedule_over_the_whole_training_is_not_cut_short(tmp_path):
    books, trial = searched(
        tmp_path, "diabetes-mlp", objective="rmse", smaller_is_better=True, given={"schedule": "cosine", "patience": 2}
    )
    trial = replace(trial, best=2, done=3)
    final = retrain(books, trial, out=tmp_path / "runs", listener=quiet)
    assert final.run.manifest.epochs["done"] == 4
    assert final.optimism == pytest.approx(final.metrics["rmse"] - trial.score)
    text = (final.run.path / "config.toml").read_text()
    assert 'monitor = "last"' in text
    assert "patience = 0" in text


@pytest.mark.slow
def test_a_validation_part_that_the_data_say_stays_out(tmp_path):
    generator = np.random.default_rng(0)
    rows = ["a,b,part,kind"]
    for index in range(80):
        part = ("train", "train", "validation", "test")[index % 4]
        a, b = generator.normal(index % 3, 1, 2)
        rows.append(f"{a:.4f},{b:.4f},{part},{'xyz'[index % 3]}")
    (tmp_path / "own.csv").write_text("\n".join(rows) + "\n")
    given = {"target": "kind", "split": "column:part", "epochs": 2}
    books, trial = searched(tmp_path, "mlp", data=str(tmp_path / "own.csv"), given=given)
    final = retrain(books, trial, out=tmp_path / "runs", listener=quiet)
    assert final.run.manifest.data["samples"] == {"train": 40, "validation": 20, "test": 20}
    assert "the data say which 20 samples validate" in final.notes[0]


@pytest.fixture(scope="module")
def child():
    with Child() as started:
        yield started


def planned(books, **changes):
    return Books(books.path, replace(books.plan, **changes))


@pytest.mark.slow
def test_what_ships_is_what_is_tested(winner, child, tmp_path):
    books, trial, _ = winner
    final = retrain(planned(books, quantize="int8"), trial, out=tmp_path, listener=quiet, child=child)
    assert final.bundle == final.run.path / "export/tflite-int8"
    assert final.exported == evaluate(final.bundle).metrics
    assert final.optimism == pytest.approx(trial.score - final.exported["accuracy"])
    assert final.run.manifest.search["exported"] == final.exported
    assert "of the int8 file" in (final.run.path / "report.html").read_text()


def test_a_winner_over_its_limits_is_a_finished_run_all_the_same(winner, child, tmp_path):
    books, trial, _ = winner
    tight = planned(books, quantize="float32", limits=Limits(flash=1000))
    with pytest.raises(GateError) as caught:
        retrain(tight, trial, out=tmp_path, listener=quiet, child=child)
    run = Run(caught.value.run)
    assert run.manifest.status == "finished"
    assert run.manifest.search["validation"] == trial.score
