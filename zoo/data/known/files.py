"""Sets that are files as their publisher has them: `$ZOO_DATA_PATH`, the cache, or their source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zoo import settings
from zoo.cards import DatasetCard, Tree
from zoo.data.known.downloads import OfflineError, download
from zoo.errors import DataError, ResourceError
from zoo.runs import locked, sha256


def locate(card: DatasetCard) -> Path | None:
    """The first folder that has all files of a set, or one of a tree's; their content is not looked at."""
    places = (folder / card.folder for folder in settings.data_folders())
    if card.tree is not None:
        suffix = card.tree.suffix
        return next((place for place in places if next(_with_suffix(place, suffix), None) is not None), None)
    return next((place for place in places if all((place / file.name).is_file() for file in card.files)), None)


def load(card: DatasetCard, on_event: Callable[[str], None] | None = None) -> Path:
    """A folder with the set's files, each verified; downloaded if no folder has them.

    Raises:
        OfflineError: No such folder, and no network or no download.
        DataError: A damaged file or download.
        ResourceError: The cache cannot be written.
    """
    return verify(card, locate(card) or fetch(card, on_event))


def verify(card: DatasetCard, folder: Path) -> Path:
    """The folder.

    Raises:
        DataError: A file in it is not the set's; the message names it and both checksums.
    """
    if card.tree is not None:
        _verify_tree(card, card.tree, folder)
    for file in card.files:
        found = sha256(folder / file.name)
        if found != file.sha256:
            raise DataError(
                f"{folder / file.name} is not that of {card.name}: sha256 is {found}, expected {file.sha256}; replace "
                f"or delete it, then: zoo data fetch {card.name}"
            )
    return folder


def tree_sha256(folder: Path, suffix: str) -> tuple[int, str]:
    """Files with an ending in a folder and below it, and the checksum of all of them; see `zoo.cards.Tree`."""
    files = sorted(_with_suffix(folder, suffix), key=lambda file: file.relative_to(folder).as_posix())
    with ThreadPoolExecutor(settings.cpu_count(), thread_name_prefix="verify") as pool:
        sums = pool.map(sha256, files)
        lines = [f"{found}  {file.relative_to(folder).as_posix()}\n" for file, found in zip(files, sums, strict=True)]
    return len(files), hashlib.sha256("".join(lines).encode()).hexdigest()


def _with_suffix(folder: Path, suffix: str) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.suffix.lower() == suffix and file.is_file())


def _verify_tree(card: DatasetCard, tree: Tree, folder: Path) -> None:
    count, found = tree_sha256(folder, tree.suffix)
    if found != tree.sha256:
        raise DataError(
            f"{folder} is not that of {card.name}: {count:,} {tree.suffix} files of sha256 {found}, expected "
            f"{tree.files:,} of {tree.sha256}; replace the folder by the one of {card.source}"
        )


def fetch(card: DatasetCard, on_event: Callable[[str], None] | None = None) -> Path:
    """Downloads a set's files into the cache, verified, unless they are there.

    Raises:
        OfflineError: No server answered, or the set has no download.
        DataError: A download that is not what it should be, or that stopped.
        LockedError: Another process downloads it now.
        ResourceError: The cache cannot be written.
    """
    if card.tree is not None or not all(file.urls for file in card.files):
        raise OfflineError(f"{card.name} is in none of {_searched()}, and nobody offers it in this form; {_put(card)}")
    folder = settings.home() / "data" / card.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            for file in card.files:
                (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
                download(file, folder, on_event)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"{folder} cannot be written: {reason}; set ZOO_HOME to a folder of yours") from error
    except OfflineError as error:
        raise OfflineError(
            f"{card.name} is in none of {_searched()}, and there is no network ({error}); connect and run: zoo data "
            f"fetch {card.name}, or {_put(card)}"
        ) from error
    return folder


def _searched() -> str:
    return ", ".join(str(folder) for folder in settings.data_folders())


def _put(card: DatasetCard) -> str:
    """How to make it known where it lies."""
    if card.tree is not None:
        what = f"{card.folder} with its {card.tree.files:,} {card.tree.suffix} files"
    else:
        more = f" and {len(card.files) - 1} more" if len(card.files) > 1 else ""
        what = f"{card.folder}/{card.files[0].name}{more}"
    return f"put {what} (see {card.source}) into a folder named in ZOO_DATA_PATH"
