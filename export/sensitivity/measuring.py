"""How much of the model's answers each layer costs in int8; in the process that converts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from export.sensitivity.keeping import Calibrated
from export.sensitivity.naming import Operator

CLEAN_DB = 120.0
"""What stands for "no noise at all": beyond what float32 can tell."""


def measure(calibrated: Calibrated, samples: Mapping[str, np.ndarray], kept: int) -> dict[str, Any]:
    """Signal to noise of the answers, each layer alone in int8, and with the worst of them in float.

    Noise at a layer's own output would not do: a large channel there hides the small ones beside it that are lost.

    Args:
        calibrated: The file.
        samples: Model inputs, (n, *shape) each.
        kept: For how many layers, the worst first, to tell what keeping them in float brings.

    Returns:
        "snr_db" of the whole int8 file, "input_snr_db" with all layers in float behind an int8 input, and "layers",
        each with "layer", "operators", "snr_db" and "share"; the first `kept` also with "kept_snr_db", with it and all
        before it in float.
    """
    reference = answers(calibrated.content, samples)

    def noise(in_float: Collection[Operator]) -> float:
        return noise_share(reference, answers(calibrated.quantize(in_float, float_edges=True), samples))

    alone = {name: noise(_operators(calibrated, name, others=True)) for name in calibrated.layers}
    total = sum(alone.values()) or 1.0
    layers: list[dict[str, Any]] = []
    before: list[Operator] = []
    for name in sorted(alone, key=lambda layer: -alone[layer]):
        own = _operators(calibrated, name)
        before += own
        layers.append(
            {
                "layer": name,
                "operators": sorted({operator.kind for operator in own}),
                "snr_db": decibels(alone[name]),
                "share": alone[name] / total,
                "kept_snr_db": decibels(noise(before)) if len(layers) < kept else None,
            }
        )
    behind = noise_share(reference, answers(calibrated.content, as_int8(samples)))
    return {"snr_db": decibels(noise(())), "input_snr_db": decibels(behind), "layers": layers}


def _operators(calibrated: Calibrated, layer: str, *, others: bool = False) -> list[Operator]:
    """The operators of a layer, or all but those."""
    return [operator for operator in calibrated.operators if (operator.layer == layer) is not others]


def answers(content: bytes, samples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs of a file with float edges by name, (n, *shape) float32, each sample from a fresh state."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    found: dict[str, list[np.ndarray]] = {}
    for index in range(len(next(iter(samples.values())))):
        interpreter.reset_all_variables()
        for name, values in runner(**{name: array[index : index + 1] for name, array in samples.items()}).items():
            found.setdefault(name, []).append(np.array(values, np.float32))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def as_int8(samples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Samples as they are left by an int8 input, which has one scale for all its values; integers stay as they are."""
    rounded = {}
    for name, array in samples.items():
        low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
        scale = (high - low) / 255 or 1.0
        floating = array.dtype.kind == "f"
        rounded[name] = (np.rint(array / scale) * scale).astype(array.dtype) if floating else array
    return rounded


def noise_share(reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    """Power of the difference over the power of the signal's changes; of several outputs, the largest.

    A constant part of an answer carries nothing: a signal that hardly moves is not to be called clean for its level.
    """
    shares = []
    for name, signal in reference.items():
        flat, changed = (values.reshape(len(values), -1).astype(np.float64) for values in (signal, other[name]))
        power = float(np.mean(np.var(flat, axis=0))) or float(np.mean(flat**2)) or 1.0
        shares.append(float(np.mean((changed - flat) ** 2)) / power)
    return max(shares)


def decibels(share: float) -> float:
    """Signal to noise in dB of a share of noise."""
    return CLEAN_DB if share <= 10 ** (-CLEAN_DB / 10) else float(-10 * np.log10(share))
