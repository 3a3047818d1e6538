"""Images and masks decoded once, whole or in tiles; their pixels wait on disk for the next time."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo import preprocessing
from zoo.data.cache import cached
from zoo.data.identity import row_digests
from zoo.data.images.decoding import LARGE_PIXELS, in_order
from zoo.data.masks.files import read_mask
from zoo.data.masks.pairing import Pair
from zoo.errors import DataError
from zoo.images import read_image
from zoo.masks import Box, boxes, nearest
from zoo.runs import read_npz, sha256, write_npz

VERSION = 1
"""Of what is written here: another number makes every cache anew, as another Pillow does."""

SAMPLES, VALUES, INDEX = "samples.npy", "masks.npy", "index.npz"
CHECKED_ROWS = 64
"""So many rows of a cache, spread over it, are compared with their digests before it is used."""

PAIRS_AT_ONCE = 8
"""Pairs that wait for their turn to be written, as all tiles of each do."""

_one_large = threading.Lock()


@dataclass(frozen=True)
class Layout:
    """How images become samples.

    Attributes:
        shape: Height, width and channels of a sample.
        tiled: Whether samples are tiles of images in their own size; else images are resized to the shape.
    """

    shape: tuple[int, int, int]
    tiled: bool

    def places(self, size: tuple[int, int]) -> list[Box]:
        """The samples of an image of this height and width."""
        if self.tiled:
            return boxes(*size, self.shape[:2])
        return [Box(0, 0, (0, self.shape[0], 0, self.shape[1]))]


@dataclass(frozen=True)
class Decoded:
    """Pixels of pairs, in their order.

    Attributes:
        samples: (n, height, width, channels) uint8 on disk; of a pair with a problem zeros.
        values: (n, height, width) uint8 on disk, the masks' values as their files have them.
        digests: (n,) uint64, equal for equal samples.
        owners: (n,) index of the pair that a sample is of.
        kept: (n, 4) what a sample answers for, see `zoo.masks.Box`.
        counts: (pairs, 256) pixels of each value in each mask, in its own size.
        sha256: Of each pair's files together.
        problems: What is wrong with a pair, empty where nothing is.
        palette: (colours, 3) of the first mask that has one; else empty.
    """

    samples: np.ndarray
    values: np.ndarray
    digests: np.ndarray
    owners: np.ndarray
    kept: np.ndarray
    counts: np.ndarray
    sha256: tuple[str, ...]
    problems: tuple[str, ...]
    palette: np.ndarray


class _Made(NamedTuple):
    """The samples of a pair."""

    pixels: np.ndarray
    values: np.ndarray
    counts: np.ndarray
    sha256: str
    palette: tuple[tuple[int, int, int], ...] = ()
    problem: str = ""


def decode(
    pairs: Sequence[Pair],
    sizes: Sequence[tuple[int, int]],
    layout: Layout,
    *,
    key: str,
    on_event: Callable[[str], None],
) -> Decoded:
    """Decodes pairs, or takes them from the cache where no file has changed since.

    Args:
        pairs: Whose headers are in order and of equal sizes.
        sizes: Height and width of each.
        layout: What samples are.
        key: Tells apart one user's data from others'.
        on_event: Told of progress every two seconds.

    Raises:
        ResourceError: The disk has no room for the pixels.
    """
    places = [layout.places(size) for size in sizes]
    rows = sum(map(len, places))
    signatures = [f"{_signature(pair.image)} {_signature(pair.mask)}" for pair in pairs]
    text = f"{VERSION} {metadata.version('pillow')} {layout} {key}"
    held: Decoded | None = None

    def make(folder: Path) -> None:
        _fill(folder, pairs, sizes, places, layout, signatures, on_event)

    def is_whole(folder: Path) -> bool:
        found = _open(folder, (rows, *layout.shape), signatures)
        return found is not None and not any(found.problems) and _agrees(found)

    def use(folder: Path) -> None:
        nonlocal held
        held = _open(folder, (rows, *layout.shape), signatures)

    size = rows * int(np.prod(layout.shape[:2])) * (layout.shape[2] + 1)
    name = f"masks-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    folder = cached(name, make, is_whole=is_whole, size=size, on_event=on_event, use=use)
    if held is None:
        raise DataError(f"{folder} cannot be read back after it was written; look after the disk")
    return held


def _open(folder: Path, shape: tuple[int, int, int, int], signatures: Sequence[str]) -> Decoded | None:
    """What lies in a folder, None where it is not whole or of other files."""
    try:
        index = read_npz(folder / INDEX)
        if index["signatures"].tolist() != list(signatures):
            return None
        found = Decoded(
            samples=np.load(folder / SAMPLES, mmap_mode="r"),
            values=np.load(folder / VALUES, mmap_mode="r"),
            digests=index["digests"],
            owners=index["owners"],
            kept=index["kept"],
            counts=index["counts"],
            sha256=tuple(index["sha256"].tolist()),
            problems=tuple(index["problems"].tolist()),
            palette=index["palette"],
        )
    except (OSError, ValueError, KeyError, EOFError, DataError):
        return None  # it is made anew
    whole = found.samples.shape == shape and found.values.shape == shape[:3] and len(found.digests) == shape[0]
    return found if whole else None


def _agrees(found: Decoded) -> bool:
    """Whether rows spread over a cache are what was written there."""
    rows = np.unique(np.linspace(0, len(found.digests) - 1, min(len(found.digests), CHECKED_ROWS)).astype(np.int64))
    return bool(np.array_equal(row_digests(found.samples[rows]), found.digests[rows]))


def _fill(
    folder: Path,
    pairs: Sequence[Pair],
    sizes: Sequence[tuple[int, int]],
    places: Sequence[Sequence[Box]],
    layout: Layout,
    signatures: Sequence[str],
    on_event: Callable[[str], None],
) -> None:
    """Writes a cache folder."""
    rows = sum(map(len, places))
    digests: list[np.ndarray] = []
    made: list[_Made] = []
    # Written as files, not through a mapping: mapped pages would count as this process's memory.
    with (folder / SAMPLES).open("wb") as samples, (folder / VALUES).open("wb") as values:
        for target, shape in ((samples, (rows, *layout.shape)), (values, (rows, *layout.shape[:2]))):
            np.lib.format.write_array_header_1_0(target, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for one in in_order(
            lambda at: _make(pairs[at], sizes[at], places[at], layout), len(pairs), on_event, at_once=PAIRS_AT_ONCE
        ):
            samples.write(np.ascontiguousarray(one.pixels).data)
            values.write(np.ascontiguousarray(one.values).data)
            digests.append(row_digests(one.pixels))
            made.append(one._replace(pixels=one.pixels[:0], values=one.values[:0]))
    write_npz(
        folder / INDEX,
        digests=np.concatenate(digests),
        owners=np.repeat(np.arange(len(pairs)), [len(some) for some in places]),
        kept=np.array([box.kept for some in places for box in some], np.int32),
        counts=np.stack([one.counts for one in made]),
        palette=np.array(next((one.palette for one in made if one.palette), ()), np.uint8).reshape(-1, 3),
        signatures=np.array(signatures, np.str_),
        sha256=np.array([one.sha256 for one in made], np.str_),
        problems=np.array([one.problem for one in made], np.str_),
    )


def _make(pair: Pair, size: tuple[int, int], places: Sequence[Box], layout: Layout) -> _Made:
    """The samples of a pair; what is wrong with it is its problem."""
    height, width, channels = layout.shape
    try:
        with _one_large if size[0] * size[1] > LARGE_PIXELS else contextlib.nullcontext():
            mask = read_mask(pair.mask)
            target = size if layout.tiled else (height, width)
            step = {"step": "image", "height": target[0], "width": target[1], "channels": channels}
            pixels = preprocessing.image(read_image(pair.image)[np.newaxis], step)[0]
            if mask.values.shape != size:
                raise DataError(pair.unlike(size, mask.values.shape))
            values = nearest(mask.values, *target)
            cut = [
                tuple(part[box.top : box.top + height, box.left : box.left + width] for part in (pixels, values))
                for box in places
            ]
        counts = np.bincount(mask.values.reshape(-1), minlength=256)
        digest = f"{sha256(pair.image)} {sha256(pair.mask)}"
        return _Made(
            np.stack([one for one, _ in cut]), np.stack([other for _, other in cut]), counts, digest, mask.palette
        )
    except (DataError, OSError, ValueError) as error:
        nothing = np.zeros((len(places), *layout.shape), np.uint8)
        return _Made(nothing, nothing[..., 0], np.zeros(256, np.int64), "", problem=" ".join(str(error).split()))


def _signature(file: Path) -> str:
    """Changes when a file does."""
    try:
        found = file.stat()
    except OSError:
        return f"{file} gone"
    return f"{file} {found.st_size} {found.st_mtime_ns}"
