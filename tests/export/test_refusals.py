"""What a runtime is known not to run, told from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

import export
from export.child import Child
from export.refusals import loops_in_a_row, never_ends
from tests.export.test_recurrent import sequence_run


@pytest.mark.parametrize(("name", "in_a_row"), [("stacked_gru", True), ("bidirectional", False), ("gru", False)])
def test_a_loop_that_feeds_another_is_seen_in_the_file(
    keras: Any, child: Child, tmp_path: Path, name: str, in_a_row: bool
) -> None:
    model = export.export_model(sequence_run(keras, tmp_path, name), child=child).model
    assert loops_in_a_row(model) is in_a_row
    assert bool(never_ends("tflite-micro", model)) is in_a_row
    assert never_ends("litert", model) == ""


def loops(path: Path, *operators: tuple[int, int], names: tuple[bytes, ...]) -> Path:
    """A file of WHILE operators, each from a tensor to a tensor; it is read, never run."""
    model, graph, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, [schema.BufferT()], [code], [graph]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.WHILE
    graph.inputs, graph.outputs, graph.tensors, graph.operators = [0], [operators[-1][1]], [], []
    for name in names:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [1, 4], 0
        graph.tensors.append(tensor)
    for given, made in operators:
        operator = schema.OperatorT()
        operator.inputs, operator.outputs, operator.opcodeIndex = [given, -1], [made], 0
        graph.operators.append(operator)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


@pytest.mark.parametrize("names", [(b"", b"", b""), (b"same", b"same", b"y")])
def test_names_that_are_empty_or_the_same_excuse_no_hang(tmp_path: Path, names: tuple[bytes, ...]) -> None:
    beside = loops(tmp_path / "beside each other.tflite", (0, 1), (0, 2), names=names)
    assert not loops_in_a_row(beside)
    assert never_ends("tflite-micro", beside) == ""
    assert loops_in_a_row(loops(tmp_path / "in a row.tflite", (0, 1), (1, 2), names=names))
