"""Which forms serve a model in a quantization mode, and which of several attempts is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from export.forms.calls import Loop, RecurrentCall, find_calls, plain_loop, recurrent_layers
from export.forms.fused import fused_loop, why_not_fused
from export.forms.stepping import why_not_stepped
from export.forms.unrolled import unrolled_loop
from export.signature import Signature
from zoo.errors import ModelError

FORMS = ("graph", "fused", "loop", "step", "unrolled")
FLOATING = ("float32", "float16", "dynamic")
"""Modes in which a loop converts; in the others it ends the converter's process (TensorFlow 2.21)."""
UNROLLED_STEPS = 512
"""Steps that are unrolled at most: every one adds some twenty operators and six kilobytes."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to try.

    Attributes:
        rounds: Forms that are converted and compared with each other; the next round only where none of a round is
            good enough.
        calls: The model's recurrent layers.
    """

    rounds: tuple[tuple[str, ...], ...]
    calls: tuple[RecurrentCall, ...] = ()


def refuse_stateful(model: Any) -> None:
    """Refuses layers that keep their state from one batch to the next.

    Raises:
        ModelError: Names the layer.
    """
    for layer in recurrent_layers(model):
        if layer.stateful:
            raise ModelError(
                f"layer {layer.name!r} of {model.name!r} is stateful and would remember other callers' samples; "
                "rebuild it with stateful=False, and export with --streaming to keep the state yourself"
            )


def plan_forms(
    model: Any,
    signature: Signature,
    mode: str,
    *,
    calls: tuple[RecurrentCall, ...] | None = None,
    streaming: bool = False,
    series: bool = True,
    micro: bool = False,
) -> Plan:
    """The forms to try for a TFLite file, best first.

    Args:
        model: Under the float32 policy.
        signature: Of `export.signature.describe`.
        mode: Quantization mode.
        calls: Of `find_calls`, where they are known already.
        streaming: Only what answers sample by sample.
        series: Whether the model's input is a series of samples.
        micro: For tflite-micro, which goes wrong with a loop that keeps the states of all steps: a step before a loop.

    Raises:
        ModelError: None serves; says why and what to do instead.
    """
    calls = tuple(find_calls(model, signature)) if calls is None else calls
    if streaming:
        return Plan(rounds=(_streamed(model, signature, calls, series),), calls=calls)
    if not calls:
        return Plan(rounds=(("graph",),))
    fusable = [not why_not_fused(call) for call in calls]
    floating = mode in FLOATING
    not_stepped = why_not_stepped(model, signature, calls) if micro or not floating else "not asked"
    if floating:
        # dynamic leaves the fused operator's weights as they are
        first = ("fused", "loop") if any(fusable) and mode != "dynamic" else ("loop",)
        stepped = micro and not all(fusable) and not not_stepped
        return Plan(rounds=(("step",), first) if stepped else (first,), calls=calls)
    rounds: list[tuple[str, ...]] = [("fused",)] if all(fusable) and mode == "int8" else []
    if not not_stepped:
        rounds.append(("step",))
    if max(call.steps for call in calls) <= UNROLLED_STEPS:
        rounds.append(("unrolled",))
    if not rounds:
        raise ModelError(
            f"{model.name} cannot be exported to {mode}: {not_stepped}, and sequences of over {UNROLLED_STEPS} steps "
            "are not unrolled; use --quantize float16 or dynamic"
        )
    return Plan(rounds=tuple(rounds), calls=calls)


def _streamed(model: Any, signature: Signature, calls: Sequence[RecurrentCall], series: bool) -> tuple[str, ...]:
    """A recurrent model step by step; any other over a series through a buffer of its window."""
    not_stepped = why_not_stepped(model, signature, calls)
    if calls and not_stepped:
        raise ModelError(f"{model.name} cannot stream: {not_stepped}; export it without --streaming")
    if calls:
        return ("step",)
    if not signature.single or len(signature.inputs[0].shape) != 2 or not series:
        raise ModelError(
            f"{model.name} cannot stream: it has no recurrent layer and does not take a series (steps, channels); "
            "export it without --streaming"
        )
    return ("graph",)


def time_loops(calls: Sequence[RecurrentCall], form: str) -> Mapping[Any, Loop]:
    """The loop over time of every recurrent layer in a form, for `replaced_loops`."""
    return {call.layer: _time_loop(call, form) for call in calls}


def _time_loop(call: RecurrentCall, form: str) -> Loop:
    if form == "fused" and not why_not_fused(call):
        return fused_loop(call.layer)
    return unrolled_loop(call) if form == "unrolled" else plain_loop(call.layer, unroll=False)
