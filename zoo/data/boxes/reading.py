"""A user's own images with objects on them: looked at, decoded, their boxes checked and brought to shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import boxes
from zoo.data.boxes.scene import Box, Scene, Scenes
from zoo.data.boxes.tables import read_tables
from zoo.data.boxes.yolo import read_folders
from zoo.data.dataset import PARTS, Raw
from zoo.data.files.collecting import identity, splitting
from zoo.data.files.concluding import nothing, reading
from zoo.data.files.labelling import Labelled
from zoo.data.files.listing import counted
from zoo.data.findings import Finding
from zoo.data.images.decoding import Decoded, decode
from zoo.data.images.headers import Header, read_headers
from zoo.data.images.reading import check_options, extent, fitting_shape
from zoo.data.options import DataConfig
from zoo.data.own import Reading, Request
from zoo.errors import DataError, UsageError

SIDE = 160
"""Pixels of a side that images of many sizes are resized to; images of one size keep it up to this."""

BESIDE = 1.0
"""Pixels by which a box may reach out of its image, as rounding does; it is cut there."""

LEAST = 4.0
"""Pixels of a box's side, after resizing, below which it is told to be small."""


@dataclass(frozen=True)
class Found:
    """All that was found out.

    Attributes:
        shape: Height, width and channels the images are resized to.
        targets: (n, most, 5) float32 as `zoo.boxes.encode` takes them.
    """

    scenes: Sequence[Scene]
    headers: Sequence[Header | str]
    shape: tuple[int, int, int]
    decoded: Decoded
    labels: tuple[str, ...]
    targets: np.ndarray


def read_boxes(request: Request) -> Reading:
    """Reads a table of boxes or YOLO's folders; every image is decoded, once.

    Images are stretched to one size, which shares of the width and height do not notice: what `image_size` says, or
    their own where all have one of at most 160 pixels a side, else 160x160.

    Raises:
        UsageError: An option that boxes do not have.
        DataError: A table that cannot be read.
        ResourceError: The disk has no room for the decoded pixels.
    """
    check_options(request.config)
    every = collect_scenes(request.path, request.config)
    if not every.scenes:
        return nothing(request, "image", "image", "a table of boxes, or folders images and labels", every.findings, {})
    files = [scene.file for scene in every.scenes]
    headers = read_headers(files)
    shape = fitting_shape(headers, request.config, plain=SIDE, own=SIDE)
    decoded = decode(
        files,
        shape,
        known=[header if isinstance(header, str) else "" for header in headers],
        key="\0".join((str(request.path), "boxes", request.config.test_data)),
        areas=[0 if isinstance(header, str) else header.width * header.height for header in headers],
        on_event=request.on_event,
    )
    labels = request.schema.labels or every.labels or tuple(sorted({b.label for s in every.scenes for b in s.boxes}))
    targets, wrong = to_targets(every.scenes, headers, labels)
    found = Found(every.scenes, headers, shape, decoded, labels, targets)
    broken = [Finding("error", problem) for problem in decoded.problems if problem]
    none = [] if (targets[..., 0] >= 0).any() or wrong else [_no_object(request.path)]
    side = {"image_size": shape[0]} if shape[0] == shape[1] else {}
    return reading(
        request,
        "image",
        Labelled("detection", labels, targets),
        (*every.findings, *broken, *wrong, *none, *_small(found), *_together(found)),
        _facts(found),
        lambda: _raw(found),
        form="boxes",
        image_channels=shape[2],
        **side,
    )


def collect_scenes(path: Path, config: DataConfig) -> Scenes:
    """The images of the data, and behind them those of `test_data`.

    Raises:
        UsageError: An option that does not fit, or two test splits.
        DataError: A table that cannot be read, or test data that are not there.
    """
    first = _read(path, config)
    if not config.test_data:
        return first
    other, tested = Path(config.test_data).absolute(), PARTS.index("test")
    if not other.exists():
        raise DataError(f"test_data {other} does not exist; correct the path")
    if any(scene.part == tested for scene in first.scenes):
        raise UsageError(f"{path} has a test split of its own, --test {other} is another; give one of them")
    second = _read(other, replace(config, split="random"), part=tested)
    return Scenes([*first.scenes, *second.scenes], [*first.findings, *second.findings], first.labels)


def _read(path: Path, config: DataConfig, part: int = -1) -> Scenes:
    return (read_folders if path.is_dir() else read_tables)(path, config, part=part)


