"""Keeps constants of float16 files with loops in float32 where tflite-runtime would read freed memory.

XNNPACK of tflite-runtime 2.14 widens float16 constants of each subgraph into one array that it frees for the next
subgraph. Dense operators and convolutions have packed their weights by then; an addition or a product still points
there, so a scaling in front of a GRU's loop gave answers wrong by up to 0.99. Such constants are small.

Nothing of the file is moved: a new head stands before it, with the tables that changed, see `export.flatbuffer_head`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flatbuffers.table import Table  # type: ignore[import-untyped]

from export.flatbuffer_head import BUFFERS, GRAPH, SUBGRAPHS, Slots, buffer_of, copied, elements, pointers, with_head

FLOAT16, DEQUANTIZE = 1, 6  # of TensorType and BuiltinOperator in TensorFlow's schema.fbs
PACKING = (3, 4, 9)
"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: XNNPACK copies their weights at once."""

_TENSOR: Slots = {**dict.fromkeys((0, 3, 4, 6, 7, 9), "@"), **dict.fromkeys((1, 5, 8), "B"), 2: "I"}
_TENSORS, _OPERATORS, _BUFFER = 0, 3, 2  # fields of SubGraph, and of Tensor


def widen_constants(model: bytes) -> bytes:
    """A .tflite file in which float16 constants feed only what packs them, if it has several subgraphs.

    Args:
        model: As the converter made it.

    Raises:
        ModelError: It has such constants, and cannot be changed.
    """
    from ai_edge_litert import schema_py_generated as schema

    read = schema.Model.GetRootAs(model, 0)
    unsafe = [_unsafe(read, read.Subgraphs(at)) for at in range(read.SubgraphsLength())]
    if len(unsafe) == 1 or not any(unsafe):
        return model

    def change(builder: Any, root: Table) -> dict[int, int]:
        buffers, graphs = elements(root, BUFFERS), elements(root, SUBGRAPHS)
        for at, operators in enumerate(unsafe):
            if operators:
                graphs[at] = _graph(builder, Table(model, -graphs[at]), read, at, operators, buffers)
        return {BUFFERS: pointers(builder, buffers), SUBGRAPHS: pointers(builder, graphs)}

    return with_head(model, change)


def _unsafe(model: Any, graph: Any) -> list[int]:
    """Which operators of a graph widen a constant for something that would go on pointing at it."""
    operators = [graph.Operators(at) for at in range(graph.OperatorsLength())]
    outputs = set(graph.OutputsAsNumpy().tolist()) if graph.OutputsLength() else set()
    found = []
    for at, operator in enumerate(operators):
        if _code(model, operator) != DEQUANTIZE or graph.Tensors(operator.Inputs(0)).Type() != FLOAT16:
            continue
        wide = operator.Outputs(0)
        users = [_code(model, user) for user in operators if user.InputsLength() and wide in user.InputsAsNumpy()]
        if wide not in outputs and not all(code in PACKING for code in users):
            found.append(at)
    return found


def _code(model: Any, operator: Any) -> int:
    code = model.OperatorCodes(operator.OpcodeIndex())
    return int(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))


def _graph(builder: Any, table: Table, model: Any, at: int, operators: Sequence[int], buffers: list[int]) -> int:
    """A graph without these operators; what they made is constant, its content at the end of the buffers."""
    graph = model.Subgraphs(at)
    tensors, listed = elements(table, _TENSORS), elements(table, _OPERATORS)
    for index in operators:
        narrow, wide = graph.Operators(index).Inputs(0), graph.Operators(index).Outputs(0)
        content = model.Buffers(graph.Tensors(narrow).Buffer()).DataAsNumpy().view(np.float16).astype("<f4")
        tensors[wide] = copied(builder, Table(table.Bytes, -tensors[wide]), _TENSOR, {_BUFFER: len(buffers)})
        buffers.append(buffer_of(builder, content.tobytes()))
    kept = [operator for index, operator in enumerate(listed) if index not in operators]
    changed = {_TENSORS: pointers(builder, tensors), _OPERATORS: pointers(builder, kept)}
    return copied(builder, table, GRAPH, changed)
