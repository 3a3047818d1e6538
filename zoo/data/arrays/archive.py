"""The arrays of an `.npz` file, those that are large and stored plainly left on disk."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import psutil

from zoo.data.findings import Finding
from zoo.errors import DataError
from zoo.interpreters import one_line

MAPPED_BYTES = 64 * 1024 * 1024
"""Arrays from this size on are read where they lie, if they are not compressed."""

_LOCAL_HEADER = 30


def open_archive(path: Path) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """Opens every array of an archive.

    Returns:
        Name to array, a `np.memmap` of a large one; and what is wrong with those that are missing there.

    Raises:
        DataError: It is no archive of arrays.
    """
    arrays: dict[str, np.ndarray] = {}
    findings = []
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            for member in members:
                name = member.filename.removesuffix(".npy")
                try:
                    arrays[name] = _read(path, archive, member)
                except (ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
                    findings.append(Finding("error", f"{path}: array {name!r} {_reason(error)}"))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no .npz file: {one_line(error)}; make one with numpy.savez") from error
    return arrays, findings


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.file_size < MAPPED_BYTES or member.compress_type != zipfile.ZIP_STORED:
        free = psutil.virtual_memory().available
        if member.file_size > free:
            raise ValueError(
                f"needs {member.file_size / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free; numpy.savez, which "
                "does not compress, makes a file that is read in parts"
            )
        with archive.open(member) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    with path.open("rb") as file:
        file.seek(member.header_offset)
        head = file.read(_LOCAL_HEADER)
        # Lengths of name and extra field are those of this place, not of the directory at the end.
        start = member.header_offset + _LOCAL_HEADER + int.from_bytes(head[26:28], "little")
        file.seek(start + int.from_bytes(head[28:30], "little"))
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded")
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def _reason(error: Exception) -> str:
    text = one_line(error)
    if "Object arrays" in text or "allow_pickle" in text:
        return "holds Python objects (a pickle), which are not read; save numbers: array.astype(float), or text"
    return f"cannot be read: {text}; write the file again"
