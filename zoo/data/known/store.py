"""Where the files of a data set lie: `$ZOO_DATA_PATH`, the cache, or their source."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from zoo import settings
from zoo.cards import DatasetCard
from zoo.data.identity import digest
from zoo.data.known.downloads import OfflineError, download
from zoo.errors import DataError, ResourceError
from zoo.runs import locked, read_npz, write_npz

KEYS = ("x_train", "y_train", "x_test", "y_test")
_IDX_KEYS: Mapping[str, str] = {
    "train-images-idx3-ubyte.gz": "x_train",
    "train-labels-idx1-ubyte.gz": "y_train",
    "t10k-images-idx3-ubyte.gz": "x_test",
    "t10k-labels-idx1-ubyte.gz": "y_test",
}


def locate(card: DatasetCard) -> Path | None:
    """The set's file in the first folder that has one; its content is not looked at."""
    places = (folder / card.name / f"{card.name}.npz" for folder in settings.data_folders())
    return next((place for place in places if place.is_file()), None)


def load(card: DatasetCard, on_event: Callable[[str], None] | None = None) -> dict[str, np.ndarray]:
    """The set's verified arrays, downloaded if no folder has them.

    Returns:
        "x_train" and "x_test", (n, height, width) uint8; "y_train" and "y_test", (n,) uint8.

    Raises:
        OfflineError: No file and no network.
        DataError: A damaged file or download.
    """
    return read(card, locate(card) or fetch(card, on_event))


def read(card: DatasetCard, path: Path) -> dict[str, np.ndarray]:
    """Reads a file and compares its arrays with the card's checksum.

    Raises:
        DataError: The file is damaged or not this set; the message names it and both checksums.
    """
    arrays = read_npz(path)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise DataError(f"{path} holds {', '.join(arrays) or 'nothing'}; expected {', '.join(KEYS)}; {_replace(card)}")
    found = digest(*(arrays[key] for key in KEYS))
    if found != card.content_sha256:
        raise DataError(
            f"{path} is not {card.name}: sha256 of its arrays is {found}, expected {card.content_sha256}; "
            f"{_replace(card)}"
        )
    return arrays


def fetch(card: DatasetCard, on_event: Callable[[str], None] | None = None) -> Path:
    """Downloads the set into the cache, verified, unless it is there.

    Returns:
        The `.npz` file.

    Raises:
        OfflineError: No server answered.
        DataError: A download that is not what it should be, or that stopped.
        LockedError: Another process downloads it now.
        ResourceError: The cache cannot be written.
    """
    folder = settings.home() / "data" / card.name
    target = folder / f"{card.name}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if not target.is_file():
                _fetch_into(card, target, on_event)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"{folder} cannot be written: {reason}; set ZOO_HOME to a folder of yours") from error
    return target


def _fetch_into(card: DatasetCard, target: Path, on_event: Callable[[str], None] | None) -> None:
    try:
        files = [download(file, target.parent, on_event) for file in card.files]
    except OfflineError as error:
        raise OfflineError(_offline(card, error)) from error
    if files != [target]:
        _pack(files, target, on_event)


def _pack(files: list[Path], target: Path, on_event: Callable[[str], None] | None) -> None:
    """One `.npz` of the four idx files, which then go."""
    if on_event:
        on_event(f"packing {target.name}")
    arrays = {_IDX_KEYS[file.name]: read_idx(file) for file in files}
    write_npz(target, **{key: arrays[key] for key in KEYS})
    for file in files:
        file.unlink()


def read_idx(path: Path) -> np.ndarray:
    """Reads a gzipped idx file of unsigned bytes: magic 0, 0, 8, rank; big-endian sizes; values.

    Raises:
        DataError: The file is not of this form.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a gzip file: {error}; delete it and fetch the set again") from error
    rank = content[3] if len(content) > 3 else 0
    shape = np.frombuffer(content[4 : 4 + 4 * rank], ">u4").tolist()
    values = np.frombuffer(content, np.uint8, offset=min(4 + 4 * rank, len(content)))
    if content[:3] != b"\0\0\x08" or len(shape) != rank or values.size != int(np.prod(shape)):
        raise DataError(f"{path} is not an idx file of bytes; delete it and fetch the set again")
    return values.reshape(shape)


def _offline(card: DatasetCard, error: OfflineError) -> str:
    folders = ", ".join(str(folder) for folder in settings.data_folders())
    return (
        f"{card.name} is in none of {folders}, and there is no network ({error}); connect and run: zoo data fetch "
        f"{card.name}, or put {card.name}/{card.name}.npz into a folder named in ZOO_DATA_PATH"
    )


def _replace(card: DatasetCard) -> str:
    return f"replace or delete it, then: zoo data fetch {card.name}"
