"""README.md tells the truth: its tour runs, its generated parts are current."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text):
    fenced = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [line for block in fenced for line in block.splitlines() if line.strip()]


def test_the_generated_parts_are_current():
    command = [sys.executable, "-P", str(ROOT / "scripts" / "readme.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_recipe_was_measured_on_the_real_data_with_todays_settings():
    from zoo.catalog import RECIPES
    from zoo.results import measured

    assert set(measured()) == set(RECIPES.names())


@pytest.mark.slow
def test_the_tour_runs_from_a_path_with_a_space(tmp_path):
    """Every command of the tour, in its order, as a user types it."""
    here = tmp_path / "my projects"
    here.mkdir()
    (here / "scripts").symlink_to(ROOT / "scripts")
    data = ROOT.parent / "shared" / "data"
    environment = {**os.environ, "ZOO_HOME": str(tmp_path / "home"), "ZOO_DATA_PATH": str(data)}
    tour = re.search(r"<!-- tour -->(.*?)<!-- end of tour -->", README, re.DOTALL)
    commands = blocks(tour[1])
    assert len(commands) >= 8
    for line in commands:
        done = subprocess.run(
            ["bash", "-c", line], cwd=here, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    (run,) = (here / "runs" / "mnist-cnn").glob("*/run.json")
    manifest = json.loads(run.read_text())
    assert manifest["status"] == "finished"
    if not data.is_dir():
        assert manifest["data"]["stand_in"]


@pytest.mark.slow
@pytest.mark.parametrize("line", blocks(README.split("## Choices of the book")[1].split("## A recipe of your own")[0]))
def test_the_choices_of_the_book_run(line, tmp_path):
    words = line.split("#")[0].split()
    short = [] if "--epochs" in words else ["--epochs", "1"]
    environment = {
        **os.environ,
        "ZOO_HOME": str(tmp_path / "home"),
        "ZOO_DATA_PATH": str(ROOT.parent / "shared" / "data"),
    }
    done = subprocess.run(
        [str(ROOT / words[0]), *words[1:], *short, "--train-samples", "1000"]
        if "--train-samples" not in words
        else [str(ROOT / words[0]), *words[1:], *short],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
