"""YOLO's folders: images, and beside them a text file for each with a line for each object.

A line is `class x y width height`: the number of the class, the centre and the size as shares of the image. An image
without a text file, or with an empty one, is one without objects.
"""

from __future__ import annotations

from pathlib import Path

from zoo.data.boxes.scene import Box, Scene, Scenes
from zoo.data.files.folder import walk
from zoo.data.files.listing import SPLIT_NAMES
from zoo.data.findings import Finding
from zoo.data.images.reading import IMAGES
from zoo.data.options import DataConfig, given_options
from zoo.errors import DataError, UsageError

NAMES = ("classes.txt", "obj.names")
"""Files with the name of a class on each line."""

IMAGE_FOLDER, LABEL_FOLDER = "images", "labels"
COLUMNS = "class x y width height"


def read_folders(folder: Path, config: DataConfig, *, part: int = -1) -> Scenes:
    """The images and boxes of a folder.

    Args:
        folder: With images/a.jpg and labels/a.txt, or with folders train, validation and test above or below those.
        config: Its options of files do not fit and are refused.
        part: The split that all of it belongs to; -1 to go by the folders' names.

    Raises:
        UsageError: Options that such a folder does not have.
        DataError: The file of names cannot be read.
    """
    given = given_options(config, ("target", "split", "label_from", "group_from"))
    if given:
        raise UsageError(
            f"{', '.join(given)}: no option of folders images and labels, {folder} says it all; leave it out"
        )
    names, findings, scenes = _names(folder), [], []
    for name in walk(folder, IMAGES).files:
        parts = Path(name).parts
        if IMAGE_FOLDER not in parts[:-1]:
            continue
        at = len(parts) - 2 - parts[-2::-1].index(IMAGE_FOLDER)
        told = folder.joinpath(*parts[:at], LABEL_FOLDER, *parts[at + 1 :]).with_suffix(".txt")
        own = next((SPLIT_NAMES[one.lower()] for one in parts[:-1] if one.lower() in SPLIT_NAMES), -1)
        scene = Scene(folder / name, name, part=own if part < 0 else part)
        for line, text in enumerate(_lines(told), start=1):
            try:
                scene.boxes.append(_box(text, names, f"{told}, line {line}: "))
            except DataError as error:
                findings.append(Finding("error", str(error)))
        scenes.append(scene)
    return Scenes(scenes, findings, tuple(names))


def _names(folder: Path) -> list[str]:
    for name in NAMES:
        if (folder / name).is_file():
            return [line.strip() for line in _lines(folder / name)]
    return []


def _lines(file: Path) -> list[str]:
    """Lines with something on them; none where there is no file."""
    if not file.is_file():
        return []
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}; write it as plain text") from error


def _box(text: str, names: list[str], where: str) -> Box:
    cells = text.split()
    if len(cells) != 5:
        raise DataError(f"{where}{len(cells)} numbers; expected 5: {COLUMNS}")
    try:
        label, (x, y, width, height) = int(cells[0]), (float(cell) for cell in cells[1:])
    except ValueError:
        raise DataError(f"{where}{text.strip()!r} are no numbers; expected {COLUMNS}") from None
    if label < 0 or (names and label >= len(names)):
        raise DataError(f"{where}class {label} has no name; expected 0 to {len(names) - 1}")
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Box(names[label] if names else str(label), edges, where, shares=True)
