"""A SavedModel as a value: its files in memory with their checksum, from a folder or an archive; no framework."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from zoo.errors import ModelError

SAVED_MODEL = "saved_model.pb"
OF_TF1 = "tfhub_module.pb"
ASSETS = "assets"
MOST_BYTES = 1 << 30
"""Of all files together: a module is held in memory, and an archive may unpack to anything."""


@dataclass(frozen=True)
class Module:
    """The files of a SavedModel by their names inside its folder, "/" between the parts."""

    files: Mapping[str, bytes]

    @cached_property
    def sha256(self) -> str:
        """Of the sorted lines `<sha256 of a file>  <its name>`: what `sha256sum` prints, summed again."""
        lines = (f"{hashlib.sha256(self.files[name]).hexdigest()}  {name}\n" for name in sorted(self.files))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Writes the files into a folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def read_folder(folder: Path) -> Module:
    """The SavedModel in a folder; hidden files are no part of it.

    Raises:
        ModelError: It is none, cannot be read, or is too large to be held in memory.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path: path.relative_to(folder) for path in paths}
    kept = {path: name for path, name in names.items() if not any(part.startswith(".") for part in name.parts)}
    _check_size(sum(path.stat().st_size for path in kept), folder)
    try:
        return _module({name.as_posix(): path.read_bytes() for path, name in kept.items()}, folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error.strerror or error}; expected a SavedModel") from error


def read_archive(path: Path) -> Module:
    """The SavedModel in a `.tar.gz`, at its top or in a folder of it; nothing is unpacked to the disk.

    Raises:
        ModelError: It is no whole archive, holds no SavedModel, or an entry that leads out of its folder.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            members = [member for member in archive if not member.isdir()]
            _check_size(sum(member.size for member in members), path)
            for member in members:
                opened = archive.extractfile(member) if member.isfile() else None
                if opened is None:
                    raise ModelError(f"{path} holds {member.name!r}, a link or device; a module is plain files only")
                files[_inside(member.name, path)] = opened.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ModelError(
            f"{path} is no whole archive ({error}); expected a .tar.gz with a SavedModel in it, get it again"
        ) from error
    return _module(_topmost(files), path)


def _inside(name: str, archive: Path) -> str:
    """The name of an entry, which must stay inside the folder that it is unpacked to."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise ModelError(f"{archive} holds {name!r}, which leads out of its folder; it is not trusted")
    return "/".join(part for part in parts if part != ".")


def _topmost(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of the folder that holds the graph, where all lie in a folder."""
    graphs = sorted(
        (name for name in files if PurePosixPath(name).name == SAVED_MODEL), key=lambda name: name.count("/")
    )
    prefix = graphs[0][: -len(SAVED_MODEL)] if graphs else ""
    return {name[len(prefix) :]: content for name, content in files.items() if name.startswith(prefix)}


def _check_size(size: int, source: Path) -> None:
    if size > MOST_BYTES:
        raise ModelError(
            f"{source} holds {size:,} bytes; a module of up to {MOST_BYTES:,} can be taken, give a smaller"
        )


def _module(files: Mapping[str, bytes], source: Path) -> Module:
    names = sorted(name for name in files if not any(part.startswith(".") for part in name.split("/")))
    if SAVED_MODEL not in files:
        raise ModelError(
            f"{source} is no SavedModel: it holds {_few(names)}; expected {SAVED_MODEL} with variables/ beside it"
        )
    if OF_TF1 in files:
        raise ModelError(
            f"{source} is a module of TensorFlow 1 (it has {OF_TF1}), which TF-Hub 2 layers cannot train or call; take "
            "its TF2 version"
        )
    extra = [name for name in names if name.startswith(f"{ASSETS}/")]
    if extra:
        raise ModelError(
            f"{source} needs files of its own at run time ({_few(extra)}), such as a vocabulary, which TFLite cannot "
            "carry; take a module of numbers or images"
        )
    return Module({name: files[name] for name in names})


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "") or "nothing"
