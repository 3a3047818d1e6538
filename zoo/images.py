"""Image files as samples: the same pixels in training and on the device. Python 3.9 or later.

Standard library, numpy (>= 1.22) and Pillow only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from .chunks import Chunk, prepare
    from .interpreters import DataError, one_line
else:
    from chunks import Chunk, prepare  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError, one_line  # type: ignore[import-not-found,no-redef]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MOST_PIXELS = 89_478_485
"""Of an image, in training and on the device: decoded, a larger one takes several hundred megabytes."""


def image_chunk(path: str, contract: Mapping[str, Any]) -> Chunk:
    """An image after the recorded steps; what is wrong with it is its problem."""
    try:
        pixels = read_image(path)
        return Chunk([path], prepare(pixels[np.newaxis], contract), {}, sizes=[image_size(pixels)])
    except DataError as error:
        return Chunk([path], np.zeros((1, *contract["input"]["shape"]), np.float32), {0: str(error)}, sizes=[(0, 0)])


def picture_chunk(name: str, path: str | Path) -> Chunk:
    """An image as it is, for a model that answers for its pixels; what is wrong with it is its problem."""
    try:
        return Chunk([name], read_image(path)[np.newaxis], {})
    except DataError as error:
        return Chunk([name], np.zeros((1, 1, 1), np.uint8), {0: str(error)})


def image_size(pixels: np.ndarray) -> tuple[int, int]:
    """Height and width of one image."""
    return int(pixels.shape[0]), int(pixels.shape[1])


def read_image(path: str | Path) -> np.ndarray:
    """Pixels of an image file, turned as its EXIF data say; of an animation the first frame.

    Returns:
        (height, width) or (height, width, channels) uint8; channels are grey and alpha, RGB, or RGB and alpha. Deeper
        pixels are brought to 8 bits.

    Raises:
        DataError: The file is damaged, no image, or larger than `MOST_PIXELS`; or Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise DataError(f"{path} is an image, which needs Pillow: pip install pillow, or give a .npy file") from error
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise DataError(_too_large(path, f"{opened.width:,} x {opened.height:,}"))
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("I", "F") or image.mode.startswith("I;16"):
                return _to_bytes(np.asarray(image), path, deep=image.mode.startswith("I;16"))
            if image.mode not in ("L", "LA", "RGB", "RGBA"):
                image = image.convert(_plain_mode(image))
            return np.asarray(image, np.uint8)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that Pillow knows; convert it to PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        raise DataError(_too_large(path, f"more than {2 * MOST_PIXELS:,}")) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises anything over damaged bytes
        raise DataError(f"image {path} cannot be read: {one_line(error)}; replace the file") from error


def _too_large(path: str | Path, pixels: str) -> str:
    return f"image {path} is too large, {pixels} pixels; expected at most {MOST_PIXELS:,}, make it smaller"


def _plain_mode(image: Any) -> str:
    """Grey for black and white, RGBA for a palette with transparency, else RGB."""
    if image.mode == "1":
        return "L"
    return "RGBA" if image.mode in ("PA", "RGBa") or "transparency" in image.info else "RGB"


def _to_bytes(pixels: np.ndarray, path: str | Path, *, deep: bool) -> np.ndarray:
    """16-bit grey as 8-bit grey; modes "I" and "F" do not tell their range, so values up to 255 stay as they are."""
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 65535:
        raise DataError(f"image {path} has pixels of {low:g} to {high:g}; expected 8 or 16 bits, convert it to PNG")
    divisor = 257.0 if deep or high > 255 else 1.0
    return np.rint(pixels / divisor).astype(np.uint8)
