"""What the first bytes of image files say: format, mode and size, without decoding them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from zoo.interpreters import one_line
from zoo.settings import cpu_count

LARGEST_PIXELS = 89_478_485
"""Above this Pillow warns of a decompression bomb; decoded it would take several hundred megabytes."""

GREY = ("1", "L", "LA", "La", "I", "F")
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)


class Header(NamedTuple):
    """What a file says of itself.

    Attributes:
        format: As Pillow names it: "JPEG".
        mode: Pillow's mode: "RGB".
        width: In pixels, as people see it: after the turn that EXIF data ask for.
    """

    format: str
    mode: str
    width: int
    height: int

    @property
    def grey(self) -> bool:
        """Whether it has no colour."""
        return self.mode in GREY or self.mode.startswith("I;16")


def read_headers(files: Sequence[Path]) -> list[Header | str]:
    """Headers in the order of the files; text says what is wrong with a file that has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, which nobody asked for
        with ThreadPoolExecutor(max(2, cpu_count())) as pool:
            return list(pool.map(_read, files))


def _read(file: Path) -> Header | str:
    from PIL import Image, UnidentifiedImageError

    try:
        if file.stat().st_size == 0:
            return f"{file} is empty (0 bytes); replace or remove it"
        with Image.open(file) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS:
                found = f"{width:,} x {height:,} pixels; expected at most {LARGEST_PIXELS:,}, make it smaller"
                return f"{file} is too large, {found}"
            # Without this look Pillow would decode a whole PNG in search of EXIF data.
            if (image.format != "PNG" or "exif" in image.info) and image.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
            return Header(image.format or "", image.mode, width, height)
    except UnidentifiedImageError:
        return f"{file} is no image, whatever its name says{_looks_like(file)}; replace or remove it"
    except Image.DecompressionBombError:
        return f"{file} is too large, more than {2 * LARGEST_PIXELS:,} pixels; make it smaller"
    except PermissionError as error:
        return f"{file} cannot be read: {error.strerror}; see its permissions"
    except Exception as error:  # noqa: BLE001  # Pillow raises anything over damaged bytes
        return f"{file} is damaged: {one_line(error)}; replace or remove it"


def _looks_like(file: Path) -> str:
    """What the bytes are instead, where that is plain to see."""
    with file.open("rb") as opened:
        head = opened.read(512)
    try:
        text = head.decode().lstrip()
    except UnicodeDecodeError:
        return ""
    return " (it is text)" if text.isprintable() or "\n" in text or text[:1] in "<{" else ""


def misnamed(files: Sequence[Path], headers: Sequence[Header | str]) -> list[str]:
    """Files whose suffix belongs to another format, with their own: "a.jpg (PNG)"."""
    pairs = ((file, header) for file, header in zip(files, headers, strict=True) if isinstance(header, Header))
    return [
        f"{file.name} ({header.format})"
        for file, header in pairs
        # MPO is a JPEG with a second picture behind it, as telephones write them.
        if _FORMATS.get(file.suffix.lower()) not in (header.format, "JPEG" if header.format == "MPO" else None)
    ]
