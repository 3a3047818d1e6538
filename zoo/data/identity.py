"""What makes a data set itself: checksums of its arrays, rows that stand in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from zoo.data.dataset import Samples

CHUNK = 4096


def digest(*arrays: Samples | None) -> str:
    """One sha256 over arrays in order: shape, kind of number and bytes; None counts as absent."""
    state = hashlib.sha256()
    for array in arrays:
        if array is None:
            continue
        state.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), CHUNK):
            state.update(np.ascontiguousarray(array[start : start + CHUNK]).data)
    return state.hexdigest()


def row_digests(samples: Samples) -> np.ndarray:
    """A digest of each sample, (n,) uint64; equal samples have equal ones, others but by a chance of 1 in 2**64.

    Args:
        samples: First axis the batch; -0.0 counts as 0.0. Read in chunks, so that it may lie on disk.
    """
    digests = np.empty(len(samples), np.uint64)
    for start in range(0, len(samples), CHUNK):
        chunk = np.asarray(samples[start : start + CHUNK])
        plain = chunk + 0.0 if np.issubdtype(chunk.dtype, np.floating) else chunk
        rows = np.ascontiguousarray(plain).reshape(len(plain), -1).view(np.uint8)
        for at, row in enumerate(rows):
            digests[start + at] = int.from_bytes(hashlib.blake2b(row.data, digest_size=8).digest(), "little")
    return digests


def text_digests(texts: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """A digest of each text as of `row_digests`, (n,) uint64, and the sha256 that it is the beginning of."""
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    return np.array([int(found[:16], 16) for found in sums], np.uint64), sums


def conflicts(digests: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """Groups of equal samples whose targets differ: positions in each group, ascending.

    Args:
        digests: (n,) uint64 of the samples.
        targets: (n, ...) as loaded.
    """
    order = np.argsort(digests, kind="stable")
    starts = np.flatnonzero(np.diff(digests[order]) != 0) + 1
    groups = (group for group in np.split(order, starts) if len(group) > 1)
    flat = targets.reshape(len(targets), -1)
    return [group for group in groups if (flat[group] != flat[group[0]]).any()]
