from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.zoo.tflite_files import dense_file
from zoo.errors import ModelError
from zoo.tflite_file import read_file

MLPERF = Path(__file__).parents[3] / "shared/data/models/mlperf_tiny"
INT8 = {"input": (0.5, 3), "weights": (0.25, 0), "output": (0.125, -7)}


def test_the_edges_of_a_quantized_file_are_read(tmp_path):
    found = read_file(dense_file(tmp_path / "a file.tflite", np.ones((2, 5)), quantization=INT8, inputs=2))
    inputs = [found.tensors[at] for at in found.inputs]
    assert [(tensor.name, tensor.shape, tensor.dtype, tensor.quantization) for tensor in inputs] == [
        ("x", (1, 5), "int8", (0.5, 3)),
        ("x1", (1, 5), "int8", (0.5, 3)),
    ]
    (output,) = (found.tensors[at] for at in found.outputs)
    assert (output.shape, output.quantization, output.variable) == ((1, 2), (0.125, -7), False)
    assert found.signatures == {}


@pytest.mark.parametrize("file", sorted(MLPERF.rglob("*.tflite")), ids=lambda path: path.stem)
def test_files_made_by_others_are_read_as_the_runtime_reads_them(file):
    interpreter, found = Interpreter(str(file)), read_file(file)
    sides = (
        (interpreter.get_input_details(), found.inputs),
        (interpreter.get_output_details(), found.outputs),
    )
    for details, numbers in sides:
        assert [entry["index"] for entry in details] == list(numbers)
        for entry, number in zip(details, numbers, strict=True):
            tensor = found.tensors[number]
            assert (entry["name"], tuple(entry["shape"])) == (tensor.name, tensor.shape)
            assert np.dtype(entry["dtype"]) == tensor.dtype
            assert entry["quantization"] == (tensor.quantization or (0.0, 0))
    listed = {name: {"inputs": list(one), "outputs": list(two)} for name, (one, two) in found.signatures.items()}
    assert interpreter.get_signature_list() == listed


def test_a_damaged_file_is_read_or_refused_whatever_byte_is_wrong(tmp_path):
    whole = dense_file(tmp_path / "whole.tflite", np.ones((3, 4)), quantization=INT8).read_bytes()
    damaged, refusals = tmp_path / "damaged.tflite", []
    for place in range(len(whole)):
        for wrong in (0x00, 0x7F, 0xFF):
            damaged.write_bytes(whole[:place] + bytes([wrong]) + whole[place + 1 :])
            try:
                read_file(damaged)
            except ModelError as error:
                refusals.append(str(error))
    assert len(refusals) > 100
    assert all("damaged.tflite is damaged: " in refusal for refusal in refusals)


def test_a_cut_file_is_refused(tmp_path):
    whole = dense_file(tmp_path / "whole.tflite", np.ones((3, 4))).read_bytes()
    for length in (0, 3, 8, len(whole) // 2):
        (tmp_path / "cut.tflite").write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.tflite is damaged"):
            read_file(tmp_path / "cut.tflite")
    with pytest.raises(ModelError, match=r"absent\.tflite cannot be read: No such file"):
        read_file(tmp_path / "absent.tflite")
