"""Small .tflite files written by hand, without TensorFlow: one dense layer, float or int8, well-formed or odd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}


def dense_file(
    path: Path,
    weights: np.ndarray,
    *,
    quantization: dict[str, tuple[float, int]] | None = None,
    free_batch: bool = False,
    inputs: int = 1,
    custom: str | None = None,
) -> Path:
    """y = weights @ x. `quantization`: (scale, zero point) of "input", "weights", "output" makes it an int8 file."""
    outputs, columns = weights.shape
    kind = "int8" if quantization else "float32"
    model = schema.ModelT()
    model.version, model.description = 3, b"by hand"
    model.buffers = [_buffer(b""), _buffer(np.asarray(weights, kind).tobytes()), _buffer(b"")]
    named = quantization or {}
    bias = {"bias": (named["input"][0] * named["weights"][0], 0)} if quantization else {}
    model.buffers.append(_buffer(np.zeros(outputs, "int32" if quantization else "float32").tobytes()))
    tensors = [
        _tensor(b"x", [1, columns], kind, 0, named.get("input"), [-1, columns] if free_batch else None),
        _tensor(b"w", [outputs, columns], kind, 1, named.get("weights")),
        _tensor(b"y", [1, outputs], kind, 2, named.get("output"), [-1, outputs] if free_batch else None),
        _tensor(b"b", [outputs], "int32" if quantization else "float32", 3, bias.get("bias")),
    ]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = tensors, [0], [2]
    for extra in range(1, inputs):
        graph.tensors.append(_tensor(f"x{extra}".encode(), [1, columns], kind, 0, named.get("input")))
        graph.inputs.append(3 + extra)
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.inputs, operator.outputs, operator.opcodeIndex = [0, 1, 3], [2], 0
    number = schema.BuiltinOperator.CUSTOM if custom else schema.BuiltinOperator.FULLY_CONNECTED
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = 4 if quantization else 1
    if custom:
        code.customCode = custom.encode()
    else:
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators, model.operatorCodes, model.subgraphs = [operator], [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _buffer(content: bytes) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8) if content else None
    return buffer


def _tensor(
    name: bytes,
    shape: Sequence[int],
    kind: str,
    buffer: int,
    quantization: tuple[float, int] | None,
    signature: Sequence[int] | None = None,
) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), TYPES[kind], buffer
    if signature is not None:
        tensor.shapeSignature = list(signature)
    if quantization is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [quantization[0]], [quantization[1]]
    return tensor
