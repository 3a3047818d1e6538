"""Anomalies from a table of one's own to the device: trained on what is normal, thresholded, exported, asked there."""

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
from zoo import runs
from zoo.errors import ModelError, UsageError
from zoo.inference import evaluate
from zoo.inference.predictor import Predictor

COLUMNS = ("flow", "power", "heat", "noise")
OPTIONS: dict[str, Any] = {"units": 8, "layers": 1, "bottleneck": 1, "epochs": 20, "learning_rate": 0.01, "seed": 1}


def write(path: Path, *, normal: int, torn: int, seed: int) -> Path:
    """A pump: its numbers hang together, those of a torn one do not."""
    generator = np.random.default_rng(seed)
    load = generator.normal(size=(normal, 1))
    fine = load * [1.0, 20.0, -3.0, 0.5] + generator.normal(0, 0.3, (normal, 4)) * [1.0, 20.0, 3.0, 0.5]
    rows = [(*row, "fine") for row in fine] + [
        (*row, "torn") for row in generator.normal(size=(torn, 4)) * [1.0, 20.0, 3.0, 0.5]
    ]
    lines = [",".join([*(f"{value:.6g}" for value in row[:-1]), row[-1]]) for row in rows]
    path.write_text("\n".join([",".join((*COLUMNS, "state")), *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("my pumps") / "pumps.csv", normal=1200, torn=100, seed=0)


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    options = {"target": "state", "normal": "fine", **OPTIONS}
    return zoo.train("autoencoder", data=str(table), out=tmp_path_factory.mktemp("runs"), **options)


@pytest.fixture(scope="module")
def bundle(run: runs.Run, child: Child) -> export.Bundle:
    return export.to_tflite(run, quantize="int8", child=child)


def test_what_does_not_hang_together_scores_higher(run: runs.Run) -> None:
    assert run.metrics["test"]["auc"] > 0.95
    assert run.metrics["test"]["auc"] > run.manifest.baselines["distance"]["auc"]


def test_the_threshold_leaves_the_stated_share_of_normal_samples_above_it(run: runs.Run) -> None:
    arrays = runs.read_npz(run.path / runs.PREDICTIONS)
    above = (arrays["validation_outputs"][:, 0] > run.manifest.threshold).sum()
    assert above == int(0.05 * len(arrays["validation_outputs"]))
    assert runs.read_json(run.path / runs.PREPROCESSING)["output"]["threshold"] == run.manifest.threshold


def test_the_report_shows_both_kinds_of_scores_and_the_threshold(run: runs.Run) -> None:
    assert (run.path / runs.PLOTS / "scores.png").is_file()
    assert f"threshold {run.manifest.threshold:.3g}" in (run.path / runs.REPORT).read_text()


@pytest.mark.parametrize("mode", ["float32", "float16", "int8", "int16x8"])
def test_every_mode_that_changes_such_small_weights_keeps_the_decision(
    run: runs.Run, child: Child, mode: str, tmp_path: Path
) -> None:
    made = export.to_tflite(run, quantize=mode, child=child, out=tmp_path / "a bundle")
    assert made.parity["agreement"] >= 0.95
    assert made.parity["metric"] == "accuracy"  # all validation samples are normal: there is no AUC
    assert made.manifest["output"]["threshold"] == pytest.approx(run.manifest.threshold, rel=0.25)


def test_run_and_bundle_and_its_own_program_say_what_is_an_anomaly(
    run: runs.Run, bundle: export.Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "today.csv"
    path.write_text("flow,power,heat,noise\n1,20,-3,0.5\n1,-20,3,0.5\n")
    program = [sys.executable, str(bundle.path / "predict.py"), str(path), "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["predictions"]
    assert [answer["label"] for answer in answers] == ["normal", "anomaly"]
    rows = np.array([[1, 20, -3, 0.5], [1, -20, 3, 0.5]])
    scores = Predictor.open(run.path).predict(rows)[:, 0]
    assert answers[0]["score"] == pytest.approx(scores[0], abs=0.1 * run.manifest.threshold)
    assert (scores > run.manifest.threshold).tolist() == [False, True]


def test_a_run_and_its_bundle_are_measured_on_other_rows(run: runs.Run, bundle: export.Bundle, tmp_path: Path) -> None:
    others = write(tmp_path / "others.csv", normal=200, torn=50, seed=3)
    for artifact in (run.path, bundle.path):
        found = evaluate(artifact, data=str(others))
        assert found.samples == 250
        assert found.metrics["auc"] > 0.9
        assert found.metrics["accuracy"] > 0.8
    turned = evaluate(run.path, data=str(others), normal="torn")
    assert turned.metrics["auc"] < 0.1


def test_training_that_did_not_end_has_no_threshold_and_says_so(run: runs.Run) -> None:
    from zoo.answers import answers

    content = runs.read_json(run.path / runs.PREPROCESSING)
    del content["output"]["threshold"]
    with pytest.raises(ModelError, match="no threshold is recorded, the training did not come to its end; resume it"):
        answers(np.ones((2, 1)), content)


@pytest.mark.slow
def test_a_search_goes_by_the_loss_and_its_winner_has_a_threshold(table: Path, tmp_path: Path) -> None:
    given = {"target": "state", "normal": "fine", **OPTIONS, "epochs": 3}
    with pytest.raises(UsageError, match="objective 'auc' does not fit an anomaly task; choose one of loss"):
        zoo.tuning.tune("autoencoder", data=str(table), out=tmp_path, trials=1, objective="auc", **given)
    del given["bottleneck"]
    found = zoo.tuning.tune("autoencoder", data=str(table), out=tmp_path, trials=2, space=["bottleneck=1,2"], **given)
    assert found.run.manifest.threshold > 0
    kept = [path for path in found.path.glob("trials/*/run.json") if runs.Run(path.parent).manifest.threshold]
    assert kept
