"""`zoo tune` as a user meets it: one process, small data, every way to end."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuning.books import Books
from tuning.launching import tune
from tuning.plan import Plan
from tuning.roles import TrialEnded
from tuning.trial import Trial
from zoo.cli.tune import command
from zoo.errors import DataError, DivergedError, GateError, InterruptedRunError, LockedError, UsageError
from zoo.runs import Run, locked, read_json

SPACE = ("units=4,8,16", "learning_rate=1e-3:1e-1:log", "l2")


PAGES = ("tuning.conducting.write_page", "tuning.launching.write_page", "zoo.training.session.write_report")


@pytest.fixture(autouse=True)
def without_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and reports take most of a tiny search's time, and have tests of their own."""
    for place in PAGES:
        monkeypatch.setattr(place, lambda *_: None)


def searched(out: Path, **changes: Any) -> Any:
    return tune("iris-mlp", **{"space": SPACE, "trials": 4, "epochs": 3, "out": out, **changes})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for place in PAGES:
            patch.setattr(place, lambda *_: None)
        return searched(tmp_path_factory.mktemp("all runs"))


def test_the_winner_is_trained_again_and_only_then_tested(found: Any) -> None:
    assert [trial.status for trial in found.trials] == ["completed"] * 4
    assert all(set(trial.metrics) == {"train", "validation"} for trial in found.trials)
    run = found.run
    assert run.path.parent.name == "iris-mlp-tuned"
    assert run.manifest.metrics["test"]["accuracy"] > 0.3
    assert run.manifest.data["samples"]["train"] > Run(found.folder()).manifest.data["samples"]["train"]
    assert read_json(found.path / "search.json")["run"] == str(run.path)
    assert found.trials[0].values["units"] == 16, "the recipe as it stands comes first"


def test_a_finished_search_that_is_resumed_does_nothing_again(found: Any) -> None:
    again = tune(None, resume=found.path)
    assert again.run.path == found.run.path
    assert [trial.to_json() for trial in again.trials] == [trial.to_json() for trial in found.trials]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_trials_and_another_gives_others(found: Any, tmp_path: Path) -> None:
    same, other = (searched(tmp_path / str(seed), trials=2, seed=seed, no_retrain=True) for seed in (0, 1))
    assert [trial.values for trial in same.trials] == [trial.values for trial in found.trials[:2]]
    assert [trial.score for trial in same.trials] == [trial.score for trial in found.trials[:2]]
    assert other.trials[1].values != same.trials[1].values
    assert same.run.manifest.metrics["validation"] == pytest.approx(same.best.metrics["validation"], rel=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": ["units=4,8"]}, "space was units  4, 8, 16; .*, is units  4, 8"),
        ({"quantize": "int8"}, "quantize was None, is 'int8'"),
        ({"epochs": 4}, "knobs have changed"),
        ({"objective": "loss"}, "objective was 'accuracy', is 'loss'"),
        ({"names": "wine-mlp"}, "another search: random over iris-mlp"),
        ({"tuner": "grid"}, "another search: random over iris-mlp"),
        ({"names": "iris-mlp", "repeats": 2}, "repeats was 1, is 2"),
        ({"max_flash": "64k"}, "limits was"),
    ],
)
def test_a_resume_with_a_changed_search_is_refused_and_says_what_changed(
    found: Any, change: dict[str, Any], words: str
) -> None:
    before = (found.path / "search.json").read_bytes()
    with pytest.raises((UsageError, DataError), match=words):
        tune(**{"names": None, "resume": found.path, **change})
    assert (found.path / "search.json").read_bytes() == before


