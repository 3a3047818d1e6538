"""A user's own files: told apart by what lies there, read by the module of their kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo import sound
from zoo.cards import Kind, Task
from zoo.data.dataset import Raw
from zoo.data.findings import Finding, refuse
from zoo.data.options import OPTIONS_OF, DataConfig, given_options
from zoo.data.references import resolve_reference
from zoo.data.schema import Schema, read_schema
from zoo.errors import DataError, UsageError
from zoo.images import IMAGE_SUFFIXES
from zoo.registry import load_object

OnEvent = Callable[[str], None]
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "images": IMAGE_SUFFIXES,
    "audio": sound.SUFFIXES,
    "series": (".csv", ".tsv", ".npy", ".ts"),
    "text": (".txt",),
}
"""What a folder can hold, by the endings of its files; of equal counts the first."""
FOLDERS_LOOKED_AT, FILES_LOOKED_AT = 200, 2000
TABLES = (".csv", ".tsv", ".txt", ".data", ".tab")
READERS: Mapping[str, str] = {
    "images": "zoo.data.images.reading:read_images",
    "masks": "zoo.data.masks.reading:read_masks",
    "boxes": "zoo.data.boxes.reading:read_boxes",
    "table": "zoo.data.tables.reading:read_table",
    "arrays": "zoo.data.arrays.reading:read_arrays",
    "series": "zoo.data.series.reading:read_series",
    "audio": "zoo.data.audio.reading:read_audio",
    "text": "zoo.data.text.reading:read_text",
}
"""Form to the function `(Request) -> Reading` that reads it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a reader of files is asked for.

    Attributes:
        path: Absolute; exists.
        schema: What a `data.toml` says; empty but for the path where none was given.
        on_event: Told of progress and of what a user should know, a line each.
    """

    path: Path
    config: DataConfig
    schema: Schema
    on_event: OnEvent


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reader found.

    Attributes:
        form: "images", "masks", "boxes" (images with objects), "table", "arrays", "series", "audio" or "text".
        task: None where the target is not known.
        findings: Everything wrong or worth knowing; errors stop a training.
        facts: For `zoo data check`: rows, classes with counts, shapes, ranges, columns; plain JSON values.
        schema: What `zoo data check --write` saves.
        load: Makes the arrays; called only where no finding is an error.
    """

    path: Path
    form: str
    kind: Kind
    task: Task | None
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]
    schema: Schema
    load: Callable[[], Raw]


def read_path(path: str | Path, config: DataConfig, *, on_event: OnEvent | None = None) -> Reading:
    """Looks at a file or folder without refusing what is wrong with it.

    Args:
        path: A file, a folder or a `data.toml`.
        config: How to read it; what a `data.toml` says of that must be in it, see `zoo.data.schema.with_options`.
        on_event: Told of progress, a line each.

    Raises:
        UsageError: An option that does not fit what lies there.
        DataError: Nothing that can be read lies there.
    """
    given = Path(resolve_reference(str(path)))
    schema = read_schema(given) if given.suffix == ".toml" else Schema(path=given)
    if not schema.path.exists():
        raise DataError(f"{schema.path}, named by {given}, does not exist; correct its path")
    request = Request(path=schema.path, config=config, schema=schema, on_event=on_event or (lambda _: None))
    form = form_of(schema.path, config)
    _check_options(config, form, schema.path)
    reading: Reading = load_object(READERS[form])(request)
    return reading


def _check_options(config: DataConfig, form: str, path: Path) -> None:
    """Raises UsageError for options of another form, which would be passed over, and for a task that needs another."""
    if config.task == "detection" and form != "boxes":
        raise UsageError(
            f"--task detection wants boxes, and {path} is read as {form}; expected a table of paths, labels, x_min, "
            "y_min, x_max and y_max, or folders images and labels"
        )
    for other, names in OPTIONS_OF.items():
        given = given_options(config, names) if other != form else []
        if given:
            raise UsageError(f"{', '.join(given)}: of {other}, and {path} is read as {form}; leave it out")


def load_path(path: str | Path, config: DataConfig, *, on_event: OnEvent | None = None) -> Raw:
    """Reads a user's own data.

    Raises:
        UsageError: An option that does not fit what lies there.
        DataError: Whatever is wrong with the data, all of it at once.
    """
    reading = read_path(path, config, on_event=on_event)
    refuse(reading.findings, reading.path)
    raw = reading.load()
    return replace(raw, findings=(*reading.findings, *raw.findings))


def form_of(path: Path, config: DataConfig) -> str:
    """Which reader a path is for.

    Raises:
        DataError: A file of no known kind.
    """
    if path.is_dir():
        return "boxes" if has_label_files(path) else _form_of_folder(path)
    if config.horizon and path.suffix.lower() == ".npy":
        return "series"
    if path.suffix.lower() == ".ts":
        return "series"
    if path.suffix.lower() == ".npz":
        return "arrays"
    if path.suffix.lower() in TABLES:
        if _lists(path, "zoo.data.images.reading:IMAGES"):
            return _form_of_images(path, config)
        if _lists(path, "zoo.data.audio.reading:SOUNDS"):
            return "audio"
        if config.horizon:
            return "series"
        if load_object("zoo.data.text.sheet:is_text_table")(path, config):
            return "text"
        series = given_options(config, OPTIONS_OF["series"]) or _lists(path, "zoo.data.series.finding:RECORDINGS")
        return "series" if series else "table"
    raise DataError(
        f"{path} is of no known kind; expected a folder of images, sounds, recordings or texts, a table "
        f"({', '.join(TABLES)}), arrays (.npz) or a set of series (.ts)"
    )


def _lists(path: Path, kind: str) -> bool:
    """Whether a table is a list of files of a kind and their labels."""
    from zoo.data.files.sheet import lists_files

    return lists_files(path, load_object(kind))


def _form_of_images(path: Path, config: DataConfig) -> str:
    """What a list of images says of them: boxes, masks, or labels."""
    if config.task in ("auto", "detection") and load_object("zoo.data.boxes.tables:has_boxes")(path):
        return "boxes"
    return "masks" if load_object("zoo.data.masks.pairing:holds_masks")(path) else "images"


def has_label_files(path: Path) -> bool:
    """Whether a folder holds images and text files of boxes as YOLO wants them: "images" and "labels" side by side."""
    return any((at / "images").is_dir() and (at / "labels").is_dir() for at in (path, *path.glob("*/")))


def _form_of_folder(path: Path) -> str:
    """What most files of a folder are, by their endings; images where it holds none that is known."""
    if load_object("zoo.data.masks.pairing:holds_masks")(path):
        return "masks"
    counts = dict.fromkeys(FOLDERS, 0)
    endings = {suffix: form for form, suffixes in FOLDERS.items() for suffix in suffixes}
    for at, (_, _, files) in enumerate(os.walk(path, followlinks=True)):
        for name in files:
            form = endings.get(Path(name).suffix.lower())
            if form and not name.startswith("."):
                counts[form] += 1
        if at >= FOLDERS_LOOKED_AT or sum(counts.values()) >= FILES_LOOKED_AT:
            break
    return max(counts, key=lambda form: counts[form])
