"""The steps before the model, in training and on the device: standard library and numpy (1.22 or later) only.

This file is copied into every bundle. A step is a mapping `{"step": name, ...}` of plain JSON values, so that the
same list is written into the run, into the bundle and into the C sources.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

import numpy as np

Step = Mapping[str, Any]


def apply(steps: Sequence[Step], samples: np.ndarray) -> np.ndarray:
    """Runs the recorded steps over a batch of raw samples.

    Args:
        steps: As recorded; see the functions of this module for their keys.
        samples: Raw samples, first axis the batch.

    Returns:
        What the model is fed, first axis the batch.

    Raises:
        ValueError: An unknown step, or samples whose shape a step refuses.
    """
    for step in steps:
        function = STEPS.get(step["step"])
        if function is None:
            raise ValueError(f"preprocessing step {step['step']!r} is unknown; there are: {', '.join(sorted(STEPS))}")
        samples = function(samples, step)
    return samples


def fit_standardise(samples: np.ndarray) -> Dict[str, Any]:
    """Fits per-column standardisation on training samples, `x * scale + offset`.

    Args:
        samples: Float array, last axis the columns. A constant column keeps a scale of 1.

    Returns:
        The step, with `scale` and `offset` per column.
    """
    rows = np.asarray(samples, np.float64).reshape(-1, samples.shape[-1])
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation < 1e-12 * np.maximum(np.abs(mean), 1.0), 1.0, deviation)
    scale = 1.0 / deviation
    return {"step": "standardise", "scale": scale.tolist(), "offset": (-mean * scale).tolist()}


def standardise(samples: np.ndarray, step: Step) -> np.ndarray:
    """`x * scale + offset` per column (last axis), in float64, handed on as float32."""
    scale, offset = np.asarray(step["scale"], np.float64), np.asarray(step["offset"], np.float64)
    if samples.shape[-1] != scale.size:
        raise ValueError(f"samples have {samples.shape[-1]} columns, the model was trained on {scale.size}")
    return (np.asarray(samples, np.float64) * scale + offset).astype(np.float32)


def image(samples: np.ndarray, step: Step) -> np.ndarray:
    """Pixels to uint8 (batch, height, width, channels): grey or colour as the model wants, resized bilinearly.

    Samples are (batch, height, width) or (batch, height, width, channels) with values of 0 to 255.
    """
    pixels = samples[..., np.newaxis] if samples.ndim == 3 else samples
    if pixels.ndim != 4:
        raise ValueError(f"images have shape {samples.shape}; expected (batch, height, width[, channels])")
    if pixels.dtype != np.uint8:
        if pixels.size and not (np.all(np.isfinite(pixels)) and pixels.min() >= 0 and pixels.max() <= 255):
            raise ValueError("pixel values are outside 0 to 255; give raw pixels, not scaled ones")
        if np.issubdtype(pixels.dtype, np.floating) and pixels.size and 0 < pixels.max() <= 1:
            raise ValueError("pixel values are at most 1; give raw pixels of 0 to 255, not scaled ones")
        pixels = np.rint(pixels).astype(np.uint8)
    return _resize(_channels(pixels, step["channels"]), step["height"], step["width"])


def _channels(pixels: np.ndarray, wanted: int) -> np.ndarray:
    """Drops alpha, then turns colour to grey (ITU-R 601 luma) or grey to colour."""
    have = pixels.shape[-1]
    if have in (2, 4):
        pixels, have = pixels[..., : have - 1], have - 1
    if have == wanted:
        return pixels
    if have == 3 and wanted == 1:
        grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.rint(grey)[..., np.newaxis].astype(np.uint8)
    if have == 1 and wanted == 3:
        return np.repeat(pixels, 3, axis=-1)
    raise ValueError(f"images have {have} channels; the model wants {wanted}")


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear with the triangle widened when shrinking, so that no pixel is skipped; unchanged where sizes agree."""
    for axis, size in ((1, height), (2, width)):
        if pixels.shape[axis] != size:
            weights = _resize_weights(pixels.shape[axis], size)
            moved = np.tensordot(pixels.astype(np.float32), weights, axes=([axis], [1]))  # the new axis comes last
            pixels = np.clip(np.rint(np.moveaxis(moved, -1, axis)), 0, 255).astype(np.uint8)
    return pixels


def _resize_weights(old: int, new: int) -> np.ndarray:
    """A (new, old) matrix of triangle-filter weights, rows summing to 1."""
    ratio = old / new
    reach = max(ratio, 1.0)
    centres = (np.arange(new) + 0.5) * ratio - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(old)[np.newaxis, :] - centres[:, np.newaxis]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def invert_target(predictions: np.ndarray, output: Mapping[str, Any]) -> np.ndarray:
    """Model outputs in target units: `(y - offset) / scale` where a regression's targets were standardised."""
    if not output.get("scale"):
        return predictions
    scale, offset = np.asarray(output["scale"], np.float64), np.asarray(output["offset"], np.float64)
    return ((predictions.astype(np.float64) - offset) / scale).astype(np.float32)


STEPS: Dict[str, Callable[[np.ndarray, Step], np.ndarray]] = {"standardise": standardise, "image": image}

__all__: List[str] = ["STEPS", "Step", "apply", "fit_standardise", "image", "invert_target", "standardise"]
