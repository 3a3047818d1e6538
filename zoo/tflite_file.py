"""What stands at the edges of a .tflite file: tensors, inputs, outputs and signatures, read with the standard library.

A runtime may give its inputs and outputs by position only; their names stand in the file. The format is FlatBuffers
with the schema of TensorFlow Lite (schema.fbs, version 3); numbers of fields are those of that schema.

This file is copied into every TFLite bundle, beside runner.py; Python 3.9 or later.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

if __package__:
    from .interpreters import ModelError
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__
    from interpreters import ModelError  # type: ignore[import-not-found,no-redef]

DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
    12: "uint64",
    15: "uint32",
    16: "uint16",
}
"""The schema's TensorType to numpy's name, where numpy has one."""


@dataclass(frozen=True)
class TensorEntry:
    """A tensor of the file's main graph.

    Attributes:
        name: As in the file.
        shape: With the batch axis.
        dtype: numpy's name of it; "type N" where numpy has none.
        quantization: Scale and zero point where it has one scale, else None.
        variable: Whether it keeps its value from call to call.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Optional[tuple[float, int]]
    variable: bool


@dataclass(frozen=True)
class TFLiteFile:
    """The edges of a file.

    Attributes:
        tensors: Of the main graph, by number.
        inputs: Numbers of the inputs, in the file's order.
        outputs: Likewise.
        signatures: By name: the inputs by name and the outputs by name, each to the tensor's number.
    """

    tensors: tuple[TensorEntry, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]]


def read_file(path: Path) -> TFLiteFile:
    """Reads a file's edges.

    Raises:
        ModelError: It cannot be read, or points beyond itself.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; expected a .tflite file") from error
    except (struct.error, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise ModelError(f"{path} is damaged: {error}; export it again") from error


def parse(content: bytes) -> TFLiteFile:
    """The edges of a file's content.

    Raises:
        ValueError: It points beyond itself.
        struct.error: It ends too early.
    """
    (root,) = struct.unpack_from("<I", content)
    model = _Table(content, root)
    graphs = model.tables(2)
    if not graphs:
        raise ValueError("it holds no graph")
    tensors = tuple(_tensor(table) for table in graphs[0].tables(0))
    inputs, outputs = graphs[0].numbers(1, "i"), graphs[0].numbers(2, "i")
    signatures = {
        entry.text(2): (_named(entry.tables(0)), _named(entry.tables(1)))
        for entry in model.tables(7)
        if entry.number(4, "I", 0) == 0
    }
    used = [*inputs, *outputs, *(at for pair in signatures.values() for side in pair for at in side.values())]
    if any(not 0 <= at < len(tensors) for at in used):
        raise ValueError(f"an input or output is none of its {len(tensors)} tensors")
    return TFLiteFile(tensors, inputs, outputs, signatures)


def _tensor(table: _Table) -> TensorEntry:
    kind = table.number(1, "b", 0)
    quantization = table.table(4)
    scales = quantization.numbers(2, "f") if quantization else ()
    zeros = quantization.numbers(3, "q") if quantization else ()
    one = (float(scales[0]), int(zeros[0]) if zeros else 0) if len(scales) == 1 and scales[0] else None
    shape = tuple(int(size) for size in table.numbers(0, "i"))
    return TensorEntry(table.text(3), shape, DTYPES.get(kind, f"type {kind}"), one, bool(table.number(5, "b", 0)))


def _named(entries: list[_Table]) -> dict[str, int]:
    return {entry.text(0): int(entry.number(1, "I", 0)) for entry in entries}


class _Table:
    """A FlatBuffers table; what it points to is checked against the file's length before it is read."""

    def __init__(self, content: bytes, position: int) -> None:
        self._content, self._position = content, position
        self._fields = self._checked(position - self._at(position, "i"))
        self._size = self._at(self._fields, "H")

    def number(self, field: int, code: str, default: Any) -> Any:
        """A scalar that stands in the table."""
        place = self._place(field)
        return self._at(place, code) if place else default

    def numbers(self, field: int, code: str) -> tuple[Any, ...]:
        """A vector of scalars; empty where there is none."""
        start, count = self._vector(field)
        if count * struct.calcsize(code) > len(self._content) - start:
            raise ValueError(f"a list of {count} goes beyond its end")
        return struct.unpack_from(f"<{count}{code}", self._content, start)

    def text(self, field: int) -> str:
        """A string; empty where there is none."""
        return bytes(self.numbers(field, "B")).decode("utf-8")

    def table(self, field: int) -> Optional[_Table]:
        """A table that this one points to."""
        place = self._place(field)
        return _Table(self._content, self._target(place)) if place else None

    def tables(self, field: int) -> list[_Table]:
        """A vector of tables; empty where there is none."""
        start, count = self._vector(field)
        if count * 4 > len(self._content) - start:
            raise ValueError(f"a list of {count} goes beyond its end")
        return [_Table(self._content, self._target(start + 4 * index)) for index in range(count)]

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if not place:
            return 0, 0
        start = self._target(place)
        return start + 4, self._at(start, "I")

    def _place(self, field: int) -> int:
        """Where a field of the table stands; 0 where it is absent."""
        slot = 4 + 2 * field
        offset = self._at(self._fields + slot, "H") if slot + 2 <= self._size else 0
        return self._position + offset if offset else 0

    def _target(self, place: int) -> int:
        return self._checked(place + self._at(place, "I"))

    def _at(self, place: int, code: str) -> int:
        return int(struct.unpack_from("<" + code, self._content, self._checked(place))[0])

    def _checked(self, place: int) -> int:
        """`struct` would count a negative place from the end."""
        if not 0 <= place < len(self._content):
            raise ValueError(f"it points to byte {place} of {len(self._content)}")
        return place
