"""Which layers of the Keras model an operator of a .tflite file came from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIGNATURE = "serve"
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_SCOPE = re.compile(r"^(.+)_\d+$")


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
        """The layer that it is called by; of an operator that no layer made, its own name."""
        return self.layers[0] if self.layers else self.node

    @property
    def names(self) -> frozenset[str]:
        """All it may be called by: its layers, what they lie in, and its own name."""
        parts = [part for layer in self.layers for part in layer.split("/")]
        return frozenset((self.node, *self.layers, *parts))


def read_operators(content: bytes, saved_model: Path) -> list[Operator]:
    """The operators of a file's main graph, in the order in which they run.

    Args:
        content: Of a .tflite file.
        saved_model: The folder that it was converted from.
    """
    from ai_edge_litert import schema_py_generated as schema

    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    answers = _answers(model, _output_nodes(saved_model))
    found = []
    for position in range(graph.OperatorsLength()):
        operator = graph.Operators(position)
        code = model.OperatorCodes(operator.OpcodeIndex())
        index = operator.Outputs(0)
        node = graph.Tensors(index).Name().decode()
        paths = [_scopes(part) for part in answers.get(index, node).split(";")]
        found.append((builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())], node, paths))
    top = _top([scopes for _, _, paths in found for scopes in paths if scopes])
    return [Operator(kind=kind, node=node, layers=_layers(paths, top)) for kind, node, paths in found]


def _answers(model: Any, nodes: Mapping[str, str]) -> dict[int, str]:
    """By tensor index, the graph's own name of what the converter calls StatefulPartitionedCall:0."""
    signature = model.SignatureDefs(0)
    outputs = [signature.Outputs(position) for position in range(signature.OutputsLength())]
    named = {output.TensorIndex(): nodes.get(output.Name().decode(), "") for output in outputs}
    return {index: node for index, node in named.items() if node}


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


def _top(paths: Sequence[tuple[str, ...]]) -> int:
    """How many scopes all share that are the model itself: 1, or 0 for a graph that was not traced through a model."""
    shared = len({path[0] for path in paths}) == 1
    return 1 if shared and any(len(path) > 1 for path in paths) else 0


def _layers(paths: Sequence[tuple[str, ...]], top: int) -> tuple[str, ...]:
    """Without the model; the last first, because what the converter merges stands in reverse order of running."""
    layers = ["/".join(path[top:]) for path in paths]
    return tuple(dict.fromkeys(layer for layer in reversed(layers) if layer))


def _output_nodes(saved_model: Path) -> dict[str, str]:
    """By output of the signature, the name of the node that computes it."""
    from tensorflow.core.protobuf import saved_model_pb2

    parsed = saved_model_pb2.SavedModel()
    parsed.ParseFromString((saved_model / "saved_model.pb").read_bytes())
    meta = parsed.meta_graphs[0]
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    main = {node.name: node for node in meta.graph_def.node}
    return {key: _behind(info.name, main, functions) for key, info in meta.signature_def[SIGNATURE].outputs.items()}


def _behind(reference: str, nodes: Mapping[str, Any], functions: Mapping[str, Any]) -> str:
    """Name of the node behind identities and calls; empty where an input is answered as it is.

    Args:
        reference: "node:0" of a graph, "node:output:0" in a function.
        nodes: Of that graph or function, by name.
        functions: Of the library, by name.
    """
    name, _, number = reference.partition(":")
    node = nodes.get(name)
    if node is None:
        return ""
    if node.op == "Identity":
        return _behind(node.input[0], nodes, functions)
    if node.op not in _CALLS:
        return str(node.name)
    function = functions[node.attr["f"].func.name]
    argument = function.signature.output_arg[int(number.rpartition(":")[2] or 0)].name
    return _behind(function.ret[argument], {inner.name: inner for inner in function.node_def}, functions)
