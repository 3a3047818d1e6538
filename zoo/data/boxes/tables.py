"""A table of boxes: a row for each object, with the path of its image, its class and its edges in pixels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo import rows
from zoo.data.boxes.scene import Box, Scene, Scenes
from zoo.data.files.lists import find_file, part_of
from zoo.data.files.sheet import Sheet, read_sheet
from zoo.data.findings import Finding
from zoo.data.images.reading import IMAGES
from zoo.data.options import DataConfig
from zoo.errors import DataError, UsageError

EDGES: Mapping[str, tuple[str, ...]] = {
    "x_min": ("xmin", "left", "x1", "minx"),
    "y_min": ("ymin", "top", "y1", "miny"),
    "x_max": ("xmax", "right", "x2", "maxx"),
    "y_max": ("ymax", "bottom", "y2", "maxy"),
}
"""Edge of a box to the names that its column can have, in lower case and without marks between words."""

LABELS = ("label", "class", "classname", "name", "category")


def has_boxes(path: Path) -> bool:
    """Whether the header of a table names the four edges of a box."""
    try:
        with rows.open_text(path) as text:
            line = rows.first_line(text, path)
            text.seek(0)
            _, header = next(iter(rows.records(text, path, rows.find_delimiter(line))))
    except (DataError, StopIteration):
        return False
    return all(_named(header, names) for names in EDGES.values())


def read_tables(file: Path, config: DataConfig, *, part: int = -1) -> Scenes:
    """The images and boxes of a table; an image whose row has empty cells is one without objects.

    Args:
        file: With a header; paths in it are relative to its folder.
        config: `target` names the column of labels, `split` that of splits or groups.
        part: The split that all of it belongs to; -1 to go by the column of `split`.

    Raises:
        UsageError: A way of splitting that such a table does not have.
        DataError: It cannot be read, or a column is missing.
    """
    how, _, named = config.split.partition(":")
    if how not in ("random", "column", "group") or (how != "random" and not named):
        raise UsageError(
            f"--split {config.split} is not known of boxes; expected random, column:COLUMN or group:COLUMN"
        )
    if config.label_from or config.group_from:
        raise UsageError("--label-from and --group-from are no options of a table of boxes; see --target and --split")
    sheet = read_sheet(file, file.parent, IMAGES)
    special = sheet.column(named, "--split") if how != "random" else None
    label, edges = _label(sheet, config, special), [_edge(sheet, names) for names in EDGES.values()]
    findings, scenes = list(sheet.findings), dict[Path, Scene]()
    for line, cells in zip(sheet.lines, sheet.rows, strict=True):
        where = f"{file}, line {line}: "
        try:
            path = find_file(cells[sheet.paths], [file.parent], where.rstrip(": "), IMAGES)
            own = part_of(cells[special], where.rstrip(": ")) if how == "column" and special is not None else part
            group = cells[special] if how == "group" and special is not None else ""
            scene = scenes.setdefault(path, Scene(path, cells[sheet.paths].replace("\\", "/"), where, [], own, group))
            if (scene.part, scene.group) != (own, group):
                raise DataError(f"{where}{scene.name} is in another split or group above; give all its rows one")
            box = _box(cells[label], [cells[at] for at in edges], where)
        except DataError as error:
            findings.append(Finding("error", str(error)))
            continue
        if box is not None:
            scene.boxes.append(box)
    return Scenes(list(scenes.values()), findings)


def _named(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Positions of the columns that have one of these names."""
    return [at for at, cell in enumerate(header) if re.sub(r"[\s_-]", "", cell.lower()) in names]


def _edge(sheet: Sheet, names: Sequence[str]) -> int:
    found = _named(sheet.header, names)
    if len(found) != 1:
        have = ", ".join(sheet.header)
        raise DataError(
            f"{sheet.file} has columns {have}; expected one of {', '.join(names)}, and so for each edge of the boxes"
        )
    return found[0]


def _label(sheet: Sheet, config: DataConfig, special: int | None) -> int:
    if config.target:
        return sheet.column(config.target, "--target")
    found = [at for at in _named(sheet.header, LABELS) if at not in (special, sheet.paths)]
    if len(found) != 1:
        raise DataError(f"{sheet.file} has columns {', '.join(sheet.header)}; which is the label? add --target COLUMN")
    return found[0]


def _box(label: str, cells: Sequence[str], where: str) -> Box | None:
    """The object of a row; None where its cells are empty."""
    if not label and not any(cells):
        return None
    if not label:
        raise DataError(f"{where}a box without a label; give it one, or leave all its cells empty")
    numbers = [rows.to_number(cell) for cell in cells]
    for name, cell, number in zip(EDGES, cells, numbers, strict=True):
        if number is None:
            raise DataError(f"{where}{name} is {cell!r}; expected a number of pixels")
    left, top, right, bottom = (float(number or 0.0) for number in numbers)
    return Box(label, (left, top, right, bottom), where)
