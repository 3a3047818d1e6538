"""What a new head before a .tflite file keeps, and what it refuses because it would be lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.biases import add_biases
from export.metadata import write_metadata
from tests.export.test_metadata import contract
from tests.zoo.tflite_files import dense_file
from zoo.errors import ModelError

Rewrite = Callable[[bytes], bytes]


def described(content: bytes) -> bytes:
    return write_metadata(content, contract(), name="wand-lstm")


def changed(folder: Path, change: Callable[[Any], None]) -> bytes:
    """A file of a dense operator that needs a bias, after a change of its tables."""
    scales = {"input": (0.5, 3), "weights": (0.25, 0), "output": (0.125, -7)}
    path = dense_file(folder / "a file.tflite", np.arange(10).reshape(2, 5), quantization=scales)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    weights = model.subgraphs[0].tensors[1].quantization
    weights.scale, weights.zeroPoint = [0.25, 0.125], [0, 0]
    model.subgraphs[0].operators[0].inputs = [0, 1]
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_a_group_outside(model: Any) -> None:
    group = schema.ExternalBufferGroupT()
    group.name = b"weights.bin"
    model.externalBufferGroups = [group]


def with_data_outside(model: Any) -> None:
    model.buffers[1].offset, model.buffers[1].size = 4096, 10


@pytest.mark.parametrize("rewrite", [add_biases, described])
@pytest.mark.parametrize("change", [with_a_group_outside, with_data_outside])
def test_weights_outside_the_flatbuffer_are_refused_in_a_line(
    tmp_path: Path, rewrite: Rewrite, change: Callable[[Any], None]
) -> None:
    content = changed(tmp_path, change)
    with pytest.raises(ModelError, match=r"outside its flatbuffer.*; export a smaller model") as told:
        rewrite(content)
    assert "\n" not in str(told.value)


def test_options_outside_the_flatbuffer_are_refused_where_the_operator_is_written_anew(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].largeCustomOptionsOffset = 4096

    content = changed(tmp_path, change)
    with pytest.raises(ModelError, match="would lose field 9 of a table"):
        add_biases(content)


def test_every_other_field_of_what_is_written_anew_is_kept(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.name, graph.debugMetadataIndex = b"main", 0
        graph.operators[0].debugMetadataIndex, graph.operators[0].intermediates = 5, [2]
        graph.operators[0].mutatingVariableInputs = [False, True]

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(described(add_biases(changed(tmp_path, change))), 0))
    (graph,) = model.subgraphs
    (operator,) = graph.operators
    assert (model.version, model.description, graph.name, graph.debugMetadataIndex) == (3, b"by hand", b"main", 0)
    assert operator.inputs.tolist() == [0, 1, 4]
    assert (operator.debugMetadataIndex, operator.intermediates.tolist()) == (5, [2])
    assert operator.mutatingVariableInputs.tolist() == [False, True]
