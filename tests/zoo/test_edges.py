import copy

import numpy as np
import pytest

from tests.zoo.tflite_files import dense_file
from zoo.edges import edge_problems
from zoo.runner import TFLiteModel

CONTRACT = {
    "input": {"name": "x", "shape": [5], "dtype": "int8", "quantization": {"scale": 0.5, "zero_point": 3}},
    "output": {"name": "y", "shape": [2], "dtype": "int8", "quantization": {"scale": 0.125, "zero_point": -7}},
}


@pytest.fixture
def model(tmp_path):
    quantization = {"input": (0.5, 3), "weights": (0.25, 0), "output": (0.125, -7)}
    return TFLiteModel(dense_file(tmp_path / "a file.tflite", np.ones((2, 5)), quantization=quantization))


def test_a_file_that_is_as_its_contract_says_has_no_problem(model):
    assert edge_problems(CONTRACT, model) == []
    several = {"inputs": [CONTRACT["input"]], "outputs": [CONTRACT["output"]]}
    assert edge_problems(several, model) == []


def test_every_difference_is_told_not_the_first_only(model):
    contract = copy.deepcopy(CONTRACT)
    contract["input"].update(shape=[6], dtype="float32", quantization=None)
    contract["output"]["quantization"]["zero_point"] = -6
    assert edge_problems(contract, model) == [
        "input 'x': shape (5,), the contract says (6,)",
        "input 'x': int8, the contract says float32",
        "input 'x': quantization (0.5, 3), the contract says None",
        "output 'y': quantization (0.125, -7), the contract says {'scale': 0.125, 'zero_point': -6}",
    ]


def test_names_are_compared(model):
    contract = copy.deepcopy(CONTRACT)
    contract["output"]["name"] = "z"
    assert edge_problems(contract, model) == [
        "output 'y' is not in the contract",
        "output 'z' is not in the file, which has y",
    ]


class Port:
    def __init__(self, shape, quantization=None):
        self.shape, self.dtype, self.quantization = shape, np.dtype("int8" if quantization else "float32"), quantization


def test_a_file_of_one_step_has_the_shapes_of_a_sequence_and_its_states():
    class Stepped:
        inputs, outputs = {"x": Port((3,))}, {"y": Port((2,))}
        input_shape, output_shape = (7, 3), (2,)
        state_inputs, state_outputs = {"h": Port((4,), (0.5, 1))}, {"h out": Port((4,), (0.5, 1))}

    scale = {"scale": 0.5, "zero_point": 1}
    state = {"input": "h", "output": "h out", "shape": [1, 4], "dtype": "int8"}
    state.update(input_quantization=scale, output_quantization=scale)
    contract = {
        "input": {"name": "x", "shape": [7, 3], "dtype": "float32", "quantization": None},
        "output": {"name": "y", "shape": [2], "dtype": "float32", "quantization": None},
        "stream": {"states": [state]},
    }
    assert edge_problems(contract, Stepped()) == []
    state.update(shape=[1, 5], output_quantization={"scale": 0.25, "zero_point": 1})
    assert edge_problems(contract, Stepped()) == [
        "state input 'h': shape (4,), the contract says (1, 5)",
        "state output 'h out': shape (4,), the contract says (1, 5)",
        "state output 'h out': quantization (0.5, 1), the contract says {'scale': 0.25, 'zero_point': 1}",
    ]
