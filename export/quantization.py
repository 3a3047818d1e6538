"""The quantization modes: what each asks of the converter, and what its result must keep to be called good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import UsageError
from zoo.registry import suggest

GOLDEN_STEPS = 8
"""Quantization steps by which another runtime may differ on the same int8 file from LiteRT's default kernels or its
built-in ones, whichever are closer.

Twice what was met: four, an LSTM on tflite-micro.
"""


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
        golden_steps: As `GOLDEN_STEPS`, of this mode.
        representative: Whether the converter needs samples.
        rounds: Whether activations become integers, which LiteRT's default kernels and its built-in ones do each in
            their own way; the answers of both are then recorded.
        edges: What the file's inputs and outputs may be, the default first: an integer type, or "float".
    """

    name: str
    help: str
    max_error: float | None = None
    max_drop: float | None = None
    min_agreement: float | None = None
    golden_tolerance: float = 1e-4
    golden_steps: int = GOLDEN_STEPS
    representative: bool = False
    rounds: bool = False
    edges: tuple[str, ...] = ("float",)


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
            rounds=True,
        ),
        Preset(
            name="int8",
            help="all in int8, input and output too, for micro-controllers and accelerators",
            max_drop=1.0,
            min_agreement=0.95,
            golden_tolerance=3e-2,  # of float edges: GOLDEN_STEPS of 1/255 each
            representative=True,
            rounds=True,
            edges=("int8", "uint8", "float"),
        ),
        Preset(
            name="int16x8",
            help="weights in int8, activations in int16: near float's accuracy in integers, slower than int8",
            max_drop=1.0,
            min_agreement=0.99,
            golden_tolerance=2e-3,
            golden_steps=128,  # of 1/32,768 each: 69 were met, a recurrent step whose error adds up on tflite-micro
            representative=True,
            rounds=True,
            edges=("int16", "float"),
        ),
    )
}
"""Every mode. Quantization-aware training and pruning belong here too, once a run can be trained for them."""
AUTO = "auto"
"""No mode, but the choice of one; see `export.ladder`."""


def find_preset(name: str) -> Preset:
    """The mode of that name.

    Raises:
        UsageError: Unknown.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name == AUTO:
        raise UsageError(f"{AUTO!r} chooses a mode and is none; choose one of {', '.join(PRESETS)}")
    raise UsageError(f"quantization mode {name!r} is unknown{suggest(name, PRESETS)}")


def choose_edges(preset: Preset, io: str | None) -> str:
    """What the file takes and gives: as asked for, by default the mode's own.

    Raises:
        UsageError: The mode does not offer it.
    """
    if io is None:
        return preset.edges[0]
    if io not in preset.edges:
        offered = ", ".join(preset.edges)
        raise UsageError(f"{preset.name} has no {io!r} inputs and outputs; choose one of {offered}, or another mode")
    return io


def check_pixels(io: str, shapes: Mapping[str, Sequence[int]]) -> None:
    """Refuses uint8 edges for what is no image.

    Args:
        io: Of `choose_edges`.
        shapes: Of one sample, by input.

    Raises:
        UsageError: An input is not (height, width, channels) with 1 to 4 channels.
    """
    for name, shape in shapes.items():
        if io == "uint8" and (len(shape) != 3 or not 1 <= shape[-1] <= 4):
            raise UsageError(f"uint8 is for images, input {name!r} has shape {tuple(shape)}; use int8 or float")


def configure(
    converter: Any, mode: str, representative: Callable[[], Iterator[Any]] | None, float_input: bool, io: str | None
) -> None:
    """Sets a `tf.lite.TFLiteConverter` to a mode; built-in operators only in all of them.

    An input of integers (pixels cast in the graph, tokens) stays as it is.

    Args:
        converter: Not used yet.
        mode: Of `PRESETS`.
        representative: Gives one sample after another, for a mode that needs them.
        float_input: Whether the model takes floats.
        io: Of the mode's `edges`; None is its default.

    Raises:
        UsageError: Edges that the mode does not offer.
    """
    import tensorflow as tf

    preset = find_preset(mode)
    edge = choose_edges(preset, io)
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "dynamic":
        share_scales(converter)  # else FULLY_CONNECTED is of version 12, which tflite-runtime 2.14 refuses
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if preset.representative:
        converter.representative_dataset = representative
    if edge != "float":
        converter.inference_output_type = tf.as_dtype(edge)
        if float_input:
            converter.inference_input_type = tf.as_dtype(edge)
    converter.target_spec.supported_ops = [_operators(tf.lite.OpsSet, mode)]


def share_scales(converter: Any) -> None:
    """One scale for all rows of a dense layer, not one for each as is TensorFlow 2.21's default."""
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def _operators(sets: Any, mode: str) -> Any:
    """The operators that a file of the mode may hold."""
    if mode == "int16x8":
        return sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    return sets.TFLITE_BUILTINS_INT8 if mode == "int8" else sets.TFLITE_BUILTINS
