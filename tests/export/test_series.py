"""A series of one's own from recordings to the device: trained, exported, asked there, measured and streamed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
import zoo
from export.child import Child
from tests.zoo.data.series.test_reading import folder_of, irregular, wave, write
from zoo.inference import evaluate
from zoo.inference.predictor import Predictor
from zoo.inference.readers import Inputs

STEPS, HOP = 20, 10


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("my waves"), count=8, steps=60)


@pytest.fixture(scope="module")
def run(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    options = {"window": STEPS, "hop": HOP, "epochs": 12, "filters": 6, "blocks": 2, "seed": 1}
    return zoo.train("conv1d", data=str(recordings), out=tmp_path_factory.mktemp("runs"), learning_rate=0.01, **options)


@pytest.fixture(scope="module")
def bundle(run: Any, child: Child) -> export.Bundle:
    return export.to_tflite(run, quantize="int8", child=child)


def test_it_learns_what_tells_the_classes_apart(run: Any) -> None:
    assert run.metrics["test"]["accuracy"] > 0.95


def test_the_bundle_says_how_recordings_are_cut(bundle: export.Bundle) -> None:
    assert bundle.manifest["input"]["hop"] == HOP
    assert bundle.manifest["input"]["columns"] == ["x", "y"]
    assert bundle.manifest["stream"]["hop"] == HOP


def test_the_program_of_the_bundle_answers_recordings_as_the_run_does(
    run: Any, bundle: export.Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "a take.csv"
    write(path, wave(60, "fast", seed=99))
    program = [sys.executable, str(bundle.path / "predict.py"), str(path), "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["predictions"]
    assert [answer["input"] for answer in answers] == [f"{path}:{at + 1}-{at + STEPS}" for at in range(0, 41, HOP)]
    assert [answer["label"] for answer in answers] == ["fast"] * 5
    windows = np.stack([np.loadtxt(path, delimiter=",", skiprows=1)[at : at + STEPS] for at in range(0, 41, HOP)])
    assert Predictor.open(run.path).predict(windows.astype(np.float32)).argmax(axis=1).tolist() == [0] * 5


def test_a_run_and_its_bundle_are_measured_on_other_recordings(run: Any, bundle: export.Bundle, tmp_path: Path) -> None:
    folder_of(tmp_path / "more", count=3, steps=60)
    for artifact in (run.path, bundle.path):
        found = evaluate(artifact, data=str(tmp_path / "more"))
        assert found.samples == 2 * 3 * 5
        assert found.metrics["accuracy"] > 0.9


def test_recordings_of_unlike_steps_are_brought_to_the_rate_in_the_bundle_too(child: Child, tmp_path: Path) -> None:
    root = irregular(tmp_path / "unsteady walks", gap=2.0, steps=80)
    options = {"window": STEPS, "rate": 10.0, "epochs": 2, "filters": 4, "blocks": 1, "validation": 0.4, "seed": 1}
    run = zoo.train("conv1d", data=str(root), out=tmp_path / "runs", **options)
    bundle = export.to_tflite(run, quantize="float32", child=child)
    path = root / "slow" / "0.csv"
    done = subprocess.run(
        [sys.executable, str(bundle.path / "predict.py"), str(path), "--json"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["predictions"]
    inputs = Inputs([path], Predictor.open(run.path).contract)
    names = [name for chunk in inputs for name in chunk.names]
    assert [answer["input"] for answer in answers] == names
    assert len(names) >= 2
    assert ", lines 2 to 41" in names[0]
    others = str(irregular(tmp_path / "other walks", steps=40))
    found = evaluate(run.path, data=others), evaluate(bundle.path, data=others)
    assert found[0].samples == found[1].samples >= 12
    assert found[0].metrics["accuracy"] == found[1].metrics["accuracy"]


@pytest.mark.slow
def test_a_search_takes_it(recordings: Path, tmp_path: Path) -> None:
    found = zoo.tuning.tune(
        "conv1d",
        data=str(recordings),
        space=["filters=4,6"],
        tuner="grid",
        trials=2,
        out=tmp_path,
        no_retrain=True,
        window=STEPS,
        hop=HOP,
        epochs=1,
        blocks=1,
    )
    assert {trial.status for trial in found.trials} == {"completed"}
