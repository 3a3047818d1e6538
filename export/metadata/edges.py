"""Inputs and outputs of a .tflite file as metadata must list them: in the order of its main graph."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from zoo.errors import ModelError

_PIXELS = {9: -128, 3: 0}  # TensorType INT8 and UINT8: the zero point at which 0 is the smallest value


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An input or output of the main graph.

    Attributes:
        name: Of the signature, else of the tensor.
        rank: Axes, with the batch.
        size: Elements along the last axis; 1 for a scalar.
        pixels: Whether its integers are values of 0 to 255.
        state: Whether it carries the state from one call to the next.
    """

    name: str
    rank: int
    size: int
    pixels: bool
    state: bool


def read_edges(model: bytes, states: Collection[str] = ()) -> tuple[list[Edge], list[Edge]]:
    """Inputs and outputs of a .tflite file, each in the order of the graph, which is not the signature's.

    Args:
        model: The file.
        states: Names of those that carry the state.

    Raises:
        ModelError: The file is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        root = schema.Model.GetRootAs(model, 0)
        graph = root.Subgraphs(0)
        signature = root.SignatureDefs(0) if root.SignatureDefsLength() else None
        sides = (
            (graph.InputsAsNumpy(), "Inputs"),
            (graph.OutputsAsNumpy(), "Outputs"),
        )
        inputs, outputs = (
            [_edge(graph.Tensors(at), names.get(at), states) for at in tensors.tolist()]
            for tensors, side in sides
            for names in [_names(signature, side)]
        )
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"the .tflite file is damaged: {error}; export it again") from error
    return inputs, outputs


def _names(signature: Any, side: str) -> dict[int, str]:
    """Tensor to its name in the signature; empty in a file without one."""
    if signature is None:
        return {}
    entries = [getattr(signature, side)(index) for index in range(getattr(signature, f"{side}Length")())]
    return {entry.TensorIndex(): entry.Name().decode() for entry in entries}


def _edge(tensor: Any, name: str | None, states: Collection[str]) -> Edge:
    name, rank = name or tensor.Name().decode(), tensor.ShapeLength()
    size = int(tensor.Shape(rank - 1)) if rank else 1
    return Edge(name=name, rank=rank, size=size, pixels=_holds_pixels(tensor), state=name in states)


def _holds_pixels(tensor: Any) -> bool:
    found = tensor.Quantization()
    if tensor.Type() not in _PIXELS or found is None or found.ScaleLength() != 1:
        return False
    return bool(abs(found.Scale(0) - 1.0) < 1e-6 and found.ZeroPoint(0) == _PIXELS[tensor.Type()])
