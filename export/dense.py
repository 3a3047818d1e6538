"""Dense operators that a runtime answers wrongly without a word, told from the file.

tflite-runtime 2.14's kernel for int16 activations and a scale for each row of the weights takes the second axis of its
answer for the rows: of (batch, steps, units) it fills the first values and leaves the others as they were. With one
scale for all rows it is right, as are the other runtimes with either.
"""

from __future__ import annotations

from typing import Any


def half_answered(model: bytes) -> bool:
    """Whether a .tflite file has a dense operator of that kind.

    Args:
        model: As the converter made it.
    """
    from ai_edge_litert import schema_py_generated as schema

    read = schema.Model.GetRootAs(model, 0)
    dense = schema.BuiltinOperator.FULLY_CONNECTED
    graphs = [read.Subgraphs(at) for at in range(read.SubgraphsLength())]
    return any(
        max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == dense and _is_half(schema, graph, operator)
        for graph in graphs
        for operator in (graph.Operators(at) for at in range(graph.OperatorsLength()))
        for code in (read.OperatorCodes(operator.OpcodeIndex()),)
    )


def is_taken(model: bytes) -> bool:
    """Whether LiteRT prepares a .tflite file; of some it says that the scales of a dense operator disagree."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        Interpreter(model_content=model).allocate_tensors()
    except (RuntimeError, ValueError):
        return False
    return True


def _is_half(schema: Any, graph: Any, operator: Any) -> bool:
    given, weights = (graph.Tensors(operator.Inputs(at)) for at in (0, 1))
    many = weights.Quantization() is not None and weights.Quantization().ScaleLength() > 1
    return bool(
        given.Type() == schema.TensorType.INT16 and many and graph.Tensors(operator.Outputs(0)).ShapeLength() > 2
    )
