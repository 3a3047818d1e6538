"""The tables of the metadata flatbuffer that we write and read, by slot number.

Source: `metadata_schema.fbs` of tflite-support 0.4.4 (file identifier "M001", version 1.1.0), which MediaPipe carries
on (version 1.5.0). No package of ours has code for it, so its tables stand here as data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers import number_types
from flatbuffers.table import Table  # type: ignore[import-untyped]

IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"
"""The version of the schema that knows everything we write."""

AXIS_LABELS = 2
"""AssociatedFileType.TENSOR_AXIS_LABELS: a line for each element of the last axis."""

COLOUR_SPACES = {3: 1, 1: 2}
"""Channels to ColorSpaceType: RGB and GRAYSCALE."""

FEATURES, IMAGE = 1, 2
"""ContentProperties."""

NORMALIZATION = 1
"""ProcessUnitOptions."""

TABLES: Mapping[str, Sequence[tuple[str, str]]] = {
    "ModelMetadata": (
        ("name", "string"),
        ("description", "string"),
        ("version", "string"),
        ("subgraph_metadata", "[SubGraphMetadata]"),
        ("author", "string"),
        ("license", "string"),
        ("associated_files", "[AssociatedFile]"),
        ("min_parser_version", "string"),
    ),
    "SubGraphMetadata": (
        ("name", "string"),
        ("description", "string"),
        ("input_tensor_metadata", "[TensorMetadata]"),
        ("output_tensor_metadata", "[TensorMetadata]"),
    ),
    "TensorMetadata": (
        ("name", "string"),
        ("description", "string"),
        ("dimension_names", "[string]"),
        ("content", "Content"),
        ("process_units", "[ProcessUnit]"),
        ("stats", "Stats"),
        ("associated_files", "[AssociatedFile]"),
    ),
    "Content": (("type", "byte"), ("properties", "union CONTENT type")),
    "ImageProperties": (("color_space", "byte"),),
    "FeatureProperties": (),
    "ProcessUnit": (("type", "byte"), ("options", "union PROCESS type")),
    "NormalizationOptions": (("mean", "[float]"), ("std", "[float]")),
    "Stats": (("max", "[float]"), ("min", "[float]")),
    "AssociatedFile": (("name", "string"), ("description", "string"), ("type", "byte")),
}
"""Table to its fields, (name, kind) in the order of their slots; later slots that we do not use are left out."""

UNIONS: Mapping[str, Mapping[int, str]] = {
    "CONTENT": {1: "FeatureProperties", 2: "ImageProperties"},
    "PROCESS": {1: "NormalizationOptions"},
}
"""Union to its members by number; what is not here is not read."""

Values = Mapping[str, Any]
"""A table's fields by name: text, numbers, lists of these, and tables again; absent and empty ones are not stored."""


def pack(values: Values) -> bytes:
    """The flatbuffer of a ModelMetadata; the same bytes for the same values."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, "ModelMetadata", values), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _write_table(builder: flatbuffers.Builder, table: str, values: Values) -> int:
    fields = TABLES[table]
    if unknown := set(values) - {name for name, _ in fields}:
        raise KeyError(f"{table} has no {', '.join(sorted(unknown))}")
    stored = {
        slot: (kind, values[name] if kind == "byte" else _write(builder, kind, values, values[name]))
        for slot, (name, kind) in enumerate(fields)
        if name in values and values[name] not in (None, "", 0, [])
    }
    builder.StartObject(len(fields))
    for slot, (kind, value) in stored.items():
        if kind == "byte":
            builder.PrependUint8Slot(slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return int(builder.EndObject())


def _write(builder: flatbuffers.Builder, kind: str, values: Values, value: Any) -> int:
    """Writes what a field points to; returns where it is."""
    if kind == "string":
        return int(builder.CreateString(value))
    if kind == "[float]":
        return _vector(builder, value, builder.PrependFloat32)
    if kind.startswith("union"):
        _, union, chosen = kind.split()
        return _write_table(builder, UNIONS[union][values[chosen]], value)
    if kind.startswith("["):
        parts = [_write(builder, kind[1:-1], {}, part) for part in value]
        return _vector(builder, parts, builder.PrependUOffsetTRelative)
    return _write_table(builder, kind, value)


def _vector(builder: flatbuffers.Builder, items: Sequence[Any], prepend: Callable[[Any], None]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        prepend(item)
    return int(builder.EndVector())


def unpack(content: bytes) -> dict[str, Any]:
    """A ModelMetadata's fields by name, as `pack` takes them; what is not stored is left out.

    Raises:
        ValueError: Not a metadata flatbuffer.
    """
    if content[4:8] != IDENTIFIER:
        raise ValueError("no M001 identifier")
    return _read_table(Table(content, int.from_bytes(content[:4], "little")), "ModelMetadata")


def _read_table(table: Table, name: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for slot, (field, kind) in enumerate(TABLES[name]):
        at = table.Offset(4 + 2 * slot)
        if at:
            values[field] = _read(table, kind, table.Pos + at, values)
    return values


def _read(table: Table, kind: str, at: int, values: Values) -> Any:
    """A value that stands at, or is pointed to from, `at`."""
    if kind == "byte":
        return table.Get(number_types.Uint8Flags, at)
    if kind == "float":
        return float(table.Get(number_types.Float32Flags, at))
    if kind == "string":
        return table.String(at).decode()
    if kind.startswith("["):
        start = table.Indirect(at)
        count = table.Get(number_types.UOffsetTFlags, start)
        return [_read(table, kind[1:-1], start + 4 + 4 * index, values) for index in range(count)]
    if kind.startswith("union"):
        _, union, chosen = kind.split()
        kind = UNIONS[union].get(values.get(chosen, 0), "")
    return _read_table(Table(table.Bytes, table.Indirect(at)), kind) if kind else {}
