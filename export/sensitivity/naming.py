"""Which layers of the Keras model an operator of a .tflite file came from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from export.sensitivity.saved import SavedGraph

_SCOPE = re.compile(r"^(.+)_\d+$")
_CELL = re.compile(r"_cell(_\d+)?$")


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator of a file.

    Attributes:
        kind: Such as "CONV_2D".
        node: Name of its first output tensor in the file, which the quantizer takes for the operator's own.
        layers: Paths of the Keras layers in it, the one that it is called by first: "conv2d", "encoder/dense".
    """

    kind: str
    node: str
    layers: tuple[str, ...]

    @property
    def layer(self) -> str:
        """The layer that it is called by, a cell by the layer around it; without a layer, its own name."""
        if not self.layers:
            return self.node
        outer, _, last = self.layers[0].rpartition("/")
        return outer if outer and _CELL.search(last) else self.layers[0]

    @property
    def names(self) -> frozenset[str]:
        """All it may be called by: its layers, what they lie in, and its own name."""
        parts = [part for layer in self.layers for part in layer.split("/")]
        return frozenset((self.layer, self.node, *self.layers, *parts))


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """An operator as it stands in the file.

    Attributes:
        source: Node of its first output; names of several joined by ";".
        entry: Index of its first input tensor.
        weights: Each constant input in float, flat.
    """

    kind: str
    node: str
    source: str
    entry: int
    output: int
    weights: tuple[np.ndarray, ...]


def read_operators(content: bytes, saved_model: Path) -> list[Operator]:
    """The operators of a file's main graph, in the order in which they run.

    Args:
        content: Of a .tflite file in float.
        saved_model: The folder that it was converted from.
    """
    saved = SavedGraph(saved_model)
    raw = _read(content, saved.answers())
    scopes = [[_scopes(part) for part in operator.source.split(";")] for operator in raw]
    top = _top([path for paths in scopes for path in paths if path])
    layers = [_layers(paths, len(top)) for paths in scopes]
    owners = [_owner(operator, saved.kernels()) for operator in raw]
    return _named(raw, layers, owners)


def _read(content: bytes, answers: Mapping[str, str]) -> list[_Raw]:
    """The operators of the main graph.

    Args:
        content: Of the file.
        answers: The graph's own names of what the converter calls StatefulPartitionedCall:0, by output.
    """
    from ai_edge_litert import schema_py_generated as schema

    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(content, 0)
    graph, signature = model.Subgraphs(0), model.SignatureDefs(0)
    outputs = [signature.Outputs(position) for position in range(signature.OutputsLength())]
    sources = {output.TensorIndex(): answers.get(output.Name().decode(), "") for output in outputs}
    found = []
    for position in range(graph.OperatorsLength()):
        operator = graph.Operators(position)
        code = model.OperatorCodes(operator.OpcodeIndex())
        index = operator.Outputs(0)
        node = graph.Tensors(index).Name().decode()
        entries = [int(entry) for entry in operator.InputsAsNumpy()] if operator.InputsLength() else [-1]
        constants = [_constant(model, graph.Tensors(entry)) for entry in entries if entry >= 0]
        found.append(
            _Raw(
                kind=builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())],
                node=node,
                source=sources.get(index) or node,
                entry=entries[0],
                output=index,
                weights=tuple(values for values in constants if len(values)),
            )
        )
    return found


def _constant(model: Any, tensor: Any) -> np.ndarray:
    """Values of a float constant, flat; none for any other tensor."""
    buffer = model.Buffers(tensor.Buffer())
    if tensor.Type() != 0 or not buffer.DataLength():  # 0 is FLOAT32
        return np.zeros(0, np.float32)
    return np.frombuffer(buffer.DataAsNumpy().tobytes(), np.float32)


def _scopes(node: str) -> tuple[str, ...]:
    """The layers that a node lies in, from the model inwards.

    Keras 3.15 opens a layer's scope twice, to build and to call it, so the one that holds operations always ends in a
    number of TensorFlow's: "conv2d_1" is of conv2d, and "conv2d_1_2" of conv2d_1.
    """
    found: list[str] = []
    for part in node.split("/")[:-1]:
        match = _SCOPE.match(part)
        if match is None:
            break
        found.append(match[1])
    return tuple(found)


def _top(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The scope that is the model itself; () for a graph that was not traced through a model."""
    shared = len({path[0] for path in paths}) == 1
    return paths[0][:1] if shared and any(len(path) > 1 for path in paths) else ()


def _layers(paths: Sequence[tuple[str, ...]], top: int) -> tuple[str, ...]:
    """Without the model; the last first, because what the converter merges stands in reverse order of running."""
    layers = ["/".join(path[top:]) for path in paths]
    return tuple(dict.fromkeys(layer for layer in reversed(layers) if layer))


def _owner(operator: _Raw, kernels: Mapping[str, np.ndarray]) -> str:
    """Path of the layer whose kernel the operator holds unchanged; empty where there is none."""
    for path, first in kernels.items():
        if any(np.array_equal(values[: len(first)], first) for values in operator.weights):
            return path
    return ""


def _named(raw: Sequence[_Raw], layers: Sequence[tuple[str, ...]], owners: Sequence[str]) -> list[Operator]:
    """Operators with their layers.

    What the converter made anew (the fused LSTM) has no scope, and is known by its kernel; what a step was traced from
    (a cell) has the scope without the layer around it. An operator of which nothing is known belongs to the one before.
    """
    whole = {
        layer: owner for own, owner in zip(layers, owners, strict=True) for layer in own if owner.endswith(f"/{layer}")
    }
    by_output: dict[int, Operator] = {}
    for operator, own, owner in zip(raw, layers, owners, strict=True):
        known = own or ((owner,) if owner else ())
        before = by_output.get(operator.entry)
        made = Operator(kind=operator.kind, node=operator.node, layers=tuple(whole.get(path, path) for path in known))
        by_output[operator.output] = made if known or before is None else replace(made, layers=before.layers)
    return [by_output[operator.output] for operator in raw]