def to_targets(
    scenes: Sequence[Scene], headers: Sequence[Header | str], labels: Sequence[str]
) -> tuple[np.ndarray, list[Finding]]:
    """Boxes as shares of their images, and what is wrong with them.

    Returns:
        (n, most, 5) float32 as `zoo.boxes.encode` takes them; boxes of images that cannot be read are left out.
    """
    index, findings = {label: at for at, label in enumerate(labels)}, []
    targets = np.zeros((len(scenes), max(1, *(len(scene.boxes) for scene in scenes)), 5), np.float32)
    targets[..., 0] = boxes.NONE
    for at, (scene, header) in enumerate(zip(scenes, headers, strict=True)):
        for place, box in enumerate(scene.boxes if isinstance(header, Header) else ()):
            try:
                edges = _shares(box, header, scene.name)
                if box.label not in index:
                    known = ", ".join(labels)
                    raise DataError(f"{box.where}label {box.label!r} is unknown; expected one of {known}")
                targets[at, place] = (index[box.label], *edges)
            except DataError as error:
                findings.append(Finding("error", str(error)))
    return targets, findings


def _shares(box: Box, header: Any, name: str) -> np.ndarray:
    """The edges as shares of the image; raises DataError for a box that is empty or outside of it."""
    size = np.array([header.width, header.height] * 2, np.float64)
    pixels = np.array(box.edges) * size if box.shares else np.array(box.edges, np.float64)
    if not np.isfinite(pixels).all() or pixels[2] <= pixels[0] or pixels[3] <= pixels[1]:
        raise DataError(
            f"{box.where}the box {_told(pixels)} has no area; expected x_max above x_min and y_max above y_min"
        )
    if (pixels < -BESIDE).any() or (pixels > size + BESIDE).any():
        raise DataError(
            f"{box.where}the box {_told(pixels)} is outside of {name}, {header.width}x{header.height}; correct it"
        )
    return np.clip(pixels / size, 0.0, 1.0)


def _told(pixels: np.ndarray) -> str:
    return f"({', '.join(f'{edge:.6g}' for edge in pixels)})"


def _no_object(path: Path) -> Finding:
    return Finding("error", f"{path} has images and not one object on them; give boxes to learn from")


def _sides(found: Found) -> tuple[np.ndarray, np.ndarray]:
    """(objects, 2) widths and heights in pixels of the resized images, and the index of each object's image."""
    image, place = np.nonzero(found.targets[..., 0] >= 0)
    edges = found.targets[image, place, 1:]
    return (edges[:, 2:] - edges[:, :2]) * [found.shape[1], found.shape[0]], image


def _small(found: Found) -> list[Finding]:
    sides, _ = _sides(found)
    count = int((sides < LEAST).any(axis=1).sum())
    if not count:
        return []
    size = f"{found.shape[1]}x{found.shape[0]}"
    text = f"{counted(count, 'box', 'boxes')} below {LEAST:g} pixels at the model's {size}; take a larger image_size"
    return [Finding("warning", text)]


def _together(found: Found) -> list[Finding]:
    """Objects of one class with their centre in one cell of the map: of those one can be found."""
    rows, columns = boxes.grid_of(*found.shape[:2])
    image, place = np.nonzero(found.targets[..., 0] >= 0)
    kept = found.targets[image, place]
    cell = np.floor((kept[:, 1:3] + kept[:, 3:5]) / 2 * [columns, rows])
    keys = Counter(map(tuple, np.column_stack([image, cell, kept[:, 0]]).tolist()))
    count = sum(number - 1 for number in keys.values())
    if not count:
        return []
    text = f"{counted(count, 'object')} so close to another of its class that only one can be found; see image_size"
    return [Finding("warning", text)]


def _facts(found: Found) -> dict[str, Any]:
    known = [header for header in found.headers if isinstance(header, Header)]
    height, width, channels = found.shape
    sides, _ = _sides(found)
    there = found.targets[..., 0] >= 0
    return {
        "images": len(found.scenes),
        "objects": int(there.sum()),
        "without_objects": int((~there.any(axis=1)).sum()),
        "formats": dict(Counter(header.format for header in known).most_common()),
        "width": extent([header.width for header in known]),
        "height": extent([header.height for header in known]),
        "resized_to": f"{height}x{width}, {'grey' if channels == 1 else 'colour'}",
        "objects_an_image": extent(there.sum(axis=1).tolist()),
        "box_width": extent(sides[:, 0].round(1).tolist()),
        "box_height": extent(sides[:, 1].round(1).tolist()),
        "classes": _class_rows(found),
    }


def _class_rows(found: Found) -> list[dict[str, Any]]:
    """For each class how many objects it has, on how many images, and in each split that the data give."""
    parts = np.array([scene.part for scene in found.scenes])
    rows = []
    for at, name in enumerate(found.labels):
        mine = found.targets[..., 0] == at
        row = {"class": name, "objects": int(mine.sum()), "images": int(mine.any(axis=1).sum())}
        if (parts > 0).any():
            row |= {PARTS[part]: int(mine[np.maximum(parts, 0) == part].sum()) for part in np.unique(parts.clip(0))}
        rows.append(row)
    return rows


def _raw(found: Found) -> Raw:
    entries = [scene.entry() for scene in found.scenes]
    return Raw(
        samples=found.decoded.samples,
        targets=found.targets,
        kind="image",
        task="detection",
        labels=found.labels,
        **splitting(entries),
        digests=found.decoded.digests,
        sha256=identity(entries, found.decoded.sha256),
    )
