"""What a SavedModel tells of the layers it was traced from: names of nodes, and of variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SIGNATURE = "serve"
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_ATTRIBUTE = ".ATTRIBUTES/VARIABLE_VALUE"


class SavedGraph:
    """A SavedModel's graph, read without loading it.

    Args:
        folder: Of the SavedModel.
    """

    def __init__(self, folder: Path) -> None:
        from tensorflow.core.protobuf import saved_model_pb2

        parsed = saved_model_pb2.SavedModel()
        parsed.ParseFromString((folder / "saved_model.pb").read_bytes())
        self._folder, self._meta = folder, parsed.meta_graphs[0]
        self._functions = {function.signature.name: function for function in self._meta.graph_def.library.function}
        self._kernels: dict[str, np.ndarray] | None = None

    def answers(self) -> dict[str, str]:
        """By output of the signature, the name of the node that computes it."""
        main = {node.name: node for node in self._meta.graph_def.node}
        outputs = self._meta.signature_def[SIGNATURE].outputs
        return {key: self._behind(info.name, main) for key, info in outputs.items()}

    def kernels(self) -> Mapping[str, np.ndarray]:
        """First column of each weight matrix or filter bank, flat, by the path of its layer inside the model.

        TFLite keeps the output axis first where Keras has it last: this column is how the constant begins.
        """
        if self._kernels is None:
            wide = {path: values for path, values in self._variables().items() if values.ndim >= 2}
            parts = [path.split("/")[:-1] for path in wide]
            outer = 1 if len({path[0] for path in parts}) == 1 and all(len(path) > 1 for path in parts) else 0
            self._kernels = {}
            for path, values in zip(parts, wide.values(), strict=True):
                first = values[..., 0].astype(np.float32).ravel()
                if np.any(first):
                    self._kernels.setdefault("/".join(path[outer:]), first)
        return self._kernels

    def _variables(self) -> dict[str, np.ndarray]:
        """Values by Keras's path of the variable: "net/lstm/lstm_cell/kernel"."""
        import tensorflow as tf

        reader = tf.train.load_checkpoint(str(self._folder / "variables" / "variables"))
        nodes = self._meta.object_graph_def.nodes
        lists = {child.local_name: child.node_id for child in nodes[0].children}
        found = {}
        for child in nodes[lists["variables"]].children if "variables" in lists else ():
            key = f"variables/{child.local_name}/{_ATTRIBUTE}"
            if reader.has_tensor(key):
                found[str(nodes[child.node_id].variable.name)] = np.asarray(reader.get_tensor(key))
        return found

    def _behind(self, reference: str, nodes: Mapping[str, Any]) -> str:
        """Name of the node behind identities and calls; empty where an input is answered as it is.

        Args:
            reference: "node:0" of a graph, "node:output:0" in a function.
            nodes: Of that graph or function, by name.
        """
        name, _, number = reference.partition(":")
        node = nodes.get(name)
        if node is None:
            return ""
        if node.op == "Identity":
            return self._behind(node.input[0], nodes)
        if node.op not in _CALLS:
            return str(node.name)
        function = self._functions[node.attr["f"].func.name]
        argument = function.signature.output_arg[int(number.rpartition(":")[2] or 0)].name
        return self._behind(function.ret[argument], {inner.name: inner for inner in function.node_def})
