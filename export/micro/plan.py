"""Where the memory and the work of a file go, operator by operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.micro.arena import Arena
from export.micro.graph import Graph, Operator, Tensor, read_graph

LONGEST = 40
"""Characters of a tensor's name that a table shows."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operator's share.

    Attributes:
        operator: Such as "CONV_2D"; with "in loop" where it stands in the body of one, which runs many times.
        name: Of its output, shortened.
        shape: Of its output.
        output_bytes: Of its outputs while they live; the arena reuses what is dead.
        weight_bytes: Of its constants in the file.
        macs: Multiply-accumulate operations of one run.
    """

    operator: str
    name: str
    shape: tuple[int, ...]
    output_bytes: int
    weight_bytes: int
    macs: int


def plan(model: Path) -> tuple[Layer, ...]:
    """A layer for each operator, in the order of the file.

    Raises:
        ModelError: The file is damaged.
    """
    return tuple(_layer(operator) for operator in read_graph(model).operators)


def _layer(operator: Operator) -> Layer:
    given = [tensor for tensor in operator.inputs if tensor is not None]
    first = operator.outputs[0] if operator.outputs else None
    return Layer(
        operator=operator.name + (" (in loop)" if operator.subgraph else ""),
        name=_short(first.name) if first else "",
        shape=first.shape if first else (),
        output_bytes=sum(tensor.bytes for tensor in operator.outputs),
        weight_bytes=sum(tensor.constant_bytes for tensor in given),
        macs=count_macs(operator),
    )


def _short(name: str) -> str:
    """The last two parts of the first of the names that the converter joins."""
    plain = "/".join(name.split(";")[0].split("/")[-2:])
    return plain if len(plain) <= LONGEST else f"...{plain[3 - LONGEST :]}"


def count_macs(operator: Operator) -> int:
    """Multiply-accumulate operations of one run of an operator; 0 where it has no weights."""
    count = _MACS.get(operator.name)
    return count(operator.inputs, operator.outputs[0]) if count else 0


Inputs = Sequence[Tensor | None]


def _size(tensor: Tensor | None) -> int:
    return math.prod(tensor.shape) if tensor is not None else 0


def _dense(inputs: Inputs, output: Tensor) -> int:
    weights = inputs[1]
    return _size(output) * (weights.shape[-1] if weights is not None else 0)


def _convolution(inputs: Inputs, output: Tensor) -> int:
    """Filters are (outputs, height, width, inputs): each works once at every position."""
    return _size(inputs[1]) * (_size(output) // output.shape[-1])


def _transposed(inputs: Inputs, _output: Tensor) -> int:
    source = inputs[2]
    return _size(inputs[1]) * (_size(source) // source.shape[-1]) if source is not None else 0


def _product(inputs: Inputs, output: Tensor) -> int:
    left = inputs[0]
    return _size(output) * (left.shape[-1] if left is not None else 0)


def _lstm(inputs: Inputs, _output: Tensor) -> int:
    """Inputs 1 to 8 are the gates' kernels, four for the input and four for the state; each works at every step."""
    source = inputs[0]
    steps = source.shape[1] if source is not None else 0
    return steps * sum(_size(tensor) for tensor in inputs[1:9])


_MACS: Mapping[str, Callable[[Inputs, Tensor], int]] = {
    "FULLY_CONNECTED": _dense,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _product,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}


def memory_table(model: Path, arena: Arena | int | None, kept: int = 0) -> str:
    """The plan as Markdown, with the sums and what they leave out.

    Args:
        model: The .tflite file.
        arena: As measured on the host.
        kept: Bytes that the program keeps besides the arena.
    """
    graph = read_graph(model)
    layers = tuple(_layer(operator) for operator in graph.operators)
    weights = _distinct_weights(graph)
    lines = [
        "# Memory and work",
        "",
        f"- Flash: {graph.bytes:,} bytes for the model ({weights:,} of them weights). The code of the interpreter "
        "and of the operators comes on top; it depends on the board and its compiler.",
        _arena_line(arena),
        *([f"- Besides the arena: {kept:,} bytes for the window or the states."] if kept else []),
        "- Multiply-accumulate operations (MACs) are of one run"
        + ("; those in a loop, of one round of it." if any(operator.subgraph for operator in graph.operators) else "."),
        "",
        "| operator | output | shape | output bytes | weight bytes | MACs |",
        "|---|---|---|---:|---:|---:|",
    ]
    for layer in layers:
        shape = "x".join(map(str, layer.shape))
        name = layer.name.replace("|", "/")
        figures = f"{layer.output_bytes:,} | {layer.weight_bytes:,} | {layer.macs:,}"
        lines.append(f"| {layer.operator} | {name} | {shape} | {figures} |")
    lines.append(f"| together | | | | {weights:,} | {sum(layer.macs for layer in layers):,} |")
    return "\n".join(lines) + "\n"


def _distinct_weights(graph: Graph) -> int:
    """Bytes of all constants, those that several operators share once."""
    used = (tensor for operator in graph.operators for tensor in operator.inputs if tensor is not None)
    return sum({tensor.buffer: tensor.constant_bytes for tensor in used if tensor.constant_bytes}.values())


def _arena_line(arena: Arena | int | None) -> str:
    if arena is None:
        return "- Arena: not measured."
    size = arena if isinstance(arena, int) else arena.bytes
    parts = ""
    if isinstance(arena, Arena) and arena.head is not None and arena.tail is not None:
        parts = f" (activations {arena.head:,}, kept {arena.tail:,})"
    return (
        f"- Arena: {size:,} bytes{parts} on the host, found by trying. A board's pointers are half as wide and its "
        "kernels may want other scratch memory: `zoo_arena_used()` tells the figure there."
    )
