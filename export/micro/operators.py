"""Which operators and types tflite-micro has, and what a file holds beyond them.

The table was made by asking the pip wheel (tflite-micro 0.dev20261023182759): a file of one operator for each of the
schema's, and its answer "Didn't find op". `tests/device/test_micro.py` asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from export.micro.graph import Graph, Operator, read_graph
from zoo.errors import ModelError

_UNLIKE_THEIR_NAMES: Mapping[str, str] = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
_NAMES = """
ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST
CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT
LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU
QUANTIZE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND
RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE
SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK WHILE ZEROS_LIKE
"""


def _method(name: str) -> str:
    """`AddFullyConnected` for FULLY_CONNECTED: words capitalised, but for a few."""
    plain = "".join(word if word == "2D" else word.capitalize() for word in name.split("_"))
    return _UNLIKE_THEIR_NAMES.get(name, f"Add{plain}")


METHODS: Mapping[str, str] = {name: _method(name) for name in _NAMES.split()}
"""Built-in operator to the method of `MicroMutableOpResolver` that adds it. Those of resource variables, which the
runtime has and a program must allot memory to, are left out: no file of ours has them."""

WITH_WEIGHTS = frozenset(
    {
        "BATCH_MATMUL",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "TRANSPOSE_CONV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    }
)
NO_KERNEL = frozenset({"FLOAT16", "BFLOAT16", "FLOAT64", "COMPLEX64", "COMPLEX128", "STRING"})
"""Types that no kernel of tflite-micro computes with."""


def unsupported(model: Path) -> list[str]:
    """What a file holds that tflite-micro does not run, a few words each, in order; empty where it runs.

    Raises:
        ModelError: The file is damaged.
    """
    found = [problem for operator in read_graph(model).operators if (problem := _problem(operator))]
    return list(dict.fromkeys(found))


def check_operators(model: Path, what: str) -> None:
    """Refuses a file that tflite-micro does not run.

    Args:
        model: The .tflite file.
        what: What it is, for the message: "mnist-cnn to tflite-float16".

    Raises:
        ModelError: With everything that is missing, in one line.
    """
    if problems := unsupported(model):
        raise ModelError(
            f"{what} is refused for --target micro, tflite-micro has no {', no '.join(problems)}; use --quantize int8, "
            "int16x8 or float32, or layers without these operators"
        )


def used_methods(graph: Graph) -> list[str]:
    """Methods of the resolver for exactly the operators of a graph, sorted."""
    return sorted({METHODS[operator.name] for operator in graph.operators})


def _problem(operator: Operator) -> str:
    if not operator.builtin or operator.name not in METHODS:
        return operator.name if operator.builtin else f"custom operator {operator.name}"
    tensors = [tensor for tensor in (*operator.inputs, *operator.outputs) if tensor is not None]
    for tensor in tensors:
        if tensor.dtype in NO_KERNEL:
            return f"{operator.name} of {tensor.dtype.lower()}"
    computed = [tensor.dtype for tensor in tensors if not tensor.constant_bytes]
    weights = [tensor.dtype for tensor in tensors if tensor.constant_bytes and tensor.dtype in ("INT8", "INT4")]
    if operator.name in WITH_WEIGHTS and "FLOAT32" in computed and weights:
        return f"{operator.name} of float32 with {weights[0].lower()} weights (dynamic range)"
    return ""
