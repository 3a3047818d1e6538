"""`.ts` files of the UCR and UEA archives: a line for each case, its dimensions between colons, the class last.

Format: https://www.sktime.net/en/stable/api_reference/file_specifications/ts.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import rows
from zoo.data.series.recordings import Recording, fill_gaps
from zoo.errors import DataError

MARKS = {"TRAIN": 0, "VAL": 1, "TEST": 2}
"""Ends of file names that say which split a file is; values index `zoo.data.dataset.PARTS`."""


@dataclass(frozen=True)
class Case:
    """A line of a file."""

    recording: Recording
    label: str


def siblings(path: Path) -> list[tuple[Path, int]]:
    """Files and the split of each: X_TRAIN.ts with X_TEST.ts beside it, one file alone, or those in a folder.

    Raises:
        DataError: A folder with files of several sets.
    """
    if path.is_dir():
        trains = sorted(file for file in path.glob("*.ts") if file.stem.upper().endswith("_TRAIN"))
        if len(trains) != 1:
            found = ", ".join(file.name for file in trains) or "none that ends in _TRAIN.ts"
            raise DataError(f"{path} holds several sets, or no training file: {found}; give one: {path}/NAME_TRAIN.ts")
        path = trains[0]
    stem, _, mark = path.stem.rpartition("_")
    if mark.upper() != "TRAIN":
        return [(path, -1)]
    beside = [(path.with_name(f"{stem}_{name}.ts"), part) for name, part in MARKS.items() if name != "TRAIN"]
    return [(path, 0), *((file, part) for file, part in beside if file.is_file())]


def read_cases(path: Path) -> tuple[list[Case], tuple[str, ...]]:
    """The cases of a file, and its classes in the order of its header.

    Raises:
        DataError: It is not of this form, has time stamps, or a number or line that is wrong.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    labels: tuple[str, ...] = ()
    cases: list[Case] = []
    width = None
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        if line.startswith("@"):
            key, _, value = line[1:].partition(" ")
            if key.lower() == "timestamps" and value.strip().lower() == "true":
                raise DataError(f"{path} has time stamps, which are not read; save it with equal steps")
            if key.lower() == "classlabel":
                said, *names = value.split()
                if said.lower() != "true":
                    raise DataError(f"{path} has no class labels (@classLabel {said}); nothing to learn")
                labels = tuple(names)
            continue
        parts = line.split(":")
        if len(parts) < 2 or (width is not None and len(parts) != width):
            raise DataError(f"{where}: {len(parts) - 1} dimensions, expected {(width or 2) - 1} and a class")
        width = len(parts)
        cases.append(Case(_case(parts[:-1], f"{path}:{len(cases) + 1}", where, digest), parts[-1].strip()))
    if not cases:
        raise DataError(f"{path} has no case in it; expected lines after @data")
    return cases, labels or tuple(sorted({case.label for case in cases}))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with rows.open_text(path) as file:
        try:
            for number, line in enumerate(file, 1):
                text = line.strip()
                if text and not text.startswith("#"):
                    yield number, text
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _case(dimensions: list[str], name: str, where: str, digest: str) -> Recording:
    channels = []
    for at, text in enumerate(dimensions):
        cells = [cell.strip() for cell in text.split(",")]
        values, wrong = rows.convert(cells, {"type": "number"}, rows.missing_words(("?",)))
        if wrong:
            raise DataError(f"{where}, dimension {at + 1}: {cells[wrong[0]]!r} is no finite number; correct it")
        channels.append(values)
    if len({len(channel) for channel in channels}) > 1:
        lengths = ", ".join(str(len(channel)) for channel in channels)
        raise DataError(f"{where}: dimensions of {lengths} steps; expected as many in each")
    filled, findings = fill_gaps(np.stack(channels, axis=1), name)
    columns = tuple(rows.made_up(at) for at in range(len(channels)))
    return Recording(name, columns, filled, tuple(findings), digest)
