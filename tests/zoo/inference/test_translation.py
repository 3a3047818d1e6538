from pathlib import Path

import numpy as np
import pytest

from zoo.errors import DataError
from zoo.inference.contract import from_mapping
from zoo.inference.translation import translate

from .test_job import predictor


def test_rows_of_other_codes_are_translated_by_name_and_value():
    samples = np.array([[7.0, 0, 1], [8, 1, 2], [9, 2, 3], [10, -1, 4], [11, np.nan, 5]])
    columns = [
        {"name": "sold", "type": "date"},
        {"name": "sex", "type": "category", "values": ["d", "f", "m"]},
        {"name": "age", "type": "number"},
    ]
    found = translate(samples, columns, predictor().contract, "rows")
    expected = [[1, -1, 7], [2, 0, 8], [3, 1, 9], [4, -1, 10], [5, np.nan, 11]]
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(DataError, match="rows lacks column sex"):
        translate(samples[:, :1], columns[:1] + columns[2:], predictor().contract, "rows")


def test_a_table_without_categories_needs_no_codes():
    plain = from_mapping(
        {
            "schema_version": 1,
            "input": {"kind": "table", "shape": [2], "columns": ["b", "a"]},
            "steps": [],
            "output": {"task": "regression", "labels": ["y"]},
        },
        Path("here"),
    )
    columns = [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}]
    np.testing.assert_array_equal(translate(np.array([[1.0, 2]]), columns, plain, "rows"), [[2, 1]])
