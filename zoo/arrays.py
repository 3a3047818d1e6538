"""`.npy` arrays as samples: one or a batch of what a model takes, or a recording. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from . import histories, preprocessing
    from .chunks import ARRAY_ROWS, Chunk, not_finite, prepare
    from .images import image_size
    from .interpreters import DataError, one_line
    from .masks import is_segmentation
    from .recordings import is_series, window_chunks
    from .sound import listening
    from .tabular import encoding
else:
    import histories  # type: ignore[import-not-found,no-redef]
    import preprocessing  # type: ignore[import-not-found,no-redef]
    from chunks import ARRAY_ROWS, Chunk, not_finite, prepare  # type: ignore[import-not-found,no-redef]
    from images import image_size  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError, one_line  # type: ignore[import-not-found,no-redef]
    from masks import is_segmentation  # type: ignore[import-not-found,no-redef]
    from recordings import is_series, window_chunks  # type: ignore[import-not-found,no-redef]
    from sound import listening  # type: ignore[import-not-found,no-redef]
    from tabular import encoding  # type: ignore[import-not-found,no-redef]


def open_array(path: str | Path, contract: Mapping[str, Any]) -> tuple[np.ndarray, bool]:
    """A .npy file as a batch of raw samples, read when they are asked for, and whether it holds a single one.

    Of three axes, the last can be the channels of one image; else they are grey images.

    Raises:
        DataError: It cannot be read, or is neither a sample nor a batch of what the model takes.
    """
    shape, image = tuple(contract["input"]["shape"]), contract["input"]["kind"] == "image"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {one_line(error)}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "uifb":
        raise DataError(f"{path} does not hold numbers; expected a .npy array of one sample or a batch")
    raw = len(contract["input"].get("columns") or ()) if encoding(contract) else 0
    wanted = (raw,) if raw else shape
    if listening(contract):
        wanted = (int(listening(contract)["length"]),)
        if array.dtype.kind not in "iu":
            raise DataError(
                f"{path} holds {array.dtype}; expected 16-bit samples of sounds, (x * 32767).astype('int16')"
            )
    single = array.ndim == len(wanted)
    if image:
        single = array.ndim == 2 or (array.ndim == 3 and (array.shape == shape or array.shape[-1] in (1, 2, 3, 4)))
    batch = array[np.newaxis] if single else array
    if is_series(contract) and single and array.shape[1] == wanted[1]:
        return batch, len(array) <= wanted[0]  # a recording of its own length
    fits = batch.ndim in (3, 4) if image else batch.shape[1:] == wanted
    if not fits:
        raise DataError(f"{path} has shape {array.shape}; expected one sample of shape {wanted}, or a batch of them")
    if len(batch) == 0:
        raise DataError(f"{path} holds no samples (shape {array.shape}); give at least one")
    return batch, single


def array_chunks(path: str | Path, contract: Mapping[str, Any]) -> Iterator[Chunk]:
    """The samples of a .npy file, or the windows of a recording; raises DataError where they do not fit the model."""
    array, single = open_array(path, contract)
    if is_series(contract) and array.shape[1:] != tuple(contract["input"]["shape"]):
        last = histories.last_steps(array[0], contract) if histories.horizon(contract) else None
        values = preprocessing.between(array[0]) if last is None else last
        yield from window_chunks(str(path), values, {}, contract)
        return
    pictures = is_segmentation(contract)
    size = 1 if pictures else ARRAY_ROWS
    for start in range(0, len(array), size):
        raw = np.asarray(array[start : start + size])
        names = [str(path)] if single else [f"{path}:{start + row + 1}" for row in range(len(raw))]
        samples = raw if pictures else prepare(raw, contract)
        sizes = [image_size(raw[0])] * len(raw) if contract["input"]["kind"] == "image" else []
        yield Chunk(names, samples, array_problems(raw, samples, names, contract), sizes=sizes)


def array_problems(
    raw: np.ndarray, samples: np.ndarray, names: Sequence[str], contract: Mapping[str, Any]
) -> dict[int, str]:
    """Rows of an array with numbers that no model takes, raw or after the steps; in a table, NaN can be missing."""
    problems = {row: f"{names[row]} holds numbers too large for the model" for row in not_finite(samples)}
    if raw.dtype.kind == "f":
        wrong = np.isinf(raw) if encoding(contract) else ~np.isfinite(raw)
        bad = np.flatnonzero(wrong.reshape(len(raw), -1).any(axis=1)).tolist()
        problems.update({row: f"{names[row]} holds NaN or infinite values" for row in bad})
    return dict(sorted(problems.items()))
