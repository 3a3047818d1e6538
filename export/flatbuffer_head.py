"""Changes tables of a .tflite file without moving a byte of it.

A new head stands before the old file: the tables that changed, and a root that points at them and at all others where
they stand. Its length is a multiple of 16 bytes, so that weights stay as aligned as they were. Unpacking and packing
the model anew in Python would align them to 4 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers import number_types
from flatbuffers.table import Table  # type: ignore[import-untyped]

from zoo.errors import ModelError

ALIGNMENT = 16
"""Bytes: of every buffer of a .tflite file, so the head must be a multiple of it."""

Slots = Mapping[int, str]
"""How each field of a table is copied: "@" is pointed at, "I" is a number of 4 bytes, "B" one of a byte."""

# Of TensorFlow's schema.fbs. Left out are fields of weights outside the flatbuffer, which count from the file's start.
MODEL: Slots = {0: "I", **dict.fromkeys(range(1, 8), "@")}
GRAPH: Slots = {**dict.fromkeys(range(5), "@"), 5: "I"}
OPERATOR: Slots = {0: "I", **dict.fromkeys((1, 2, 4, 5, 7, 8, 12), "@"), **dict.fromkeys((3, 6, 11), "B"), 13: "I"}
SUBGRAPHS, BUFFERS, METADATA = 2, 4, 6  # of Model
_OUTSIDE = 1  # of Buffer: where in the file the data stand that do not fit into a flatbuffer
_FLAGS = {"I": number_types.Uint32Flags, "B": number_types.Uint8Flags}

Change = Callable[[Any, Table], Mapping[int, int]]
"""Writes what changes into a `flatbuffers.Builder`, given the root; returns field of the root to what is new there."""


def with_head(model: bytes, change: Change) -> bytes:
    """A .tflite file with a new head before it.

    Args:
        model: A .tflite file.
        change: Is asked once.

    Raises:
        ModelError: It has parts that cannot stand behind a head, or that would be lost.
    """
    root = Table(model, int.from_bytes(model[:4], "little"))
    if any(Table(model, -at).Offset(4 + 2 * _OUTSIDE) for at in elements(root, BUFFERS)):
        raise ModelError("the .tflite file keeps weights outside its flatbuffer (over 2 GB); export a smaller model")
    builder = flatbuffers.Builder(4096)
    builder.Prep(ALIGNMENT, 0)  # the builder then fills up to it at the end
    builder.Finish(copied(builder, root, MODEL, change(builder, root)), file_identifier=b"TFL3")
    return bytes(builder.Output()) + model


def copied(builder: Any, table: Table, slots: Slots, changed: Mapping[int, int]) -> int:
    """A table of the old file with some of its fields changed.

    Args:
        builder: Of the head.
        table: The old one.
        slots: Every field that it may have.
        changed: Field to its new offset or number.

    Raises:
        ModelError: It has a field that is not among `slots`, which would be lost.
    """
    length = table.Get(number_types.VOffsetTFlags, table.Pos - table.Get(number_types.SOffsetTFlags, table.Pos))
    places = {slot: place for slot in range((length - 4) // 2) if (place := table.Offset(4 + 2 * slot))}
    if lost := [slot for slot in places if slot not in slots]:
        raise ModelError(
            f"the .tflite file would lose field {lost[0]} of a table (weights outside its flatbuffer, or a newer "
            "schema); export a smaller model, or with the TensorFlow that zoo was installed with"
        )
    builder.StartObject(max(slots) + 1)
    for slot in sorted({*places, *changed}):
        place = table.Pos + places.get(slot, 0)
        if slots[slot] == "@":
            target = changed[slot] if slot in changed else _behind(table.Indirect(place))
            builder.PrependUOffsetTRelativeSlot(slot, target, 0)
        else:
            flags = _FLAGS[slots[slot]]
            builder.Prepend(flags, changed[slot] if slot in changed else table.Get(flags, place))
            builder.Slot(slot)
    return int(builder.EndObject())


def _behind(position: int) -> int:
    """A place of the old file as an offset of the builder, which counts from its own end backwards."""
    return -position


def elements(table: Table, slot: int) -> list[int]:
    """Offsets of the tables of a vector, as the builder counts; empty where there is none."""
    at = table.Offset(4 + 2 * slot)
    if not at:
        return []
    start = table.Indirect(table.Pos + at)
    count = table.Get(number_types.UOffsetTFlags, start)
    return [_behind(table.Indirect(start + 4 + 4 * index)) for index in range(count)]


def pointers(builder: Any, offsets: Sequence[int]) -> int:
    """A vector of tables."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def buffer_of(builder: Any, content: bytes) -> int:
    """A buffer with this content, aligned as every buffer must be."""
    builder.Prep(ALIGNMENT, len(content))
    data = builder.CreateByteVector(content)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, data, 0)
    return int(builder.EndObject())
