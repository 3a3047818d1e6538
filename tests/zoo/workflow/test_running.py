"""`zoo run` on a small CSV of the user's own: what is done, what is skipped, what is refused."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from zoo import runs
from zoo.cli.run import command
from zoo.errors import InterruptedRunError, UsageError
from zoo.training import EpochDone
from zoo.workflow import run

RECIPE = """
builder = "mlp"
[data]
dataset = "points.csv"
target = "kind"
[hyperparameters]
units = 4
[training]
epochs = 3
learning_rate = 0.05
batch_size = 8
tensorboard = false
"""
EXPORT = """
[export]
formats = ["tflite-int8"]
quantize = ["float32"]
max_drop = 50
"""


@pytest.fixture(autouse=True)
def without_report(monkeypatch):
    """Half of a tiny training's time is its report, which has tests of its own."""
    monkeypatch.setattr("zoo.training.session.write_report", lambda run: None)
    monkeypatch.setattr("zoo.workflow.running.write_report", lambda run: None)


def write_points(folder, seed=0):
    generator = np.random.default_rng(seed)
    lines = ["a,b,kind"]
    for index in range(120):
        a, b = generator.normal((3 * (index % 2), -2 * (index % 2)))
        lines.append(f"{a:.3f},{b:.3f},{('no', 'yes')[index % 2]}")
    (folder / "points.csv").write_text("\n".join(lines) + "\n")


def write_recipe(folder, more=EXPORT, recipe=RECIPE):
    (folder / "points.toml").write_text(recipe + more)


