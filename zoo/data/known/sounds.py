"""The sounds the zoo knows by name, where their split is told from their names."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from zoo.data.dataset import PARTS, Raw
from zoo.data.known.own import load_named
from zoo.data.loading import LoadRequest

FSDD_TESTED = 5
"""Recordings of a speaker and a digit that are tested on, the first: the set's customary split."""


def load_fsdd(request: LoadRequest) -> Raw:
    """Free Spoken Digits: (n, length) int16 at 8 kHz, the customary test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    raw = load_named(request)
    numbers = [int(re.fullmatch(r".*_(\d+)\.wav", name)[1]) for name in raw.names]  # type: ignore[index]
    parts = np.where(np.array(numbers) < FSDD_TESTED, PARTS.index("test"), -1)
    return replace(raw, parts=parts.astype(np.int8), names=())
