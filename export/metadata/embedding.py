"""Puts a metadata buffer and files into a .tflite file without touching a byte of the model that it holds.

A new head stands before the old file: a root table that points at the old one's parts, the lists of buffers and
metadata with one entry more, and the metadata itself. Its length is a multiple of 16 bytes, so that weights stay as
aligned as they were. Unpacking and packing the model anew in Python would align them to 4 bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers import number_types
from flatbuffers.table import Table  # type: ignore[import-untyped]

from zoo.errors import ModelError

ENTRY = b"TFLITE_METADATA"
"""Name of the model's metadata entry."""

ALIGNMENT = 16
"""Bytes: of every buffer of a .tflite file, so the head must be a multiple of it."""

_BUFFERS, _METADATA, _SLOTS = 4, 6, 8  # slots of Model in TensorFlow's schema.fbs
_BUFFER_OFFSET = 1  # of Buffer: where the data stand that do not fit into a flatbuffer
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
        head = _head(model, metadata)
    except ModelError:
        raise
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"the .tflite file is damaged: {error}; export it again") from error
    return _with_files(head + model, files)


def _head(model: bytes, metadata: bytes) -> bytes:
    """A root table of a model whose parts stand in the file behind it; a multiple of `ALIGNMENT` long."""
    root = Table(model, int.from_bytes(model[:4], "little"))
    _check(root)
    builder = flatbuffers.Builder(len(metadata) + 1024)
    builder.Prep(ALIGNMENT, 0)  # the builder then fills up to it at the end
    buffer = _buffer(builder, metadata)
    buffers = [*_elements(root, _BUFFERS), buffer]
    entries = [*_elements(root, _METADATA), _entry(builder, len(buffers) - 1)]
    moved = {_BUFFERS: _pointers(builder, buffers), _METADATA: _pointers(builder, entries)}
    builder.StartObject(_SLOTS)
    builder.PrependUint32Slot(0, root.Get(number_types.Uint32Flags, root.Pos + root.Offset(4)), 0)
    for slot in range(1, _SLOTS):
        at = root.Offset(4 + 2 * slot)
        target = moved.get(slot) or (_behind(root.Indirect(root.Pos + at)) if at else 0)
        builder.PrependUOffsetTRelativeSlot(slot, target, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TFL3")
    return bytes(builder.Output())


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


def _check(root: Table) -> None:
    """Raises ModelError for what cannot stand behind a new head."""
    if stored(root.Bytes) is not None:
        raise ModelError("the .tflite file has metadata already; expected the converter's own file")
    slots = (root.Get(number_types.VOffsetTFlags, root.Pos - root.Get(number_types.SOffsetTFlags, root.Pos)) - 4) // 2
    far = any(Table(root.Bytes, -at).Offset(4 + 2 * _BUFFER_OFFSET) for at in _elements(root, _BUFFERS))
    if far or any(root.Offset(4 + 2 * slot) for slot in range(_SLOTS, slots)):
        raise ModelError("the .tflite file keeps weights outside its flatbuffer (over 2 GB); export a smaller model")


def _behind(position: int) -> int:
    """A place of the old file as an offset of the builder, which counts from its own end backwards."""
    return -position


def _elements(root: Table, slot: int) -> list[int]:
    """Offsets of the tables of a vector."""
    at = root.Offset(4 + 2 * slot)
    if not at:
        return []
    start = root.Indirect(root.Pos + at)
    count = root.Get(number_types.UOffsetTFlags, start)
    return [_behind(root.Indirect(start + 4 + 4 * index)) for index in range(count)]


def _buffer(builder: Any, content: bytes) -> int:
    builder.Prep(ALIGNMENT, len(content))
    data = builder.CreateByteVector(content)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, data, 0)
    return int(builder.EndObject())


def _entry(builder: Any, buffer: int) -> int:
    name = builder.CreateString(ENTRY)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint32Slot(1, buffer, 0)
    return int(builder.EndObject())


def _pointers(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


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