class Project:
    """A folder with a recipe and its data; runs lie elsewhere."""

    def __init__(self, folder):
        self.folder = folder / "my project"
        self.folder.mkdir()
        self.out = folder / "all runs"
        write_points(self.folder)
        write_recipe(self.folder)

    def run(self, **options):
        return run(self.folder / "points.toml", out=self.out, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project that was run once; a test that changes its files makes them good again."""
    project = Project(tmp_path_factory.mktemp("points"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.training.session.write_report", lambda run: None)
        patch.setattr("zoo.workflow.running.write_report", lambda run: None)
        project.first = project.run()
    return project


ALL = ("train", "export tflite-int8", "export tflite-float32")


def test_it_trains_exports_verifies_and_measures(made):
    first = made.first
    assert first.ok
    assert first.skipped == ()
    assert [bundle.name for bundle in first.bundles] == ["tflite-int8", "tflite-float32"]
    for bundle in first.bundles:
        assert bundle.verify["ok"]
        assert runs.is_run(bundle.path.parent.parent)
        assert bundle.bytes == (bundle.path / "model.tflite").stat().st_size
    assert first.bundles[1].metrics["accuracy"] == first.run.metrics["test"]["accuracy"]


def test_a_second_run_does_nothing_and_says_the_same(made):
    before = {path: path.stat().st_mtime_ns for path in made.first.run.path.rglob("*") if path.is_file()}
    again = made.run()
    after = {path: path.stat().st_mtime_ns for path in made.first.run.path.rglob("*") if path.is_file()}
    assert again.skipped == ALL
    assert after == before
    assert len(list(made.out.glob("points/*/run.json"))) == 1
    assert [bundle.metrics for bundle in again.bundles] == [bundle.metrics for bundle in made.first.bundles]
    assert again.gates == made.first.gates


def test_where_all_is_there_no_framework_is_started(made):
    code = """
import sys
from zoo.workflow import run
outcome = run(sys.argv[1], out=sys.argv[2])
assert len(outcome.skipped) == 3, outcome.skipped
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    words = [sys.executable, "-P", "-c", code, str(made.folder / "points.toml"), str(made.out)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_other_export_options_export_again_without_training(made):
    write_recipe(made.folder, EXPORT.replace("max_drop = 50", "max_drop = 60").replace('["float32"]', "[]"))
    changed = made.run()
    write_recipe(made.folder)
    assert changed.skipped == ("train",)
    assert [bundle.name for bundle in changed.bundles] == ["tflite-int8"]
    assert made.run().skipped == ("train", "export tflite-float32")


@pytest.mark.slow
def test_a_bundle_with_a_changed_byte_is_made_again(made):
    model = made.first.bundles[1].path / "model.tflite"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert made.run().skipped == ("train", "export tflite-int8")
    assert model.read_bytes() == whole


@pytest.mark.slow
def test_changed_data_a_changed_knob_and_a_damaged_model_train_again(made, tmp_path):
    project = Project(tmp_path)
    write_recipe(project.folder, "")
    first = project.run()
    assert project.run().skipped == ("train",)
    (first.run.path / "model.keras").write_bytes(b"damaged")
    second = project.run()
    assert second.skipped == ()
    write_points(project.folder, seed=1)
    third = project.run()
    assert third.skipped == ()
    assert third.run.manifest.data["sha256"] != second.run.manifest.data["sha256"]
    write_recipe(project.folder, "", RECIPE.replace("units = 4", "units = 5"))
    assert project.run().skipped == ()
    assert project.run(force=True).skipped == ()
    write_recipe(project.folder, "")
    write_points(project.folder, seed=1)
    assert project.run().run.path == third.run.path


def test_an_interrupted_run_goes_on_with_the_same_command(tmp_path):
    project = Project(tmp_path)
    write_recipe(project.folder, "")

    def interrupt(event):
        if isinstance(event, EpochDone) and event.row["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRunError, match="same command"):
        project.run(on_event=interrupt)
    outcome = project.run()
    assert outcome.run.manifest.status == "finished"
    assert outcome.run.manifest.epochs["done"] == 3
    assert len(list(project.out.glob("points/*/run.json"))) == 1


def test_every_missed_requirement_is_named_and_exits_7(made):
    write_recipe(made.folder, EXPORT + '[require]\naccuracy = 1.0\nmax_bytes = "0.1k"\nmacro_f1 = 0.01\n')
    words = [str(made.folder / "points.toml"), "--out", str(made.out), "--json"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    write_recipe(made.folder)
    value = json.loads(done.stdout.splitlines()[-1])
    missed = {(gate["of"], gate["key"]) for gate in value["gates"] if not gate["ok"]}
    perfect = {name for name in ("tflite-int8", "tflite-float32") if (name, "accuracy") not in missed}
    assert done.exit_code == value["exit_code"] == 7
    assert value["ok"] is False
    assert {("tflite-int8", "max_bytes"), ("tflite-float32", "max_bytes")} <= missed
    assert ("run", "macro_f1") not in missed
    for of, key in missed:
        assert f"{of}: {key}" in value["error"]
    for name in perfect:
        assert next(b for b in value["bundles"] if b["name"] == name)["metrics"]["accuracy"] == 1.0
    assert value["skipped"] == list(ALL)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('[export]\nformts = ["tflite-int8"]', r"\[export\] has no key 'formts'; did you mean formats"),
        ("[export]", "names no format"),
        ('[export]\nquantize = "int8"', "is no list of names"),
        ('[export]\nformats = ["tflit-int8"]', "did you mean tflite-int8"),
        ('[export]\nformats = ["tflite-int9"]', "tflite-int9: quantization mode 'int9' is unknown"),
        ('[export]\nformats = ["saved_model-int8"]', "a SavedModel is float32"),
        ('[export]\nformats = ["tflite-int8"]\nquantize = ["int8"]', "names tflite-int8 twice"),
        ('[export]\nformats = ["tflite"]\nmax_drop = "1"', "max_drop = '1' is not allowed"),
        ("[require]\naccuracies = 0.9", "did you mean accuracy"),
        ('[require]\nmax_bytes = "64q"', 'such as max_bytes = "64k"'),
        ("[require]\naccuracy = 95", "can never be met"),
        ("[require]\nr2 = 0.9", "r2 does not fit a binary task"),
        ("[exports]\nformats = []", "unknown key 'exports'; did you mean export"),
    ],
)
def test_a_file_with_a_mistake_is_refused_before_anything_is_trained(tmp_path, more, why):
    project = Project(tmp_path)
    write_recipe(project.folder, more)
    with pytest.raises(UsageError, match=why):
        project.run()
    assert not list(project.out.rglob("run.json"))


def test_what_is_no_toml_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no TOML file"):
        run("mnist-cnn", out=tmp_path)


def test_a_builder_beside_the_file_is_found_from_anywhere_and_its_code_counts(tmp_path, monkeypatch):
    project = Project(tmp_path)
    (project.folder / "nearby_models.py").write_text(
        '''"""Mine."""


def narrow(inputs, outputs, *, width=3):
    """A narrow net."""
    import keras

    start = keras.Input(inputs.shape)
    inner = keras.layers.Dense(width, activation="relu")(start)
    return keras.Model(start, keras.layers.Dense(1, activation="sigmoid")(inner))
'''
    )
    own = RECIPE.replace('"mlp"', '"nearby_models:narrow"').replace("units = 4", "width = 2")
    write_recipe(project.folder, "", own)
    monkeypatch.chdir(tmp_path)
    first = project.run()
    assert first.run.manifest.parameters == 2 * 2 + 2 + 2 + 1
    assert project.run().skipped == ("train",)
    with (project.folder / "nearby_models.py").open("a") as file:
        file.write("# changed\n")
    assert project.run().skipped == ()


@pytest.mark.slow
def test_a_run_that_lost_the_samples_its_exports_are_judged_on_is_no_earlier_run(tmp_path):
    project = Project(tmp_path)
    first = project.run()
    (first.run.path / "samples" / "validation.npz").unlink()
    assert project.run().run.path != first.run.path


TUNE = """
[tune]
trials = 3
space = ["units=2,4,8"]
tuner = "grid"
[export]
formats = ["tflite-float32"]
"""


@pytest.mark.slow
def test_a_file_with_a_search_exports_its_winner_and_does_not_search_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("tuning.conducting.write_page", lambda *_: None)
    monkeypatch.setattr("tuning.launching.write_page", lambda *_: None)
    write_points(tmp_path)
    write_recipe(tmp_path, more=TUNE)
    first = run(tmp_path / "points.toml", out=tmp_path / "runs")
    assert first.run.path.parent.name == "points-tuned"
    assert first.run.manifest.metrics["test"]["accuracy"] > 0.5
    assert [(bundle.name, bundle.problem) for bundle in first.bundles] == [("tflite-float32", "")]
    again = run(tmp_path / "points.toml", out=tmp_path / "runs")
    assert again.run.path == first.run.path
    assert again.skipped == ("tune", "export tflite-float32")
    (search,) = (tmp_path / "runs" / "tune-points").glob("*/search.json")
    assert json.loads(search.read_text())["status"] == "finished"
    write_recipe(tmp_path, more=TUNE.partition("[export]")[0].replace("2,4,8", "2,4,6"))
    assert run(tmp_path / "points.toml", out=tmp_path / "runs").run.path != first.run.path


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("trails = 3", "did you mean trials"),
        ("trials = 0", r"points.toml: \[tune\] trials = 0 is not allowed"),
        ('space = ["unit=1,2"]', "did you mean units"),
        ('tuner = "best"', "tuner 'best' is unknown"),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_the_file(tmp_path, table, words):
    write_points(tmp_path)
    write_recipe(tmp_path, more=f"[tune]\n{table}\n")
    with pytest.raises(UsageError, match=words):
        run(tmp_path / "points.toml", out=tmp_path / "runs")
