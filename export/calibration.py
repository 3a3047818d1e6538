"""Calibration that begins every sample from a state of zeros.

The calibrator of TensorFlow 2.21 runs one sample after another through one interpreter and never clears the variable
tensors of the fused LSTM: its ranges would be those of one endless sequence. Preparing it anew clears them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from zoo.errors import ModelError


@contextlib.contextmanager
def state_cleared() -> Iterator[None]:
    """Within the block, the converter's calibrator is prepared before each sample instead of once."""
    from tensorflow.lite.python.optimize import calibrator

    feed = getattr(calibrator.Calibrator, "_feed_tensors", None)
    if feed is None:
        raise ModelError("this TensorFlow calibrates in another way than 2.21; install the version that is locked")

    def feed_each(self: Any, samples: Callable[[], Iterator[Any]], resize_input: bool) -> None:
        for sample in samples():
            feed(self, lambda sample=sample: iter([sample]), resize_input)

    calibrator.Calibrator._feed_tensors = feed_each
    try:
        yield
    finally:
        calibrator.Calibrator._feed_tensors = feed
