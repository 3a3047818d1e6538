"""Raw samples from what a user has: image files and folders of them, CSV rows, `.npy` arrays; read when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.device import read_image
from zoo.errors import DataError
from zoo.inference.contract import Contract
from zoo.inference.csvfile import read_rows
from zoo.runner import one_line

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TABLES = (".csv", ".tsv")
ARRAYS = (".npy",)
CHUNK = 1024
KNOWN = f"expected images ({', '.join(IMAGES)}), a folder of them, {', '.join(TABLES)} or {', '.join(ARRAYS)}"


class Chunk(NamedTuple):
    """Some samples: a name for each, and the raw samples, first axis the batch."""

    names: list[str]
    raw: np.ndarray


def read_inputs(
    paths: Sequence[str | Path], contract: Contract, *, on_event: Callable[[str], None] | None = None
) -> Iterator[Chunk]:
    """Reads inputs in the order given, a chunk at a time.

    Args:
        paths: Image files, folders of images, CSV files with a header, `.npy` arrays of one sample or a batch.
        contract: What the model takes.
        on_event: Told, in one line each, of what was not used.

    Yields:
        Chunks of at most 1024 samples; an image is a chunk of its own, because sizes differ.

    Raises:
        DataError: A file that is missing, damaged, of no known kind, or not what the model takes; the message names
            it, and line and column of a table.
    """
    tell = on_event or (lambda _: None)
    files = [file for path in paths for file in _files(Path(path), tell)]  # names are checked before anything runs
    for file in files:
        yield from _read(file, contract, tell)


def _files(path: Path, tell: Callable[[str], None]) -> list[Path]:
    if path.is_dir():
        entries = sorted(entry for entry in path.rglob("*") if entry.is_file())
        images = [entry for entry in entries if entry.suffix.lower() in IMAGES]
        if not images:
            raise DataError(f"folder {path} holds no images; {KNOWN}")
        if len(images) < len(entries):
            tell(f"{path}: {len(entries) - len(images)} files are no images and were left out")
        return images
    if not path.is_file():
        raise DataError(f"input {path} does not exist; {KNOWN}")
    if path.suffix.lower() not in (*IMAGES, *TABLES, *ARRAYS):
        raise DataError(f"input {path} is of no known kind; {KNOWN}")
    return [path]


def _read(path: Path, contract: Contract, tell: Callable[[str], None]) -> Iterator[Chunk]:
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        yield from _read_array(path, contract)
    elif suffix in TABLES:
        if contract.kind != "table":
            raise DataError(f"{path} is a table; the model takes {contract.kind} samples of shape {contract.shape}")
        for first, rows in read_rows(path, contract.columns, contract.shape[0], chunk=CHUNK, tell=tell):
            yield Chunk([f"{path}:{first + at}" for at in range(len(rows))], rows)
    elif contract.kind != "image":
        wanted = ", ".join(contract.columns) or f"samples of shape {contract.shape}"
        raise DataError(f"{path} is an image; the model takes {wanted}: give a .csv or .npy file")
    else:
        yield Chunk([str(path)], read_image(path)[np.newaxis])


def _read_array(path: Path, contract: Contract) -> Iterator[Chunk]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {one_line(error)}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "uifb":
        raise DataError(f"{path} does not hold numbers; expected a .npy array of one sample or a batch")
    if _is_single(array.shape, contract):
        yield Chunk([str(path)], np.asarray(array)[np.newaxis])
        return
    if array.ndim == 0 or array.ndim not in (len(contract.shape) + 1, len(contract.shape) + (contract.kind != "image")):
        raise DataError(
            f"{path} has shape {array.shape}; expected one sample of shape {contract.shape}, or a batch of them"
        )
    for start in range(0, len(array), CHUNK):
        raw = np.asarray(array[start : start + CHUNK])
        yield Chunk([f"{path}:{start + at + 1}" for at in range(len(raw))], raw)


def _is_single(shape: tuple[int, ...], contract: Contract) -> bool:
    """Whether an array is one sample; three axes are one image where the last can be channels, else grey images."""
    if contract.kind != "image":
        return len(shape) == len(contract.shape)
    return len(shape) == 2 or (len(shape) == 3 and (shape == contract.shape or shape[-1] in (1, 2, 3, 4)))
