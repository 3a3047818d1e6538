"""Gives int8 dense operators the bias of zeros that the converter leaves out, where a runtime crashes without it.

tflite-runtime 2.14 reads a null pointer on 64-bit Arm in a FULLY_CONNECTED with a scale for each channel and no bias,
unless it has one row of at least `WIDE` values and `MANY` outputs (measured over 39 shapes; its x86-64 build and its
reference kernels do not). Zeros change no answer, on any runtime.

Nothing of the file is moved: a new head stands before it, with the tables that changed, as in `export.metadata`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table  # type: ignore[import-untyped]

ALIGNMENT = 16
"""Bytes: of every buffer of a .tflite file, so the head must be a multiple of it."""
WIDE, MANY = 8, 4
FULLY_CONNECTED, INT8, INT32 = 9, 9, 2  # of BuiltinOperator and TensorType in TensorFlow's schema.fbs

# Slots of the tables that are written anew, and how each is copied.
_MODEL = {0: "I", 1: "@", 2: "@", 3: "@", 4: "@", 5: "@", 6: "@", 7: "@"}
_GRAPH = {0: "@", 1: "@", 2: "@", 3: "@", 4: "@"}
_OPERATOR = {0: "I", 1: "@", 2: "@", 3: "B", 4: "@"}
_SUBGRAPHS, _BUFFERS, _TENSORS, _OPERATORS = 2, 4, 0, 3


def add_biases(model: bytes) -> bytes:
    """A .tflite file whose int8 dense operators have a bias where they need one; the same file where they have.

    Args:
        model: As the converter made it.
    """
    from ai_edge_litert import schema_py_generated as schema

    read = schema.Model.GetRootAs(model, 0)
    lacking = [list(_lacking(read, read.Subgraphs(at))) for at in range(read.SubgraphsLength())]
    if not any(lacking):
        return model
    root = Table(model, int.from_bytes(model[:4], "little"))
    builder = flatbuffers.Builder(4096)
    builder.Prep(ALIGNMENT, 0)  # the builder then fills up to it at the end
    buffers, graphs = _elements(root, _BUFFERS), _elements(root, _SUBGRAPHS)
    for at, operators in enumerate(lacking):
        if operators:
            graphs[at] = _graph(builder, Table(model, -graphs[at]), read.Subgraphs(at), operators, buffers)
    changed = {_BUFFERS: _pointers(builder, buffers), _SUBGRAPHS: _pointers(builder, graphs)}
    builder.Finish(_copied(builder, root, _MODEL, changed), file_identifier=b"TFL3")
    return bytes(builder.Output()) + model


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
    tensors, listed = _elements(table, _TENSORS), _elements(table, _OPERATORS)
    for at in operators:
        given, weights = graph.Operators(at).InputsAsNumpy()[:2]
        tensors.append(_bias(builder, graph.Tensors(given), graph.Tensors(weights), len(buffers)))
        buffers.append(_buffer(builder, bytes(4 * graph.Tensors(weights).Shape(0))))
        inputs = builder.CreateNumpyVector(np.array([given, weights, len(tensors) - 1], np.int32))
        listed[at] = _copied(builder, Table(table.Bytes, -listed[at]), _OPERATOR, {1: inputs})
    changed = {_TENSORS: _pointers(builder, tensors), _OPERATORS: _pointers(builder, listed)}
    return _copied(builder, table, _GRAPH, changed)


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


def _buffer(builder: Any, content: bytes) -> int:
    builder.Prep(ALIGNMENT, len(content))
    data = builder.CreateByteVector(content)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, data, 0)
    return int(builder.EndObject())


def _copied(builder: Any, table: Table, slots: dict[int, str], changed: dict[int, int]) -> int:
    """A table with some of its parts changed; what is not in the head is pointed at behind it."""
    builder.StartObject(len(slots))
    for slot, kind in slots.items():
        place = table.Offset(4 + 2 * slot)
        if kind == "@":
            old = -table.Indirect(table.Pos + place) if place else 0  # the builder counts from its end backwards
            builder.PrependUOffsetTRelativeSlot(slot, changed.get(slot, old), 0)
        elif kind == "I":
            builder.PrependUint32Slot(slot, table.Get(kinds.Uint32Flags, table.Pos + place) if place else 0, 0)
        else:
            builder.PrependUint8Slot(slot, table.Get(kinds.Uint8Flags, table.Pos + place) if place else 0, 0)
    return int(builder.EndObject())


def _elements(table: Table, slot: int) -> list[int]:
    """Offsets of the tables of a vector, as the builder counts."""
    start = table.Indirect(table.Pos + table.Offset(4 + 2 * slot))
    count = table.Get(kinds.UOffsetTFlags, start)
    return [-table.Indirect(start + 4 + 4 * index) for index in range(count)]


def _pointers(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
