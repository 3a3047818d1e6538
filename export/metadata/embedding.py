"""Puts a metadata buffer and files into a .tflite file without touching a byte of the model that it holds.

A new head (`export.flatbuffer_head`) holds the lists of buffers and metadata with one entry more, and the metadata.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from flatbuffers.table import Table  # type: ignore[import-untyped]

from export.flatbuffer_head import BUFFERS, METADATA, buffer_of, elements, pointers, with_head
from zoo.errors import ModelError

ENTRY = b"TFLITE_METADATA"
"""Name of the model's metadata entry."""

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest there is; a bundle's bytes say nothing of the time
_UNIX, _READABLE = 3, 0o644 << 16


def embed(model: bytes, metadata: bytes, files: Mapping[str, str]) -> bytes:
    """A .tflite file with metadata and the files that it names; the same bytes for the same arguments.

    Args:
        model: A .tflite file.
        metadata: A flatbuffer of `schema.pack`.
        files: Name to text, put behind the model as a ZIP archive without compression, as readers expect.

    Raises:
        ModelError: It has metadata already, or parts that cannot be moved.
    """
    try:
        told = _with_metadata(model, metadata)
    except ModelError:
        raise
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"the .tflite file is damaged: {error}; export it again") from error
    return _with_files(told, files)


def _with_metadata(model: bytes, metadata: bytes) -> bytes:
    if stored(model) is not None:
        raise ModelError("the .tflite file has metadata already; expected the converter's own file")

    def change(builder: Any, root: Table) -> dict[int, int]:
        buffers = [*elements(root, BUFFERS), buffer_of(builder, metadata)]
        entries = [*elements(root, METADATA), _entry(builder, len(buffers) - 1)]
        return {BUFFERS: pointers(builder, buffers), METADATA: pointers(builder, entries)}

    return with_head(model, change)


def stored(model: bytes) -> bytes | None:
    """The metadata flatbuffer of a .tflite file; None where it has none."""
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(model, 0)
    for index in range(root.MetadataLength()):
        entry = root.Metadata(index)
        if entry.Name() == ENTRY:
            data = root.Buffers(entry.Buffer()).DataAsNumpy()
            return None if isinstance(data, int) else data.tobytes()
    return None


def files_behind(model: bytes) -> dict[str, bytes]:
    """Files of the archive behind a model by name; empty where there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}


def _entry(builder: Any, buffer: int) -> int:
    name = builder.CreateString(ENTRY)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint32Slot(1, buffer, 0)
    return int(builder.EndObject())


def _with_files(model: bytes, files: Mapping[str, str]) -> bytes:
    if not files:
        return model
    content = io.BytesIO(model)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_DATE)
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            archive.writestr(entry, text)
    return content.getvalue()
