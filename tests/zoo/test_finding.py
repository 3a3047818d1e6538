import numpy as np
import pytest

from zoo import boxes, finding, metrics

GRID = (8, 8)


def scene(*rows, most=3):
    made = np.full((1, most, 5), -1.0, np.float32)
    for at, row in enumerate(rows):
        made[0, at] = row
    return made


def maps(*rows, classes=2):
    """Maps that find these objects: class, score and edges."""
    made = np.zeros((1, *GRID, classes + boxes.BOX), np.float32)
    for label, score, *edges in rows:
        one = boxes.encode(scene((label, *edges)), GRID, classes)
        at = one[0, ..., label].argmax()
        row, column = np.unravel_index(at, GRID)
        made[0, row, column, label] = score
        made[0, row, column, classes:] = one[0, row, column, classes:]
    return made


HERE, THERE, AWAY = (0.1, 0.1, 0.4, 0.4), (0.6, 0.6, 0.9, 0.9), (0.6, 0.1, 0.9, 0.3)


def test_all_found_and_nothing_else_is_perfect():
    found = finding.measure(scene((0, *HERE), (1, *THERE)), maps((0, 0.9, *HERE), (1, 0.8, *THERE)))
    assert found == {"map50": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_average_precision_is_the_area_under_the_curve_made_to_fall():
    # right, wrong, right of 4: precision 1, 1/2, 2/3 at recall 1/4, 1/4, 2/4
    scores, right = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert finding.average_precision(scores, right, 4) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    order = np.array([2, 0, 1])
    assert finding.average_precision(scores[order], right[order], 4) == pytest.approx(0.25 + 0.5 / 3)
    assert finding.average_precision(np.zeros(0), np.zeros(0, bool), 4) == 0.0
    # wrong before right costs only what the curve cannot make up
    assert finding.average_precision(np.array([0.9, 0.8]), np.array([False, True]), 1) == pytest.approx(0.5)


def test_a_class_is_the_mean_of_those_that_occur():
    found = finding.measure(scene((0, *HERE)), maps((0, 0.9, *HERE), (1, 0.8, *THERE)))
    assert found["map50"] == 1.0  # class 1 does not occur; what is found of it counts in precision alone
    assert found["precision"] == 0.5
    assert found["recall"] == 1.0


def test_the_wrong_class_or_place_is_not_found():
    for wrong in ((1, 0.9, *HERE), (0, 0.9, *AWAY)):
        found = finding.measure(scene((0, *HERE)), maps(wrong))
        assert found["map50"] == found["recall"] == found["f1"] == 0.0


def test_a_second_box_on_one_object_is_wrong():
    beside = (0.14, 0.14, 0.44, 0.44)
    labels, scores, right = finding.match(
        scene((0, *HERE)), [np.array([(0, 0.9, *HERE), (0, 0.8, *beside)], np.float32)]
    )
    assert right.tolist() == [True, False]
    assert labels.tolist() == [0, 0]
    np.testing.assert_allclose(scores, [0.9, 0.8])


def test_faint_objects_count_on_the_curve_and_not_at_the_threshold():
    found = finding.measure(scene((0, *HERE), (0, *THERE)), maps((0, 0.9, *HERE), (0, 0.05, *THERE)))
    assert found["map50"] == 1.0
    assert found["recall"] == 0.5


def test_what_cannot_be_measured_is_not_a_number():
    found = finding.measure(scene(), maps())
    assert all(np.isnan(value) for value in found.values())


def test_counts_of_classes():
    target = scene((0, *HERE), (1, *THERE), (1, *AWAY))
    assert finding.counts(target, maps((0, 0.9, *HERE), (0, 0.9, *THERE), (1, 0.7, *AWAY))) == [(1, 2, 1), (1, 1, 2)]


def test_metrics_know_the_task():
    target, answer = scene((0, *HERE)), maps((0, 0.9, *HERE))
    assert metrics.evaluate("detection", target, answer)[metrics.PRIMARY["detection"]] == 1.0
    assert metrics.agreement("detection", answer, answer) == 1.0
    assert metrics.agreement("detection", answer, maps()) == 0.0
