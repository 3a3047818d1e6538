"""A few golden samples as C arrays: raw numbers in, answers in target units out, with how far they may be off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from export.micro.interface import Interface
from export.micro.render import MADE, array, inverted, single
from zoo import preprocessing

MOST_SAMPLES = 4
MOST_BYTES = 8192
"""Of all golden samples together, as raw numbers on the board; one is always kept."""


def golden_header(contract: Mapping[str, Any], golden: Mapping[str, np.ndarray], interface: Interface) -> str:
    """zoo_golden.h.

    Args:
        contract: The content of bundle.json.
        golden: "samples", raw, (n, ...); "outputs", the file's own answers, (n, ...) float32.
        interface: Of the model.
    """
    raw, outputs = raw_samples(contract, golden["samples"], interface), np.asarray(golden["outputs"], np.float32)
    chosen = choose(raw, outputs)
    pushes = raw.shape[1] // interface.sample_size
    answers = _answers(outputs, interface)
    tolerance = float(contract["golden"]["tolerance"])
    expected, allowed = expectations(outputs[chosen].reshape(len(chosen), answers, -1), tolerance, interface)
    literal = str if interface.pixels else single
    sizes = {
        "zoo_golden_samples": ("zoo_sample_t", raw[chosen].reshape(len(chosen), -1), literal),
        "zoo_golden_expected": ("float", expected.reshape(len(chosen), -1), single),
        "zoo_golden_tolerance": ("float", allowed.reshape(len(chosen), -1), single),
    }
    arrays = "\n".join(
        f"static const {kind} {name}[{len(values)}][{values.shape[1]}] = "
        f"{array((array(map(write, row.tolist()), 12) for row in values), 1)};\n"
        for name, (kind, values, write) in sizes.items()
    )
    return (
        f"{MADE}#ifndef ZOO_GOLDEN_H\n#define ZOO_GOLDEN_H\n\n#include <math.h>\n\n"
        f'#include "zoo_config.h"\n\n#define ZOO_GOLDEN {len(chosen)}\n'
        f"#define ZOO_GOLDEN_PUSHES {pushes} /* samples of one recording */\n"
        f"#define ZOO_GOLDEN_ANSWERS {answers} /* answers expected, the last ones */\n\n{arrays}\n#endif\n"
    )


def raw_samples(contract: Mapping[str, Any], samples: np.ndarray, interface: Interface) -> np.ndarray:
    """Raw samples as the board is given them, a row each: images in the model's size, other numbers as float32."""
    image = [step for step in contract["steps"] if step["step"] == "image"]
    values = preprocessing.apply(image, samples) if image else np.asarray(samples)
    with np.errstate(over="ignore"):  # beyond float32 there is no such sample on a board; the program refuses it
        return values.reshape(len(values), -1).astype(np.uint8 if interface.pixels else np.float32)


def choose(raw: np.ndarray, outputs: np.ndarray) -> list[int]:
    """Positions of the samples to keep: one of each answer first, then the next, as many as are small enough."""
    best = outputs.reshape(len(outputs), -1)
    kinds = best.argmax(axis=1) if best.shape[1] > 1 else (best[:, 0] >= 0.5).astype(int)
    fine = np.flatnonzero(~np.isinf(raw.astype(np.float64)).any(axis=1)).tolist()
    first = [at for rank, at in enumerate(fine) if kinds[at] not in kinds[fine[:rank]]]
    ordered = first + [at for at in fine if at not in first]
    room = MOST_BYTES // max(raw.itemsize * raw.shape[1], 1)
    return sorted(ordered[: max(1, min(MOST_SAMPLES, room))])


def _answers(outputs: np.ndarray, interface: Interface) -> int:
    """How many answers a recording has: one, or one for each of its samples where they were recorded."""
    return (
        max(math.prod(outputs.shape[1:]) // interface.outputs, 1) if interface.stream and interface.stream.each else 1
    )


def expectations(outputs: np.ndarray, tolerance: float, interface: Interface) -> tuple[np.ndarray, np.ndarray]:
    """Answers in target units, and how far each may be off where the model's output may by `tolerance`.

    Args:
        outputs: Of the file, (n, answers, outputs) float32.
        tolerance: Absolute, of the model's outputs.
        interface: Of the model.
    """
    expected = inverted(outputs, interface)
    around = [inverted((outputs + sign * tolerance).astype(np.float32), interface) for sign in (-1, 1)]
    allowed = np.max([np.abs(values - expected) for values in around], axis=0)
    return expected, allowed * (1 + 1e-3) + 1e-6 * np.maximum(1.0, np.abs(expected))
