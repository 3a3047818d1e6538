"""Recordings cut into samples of one length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo import preprocessing
from zoo.errors import DataError


def cut(recordings: Sequence[np.ndarray], window: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of recordings as `zoo.preprocessing.windows` cuts them, one recording after the other.

    Args:
        recordings: Each (steps, channels) float32.
        window: Steps of a sample.
        hop: Steps between two windows of a recording.

    Returns:
        (samples, window, channels) float32, and (samples,) int64, the recording of each.
    """
    parts = [preprocessing.windows(values, window, hop) for values in recordings]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


LONGEST = 4096
"""Steps of a sample at most: more are no window of a sensor, and no network of the zoo is for it."""


def choose(lengths: Sequence[int], window: int, hop: int) -> tuple[int, int, str]:
    """Steps of a sample and between samples, and what is to be said of it.

    Without a window a recording is a sample, and shorter ones are filled up to the longest.

    Raises:
        DataError: Recordings too long to be a sample, or all of them shorter than half the window.
    """
    longest, shortest = max(lengths), min(lengths)
    if not window:
        if longest > LONGEST:
            raise DataError(
                f"the recordings have up to {longest:,} steps, which is no sample; cut windows with --window N, and "
                "--hop N where they overlap"
            )
        note = "" if longest == shortest else f"recordings of {shortest} to {longest} steps, filled up in front"
        return longest, longest, note
    if 2 * longest < window:
        raise DataError(f"window = {window} is too long, the longest recording has {longest} steps; take fewer")
    short = sum(length < window for length in lengths)
    note = f"{short:,} recordings shorter than the window of {window} steps, filled up in front" if short else ""
    return window, hop or window, note
