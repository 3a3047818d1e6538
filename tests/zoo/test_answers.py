import numpy as np
import pytest

from zoo import boxes
from zoo.answers import answer_columns, answer_rows, answers

CONTRACT = {
    "input": {"kind": "image", "shape": [32, 32, 1]},
    "output": {"task": "detection", "labels": ["cat", "dog"], "score_threshold": 0.5},
}


def maps(*scores):
    """An image for each tuple of scores; its objects stand side by side and are of the classes in turn."""
    made = np.zeros((len(scores), 8, 8, 2 + boxes.BOX), np.float32)
    for at, row in enumerate(scores):
        for place, score in enumerate(row):
            made[at, 4, 2 + 4 * place, place] = score
            made[at, 4, 2 + 4 * place, 2:] = (0.5, 0.5, 0.5, 0.5)  # a quarter of the image wide and high
    return made


def test_objects_are_told_in_pixels_of_each_image_as_it_was_given():
    first, second = answers(maps((0.9, 0.8), (0.7,)), CONTRACT, sizes=[(64, 128), (32, 32)])
    assert [one["label"] for one in first["objects"]] == ["cat", "dog"]
    assert first["objects"][0]["score"] == pytest.approx(0.9)
    edges = [first["objects"][0][name] for name in ("x_min", "y_min", "x_max", "y_max")]
    np.testing.assert_allclose(edges, [24, 28, 56, 44], rtol=1e-5)
    np.testing.assert_allclose([second["objects"][0][name] for name in ("x_min", "x_max")], [6, 14], rtol=1e-5)


def test_without_sizes_pixels_are_those_of_the_model():
    (found,) = answers(maps((0.9,)), CONTRACT)
    assert found["objects"][0]["x_max"] == pytest.approx(14)


def test_only_objects_above_the_threshold_of_the_contract_are_told():
    faint = {**CONTRACT, "output": {**CONTRACT["output"], "score_threshold": 0.2}}
    assert answers(maps((0.4,)), CONTRACT) == [{"objects": []}]
    assert len(answers(maps((0.4,)), faint)[0]["objects"]) == 1


def test_a_row_for_each_object_and_an_empty_one_where_there_is_none():
    outputs = np.concatenate([maps((0.9, 0.8), ()), np.full((1, 8, 8, 6), np.nan, np.float32)])
    rows = answer_rows([("a", "x"), ("b", "y"), ("c", "z")], outputs, CONTRACT)
    assert rows == [
        ("a", "x", "cat", "0.900000", "6.00", "14.00", "14.00", "22.00"),
        ("a", "x", "dog", "0.800000", "22.00", "14.00", "30.00", "22.00"),
        ("b", "y", "", "", "", "", "", ""),
        ("c", "z", "", "", "", "", "", ""),
    ]
    assert len(answer_columns(outputs[:0], CONTRACT)) == len(rows[0]) - 2
    assert [answer["objects"] is None for answer in answers(outputs, CONTRACT)] == [False, False, True]


def test_rows_of_other_tasks_are_one_for_each_sample():
    contract = {"output": {"task": "multiclass", "labels": ["cat", "dog"]}}
    rows = answer_rows([("a",), ("b",)], np.array([[0.25, 0.75], [1.0, 0.0]]), contract)
    assert rows == [("a", "dog", "0.750000"), ("b", "cat", "1.000000")]
