"""Int8 files in which some layers stay in float."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from export.sensitivity.naming import Operator, read_operators
from zoo.errors import UsageError


class Calibrated:
    """A float file that knows the range of each tensor, to be quantized whole or in part.

    TensorFlow 2.21's converter quantizes all or nothing; its two halves, which the QuantizationDebugger calls too, take
    operators to leave out.

    Args:
        converter: Configured for int8, see `export.quantization.configure`.
        saved_model: The folder that it converts.

    Attributes:
        content: The float file.
        operators: Of that file.
    """

    def __init__(self, converter: Any, saved_model: Path) -> None:
        self._edges = converter.inference_input_type, converter.inference_output_type
        converter._experimental_calibrate_only = True
        self.content: bytes = converter.convert()
        self.operators = read_operators(self.content, saved_model)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers that became operators, in the order in which they run."""
        return tuple(dict.fromkeys(operator.layer for operator in self.operators))

    def quantize(self, in_float: Collection[Operator] = (), *, float_edges: bool = False) -> bytes:
        """The int8 file.

        Args:
            in_float: The operators that stay in float.
            float_edges: Gives it float inputs and outputs, whatever the converter says.
        """
        import tensorflow as tf
        from tensorflow.lite.python.convert import mlir_quantize

        entry, answer = (tf.float32, tf.float32) if float_edges else self._edges
        content: bytes = mlir_quantize(
            self.content,
            input_data_type=entry or tf.float32,
            output_data_type=answer or tf.float32,
            denylisted_nodes=[operator.node for operator in in_float],
        )
        return content


def keep(calibrated: Calibrated, names: Sequence[str]) -> bytes:
    """The int8 file with the named layers in float.

    Args:
        calibrated: The file.
        names: Of Keras layers; a model inside the model stands for all its layers.

    Raises:
        UsageError: Names that no operator of the file has; says which there are.
    """
    check_names(calibrated.operators, names)
    wanted = frozenset(names)
    return calibrated.quantize([operator for operator in calibrated.operators if operator.names & wanted])


def check_names(operators: Collection[Operator], names: Sequence[str]) -> None:
    """Raises UsageError for names that no operator has."""
    known = frozenset().union(*(operator.names for operator in operators))
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(dict.fromkeys(operator.layer for operator in operators))
        raise UsageError(
            f"no operator of the file comes from {', '.join(map(repr, unknown))}; the layers to keep in float are "
            f"{there} (a layer that is merged into another has no operator)"
        )
