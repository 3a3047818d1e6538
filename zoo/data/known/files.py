"""Sets that are several files as their publisher has them: `$ZOO_DATA_PATH`, the cache, or their source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo import settings
from zoo.cards import DatasetCard
from zoo.data.known.downloads import OfflineError, download
from zoo.errors import DataError, ResourceError
from zoo.runs import locked, sha256


def locate(card: DatasetCard) -> Path | None:
    """The first folder that has all files of a set; their content is not looked at."""
    places = (folder / (card.place or card.name) for folder in settings.data_folders())
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
    for file in card.files:
        found = sha256(folder / file.name)
        if found != file.sha256:
            raise DataError(
                f"{folder / file.name} is not that of {card.name}: sha256 is {found}, expected {file.sha256}; replace "
                f"or delete it, then: zoo data fetch {card.name}"
            )
    return folder


def fetch(card: DatasetCard, on_event: Callable[[str], None] | None = None) -> Path:
    """Downloads a set's files into the cache, verified, unless they are there.

    Raises:
        OfflineError: No server answered, or the set has no download.
        DataError: A download that is not what it should be, or that stopped.
        LockedError: Another process downloads it now.
        ResourceError: The cache cannot be written.
    """
    if not all(file.urls for file in card.files):
        raise OfflineError(f"{card.name} is in none of {_searched()}, and nobody offers it in this form; {_put(card)}")
    folder = settings.home() / "data" / (card.place or card.name)
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
    more = f" and {len(card.files) - 1} more" if len(card.files) > 1 else ""
    place = f"{card.place or card.name}/{card.files[0].name}{more}"
    return f"put {place} (see {card.source}) into a folder named in ZOO_DATA_PATH"
