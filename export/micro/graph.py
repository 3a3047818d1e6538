"""A .tflite file as plain values: tensors, operators and the order of its inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo.errors import ModelError

ELEMENT_BITS: Mapping[str, int] = {
    "FLOAT64": 64,
    "INT64": 64,
    "UINT64": 64,
    "COMPLEX64": 64,
    "COMPLEX128": 128,
    "RESOURCE": 32,
    "FLOAT32": 32,
    "INT32": 32,
    "UINT32": 32,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT16": 16,
    "UINT16": 16,
    "INT8": 8,
    "UINT8": 8,
    "BOOL": 8,
    "INT4": 4,
}


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        dtype: As the schema names it, such as "INT8".
        constant_bytes: Size of its data in the file; 0 for what is computed.
        buffer: Where these data are; tensors may share them.
        variable: Whether it keeps its value between calls.
        index: Which tensor of its subgraph it is; names may be empty or the same.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant_bytes: int
    buffer: int
    variable: bool
    index: int

    @property
    def bytes(self) -> int:
        """Size of its values in memory."""
        return -(-math.prod(self.shape) * ELEMENT_BITS.get(self.dtype, 8) // 8)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator; an optional input that is left out is None.

    Attributes:
        name: Of the built-in operator, such as "CONV_2D"; a custom one has the name in the file.
        subgraph: 0 is the main one, others are bodies of loops and branches.
    """

    name: str
    builtin: bool
    subgraph: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A whole file.

    Attributes:
        inputs: Names of the signature's inputs (of the tensors, where there is no signature) in the order in which
            tflite-micro counts them.
        outputs: Likewise.
        input_tensors: The tensors of these names.
        output_tensors: Likewise.
        bytes: Size of the file.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_tensors: tuple[Tensor, ...]
    output_tensors: tuple[Tensor, ...]
    bytes: int


@cache
def _builtin_names() -> Mapping[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


@cache
def _type_names() -> Mapping[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


def read_graph(path: Path) -> Graph:
    """Reads a .tflite file without running it.

    Raises:
        ModelError: The file is missing or damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        content = path.read_bytes()
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        operators = [
            _operator(operator, model, graph, at)
            for at, graph in enumerate(model.subgraphs)
            for operator in _listed(graph.operators)
        ]
        main, (inputs, outputs) = model.subgraphs[0], _edges(model)
        ends = [tuple(_tensor(main, int(at), model) for at in edges) for edges in (main.inputs, main.outputs)]
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; expected a .tflite file") from error
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"{path} is damaged: {error}; export it again") from error
    return Graph(
        operators=tuple(operators),
        inputs=inputs,
        outputs=outputs,
        input_tensors=ends[0],
        output_tensors=ends[1],
        bytes=len(content),
    )


def _listed(values: Any) -> list[Any]:
    """The elements of a vector, which the schema's reader gives as None where it is empty."""
    return [] if values is None else list(values)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _operator(operator: Any, model: Any, graph: Any, subgraph: int) -> Operator:
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)  # old files fill only the second
    known = {at: _tensor(graph, at, model) for at in _used(operator)}
    return Operator(
        name=_text(code.customCode) if code.customCode else _builtin_names()[number],
        builtin=not code.customCode,
        subgraph=subgraph,
        inputs=tuple(known.get(int(at)) for at in _listed(operator.inputs)),
        outputs=tuple(known[int(at)] for at in _listed(operator.outputs)),
    )


def _used(operator: Any) -> list[int]:
    """Positions of an operator's tensors, each once; -1 is an optional input that is left out."""
    positions = [int(at) for at in (*_listed(operator.inputs), *_listed(operator.outputs))]
    return sorted({at for at in positions if at >= 0})


def _tensor(graph: Any, index: int, model: Any) -> Tensor:
    tensor = graph.tensors[index]
    data = model.buffers[tensor.buffer].data
    return Tensor(
        name=_text(tensor.name),
        shape=tuple(int(size) for size in _listed(tensor.shape)),
        dtype=_type_names()[tensor.type],
        constant_bytes=0 if data is None else len(data),
        buffer=int(tensor.buffer),
        variable=bool(tensor.isVariable),
        index=index,
    )


def _edges(model: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of inputs and outputs in the main subgraph's order; signatures may list them in another."""
    main, signatures = model.subgraphs[0], _listed(model.signatureDefs)
    named: list[dict[int, str]] = [{}, {}]
    if len(signatures) == 1:
        maps = (signatures[0].inputs, signatures[0].outputs)
        named = [{int(entry.tensorIndex): _text(entry.name) for entry in _listed(edges)} for edges in maps]
    inputs, outputs = (
        tuple(names.get(int(at), _text(main.tensors[at].name)) for at in _listed(edges))
        for names, edges in zip(named, (main.inputs, main.outputs), strict=True)
    )
    return inputs, outputs
