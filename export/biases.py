"""Gives int8 dense operators the bias of zeros that the converter leaves out, where a runtime crashes without it.

tflite-runtime 2.14 reads a null pointer on 64-bit Arm in a FULLY_CONNECTED with a scale for each channel and no bias,
unless it has one row of at least `WIDE` values and `MANY` outputs (measured over 39 shapes; its x86-64 build and its
reference kernels do not). Zeros change no answer, on any runtime.

Nothing of the file is moved, see `export.flatbuffer_head`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from flatbuffers.table import Table  # type: ignore[import-untyped]

from export.flatbuffer_head import (
    BUFFERS,
    GRAPH,
    OPERATOR,
    SUBGRAPHS,
    buffer_of,
    copied,
    elements,
    pointers,
    with_head,
)

WIDE, MANY = 8, 4
FULLY_CONNECTED, INT8, INT32 = 9, 9, 2  # of BuiltinOperator and TensorType in TensorFlow's schema.fbs
_TENSORS, _OPERATORS, _INPUTS = 0, 3, 1  # fields of SubGraph, and of Operator


def add_biases(model: bytes) -> bytes:
    """A .tflite file whose int8 dense operators have a bias where they need one; the same file where they have.

    Args:
        model: As the converter made it.

    Raises:
        ModelError: It needs one, and cannot be changed.
    """
    from ai_edge_litert import schema_py_generated as schema

    read = schema.Model.GetRootAs(model, 0)
    lacking = [list(_lacking(read, read.Subgraphs(at))) for at in range(read.SubgraphsLength())]
    if not any(lacking):
        return model

    def change(builder: Any, root: Table) -> dict[int, int]:
        buffers, graphs = elements(root, BUFFERS), elements(root, SUBGRAPHS)
        for at, operators in enumerate(lacking):
            if operators:
                graphs[at] = _graph(builder, Table(model, -graphs[at]), read.Subgraphs(at), operators, buffers)
        return {BUFFERS: pointers(builder, buffers), SUBGRAPHS: pointers(builder, graphs)}

    return with_head(model, change)


def _lacking(model: Any, graph: Any) -> Iterator[int]:
    """Which operators of a graph are dense and need a bias that they have not."""
    for at in range(graph.OperatorsLength()):
        operator = graph.Operators(at)
        code = model.OperatorCodes(operator.OpcodeIndex())
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) != FULLY_CONNECTED:
            continue
        inputs = list(operator.InputsAsNumpy())
        without = len(inputs) < 3 or inputs[2] < 0
        if without and _crashes(graph.Tensors(inputs[0]), graph.Tensors(inputs[1])):
            yield at


def _crashes(given: Any, weights: Any) -> bool:
    """Whether the operator on these tensors needs a bias, from their types and shapes."""
    if not (given.Type() == weights.Type() == INT8 and weights.Quantization().ScaleLength() > 1):
        return False
    outputs, values = weights.ShapeAsNumpy()
    rows = int(np.prod(given.ShapeAsNumpy())) // int(values)
    return bool(rows > 1 or outputs < MANY or values < WIDE)


def _graph(builder: Any, table: Table, graph: Any, operators: Sequence[int], buffers: list[int]) -> int:
    """A graph with biases for these operators; their content goes to the end of the buffers."""
    tensors, listed = elements(table, _TENSORS), elements(table, _OPERATORS)
    for at in operators:
        given, weights = graph.Operators(at).InputsAsNumpy()[:2]
        tensors.append(_bias(builder, graph.Tensors(given), graph.Tensors(weights), len(buffers)))
        buffers.append(buffer_of(builder, bytes(4 * graph.Tensors(weights).Shape(0))))
        inputs = builder.CreateNumpyVector(np.array([given, weights, len(tensors) - 1], np.int32))
        listed[at] = copied(builder, Table(table.Bytes, -listed[at]), OPERATOR, {_INPUTS: inputs})
    changed = {_TENSORS: pointers(builder, tensors), _OPERATORS: pointers(builder, listed)}
    return copied(builder, table, GRAPH, changed)


def _bias(builder: Any, given: Any, weights: Any, buffer: int) -> int:
    """A tensor of int32 whose scales are those of the products."""
    scales = (given.Quantization().Scale(0) * weights.Quantization().ScaleAsNumpy()).astype(np.float32)
    vectors = [builder.CreateNumpyVector(scales), builder.CreateNumpyVector(np.zeros(len(scales), np.int64))]
    builder.StartObject(7)
    for slot, vector in zip((2, 3), vectors, strict=True):
        builder.PrependUOffsetTRelativeSlot(slot, vector, 0)
    quantization = builder.EndObject()
    shape = builder.CreateNumpyVector(np.array([len(scales)], np.int32))
    name = builder.CreateString(f"zero_bias_{buffer}")
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(0, shape, 0)
    builder.PrependInt8Slot(1, INT32, 0)
    builder.PrependUint32Slot(2, buffer, 0)
    builder.PrependUOffsetTRelativeSlot(3, name, 0)
    builder.PrependUOffsetTRelativeSlot(4, quantization, 0)
    return int(builder.EndObject())
