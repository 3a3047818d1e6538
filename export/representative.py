"""The samples that tell the converter how far each tensor reaches: which ones, and in which type they are given."""

from __future__ import annotations

import numpy as np

from export.signature import Arrays

LEAST = 40
"""Samples below which none are held out: calibration needs them all."""


def draw(samples: Arrays, limit: int, seed: int = 0) -> dict[str, np.ndarray]:
    """At most `limit` samples from anywhere among them, in their order.

    The first ones would be of one class where the samples are sorted. Samples of a run and of a data set are drawn
    by class, by `zoo.data.draw_samples`; here nobody knows the classes.

    Args:
        samples: (n, *shape) by input, all of the same length.
        limit: How many at most.
        seed: Same seed, same samples.
    """
    count = len(next(iter(samples.values())))
    if count <= limit:
        return dict(samples)
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:limit])
    return {name: array[chosen] for name, array in samples.items()}


def calibration_inputs(samples: np.ndarray, dtype: str) -> np.ndarray:
    """Model inputs for calibration, in the model's own type.

    Pixels are made to span 0 to 255, by two of the first sample.

    The converter takes the input's range from these samples: without a black and a white pixel among them, brighter
    ones would be clipped later, and a raw pixel would not be one quantization step.

    Args:
        samples: (n, *shape), after the preprocessing steps.
        dtype: Of the model's input.
    """
    values = samples.astype(dtype)
    # Ids in bytes are no pixels, and neither are columns of small numbers.
    if samples.dtype == np.uint8 and samples.ndim >= 3 and not dtype.startswith("int"):
        values[0].flat[0], values[0].flat[-1] = 0.0, 255.0
    return values


def moved_steps(values: np.ndarray) -> np.ndarray:
    """Sequences of which no step is zero in all of them: such a one has the largest value once, in the first sequence.

    Unrolled, every step is a tensor with a range of its own. Of one that is zero, as the uppermost row of digits, the
    converter (TensorFlow 2.21, int16x8) makes infinite scales for the weights that all steps share.

    Args:
        values: (n, steps, ...), of `calibration_inputs`.
    """
    still = ~np.any(values, axis=(0, *range(2, values.ndim)))
    if not still.any():
        return values
    moved = values.copy()
    moved[0].reshape(len(still), -1)[still, 0] = values.flat[np.abs(values).argmax()]
    return moved


def held_out(samples: Arrays | None) -> tuple[Arrays | None, Arrays | None, str]:
    """Samples to calibrate with and others to compare on, where none were given for that.

    Compared on the samples that calibrate it, a file looks better than it is: its ranges were made for them.

    Args:
        samples: (n, *shape) by input; None where there are none.

    Returns:
        Those that calibrate, those to compare on (each fourth), and what these are: "given"; of fewer than `LEAST`
        all of them for both, "calibration".
    """
    if samples is None:
        return None, None, "given"
    count = len(next(iter(samples.values())))
    if count < LEAST:
        return samples, samples, "calibration"
    kept = np.arange(count) % 4 == 3
    return (
        {name: array[~kept] for name, array in samples.items()},
        {name: array[kept] for name, array in samples.items()},
        "given",
    )
