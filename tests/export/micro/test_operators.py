from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.micro import check_operators, unsupported
from export.micro.graph import read_graph
from export.micro.operators import METHODS, used_methods
from tests.export.micro.building import Edge, plain_file
from tests.zoo.tflite_files import dense_file
from zoo.errors import ModelError

WEIGHTS = np.ones((3, 2), np.float32)


def test_float_and_int8_files_have_nothing_that_is_missing(tmp_path: Path) -> None:
    quantization = {"input": (0.1, 0), "weights": (0.1, 0), "output": (0.1, 0)}
    for file in (dense_file(tmp_path / "f", WEIGHTS), dense_file(tmp_path / "q", WEIGHTS, quantization=quantization)):
        assert unsupported(file) == []
        assert used_methods(read_graph(file)) == ["AddFullyConnected"]
        check_operators(file, "wine to int8")


def test_a_custom_operator_is_named(tmp_path: Path) -> None:
    file = dense_file(tmp_path / "m", WEIGHTS, custom="FlexErf")
    told = r"wine to int8 is refused for --target micro, tflite-micro has no custom operator FlexErf; use"
    with pytest.raises(ModelError, match=told):
        check_operators(file, "wine to int8")


def retyped(path: Path, tensor: int, kind: str) -> Path:
    """The file with another type written beside one of its tensors."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    model.subgraphs[0].tensors[tensor].type = getattr(schema.TensorType, kind)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_weights_in_int8_beside_floats_are_told_and_so_is_half_precision(tmp_path: Path) -> None:
    dynamic = retyped(dense_file(tmp_path / "d", WEIGHTS), 1, "INT8")
    assert unsupported(dynamic) == ["FULLY_CONNECTED of float32 with int8 weights (dynamic range)"]
    half = retyped(dense_file(tmp_path / "h", WEIGHTS), 1, "FLOAT16")
    assert unsupported(half) == ["FULLY_CONNECTED of float16"]


def test_a_damaged_file_is_no_reason_to_crash(tmp_path: Path) -> None:
    content = dense_file(tmp_path / "m", WEIGHTS).read_bytes()
    broken = tmp_path / "broken.tflite"
    for size in (0, 7, 40, len(content) // 2):
        broken.write_bytes(content[:size])
        with pytest.raises(ModelError, match=r"broken\.tflite is damaged: .*; export it again"):
            unsupported(broken)
    with pytest.raises(ModelError, match="cannot be read"):
        unsupported(tmp_path / "none")


def test_edges_have_the_names_of_the_tensors_where_there_is_no_signature(tmp_path: Path) -> None:
    given: list[Edge] = [("state", (1, 4), "int8", (0.1, 0)), ("x", (1, 6), "int8", (0.1, 0))]
    graph = read_graph(plain_file(tmp_path / "m", given, [("y", (1, 3), "float32", None)]))
    assert graph.inputs == ("state", "x")
    assert [tensor.shape for tensor in graph.input_tensors] == [(1, 4), (1, 6)]
    assert graph.output_tensors[0].bytes == 12


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("FULLY_CONNECTED", "AddFullyConnected"),
        ("CONV_2D", "AddConv2D"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("SPLIT_V", "AddSplitV"),
        ("RELU6", "AddRelu6"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("ADD_N", "AddAddN"),
        ("LOG_SOFTMAX", "AddLogSoftmax"),
    ],
)
def test_methods_have_the_names_of_the_resolver(operator: str, method: str) -> None:
    assert METHODS[operator] == method
