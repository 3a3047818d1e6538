"""The quantization modes: what each asks of the converter, and what its result must keep to be called good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import UsageError
from zoo.registry import suggest

GOLDEN_STEPS = 4
"""Quantization steps by which another runtime may differ on the same file (LiteRT and tflite-micro do)."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One mode and its gates.

    Attributes:
        max_error: Largest difference from Keras's outputs, as a share of the largest output, or absolute where all
            outputs are below 1; None where the metric decides instead.
        max_drop: Largest metric drop in points (percent of the metric for errors); None where the error decides.
        min_agreement: Smallest share of samples with the same answer (R2 between the two for regression).
        golden_tolerance: As `max_error`, for replaying the file on another runtime; quantized outputs are measured in
            steps instead.
        representative: Whether the converter needs samples.
    """

    name: str
    help: str
    max_error: float | None = None
    max_drop: float | None = None
    min_agreement: float | None = None
    golden_tolerance: float = 1e-4
    representative: bool = False


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="float32", help="no quantization: the reference", max_error=1e-4),
        Preset(
            name="float16",
            help="weights in half precision, half the size",
            max_drop=1.0,
            min_agreement=0.99,
            golden_tolerance=1e-3,
        ),
        Preset(
            name="dynamic",
            help="weights in int8, a quarter of the size, activations in float",
            max_drop=1.0,
            min_agreement=0.98,
            golden_tolerance=3e-2,
        ),
        Preset(
            name="int8",
            help="all in int8, input and output too, for micro-controllers and accelerators",
            max_drop=1.0,
            min_agreement=0.95,
            representative=True,
        ),
    )
}
NOT_YET = ("int16x8", "auto")


def find_preset(name: str) -> Preset:
    """The mode of that name.

    Raises:
        UsageError: Unknown, or not offered yet.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name in NOT_YET:
        raise UsageError(f"quantization mode {name!r} is not offered yet; choose one of {', '.join(PRESETS)}")
    raise UsageError(f"quantization mode {name!r} is unknown{suggest(name, PRESETS)}")


def configure(converter: Any, mode: str, representative: Callable[[], Iterator[Any]] | None, float_input: bool) -> None:
    """Sets a `tf.lite.TFLiteConverter` to a mode; built-in operators only in all of them.

    An input of integers (pixels cast in the graph, tokens) stays as it is in int8.
    """
    import tensorflow as tf

    builtins = tf.lite.OpsSet.TFLITE_BUILTINS
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "dynamic":
        # one scale for each row of a dense layer (TensorFlow 2.21's default) makes FULLY_CONNECTED version 12, which
        # tflite-runtime 2.14 refuses
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        builtins = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.representative_dataset = representative
        converter.inference_output_type = tf.int8
        if float_input:
            converter.inference_input_type = tf.int8
    converter.target_spec.supported_ops = [builtins]
