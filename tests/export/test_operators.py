from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.operators import count_operators, refused
from tests.zoo.tflite_files import dense_file
from zoo.errors import ModelError

MLPERF = Path(__file__).parents[3] / "shared/data/models/mlperf_tiny"


def test_operators_are_counted(tmp_path: Path) -> None:
    assert count_operators(dense_file(tmp_path / "dense.tflite", np.ones((2, 3)))) == {"FULLY_CONNECTED": 1}


@pytest.mark.parametrize("name", ["FlexTensorListReserve", "my_op"])
def test_custom_and_flex_operators_are_named_and_refused(tmp_path: Path, name: str) -> None:
    ops = count_operators(dense_file(tmp_path / "odd.tflite", np.ones((2, 3)), custom=name))
    assert ops == {name: 1}
    assert refused(ops) == [name]


def test_variables_are_refused_and_loops_are_not() -> None:
    assert refused({"ADD": 1, "READ_VARIABLE": 2, "WHILE": 1, "CONV_2D": 4}) == ["READ_VARIABLE"]


@pytest.mark.parametrize("kept", [0, 7, 8, 40, 200, 500])
def test_a_damaged_file_is_a_line_not_a_traceback(tmp_path: Path, kept: int) -> None:
    path = dense_file(tmp_path / "cut.tflite", np.ones((20, 30)))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        count_operators(path)


def test_files_of_older_converters_are_read() -> None:
    path = MLPERF / "image_classification/trained_models/pretrainedResnet_quant.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    assert count_operators(path)["CONV_2D"] == 9
