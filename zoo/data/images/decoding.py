"""Image files decoded once, in parallel, to the size of the model; the pixels wait on disk for the next time."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from zoo import preprocessing
from zoo.data.cache import cached, place
from zoo.data.identity import row_digests
from zoo.errors import DataError
from zoo.images import read_image
from zoo.interpreters import one_line
from zoo.runs import read_npz, sha256, write_npz
from zoo.settings import cpu_count

VERSION = 1
"""Of `read_image` and `preprocessing.image` together: another number makes every cache anew, as another Pillow does."""

PIXELS, INDEX = "samples.npy", "index.npz"
LARGE_PIXELS = 16_000_000
"""Images above this are decoded one at a time, which bounds the memory."""

CHECKED_BYTES = 256 * 1024 * 1024
"""So much of a cache is compared with its digests before it is used; of a larger one rows spread over all of it."""

TELL_EVERY_SECONDS = 2.0
T = TypeVar("T")
_one_large = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    """Pixels of files, in their order.

    Attributes:
        samples: (n, height, width, channels) uint8 on disk; zeros for a file with a problem.
        digests: (n,) uint64, equal for equal pixels.
        sha256: Of each file's bytes, hexadecimal.
        problems: What is wrong with a file, empty where nothing is.
        reused: How many were there from an earlier time.
    """

    samples: np.memmap
    digests: np.ndarray
    sha256: tuple[str, ...]
    problems: tuple[str, ...]
    reused: int


class _Row(NamedTuple):
    pixels: np.ndarray
    digest: int
    sha256: str
    problem: str = ""
    reused: bool = False


def decode(
    files: Sequence[Path],
    shape: tuple[int, int, int],
    *,
    known: Sequence[str],
    key: str,
    areas: Sequence[int],
    on_event: Callable[[str], None],
) -> Decoded:
    """Decodes files, or takes from the cache what is unchanged since.

    Args:
        files: Image files.
        shape: Height, width and channels of all.
        known: What is wrong with a file already, empty where nothing is: those are not decoded.
        key: Tells apart one user's data from others'; the same for the same folder, read the same way.
        areas: Pixels of each file, to bound the memory by.
        on_event: Told of progress every two seconds.

    Raises:
        ResourceError: The disk has no room for the pixels.
    """
    signatures = [_signature(file) for file in files]
    size = len(files) * int(np.prod(shape))
    text = f"{VERSION} {metadata.version('pillow')} {shape} {key}"
    name = f"images-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    reused = len(files)
    held: _Held | None = None

    def is_whole(folder: Path) -> bool:
        there = _open(folder, shape)
        if there is None or there.signatures != signatures or any(there.problems):
            return False
        return there.agrees(_spread(len(files), size))

    def make(folder: Path) -> None:
        nonlocal reused
        reused = _fill(folder, place(name), files, shape, signatures, known, areas, on_event)

    def use(folder: Path) -> None:
        nonlocal held
        held = _open(folder, shape)

    # Opened while it is locked: afterwards another process may put rows of other files there.
    folder = cached(name, make, is_whole=is_whole, size=size, on_event=on_event, use=use)
    if held is None or held.signatures != signatures:
        raise DataError(f"{folder} cannot be read back after it was written; look after the disk")
    return Decoded(held.samples, held.digests, held.sha256, held.problems, reused)


@dataclass(frozen=True)
class _Held:
    """What lies in a cache folder."""

    signatures: list[str]
    samples: np.memmap
    digests: np.ndarray
    sha256: tuple[str, ...]
    problems: tuple[str, ...]

    def agrees(self, rows: np.ndarray) -> bool:
        """Whether these rows are what was written there."""
        return all(self.row_agrees(int(row)) for row in rows)

    def row_agrees(self, row: int) -> bool:
        """Whether a row is what was written there."""
        return int(row_digests(self.samples[row : row + 1])[0]) == int(self.digests[row])


def _open(folder: Path, shape: tuple[int, int, int]) -> _Held | None:
    """What lies in a folder, None where it is not whole."""
    try:
        index = read_npz(folder / INDEX)
        samples = np.load(folder / PIXELS, mmap_mode="r")
        held = _Held(
            signatures=index["signatures"].tolist(),
            samples=samples,
            digests=index["digests"],
            sha256=tuple(index["sha256"].tolist()),
            problems=tuple(index["problems"].tolist()),
        )
    except (OSError, ValueError, KeyError, EOFError, DataError):
        return None  # it is made anew
    whole = isinstance(samples, np.memmap) and samples.shape == (len(held.signatures), *shape)
    return held if whole else None


def _fill(
    folder: Path,
    before: Path,
    files: Sequence[Path],
    shape: tuple[int, int, int],
    signatures: Sequence[str],
    known: Sequence[str],
    areas: Sequence[int],
    on_event: Callable[[str], None],
) -> int:
    """Writes a cache folder; rows that the one before has are copied. Returns how many were."""
    held = _open(before, shape)
    earlier = {signature: row for row, signature in enumerate(held.signatures)} if held else {}

    def row(at: int) -> _Row:
        if known[at]:
            return _Row(np.zeros(shape, np.uint8), 0, "", known[at])
        place = earlier.get(signatures[at])
        if held and place is not None and not held.problems[place] and held.row_agrees(place):
            return _Row(held.samples[place], int(held.digests[place]), held.sha256[place], reused=True)
        return _decode(files[at], shape, areas[at])

    digests = np.zeros(len(files), np.uint64)
    sums, problems, reused = [], [], 0
    # Written as a file, not through a mapping: mapped pages would count as this process's memory.
    with (folder / PIXELS).open("wb") as target:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *shape)}
        np.lib.format.write_array_header_1_0(target, header)
        for at, done in enumerate(in_order(row, len(files), on_event)):
            target.write(np.ascontiguousarray(done.pixels).data)
            digests[at] = done.digest
            sums.append(done.sha256)
            problems.append(done.problem)
            reused += done.reused
    texts = {"signatures": signatures, "sha256": sums, "problems": problems}
    write_npz(folder / INDEX, digests=digests, **{key: np.array(value, np.str_) for key, value in texts.items()})
    return reused


def in_order(
    make: Callable[[int], T], count: int, on_event: Callable[[str], None], *, at_once: int = 1024
) -> Iterator[T]:
    """What several threads make of images, in order, so many at a time; Pillow and numpy let threads run beside.

    Args:
        make: Of a position what is made there.
        count: How many there are.
        on_event: Told of progress, a line each.
        at_once: Made before the first of them is handed on, at most.
    """
    from threadpoolctl import threadpool_limits

    told = time.monotonic()
    # Each thread multiplies alone: more BLAS threads would only fight for the cores.
    with threadpool_limits(1), warnings.catch_warnings(), ThreadPoolExecutor(max(2, cpu_count()), "decode") as pool:
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata
        for start in range(0, count, at_once):
            for at, made in enumerate(pool.map(make, range(start, min(start + at_once, count))), start):
                if time.monotonic() - told > TELL_EVERY_SECONDS:
                    told = time.monotonic()
                    on_event(f"read {at:,} of {count:,} images")
                yield made


def _decode(file: Path, shape: tuple[int, int, int], area: int) -> _Row:
    height, width, channels = shape
    step = {"step": "image", "height": height, "width": width, "channels": channels}
    try:
        with _one_large if area > LARGE_PIXELS else contextlib.nullcontext():
            pixels = preprocessing.image(read_image(file)[np.newaxis], step)
        return _Row(pixels[0], int(row_digests(pixels)[0]), sha256(file))
    except (DataError, OSError, ValueError) as error:
        return _Row(np.zeros(shape, np.uint8), 0, "", one_line(error))


def _signature(file: Path) -> str:
    """Changes when a file does."""
    try:
        found = file.stat()
    except OSError:
        return f"{file} gone"
    return f"{file} {found.st_size} {found.st_mtime_ns}"


def _spread(count: int, size: int) -> np.ndarray:
    """Rows to look at: all, or as many as fit the bound, first and last among them."""
    wanted = min(count, max(2, count * CHECKED_BYTES // max(size, 1)))
    return np.unique(np.linspace(0, count - 1, wanted).astype(np.int64))
