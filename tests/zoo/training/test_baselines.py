import numpy as np
import pytest

from zoo import data
from zoo.training.baselines import baselines


def test_classification_stands_beside_the_majority_and_a_logistic_model():
    found = baselines(data.load("wine", seed=0), seed=0)
    assert set(found) == {"majority", "logistic", "gradient_boosting"}
    assert found["majority"]["accuracy"] < 0.5
    assert found["logistic"]["accuracy"] > 0.9


def test_regression_stands_beside_the_mean_and_a_linear_model():
    found = baselines(data.load("diabetes", seed=0), seed=0)
    assert set(found) == {"mean", "linear", "gradient_boosting"}
    assert found["mean"]["r2"] == pytest.approx(0.0, abs=0.05)
    assert found["linear"]["r2"] > 0.3
    assert found["linear"]["mae"] < found["mean"]["mae"]


def test_beside_a_forecast_stand_the_season_before_and_lags_on_its_own_scale(tmp_path):
    growth = np.exp(np.arange(120) * 0.03) * (2 + np.sin(2 * np.pi * np.arange(120) / 12))
    cells = [f"{2000 + at // 12}-{at % 12 + 1:02d},{value}" for at, value in enumerate(growth)]
    (tmp_path / "s.csv").write_text("\n".join(["month,sold", *cells]))
    options = {"seed": 0, "horizon": 3, "window": 13}
    plain = baselines(data.load(str(tmp_path / "s.csv"), **options), seed=0)
    found = baselines(data.load(str(tmp_path / "s.csv"), target_transform="log1p", **options), seed=0)
    assert set(found) == {"mean", "seasonal_naive", "linear"}
    assert found["seasonal_naive"] == plain["seasonal_naive"]
    assert plain["linear"]["mae"] < plain["seasonal_naive"]["mae"] < plain["mean"]["mae"]
    assert found["linear"]["mae"] != plain["linear"]["mae"]


def test_a_binary_task_has_an_auc():
    found = baselines(data.load("breast-cancer", seed=0), seed=0)
    assert found["logistic"]["auc"] > 0.98
    assert found["majority"]["auc"] == 0.5


def test_multilabel_is_measured_per_label():
    samples = np.random.default_rng(0).normal(size=(300, 4))
    raw = data.Raw(
        samples=samples,
        targets=(samples[:, :2] > 0).astype(np.int64),
        kind="table",
        task="multilabel",
        labels=("first", "second"),
        columns=("a", "b", "c", "d"),
    )
    found = baselines(data.prepare(raw, "made", seed=0), seed=0)
    assert found["logistic"]["macro_f1"] > 0.9


def test_a_large_set_is_fitted_on_a_part_and_measured_in_parts(monkeypatch):
    from zoo.training import baselines as module

    whole = baselines(data.load("digits", seed=0), seed=0)
    monkeypatch.setattr(module, "MAX_VALUES", 64 * 300)
    found = baselines(data.load("digits", seed=0), seed=0)
    assert whole["logistic"]["samples"] > 1000
    assert found["logistic"]["samples"] == 300
    assert whole["logistic"]["accuracy"] > found["logistic"]["accuracy"] > 0.85


def test_anomalies_stand_beside_a_distance_components_and_a_forest():
    dataset = data.load("breast-cancer", seed=0, task="anomaly", normal="benign")
    found = baselines(dataset, seed=0)
    assert set(found) == {"distance", "pca", "isolation_forest"}
    for values in found.values():
        assert 0.85 < values["auc"] < 1
        assert values["samples"] == len(dataset.train)
