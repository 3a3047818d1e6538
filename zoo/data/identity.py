"""What makes a data set itself: checksums of its arrays, rows that stand in two splits."""

from __future__ import annotations

import hashlib

import numpy as np


def digest(*arrays: np.ndarray | None) -> str:
    """One sha256 over arrays in order: shape, kind of number and bytes; None counts as absent."""
    state = hashlib.sha256()
    for array in arrays:
        if array is None:
            continue
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def row_digests(samples: np.ndarray) -> list[bytes]:
    """A digest of each sample; equal samples, and only they, have equal ones.

    Args:
        samples: First axis the batch; -0.0 counts as 0.0.
    """
    plain = samples + 0.0 if np.issubdtype(samples.dtype, np.floating) else samples
    content = memoryview(np.ascontiguousarray(plain).tobytes())
    width = len(content) // max(len(samples), 1)
    return [hashlib.sha256(content[start : start + width]).digest() for start in range(0, len(content), width)]


def count_duplicates(test: np.ndarray, *others: np.ndarray) -> int:
    """Test samples that stand, exactly equal, in any of the other splits."""
    known = {row for samples in others for row in row_digests(samples)}
    return sum(row in known for row in row_digests(test))
