import math

import numpy as np
import pytest
from sklearn import metrics as reference

from zoo import metrics

RANDOM = np.random.default_rng(0)


def test_multiclass_figures_are_those_of_scikit_learn():
    targets, outputs = RANDOM.integers(0, 4, 200), RANDOM.random((200, 4))
    found = metrics.evaluate("multiclass", targets, outputs)
    decided = outputs.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(targets, decided))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(targets, decided, average="macro"))


def test_binary_figures_are_those_of_scikit_learn():
    targets, outputs = RANDOM.integers(0, 2, 200), RANDOM.random((200, 1)).round(1)  # with ties
    found = metrics.evaluate("binary", targets, outputs)
    assert found["auc"] == pytest.approx(reference.roc_auc_score(targets, outputs[:, 0]))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(targets, outputs[:, 0] >= 0.5, average="macro"))


def test_multilabel_figures_are_those_of_scikit_learn():
    targets, outputs = RANDOM.integers(0, 2, (200, 3)), RANDOM.random((200, 3))
    found = metrics.evaluate("multilabel", targets, outputs)
    assert found["macro_f1"] == pytest.approx(reference.f1_score(targets, outputs >= 0.5, average="macro"))
    assert found["auc"] == pytest.approx(reference.roc_auc_score(targets, outputs))


@pytest.mark.parametrize("columns", [1, 3])
def test_regression_figures_are_those_of_scikit_learn(columns):
    targets, outputs = RANDOM.normal(size=(100, columns)), RANDOM.normal(size=(100, columns))
    found = metrics.evaluate("regression", targets, outputs)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(targets, outputs))
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(targets, outputs))
    assert found["r2"] == pytest.approx(reference.r2_score(targets, outputs))


def test_an_auc_of_one_class_is_undefined_and_not_a_guess():
    assert math.isnan(metrics.evaluate("binary", np.ones(4, int), np.full((4, 1), 0.9))["auc"])


def test_a_class_that_never_occurs_does_not_count():
    assert metrics.macro_f1(np.array([0, 1]), np.array([0, 1]), classes=5) == 1.0


@pytest.mark.parametrize(
    ("metric", "value", "than", "expected"),
    [
        ("accuracy", 0.9, 0.8, True),
        ("accuracy", 0.8, 0.8, False),
        ("mae", 1.0, 2.0, True),
        ("loss", 2.0, 1.0, False),
        ("accuracy", math.nan, 0.1, False),
        ("accuracy", 0.1, math.nan, True),
        ("loss", math.inf, math.nan, False),
    ],
)
def test_better_never_takes_what_is_not_finite(metric, value, than, expected):
    assert metrics.better(metric, value, than) is expected


def test_agreement_counts_equal_answers_not_equal_numbers():
    first = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    second = np.array([[0.6, 0.4], [0.4, 0.6], [0.4, 0.6]])
    assert metrics.agreement("multiclass", first, second) == pytest.approx(2 / 3)
    assert metrics.agreement("regression", first, first) == 1.0
    assert metrics.agreement("regression", np.ones((3, 1)), np.zeros((3, 1))) == 0.0


def test_the_area_of_anomalies_needs_no_threshold_and_their_accuracy_does():
    targets, scores = np.array([0, 0, 0, 1, 1]), np.array([[0.1], [0.2], [0.4], [0.3], [0.9]])
    assert metrics.evaluate("anomaly", targets, scores) == {"auc": pytest.approx(5 / 6)}
    found = metrics.evaluate("anomaly", targets, scores, 0.25)
    assert found["accuracy"] == pytest.approx(0.8)
    assert found["auc"] == pytest.approx(5 / 6)


def test_normal_samples_alone_have_no_area_and_no_f1():
    found = metrics.evaluate("anomaly", np.zeros(4, int), np.array([[1.0], [2.0], [3.0], [4.0]]), 3.5)
    assert found["accuracy"] == 0.75
    assert math.isnan(found["auc"])
    assert math.isnan(found["macro_f1"])


@pytest.mark.parametrize(("share", "alarms"), [(0.0, 0), (0.04, 0), (0.05, 5), (0.1, 10), (0.5, 50)])
def test_a_threshold_leaves_as_many_false_alarms_as_it_may(share, alarms):
    scores = RANDOM.random((100, 1)) if share != 0.04 else RANDOM.random((20, 1))
    threshold = metrics.choose_threshold(scores, share)
    assert metrics.decide("anomaly", scores, threshold).sum() == alarms


def test_scores_without_a_threshold_are_compared_as_numbers():
    scores = RANDOM.random((50, 1))
    assert metrics.agreement("anomaly", scores, scores + 0.001) > 0.99
    assert metrics.agreement("anomaly", scores, 1 - scores) < 0


def test_figures_of_pixels_are_over_all_of_them_and_leave_out_what_is_not_measured():
    targets = np.array([[[0, 0, 1, 1]], [[1, metrics.VOID, 2, 2]]], np.uint8)
    answers = np.array([[[0, 1, 1, 1]], [[1, 0, 2, 0]]], np.uint8)
    found = metrics.evaluate("segmentation", targets, answers)
    assert found["accuracy"] == pytest.approx(5 / 7)
    assert found["pixel_error"] == pytest.approx(2 / 7)
    # intersection over union: 1 of 3, 3 of 4, 1 of 2
    assert found["mean_iou"] == pytest.approx((1 / 3 + 3 / 4 + 1 / 2) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 4 + 6 / 7 + 2 / 3) / 3)
    assert metrics.evaluate("segmentation", targets, np.eye(3)[answers]) == found


def test_models_of_pixels_agree_pixel_by_pixel():
    answers = np.zeros((2, 4, 4), np.uint8)
    others = answers.copy()
    others[0, 0] = 1
    assert metrics.agreement("segmentation", np.eye(2)[answers], np.eye(2)[others]) == pytest.approx(28 / 32)
    assert metrics.better("pixel_error", 0.1, 0.2)
    assert metrics.better("mean_iou", 0.2, 0.1)
