"""A user's own files, from the check to the predictions of a bundle, by the commands a user types: the figures of the
README, reached again on real data."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def zoo(*words, where, code=0):
    environment = {**os.environ, "ZOO_DATA_PATH": "", "ZOO_HOME": str(where / "home")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "zoo", *map(str, words), "--json"],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def real(*parts):
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def copy_of(table, where):
    """A table under another name in a folder with a space."""
    folder = where / "my data"
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(real("tabular", table), folder / f"my {table}"))


def answers(artifact, inputs, where, name):
    out = where / f"{name}.csv"
    zoo("predict", artifact, inputs, "--out", out, where=where)
    with out.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


TABLES = {
    "titanic": ("titanic.csv", ["--target", "survived", "--drop", "alive"], "accuracy", 0.78, 0.01),
    "penguins": ("penguins.csv", ["--target", "species"], "accuracy", 0.97, 0.01),
    "housing": ("california_housing.csv", ["--target", "median_house_value"], "r2", 0.78, 0.02),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_reaches_its_figure_and_its_bundle_answers_the_same(name, tmp_path):
    file, options, metric, least, allowed = TABLES[name]
    table = copy_of(file, tmp_path)
    trained = zoo("train", "mlp", "--data", table, *options, where=tmp_path)
    assert trained["metrics"]["test"][metric] >= least
    assert "gradient_boosting" in trained["baselines"]
    bundle = zoo("export", trained["run"], "--quantize", "int8", where=tmp_path)
    tested = zoo("evaluate", bundle["bundle"], where=tmp_path)
    one_sample = 1 / tested["samples"] if metric == "accuracy" else 0
    assert trained["metrics"]["test"][metric] - tested["metrics"][metric] <= max(allowed, one_sample) + 1e-9
    before, after = (
        answers(what, table, tmp_path, key) for key, what in (("a", trained["run"]), ("b", bundle["bundle"]))
    )
    assert len(before) == len(after)
    if metric == "accuracy":
        changed = sum(one["label"] != other["label"] for one, other in zip(before, after, strict=True))
        assert changed <= 0.02 * len(before)


def test_a_column_that_gives_the_target_away_stops_the_training(tmp_path):
    table = copy_of("titanic.csv", tmp_path)
    refused = zoo("train", "mlp", "--data", table, "--target", "survived", where=tmp_path, code=3)
    assert "'alive'" in refused["error"]
    assert "--drop alive" in refused["error"]


def test_auto_mpg_comes_near_gradient_boosting_or_says_that_it_does_not(tmp_path):
    table = copy_of("mpg.csv", tmp_path)
    trained = zoo("train", "mlp", "--data", table, "--target", "mpg", where=tmp_path)
    network, boosting = (
        part["mae"] for part in (trained["metrics"]["test"], trained["baselines"]["gradient_boosting"])
    )
    assert network <= 1.05 * boosting or "beats the network" in trained["verdict"]
    bundle = zoo("export", trained["run"], "--quantize", "int8", where=tmp_path)
    assert zoo("evaluate", bundle["bundle"], where=tmp_path)["metrics"]["mae"] <= 1.05 * network


def test_photographs_beat_their_linear_baseline(tmp_path):
    photos = real("flowers_mini")
    checked = zoo("data", "check", photos, where=tmp_path)
    assert checked["ok"]
    trained = zoo("train", "convnet", "--data", photos, where=tmp_path)
    accuracy = trained["metrics"]["test"]["accuracy"]
    assert accuracy >= trained["baselines"]["logistic"]["accuracy"] + 0.15
    bundle = zoo("export", trained["run"], "--quantize", "int8", where=tmp_path)
    assert accuracy - zoo("evaluate", bundle["bundle"], where=tmp_path)["metrics"]["accuracy"] <= 0.01
    before, after = (
        answers(what, photos / "roses", tmp_path, key) for key, what in (("a", trained["run"]), ("b", bundle["bundle"]))
    )
    assert len(before) == 240
    assert sum(one["label"] != other["label"] for one, other in zip(before, after, strict=True)) <= 10
