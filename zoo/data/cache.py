"""What was made of a user's files once, kept for the next time: bounded, whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from zoo import settings
from zoo.errors import ResourceError
from zoo.runs import atomic_folder

LIMIT_BYTES = 20 * 10**9
"""All entries together; the ones used longest ago go first. An entry in use is larger if it must be."""

SPARE_BYTES = 256 * 1024 * 1024
"""What a new entry leaves free on the disk."""

_STAMP = "used"
_ABANDONED_SECONDS = 24 * 3600


def place(key: str) -> Path:
    """Folder of an entry, whether it is there or not."""
    return settings.home() / "cache" / key


def cached(
    key: str,
    make: Callable[[Path], None],
    *,
    is_whole: Callable[[Path], bool],
    size: int,
    on_event: Callable[[str], None] | None = None,
    use: Callable[[Path], None] | None = None,
) -> Path:
    """The folder of an entry, made first where it is missing or damaged.

    Of several processes that want the same entry one makes it and the others wait. An entry that another process has
    mapped into memory stays readable there when it is replaced or pruned.

    Args:
        key: A file name; the same for the same content.
        make: Fills an empty folder, which takes the entry's place when it returns; the old one lies at `place(key)`.
        is_whole: Whether what lies there can be used.
        size: Bytes of the entry, about.
        on_event: Told of waiting, one line.
        use: Opens the entry while no other process can put another one in its place.

    Raises:
        ResourceError: The disk has no room, or the folder cannot be written.
    """
    folder = place(key)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder, on_event):
            if not is_whole(folder):
                _check_room(folder, size)
                with atomic_folder(folder) as temporary:
                    make(temporary)
            (folder / _STAMP).touch()
            if use:
                use(folder)
            prune(keep=folder)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"{folder} cannot be written: {reason}; set ZOO_HOME to a folder with room") from error
    return folder


def prune(*, keep: Path | None = None, limit: int = LIMIT_BYTES) -> None:
    """Removes the entries used longest ago until the rest is within the limit, and what a killed process left."""
    root = settings.home() / "cache"
    entries: list[tuple[float, int, Path]] = []
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name.startswith("."):
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir():
            with contextlib.suppress(FileNotFoundError):  # another process prunes too
                entries.append((_used(folder), _bytes(folder), folder))
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries):
        if total <= limit:
            break
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def _used(folder: Path) -> float:
    stamp = folder / _STAMP
    return (stamp if stamp.exists() else folder).stat().st_mtime


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < size + SPARE_BYTES:
        prune(keep=folder, limit=0)
        free = shutil.disk_usage(folder.parent).free
    if free < size + SPARE_BYTES:
        raise ResourceError(
            f"{folder} needs {size / 1e9:.1f} GB, its disk has {free / 1e9:.1f} GB free; set ZOO_HOME to a folder with "
            "room, or take fewer or smaller samples"
        )


@contextlib.contextmanager
def _alone(folder: Path, on_event: Callable[[str], None] | None) -> Iterator[None]:
    """Holds an entry for this process, waiting for one that makes it; the lock goes with the process."""
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if on_event:
            on_event(f"waiting for another process that prepares the same data ({os.fspath(folder)})")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
