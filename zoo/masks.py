"""A class for every pixel of an image: cut into tiles, answered, joined, counted and written. Python 3.9 or later.

Standard library and numpy (>= 1.22) only, Pillow to write masks: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from . import preprocessing
    from .interpreters import DataError, ModelError, UsageError
else:
    import preprocessing  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError, ModelError, UsageError  # type: ignore[import-not-found,no-redef]

TILES_AT_ONCE = 8
"""Tiles that go through the model together."""

OVERLAP = 4
"""Tiles share one part in so many of a side with their neighbours, or more: first and last end with the image."""

Forward = Callable[[np.ndarray], np.ndarray]
"""Model inputs (n, height, width, channels) uint8 -> (n, height, width, classes) float32."""


class Box(NamedTuple):
    """A tile of an image.

    Attributes:
        top: Of the tile in the image, as is `left`.
        kept: (top, bottom, left, right) inside the tile: what it answers for; every pixel of an image is in one such
            part, that of the tile whose edges are farthest.
    """

    top: int
    left: int
    kept: tuple[int, int, int, int]


def is_segmentation(contract: Mapping[str, Any]) -> bool:
    """Whether a model answers for every pixel."""
    return bool(contract["output"]["task"] == "segmentation")


def starts(length: int, tile: int) -> list[int]:
    """Where tiles begin along a side of `length` pixels, evenly, first and last at its ends."""
    count = 1 if length <= tile else -(-(length - tile // OVERLAP) // (tile - tile // OVERLAP))
    return [round(at * (length - tile) / max(count - 1, 1)) for at in range(count)]


def boxes(height: int, width: int, tile: tuple[int, int]) -> list[Box]:
    """The tiles of an image, row by row.

    Args:
        height: Of the image, at least the tile's, as is `width`.
        width: Likewise.
        tile: Height and width of a tile.
    """
    rows, columns = (
        _kept(starts(length, side), side, length) for length, side in ((height, tile[0]), (width, tile[1]))
    )
    return [
        Box(top, left, (*inside_rows, *inside_columns)) for top, inside_rows in rows for left, inside_columns in columns
    ]


def _kept(places: list[int], tile: int, length: int) -> list[tuple[int, tuple[int, int]]]:
    """Each place with what its tile answers for: neighbours meet in the middle of what they share."""
    edges = [0, *((before + tile + after) // 2 for before, after in zip(places, places[1:])), length]
    return [(place, (low - place, high - place)) for place, low, high in zip(places, edges, edges[1:])]


def segment(image: np.ndarray, contract: Mapping[str, Any], forward: Forward) -> np.ndarray:
    """The class of every pixel of an image.

    A model of tiles is asked tile by tile, any other for the whole image in its own size.

    Args:
        image: (height, width) or (height, width, channels), pixels of 0 to 255.
        contract: As in bundle.json; `input.tiles` says that the model was trained on tiles.
        forward: The model.

    Returns:
        (height, width) uint8, indices of the labels.

    Raises:
        DataError: Pixels that the model was not made for.
        ModelError: The model answers NaN.
    """
    expected = contract["input"]
    height, width, channels = (int(size) for size in expected["shape"])
    try:
        if not expected.get("tiles"):
            answered = classes_of(forward(preprocessing.apply(contract["steps"], image[np.newaxis])))[0]
            return nearest(answered, image.shape[0], image.shape[1])
        step = {"step": "image", "height": image.shape[0], "width": image.shape[1], "channels": channels}
        pixels = preprocessing.image(image[np.newaxis], step)[0]
    except ValueError as error:
        raise DataError(f"the image does not fit the model: {error}") from error
    below, right = max(height - pixels.shape[0], 0), max(width - pixels.shape[1], 0)
    whole = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
    found = np.zeros(whole.shape[:2], np.uint8)
    places = boxes(whole.shape[0], whole.shape[1], (height, width))
    for at in range(0, len(places), TILES_AT_ONCE):
        some = places[at : at + TILES_AT_ONCE]
        tiles = np.stack([whole[box.top : box.top + height, box.left : box.left + width] for box in some])
        for box, answer in zip(some, classes_of(forward(tiles))):
            top, bottom, first, last = box.kept
            found[box.top + top : box.top + bottom, box.left + first : box.left + last] = answer[top:bottom, first:last]
    return found[: pixels.shape[0], : pixels.shape[1]]


def classes_of(outputs: np.ndarray) -> np.ndarray:
    """(n, height, width) uint8, the most probable class of every pixel.

    Raises:
        ModelError: An output is not finite: no pixels bring a whole model there.
    """
    if not np.isfinite(outputs).all():
        raise ModelError("the model answers NaN or infinite values; train or export it again")
    return np.asarray(outputs.argmax(axis=-1), np.uint8)


def nearest(classes: np.ndarray, height: int, width: int) -> np.ndarray:
    """A mask in another size, each pixel taken from the nearest one."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.int64), old - 1)
        for old, new in zip(classes.shape, (height, width))
    )
    return np.asarray(classes[rows[:, np.newaxis], columns])


