from __future__ import annotations

import numpy as np
import pytest

from export.parity import compare, drop, failures
from export.quantization import PRESETS

LABELS = np.array([0, 1, 2, 1])


def probabilities(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)] * 0.8 + 0.05


def test_figures_of_a_comparison() -> None:
    parity = compare(probabilities(0, 1, 2, 0), probabilities(0, 1, 1, 0), LABELS, {"task": "multiclass"}, "validation")
    assert (parity.samples, parity.changed, parity.agreement) == (4, 1, 0.75)
    assert parity.max_error == pytest.approx(0.8)
    assert (parity.metric, parity.metric_before, parity.metric_after) == ("accuracy", 0.75, 0.5)
    assert parity.drop == pytest.approx(25)


def test_one_changed_answer_always_passes_and_two_are_judged() -> None:
    before, targets = probabilities(*[0] * 20), np.zeros(20, int)
    for changed, passes in ((0, True), (1, True), (2, False)):
        after = probabilities(*[1] * changed, *[0] * (20 - changed))
        parity = compare(before, after, targets, {"task": "multiclass"}, "validation")
        found = failures(parity, PRESETS["int8"], None)
        assert (found == []) is passes, found
    assert len(found) == 2, "metric and agreement are both told"


def test_the_callers_drop_replaces_the_presets() -> None:
    after = probabilities(*[1] * 3, *[0] * 97)
    parity = compare(probabilities(*[0] * 100), after, np.zeros(100, int), {"task": "multiclass"}, "validation")
    assert any("a drop of 3.00, allowed 1" in line for line in failures(parity, PRESETS["int8"], None))
    assert failures(parity, PRESETS["int8"], 3.5) == []
    assert any("allowed 0.5" in line for line in failures(parity, PRESETS["int8"], 0.5))


def test_regression_is_judged_in_target_units() -> None:
    targets = np.linspace(100, 200, 50)[:, None]
    output = {"task": "regression", "scale": [0.02], "offset": [-3.0]}
    before = targets * 0.02 - 3.0
    parity = compare(before, before + 0.2, targets, output, "validation")
    assert parity.metric_before == pytest.approx(1.0)
    assert parity.metric_after == pytest.approx(1 - 10**2 / np.var(targets), abs=1e-4)
    assert parity.changed is None
    assert failures(parity, PRESETS["int8"], None)


@pytest.mark.parametrize(
    ("error", "largest", "passes"),
    [(9e-5, 1.0, True), (2e-4, 1.0, False), (9e-3, 100.0, True), (float("nan"), 1.0, False)],
)
def test_float32_is_judged_by_its_error_relative_to_large_outputs(error: float, largest: float, passes: bool) -> None:
    before = np.array([[largest], [0.0]], np.float32)
    after = before + np.array([[0.0], [error]], np.float32)
    parity = compare(before, after, None, {"task": "regression"}, "random")
    assert (failures(parity, PRESETS["float32"], None) == []) is passes


def test_outputs_that_are_not_numbers_never_pass() -> None:
    after = probabilities(0, 1, 2, 0)
    after[0, 0] = np.nan
    parity = compare(probabilities(0, 1, 2, 0), after, LABELS, {"task": "multiclass"}, "validation")
    for name in PRESETS:
        assert failures(parity, PRESETS[name], 100.0)


@pytest.mark.parametrize(
    ("metric", "before", "after", "expected"),
    [("accuracy", 0.99, 0.985, 0.5), ("r2", 0.8, 0.9, -10), ("mae", 2.0, 2.1, 5.0), ("rmse", 0.0, 0.0, 0.0)],
)
def test_a_drop_is_points_or_percent_of_an_error(metric: str, before: float, after: float, expected: float) -> None:
    assert drop(metric, before, after) == pytest.approx(expected)


def scores(values):
    return np.array(values, np.float32)[:, None]


ALARM = {"task": "anomaly", "labels": ["normal", "anomaly"], "threshold": 1.0}


def test_scores_that_all_move_have_a_threshold_that_moves_along():
    before = np.linspace(0.1, 1.05, 96)
    found = compare(scores(before), scores(before + 0.1), np.zeros(96, int), ALARM, "validation")
    assert (before + 0.1 > found.threshold).sum() == (before > 1.0).sum()
    assert found.metric == "accuracy"
    assert found.metric_after == found.metric_before
    assert not failures(found, PRESETS["int8"], None)


def test_a_threshold_stays_where_it_tells_the_same_apart():
    before = np.linspace(0.1, 1.05, 96)
    assert compare(scores(before), scores(before * 0.9999), None, ALARM, "validation").threshold == 1.0


@pytest.mark.parametrize("after", [np.zeros(96), np.full(96, 0.5), np.linspace(0.1, 1.05, 96)[::-1]])
def test_a_file_that_does_not_score_is_refused_though_it_finds_most_samples_normal(after):
    found = compare(scores(np.linspace(0.1, 1.05, 96)), scores(after), np.zeros(96, int), ALARM, "validation")
    assert any(line.startswith("agreement with Keras") for line in failures(found, PRESETS["int8"], None))


def test_where_there_are_anomalies_the_area_decides():
    before, targets = np.linspace(0, 2, 100), np.arange(100) > 60
    found = compare(scores(before), scores(np.minimum(before, 0.9)), targets.astype(int), ALARM, "validation")
    assert found.metric == "auc"
    assert found.drop > 0
