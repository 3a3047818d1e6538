"""Which operators a .tflite file holds, read from the file itself without running it or importing TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ModelError

RESOURCE_OPERATORS = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE", "VAR_HANDLE"})
"""Resource variables: such files convert and then fail, or remember, at run time."""


def count_operators(path: Path) -> dict[str, int]:
    """Operator name to count over all subgraphs, the bodies of loops included; sorted by name.

    Custom operators are named as in the file, Flex (TensorFlow's own) with their prefix "Flex".

    Raises:
        ModelError: The file is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    counts: Counter[str] = Counter()
    try:
        model = schema.Model.GetRootAs(path.read_bytes(), 0)
        for index in range(model.SubgraphsLength()):
            graph = model.Subgraphs(index)
            for position in range(graph.OperatorsLength()):
                code = model.OperatorCodes(graph.Operators(position).OpcodeIndex())
                custom = code.CustomCode()
                number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # old files fill only the second
                counts[custom.decode() if custom else builtin[number]] += 1
    except (OSError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise ModelError(f"{path} is not a readable .tflite file: {error}; export it again") from error
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"{path} is damaged: {error}; export it again") from error
    return dict(sorted(counts.items()))


def keeps_state(path: Path) -> bool:
    """Whether a .tflite file has variable tensors, which keep their values from one call to the next.

    Raises:
        ModelError: The file is damaged.
    """
    return any(tensor.IsVariable() for tensor, _ in _tensors(path))


def has_weights(path: Path, dtype: str) -> bool:
    """Whether a .tflite file holds a constant tensor of a type of the schema, such as "INT8".

    Raises:
        ModelError: The file is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    wanted = getattr(schema.TensorType, dtype)
    return any(tensor.Type() == wanted and size for tensor, size in _tensors(path))


def _tensors(path: Path) -> list[tuple[Any, int]]:
    """Every tensor of every subgraph, and the bytes of its constant value."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.Model.GetRootAs(path.read_bytes(), 0)
        graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
        tensors = [graph.Tensors(index) for graph in graphs for index in range(graph.TensorsLength())]
        return [(tensor, model.Buffers(tensor.Buffer()).DataLength()) for tensor in tensors]
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"{path} is damaged: {error}; export it again") from error


def refused(operators: Mapping[str, int]) -> list[str]:
    """Names among them that a plain TFLite runtime does not run, or not without remembering earlier samples."""
    builtin = [name for name in operators if name in RESOURCE_OPERATORS]
    return builtin + [name for name in operators if name != name.upper() or name.startswith("CUSTOM")]
