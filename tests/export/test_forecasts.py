"""A forecast of one's own series from a CSV to the device: trained, exported, asked there, measured and searched."""

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
from zoo.inference import evaluate
from zoo.inference.predictor import Predictor

WINDOW, HORIZON, STEPS = 14, 3, 700
NETWORKS = ("linear", "lstm", "gru", "conv1d")
REFUSED = {(network, "dynamic"): "every weight tensor of it is below 1,024 values" for network in NETWORKS}
REFUSED["gru", "int16x8"] = r"LiteRT does not take them with one for all; export it with --quantize int8 or float16"
"""Modes that a network of this size is refused in, and what is said of it."""


def series(steps: int, seed: int = 0) -> np.ndarray:
    at = np.arange(steps)
    noise = np.random.default_rng(seed).normal(0, 0.3, steps)
    return 20 + 5 * np.sin(2 * np.pi * at / 7) + noise


def write(path: Path, steps: int, seed: int = 0) -> Path:
    days = np.datetime64("2020-01-01") + np.arange(steps)
    rows = [f"{day},{value:.3f}" for day, value in zip(days, series(steps, seed), strict=True)]
    path.write_text("\n".join(["day,sold", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("my shop") / "sales.csv", STEPS)


def train(sales: Path, out: Path, **options: object) -> Any:
    given = {"horizon": HORIZON, "window": WINDOW, "epochs": 3, "units": 6, "seed": 1, **options}
    return zoo.train("forecaster", data=str(sales), out=out, **given)


@pytest.fixture(scope="module")
def run(sales: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return train(sales, tmp_path_factory.mktemp("runs"), network="conv1d", layers=2, validation=0.5, epochs=6)


@pytest.fixture(scope="module")
def bundle(run: Any, child: Child) -> export.Bundle:
    return export.to_tflite(run, quantize="int8", child=child)


def test_it_stands_beside_the_season_before_and_lags(run: Any) -> None:
    assert set(run.manifest.baselines) == {"mean", "seasonal_naive", "linear"}
    assert run.metrics["test"]["mae"] < run.manifest.baselines["seasonal_naive"]["mae"]


def test_the_contract_says_what_is_forecast(bundle: export.Bundle) -> None:
    output, given = bundle.manifest["output"], bundle.manifest["input"]
    assert (output["horizon"], output["channels"], output["target"]) == (HORIZON, [0], ["sold"])
    assert output["labels"] == ["sold+1", "sold+2", "sold+3"]
    assert given["time"] == {"name": "day", "type": "date", "formats": ["iso"], "gap": 1.5}


def test_the_program_of_the_bundle_forecasts_as_the_run_does(run: Any, bundle: export.Bundle, tmp_path: Path) -> None:
    path = write(tmp_path / "new sales.csv", 40, seed=5)
    program = [sys.executable, str(bundle.path / "predict.py"), str(path), "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["predictions"]
    raw = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)[-WINDOW:, np.newaxis].astype(np.float32)
    expected = Predictor.open(run.path).predict(raw[np.newaxis])[0]
    np.testing.assert_allclose(list(answer["values"].values()), expected, atol=0.6)
    short = write(tmp_path / "short.csv", WINDOW - 1)
    done = subprocess.run([*program[:2], str(short)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3
    assert "short.csv has 13 steps, the model takes 14; give a longer recording" in done.stderr


def test_a_run_and_its_bundle_are_measured_on_another_file(run: Any, bundle: export.Bundle, tmp_path: Path) -> None:
    path = write(tmp_path / "other.csv", 60, seed=7)
    for artifact in (run.path, bundle.path):
        found = evaluate(artifact, data=str(path))
        assert found.samples == 60 - WINDOW - HORIZON + 1
        assert found.metrics["mae"] < 2.0
    assert evaluate(run.path).metrics["mae"] == pytest.approx(run.metrics["test"]["mae"])


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("quantize", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_every_network_exports_in_every_mode_or_is_refused_in_a_line(
    network: str, quantize: str, sales: Path, child: Child, tmp_path: Path
) -> None:
    run = train(sales, tmp_path / "runs", network=network, validation=0.5, epochs=6)
    if (network, quantize) in REFUSED:
        with pytest.raises(zoo.errors.ZooError, match=REFUSED[network, quantize]):
            export.to_tflite(run, quantize=quantize, child=child)
        return
    bundle = export.to_tflite(run, quantize=quantize, child=child)
    assert bundle.parity["agreement"] >= 0.95


@pytest.mark.slow
def test_a_search_takes_it(sales: Path, tmp_path: Path) -> None:
    found = zoo.tuning.tune(
        "forecaster",
        data=str(sales),
        space=["units=4,6"],
        tuner="grid",
        trials=2,
        out=tmp_path,
        window=WINDOW,
        horizon=HORIZON,
        network="conv1d",
        epochs=1,
    )
    assert {trial.status for trial in found.trials} == {"completed"}
