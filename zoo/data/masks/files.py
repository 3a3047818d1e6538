"""One mask file: its pixels as they stand there, and what is wrong with it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.errors import DataError
from zoo.images import MOST_PIXELS
from zoo.interpreters import one_line

GREYS = ("1", "L", "P", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L")
"""Pillow's modes that can hold a mask."""


class MaskFile(NamedTuple):
    """A mask as its file has it.

    Attributes:
        values: (height, width) uint8: grey values, or indices of the palette.
        palette: Red, green and blue of each index, 0 to 255; empty for a grey mask.
    """

    values: np.ndarray
    palette: tuple[tuple[int, int, int], ...] = ()


def read_mask(file: Path) -> MaskFile:
    """Reads a mask.

    Raises:
        DataError: It is damaged, coloured, or has values above 255.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            with Image.open(file) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DataError(f"mask {file} has {image.width:,} x {image.height:,} pixels; make it smaller")
                return MaskFile(_values(np.asarray(image), image.mode, file), _palette(image))
    except UnidentifiedImageError as error:
        raise DataError(f"mask {file} is no image, whatever its name says; replace it") from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises anything over damaged bytes
        raise DataError(f"mask {file} cannot be read: {one_line(error)}; replace the file") from error


def _values(pixels: np.ndarray, mode: str, file: Path) -> np.ndarray:
    if mode not in GREYS:
        raise DataError(
            f"mask {file} is of mode {mode}; expected grey values or palette indices, save it as such a PNG"
        )
    if mode == "1":
        return pixels.astype(np.uint8) * 255
    if pixels.ndim == 3:
        colours = pixels[..., :1] if mode == "LA" else pixels[..., :3]
        if (colours != colours[..., :1]).any():
            raise DataError(
                f"mask {file} is coloured; expected a grey value, or a palette index, for each class, in a PNG"
            )
        pixels = colours[..., 0]
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 255):
        raise DataError(
            f"mask {file} has values of {pixels.min()} to {pixels.max()}; expected 0 to 255, number the classes so"
        )
    return pixels.astype(np.uint8)


def _palette(image: object) -> tuple[tuple[int, int, int], ...]:
    found = image.getpalette() if getattr(image, "mode", "") == "P" else None  # type: ignore[attr-defined]
    flat = list(found or ())
    return tuple((flat[at], flat[at + 1], flat[at + 2]) for at in range(0, len(flat) - 2, 3))
