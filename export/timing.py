"""How long one sample takes on this machine: medians of calls in rounds, of which the quickest counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

CALLS = 11
"""Calls of one median."""


def median_time(loaded: Any) -> float:
    """Microseconds of one call, the median of a few: enough to tell forms of one model apart.

    Args:
        loaded: Of `zoo.streaming.open_model`; of a file of one step, a call is a whole sequence.
    """
    sample = loaded.example()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        loaded.invoke(sample)
        times.append((time.perf_counter() - start) * 1e6)
    return float(np.median(times))


def time_file(
    model: str, rounds: int, stream: Mapping[str, Any] | None = None, enough: float | None = None, pause: float = 0.0
) -> dict[str, Any]:
    """Times a .tflite file in rounds, on one thread.

    Whatever else runs on the machine only adds time: the quickest of the medians is nearest to the file's own.

    Args:
        model: The file.
        rounds: At most.
        stream: Of bundle.json, for a file that is one time step of a sequence.
        enough: Microseconds; a median at or below ends it.
        pause: Seconds before each round but the first.

    Returns:
        "medians", microseconds, one a round.
    """
    from zoo.streaming import open_model

    loaded = open_model(model, {"stream": stream}, threads=1)
    loaded.invoke(loaded.example())  # the first call allots and packs
    medians: list[float] = []
    for _ in range(rounds):
        if medians and pause:
            time.sleep(pause)
        medians.append(median_time(loaded))
        if enough is not None and medians[-1] <= enough:
            break
    return {"medians": medians}
