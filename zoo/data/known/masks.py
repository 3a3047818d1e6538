"""The images with masks that the zoo knows by name, where their split is told from their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from zoo.data.dataset import PARTS, Raw
from zoo.data.known.own import load_named
from zoo.data.loading import LoadRequest

FIRST_TESTED = 24
"""Sections of the stack from this one on are tested on: neighbours look alike, so they are the last ones in a row."""


def load_membranes(request: LoadRequest) -> Raw:
    """ISBI 2012, 30 sections of (512, 512, 1) uint8, whole, resized or in tiles; the last six are the test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    raw = load_named(request)
    sections = np.array([int(PurePosixPath(name).stem) for name in raw.names])
    parts = np.where(sections >= FIRST_TESTED, PARTS.index("test"), -1)
    return replace(raw, parts=parts.astype(np.int8), names=())