def shares(classes: np.ndarray, count: int) -> np.ndarray:
    """(classes,) float32, the share of the pixels that each class has."""
    return np.asarray(np.bincount(classes.reshape(-1), minlength=count) / classes.size, np.float32)


def answer_pictures(
    names: list[str],
    images: np.ndarray,
    contract: Mapping[str, Any],
    forward: Forward,
    write: Callable[[str, np.ndarray], None] | None,
) -> np.ndarray:
    """Shares of the classes of each image, (n, classes) float32; masks go to `write` by the image's name."""
    count = len(contract["output"]["labels"])
    found = np.zeros((len(images), count), np.float32)
    for at, name in enumerate(names):
        classes = segment(images[at], contract, forward)
        found[at] = shares(classes, count)
        if write is not None:
            write(name, classes)
    return found


def written(classes: np.ndarray, output: Mapping[str, Any]) -> np.ndarray:
    """A mask as its file has it: the values of the masks trained on; (height, width) uint8."""
    values = output.get("values") or range(len(output["labels"]))
    return np.asarray(np.asarray(values, np.uint8)[classes])


class MaskFolder:
    """Masks on their way into a folder: they get there together, at the end of the block, or not at all.

    Args:
        folder: Made if it is not there; files of the same names are replaced.
        contract: Its `output.values` and `output.palette` say how masks are written.

    Attributes:
        count: Masks so far.
    """

    def __init__(self, folder: Path, contract: Mapping[str, Any]) -> None:
        self._folder, self._output = folder, contract["output"]
        self._temporary = folder / f".masks-{os.getpid()}"
        self._files: dict[str, str] = {}
        self.count = 0

    def __enter__(self) -> MaskFolder:
        try:
            self._temporary.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be made: {error.strerror}; choose another folder") from error
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            for name in self._files if kind is None else ():
                target = self._folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._temporary / name, target)  # noqa: PTH105
        except OSError as problem:
            raise UsageError(f"{self._folder} cannot be written: {problem.strerror}; choose another one") from problem
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def write(self, name: str, classes: np.ndarray) -> None:
        """Writes the mask of the image called `name`.

        Raises:
            DataError: Another image's mask has this name, or Pillow is not installed.
            UsageError: The folder cannot be written.
        """
        file = mask_name(name)
        if file in self._files:
            raise DataError(f"{name} and {self._files[file]} would both be written as {file}; give them one at a time")
        try:
            from PIL import Image
        except ImportError as error:
            raise DataError("masks are written with Pillow; install it: pip install pillow") from error
        image = Image.fromarray(written(classes, self._output))
        if self._output.get("palette"):
            image.putpalette([part for colour in self._output["palette"] for part in colour])
        try:
            (self._temporary / file).parent.mkdir(parents=True, exist_ok=True)
            image.save(self._temporary / file, format="PNG")
        except OSError as problem:
            raise UsageError(f"{self._folder} cannot be written: {problem.strerror}; choose another one") from problem
        self._files[file] = name
        self.count += 1


def mask_name(name: str) -> str:
    """The file of an image's mask: the image's own with another ending, in the same place inside of its folder."""
    base, _, row = name.rpartition(":")
    numbered = bool(base) and row.isdigit()  # a row of an array
    path = Path(base if numbered else name)
    inside = path.name if path.is_absolute() or ".." in path.parts or path.exists() else path.as_posix()
    stem = inside[: len(inside) - len(path.suffix)] if path.suffix else inside
    return f"{stem}-{row}.png" if numbered else f"{stem}.png"
