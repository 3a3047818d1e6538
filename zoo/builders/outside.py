"""Files that a builder's hyperparameters name: of one's own, or fetched; verified, and pinned by their checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from zoo import settings
from zoo.cards import RemoteFile
from zoo.data.known.downloads import OfflineError, download
from zoo.errors import DataError, ResourceError, UsageError
from zoo.runs import locked, read_json, sha256, write_json

RECORD = "source.json"
Tell = Callable[[str], None]


def tell_nobody(_line: str) -> None:
    """For a builder's function: what there was to say, its `prepare` has said."""


def is_address(reference: str) -> bool:
    """Whether it is to be fetched."""
    return reference.startswith(("https://", "http://"))


def as_archive(handle: str) -> str:
    """The address under which TF-Hub answers a handle with a `.tar.gz`, as its own library asks for it."""
    parts = urlsplit(handle)
    query = [*parse_qsl(parts.query), ("tf-hub-format", "compressed")]
    return urlunsplit(parts._replace(query=urlencode(query)))


def own(reference: str, what: str) -> Path:
    """A path of the user's own, absolute.

    Raises:
        UsageError: Nothing is there.
    """
    path = Path(reference).expanduser().absolute()
    if not path.exists():
        raise UsageError(
            f"{what} = {reference!r} does not exist; expected a path, or an address with https:// before it"
        )
    return path


def verify(found: str, pinned: str, source: object, knob: str, tell: Tell) -> str:
    """The checksum found, which is the pinned one; where none is pinned a warning tells it.

    Raises:
        DataError: Another one is pinned.
    """
    if pinned and found != pinned.lower():
        raise DataError(
            f"{source} is not what is pinned: sha256 is {found}, {knob} = {pinned}; get the pinned one, or if you "
            f"trust this one: --set {knob}={found}"
        )
    if not pinned:
        tell(f"WARNING: {source} is not pinned, whatever lies there is used; to pin it: --set {knob}={found}")
    return found


def fetch(address: str, name: str, pinned: str, *, shelf: str, tell: Tell, put: str, url: str = "") -> Path:
    """A file under an address, from the cache or its server.

    A cached file is used as long as its checksum is the pinned one, or where none is pinned, the one that it had when
    it came; a damaged or swapped file is fetched again.

    Args:
        address: As the user gave it; each has a folder of its own.
        name: The file's.
        pinned: Its checksum, or empty.
        shelf: Folder inside `$ZOO_HOME`.
        tell: Told what happens.
        put: What to do without a network; the file's place is added.
        url: Where it is fetched; by default the address.

    Raises:
        OfflineError: It is not there, and there is no network.
        DataError: What the server sends is not what is pinned.
        ResourceError: The cache cannot be written.
    """
    folder = settings.home() / shelf / hashlib.sha256(address.encode()).hexdigest()[:16]
    path, record = folder / name, folder / RECORD
    try:
        wanted = pinned.lower() or _recorded(record)
        found = sha256(path) if path.is_file() else ""
        if found and wanted in ("", found):
            return path
        if found:
            tell(f"WARNING: {path} has sha256 {found}, expected {wanted}: damaged or swapped, it is fetched again")
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            path = download(RemoteFile(name=name, sha256=wanted, bytes=0, urls=(url or address,)), folder, tell)
            write_json(record, {"address": address, "sha256": sha256(path)})
        return path
    except OfflineError as error:
        raise OfflineError(f"{address} is not in the cache, and there is no network ({error}); {put} {path}") from error
    except OSError as error:
        raise ResourceError(f"{folder} cannot be written: {error.strerror or error}; set ZOO_HOME elsewhere") from error


def _recorded(record: Path) -> str:
    """The checksum that a cached file had when it came; empty where it did not come by download."""
    return str(read_json(record).get("sha256", "")) if record.is_file() else ""