def test_a_resume_that_repeats_what_was_said_goes_on(found: Any, tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    shutil.copytree(found.path, copy)
    again = tune("iris-mlp", resume=copy, space=SPACE, epochs=3, trials=5, out=tmp_path)
    assert len(again.trials) == 5


def test_a_torn_record_is_told_and_its_trial_run_again(found: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(found.path, copy)
    (copy / "trials" / "0002" / "trial.json").write_text('{"id": "0002", "val')
    said: list[str] = []
    again = tune(None, resume=copy, out=tmp_path, on_event=lambda event: said.append(str(getattr(event, "text", ""))))
    assert any("0002" in line for line in said)
    assert again.trials[2].values == found.trials[2].values
    assert again.trials[2].score == found.trials[2].score


@pytest.mark.parametrize("damage", ["", '{"names": 3}', "no json"])
def test_a_damaged_plan_is_reported_and_nothing_starts_anew(found: Any, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(found.path, copy)
    (copy / "search.json").write_text(damage)
    with pytest.raises(DataError, match=r"search\.json"):
        tune(None, resume=copy)
    assert (copy / "search.json").read_text() == damage


def test_a_folder_that_is_searched_already_is_left_alone(found: Any) -> None:
    with locked(found.path), pytest.raises(LockedError, match="in use by another process"):
        tune(None, resume=found.path)


@pytest.mark.slow
def test_ctrl_c_finishes_the_books_and_tells_the_best(tmp_path: Path) -> None:
    def press(event: Any) -> None:
        if isinstance(event, TrialEnded) and event.trial.id == "0001":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedRunError, match=r"best so far is trial \d+ .*zoo tune --resume") as error:
        searched(tmp_path, on_event=press)
    folder = error.value.run
    assert folder is not None
    assert read_json(folder / "search.json")["status"] == "interrupted"
    assert (folder / "trials.csv").read_text().count("\n") == 3
    assert not (tmp_path / "iris-mlp-tuned").exists()
    again = tune(None, resume=folder, out=tmp_path)
    assert [trial.attempt for trial in again.trials] == [1] * 4


@pytest.mark.slow
def test_time_that_is_over_ends_the_search_with_what_there_is(tmp_path: Path) -> None:
    short = searched(tmp_path, trials=10_000, max_time=4)
    ended = [trial for trial in short.trials if trial.status == "completed"]
    assert 0 < len(ended) < 10_000
    assert short.run.manifest.status == "finished"


OWN = '''
import keras

def build(inputs, outputs, *, units: int = 4, kind: int = 0):
    """Fails in every way that a builder can."""
    if kind == 1:
        raise ValueError("no such kind")
    if kind == 2:
        return None
    start = keras.Input(inputs.shape)
    scale = float("nan") if kind == 3 else 1.0
    x = keras.layers.Rescaling(scale)(start)
    return keras.Model(start, keras.layers.Dense(outputs.shape[-1], activation=outputs.activation)(x))
'''


@pytest.mark.slow
def test_failures_are_data_and_exit_5_says_why_when_there_is_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_builder.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    name = "failing_builder:build"
    some = tune(name, data="iris", space=["kind=0,1,2,3"], tuner="grid", trials=4, epochs=2, out="some runs")
    assert [trial.status for trial in some.trials] == ["completed", "failed", "failed", "failed"]
    reasons = [trial.reason for trial in some.trials]
    assert "no such kind" in reasons[1]
    assert "returned NoneType" in reasons[2]
    assert reasons[3].startswith("diverged")
    with pytest.raises(DivergedError, match=r"every trial failed: .*no such kind") as error:
        tune(name, data="iris", space=["kind=1,2,3"], tuner="grid", trials=3, epochs=2, out="none")
    assert error.value.run is not None
    assert read_json(error.value.run / "search.json")["status"] == "failed"


@pytest.mark.slow
def test_what_does_not_fit_costs_no_training_and_nothing_fits_shows_the_smallest(tmp_path: Path) -> None:
    fitting = searched(
        tmp_path, space=["units=4,1024"], tuner="grid", trials=2, quantize="int8", max_flash="16k", max_macs="100k"
    )
    small, large = sorted(fitting.trials, key=lambda trial: trial.values["units"])
    assert (small.status, large.status) == ("completed", "rejected")
    assert small.score == small.metrics["exported"]["accuracy"]
    assert large.done == 0
    assert fitting.final.bundle is not None
    assert (fitting.final.bundle / "model.tflite").stat().st_size <= 16 * 1024
    with pytest.raises(GateError, match=r"nothing fits: all .* the smallest, trial"):
        searched(tmp_path, space=["units=64,128"], tuner="grid", trials=2, max_flash="1k", quantize="int8")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["iris-mlp", "--space", "unit=4,8"], 2, "did you mean units"),
        (["iris-mlp", "--space", "units=9:3"], 2, "units"),
        (["iris-mlp", "--space", "units="], 2, "is empty"),
        (["iris-mlp", "--space", "dropout=0:3"], 2, "dropout"),
        (["iris-mlp", "--space", "seed=1,2"], 2, "seed cannot be searched"),
        (["iris-mlp", "--space", "units=1:64", "--tuner", "grid", "--trials", "2"], 2, "more than the 2 trials"),
        (["iris-mlp", "--objective", "mae"], 2, "choose one of loss, accuracy"),
        (["iris-mlp", "--max-time", "soon"], 2, "is no time"),
        (["diabetes-mlp", "--objective", "loss", "--space", "loss=mse,mae"], 2, "losses of different loss are not"),
        (["iris-mlp", "--chief", "localhost"], 2, "HOST:PORT"),
        (["iris-mlp", "--max-flash", "much"], 2, "much"),
        (["iris-mlp", "--max-latency", "2"], 2, "2ms"),
        (["iris-mlp", "--max-arena", "32k", "--quantize", "float16"], 2, "not float16"),
        (["iris-mlp,iris-mlp"], 2, "repeats a name"),
        (["iris-mlp,wine-mlp"], 2, "on one data set"),
        (["iris-mpl"], 2, "did you mean iris-mlp"),
        (["--resume", "nowhere"], 2, "is not a search"),
        ([], 2, "give a recipe"),
        (["iris-mlp", "--quantize", "auto"], 2, "auto"),
        (["iris-mlp", "--trials", "0"], 2, "x>=1"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    done = CliRunner().invoke(command, [*words, "--out", str(tmp_path / "runs")])
    text = f"{done.output} {done.exception}"
    found = getattr(done.exception, "exit_code", done.exit_code)
    assert (found, said in text) == (code, True), text
    assert not list((tmp_path / "runs").rglob("trial.json"))


def test_json_has_the_keys_that_scripts_rely_on(tmp_path: Path) -> None:
    words = ["wine-mlp", "--trials", "2", "--epochs", "2", "--space", "units=4,8", "--no-retrain", "--json"]
    done = CliRunner().invoke(command, [*words, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout.splitlines()[-1])
    assert Run(value["run"]).manifest.status == "finished"
    assert value["best"] in {trial["id"] for trial in value["trials"]}
    for trial in value["trials"]:
        assert {"id", "status", "values", "score", "reason", "bytes", "arena_bytes"} <= set(trial)
    books = Books.open(Path(value["search"]))
    assert [trial.id for trial in books.trials()[0]] == [trial["id"] for trial in value["trials"]]


def test_weights_that_lost_go_and_what_a_user_exported_from_stays(tmp_path: Path) -> None:
    """Scores that rise from trial to trial: each is the best when it ends."""
    books = Books.create(tmp_path / "search", Plan(names=("iris-mlp",), keep=1))
    for number in range(4):
        trial = Trial(id=f"{number:04d}", values={}, proposed={}, created=2 * number, ended=2 * number + 1)
        folder = books.folder(trial)
        (folder / "samples").mkdir(parents=True)
        for name in ("model.keras", "run.json", "history.csv", "config.toml"):
            (folder / name).write_text("{}")
        if number == 1:
            (folder / "export" / "tflite-int8").mkdir(parents=True)
        if number == 2:
            (folder / "run.json").unlink()  # killed before it was written, or a search over a build(hp) of one's own
        books.write(replace(trial, status="completed", score=0.5 + number / 10))
        books.prune()
    assert sorted(path.parent.name for path in tmp_path.rglob("model.keras")) == ["0001", "0003"]
    assert len(list(tmp_path.rglob("history.csv"))) == 4
    assert not (books.folder("0000") / "samples").exists()
