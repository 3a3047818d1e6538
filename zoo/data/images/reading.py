"""A user's own images: a folder of them or a list, looked at, decoded and labelled."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import PARTS, Raw
from zoo.data.findings import Finding, errors
from zoo.data.images.decoding import Decoded, decode
from zoo.data.images.folder import scan
from zoo.data.images.headers import Header, misnamed, read_headers
from zoo.data.images.labelling import Labelled, label
from zoo.data.images.listing import Listing, counted, examples
from zoo.data.images.lists import find_index, read_list
from zoo.data.images.sheet import lists_images
from zoo.data.options import DataConfig
from zoo.data.own import Reading, Request
from zoo.data.references import is_index, resolve_indices
from zoo.errors import DataError, UsageError

PLAIN_SIDE = 96
"""Pixels of a side that images of many sizes are resized to where nobody asks for another."""

OWN_SIDE = 128
"""Images of one size keep it up to this many pixels of a side."""

TABLE_OPTIONS = ("columns", "drop", "keep", "target_transform")


@dataclass(frozen=True)
class Images:
    """All that was found out about a listing's files.

    Attributes:
        shape: Height, width and channels they are resized to.
    """

    listing: Listing
    headers: Sequence[Header | str]
    shape: tuple[int, int, int]
    decoded: Decoded
    labelled: Labelled


def is_image_list(path: Path, config: DataConfig) -> bool:
    """Whether a table lists image files and their labels, rather than being data itself."""
    del config
    return lists_images(path)


def read_images(request: Request) -> Reading:
    """Reads a folder of images or a list of them; every file is decoded, once.

    The size: what `image_size` says, both sides; else the images' own where all have one of at most 128 pixels a side;
    else 96x96. Images are stretched to it, not cut: nothing at their edges is lost, and a device does the same with
    one step. The channels: what `image_channels` says; else 1 where all images are grey, 3 otherwise.

    Args:
        request: A folder with a sub-folder for each class, with or without train, validation and test on top; or a
            CSV of paths and labels. `--label-from`, `--group-from`, `--split` and `--test` are followed.

    Returns:
        A reading whose samples lie on disk, (n, height, width, channels) uint8.

    Raises:
        UsageError: An option that images do not have, or that does not fit.
        DataError: A list that cannot be read.
        ResourceError: The disk has no room for the decoded pixels.
    """
    _check_options(request.config)
    listing = _list(request)
    if not listing.entries:
        return _nothing(request, listing)
    files = [entry.file for entry in listing.entries]
    headers = read_headers(files)
    shape = _shape(headers, request.config)
    decoded = decode(
        files,
        shape,
        known=[header if isinstance(header, str) else "" for header in headers],
        key="\0".join((str(listing.root), str(request.path), request.config.label_from, request.config.test_data)),
        areas=[0 if isinstance(header, str) else header.width * header.height for header in headers],
        on_event=request.on_event,
    )
    later = request.config.split != "random" or bool(request.config.group_from)
    labelled = label(listing, request.config.task, request.schema.labels, later=later)
    images = Images(listing, headers, shape, decoded, labelled)
    return Reading(
        path=request.path,
        form="images",
        kind="image",
        task=labelled.task,
        findings=(*listing.findings, *_findings(images), *labelled.findings),
        facts=_facts(images),
        schema=_schema(request, labelled, shape),
        load=lambda: _raw(images),
    )


def _check_options(config: DataConfig) -> None:
    plain = DataConfig()
    given = [name for name in TABLE_OPTIONS if getattr(config, name) != getattr(plain, name)]
    if [name for name in given if name != "target_transform"]:
        what = "an option" if len(given) == 1 else "options"
        raise UsageError(f"{', '.join(given)}: {what} of a table; images have no columns to choose from")


def _list(request: Request) -> Listing:
    """The data's files, and behind them those of `test_data`."""
    listing = list_images(request.path, request.config)
    if not request.config.test_data:
        return listing
    path = Path(request.config.test_data).absolute()
    if not path.exists():
        raise DataError(f"test_data {path} does not exist; correct the path")
    if any(entry.part == PARTS.index("test") for entry in listing.entries):
        raise UsageError(f"{request.path} has a test split of its own, --test {path} is another; give one of them")
    tests = list_images(path, replace(request.config, split="random", group_from=""), part=PARTS.index("test"))
    told = tests.entries or errors(tests.findings)
    empty = [] if told else [Finding("error", f"test_data {path} holds no labelled image; give another")]
    return replace(
        listing,
        # Tests alone would be found to lack what is to be trained on, which is told already.
        entries=(*listing.entries, *tests.entries) if listing.entries else (),
        classes=tuple(sorted({*listing.classes, *tests.classes})),
        ignored=Counter(listing.ignored) + Counter(tests.ignored),
        findings=(*listing.findings, *tests.findings, *empty),
    )


def list_images(path: Path, config: DataConfig, *, part: int = -1) -> Listing:
    """Images of a folder or a list with the text of their labels, none of them opened.

    Args:
        path: A folder, or a table of paths and labels.
        config: `label_from`, `group_from`, `target`, `split` and `missing_values` are followed.
        part: The split that all of it belongs to; -1 to go by what the data say.

    Raises:
        UsageError: An option that does not fit.
        DataError: A list that cannot be read.
    """
    if path.is_file():
        return read_list(path, config, part=part)
    if is_index(config.label_from):
        return read_list(find_index(config.label_from, path, "--label-from"), config, folder=path, part=part)
    for option, value in (("--target", config.target), ("--split", config.split)):
        if value not in ("", "random"):
            raise UsageError(f"{option} {value} names a column; {path} is a folder and has none, see --label-from")
    return scan(path, config, part=part)


def _shape(headers: Sequence[Header | str], config: DataConfig) -> tuple[int, int, int]:
    known = [header for header in headers if isinstance(header, Header)]
    channels = config.image_channels or (1 if known and all(header.grey for header in known) else 3)
    if config.image_size:
        return config.image_size, config.image_size, channels
    sizes = {(header.height, header.width) for header in known}
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        if max(height, width) <= OWN_SIDE:
            return height, width, channels
    return PLAIN_SIDE, PLAIN_SIDE, channels


def _findings(images: Images) -> list[Finding]:
    found = [Finding("error", problem) for problem in images.decoded.problems if problem]
    lying = misnamed([entry.file for entry in images.listing.entries], images.headers)
    if lying:
        are = f"{counted(len(lying), 'file')} of another format than the name says, read as what they are"
        found.append(Finding("note", f"{are}: {examples(lying)}"))
    return [*found, *_duplicates(images)]


def _duplicates(images: Images) -> list[Finding]:
    """Equal pictures with the same label; those with different ones are told where the data are split."""
    first: dict[tuple[int, tuple[str, ...]], str] = {}
    again = []
    for entry, digest, problem in zip(
        images.listing.entries, images.decoded.digests.tolist(), images.decoded.problems, strict=True
    ):
        if problem:
            continue
        before = first.setdefault((digest, entry.answers), entry.name)
        if before is not entry.name:
            again.append(f"{entry.name} = {before}")
    if not again:
        return []
    return [
        Finding("note", f"{counted(len(again), 'image')} equal to another one of the same label: {examples(again)}")
    ]


def _facts(images: Images) -> dict[str, Any]:
    known = [header for header in images.headers if isinstance(header, Header)]
    height, width, channels = images.shape
    facts: dict[str, Any] = {
        "images": len(images.listing.entries),
        "formats": dict(Counter(header.format for header in known).most_common()),
        "modes": dict(Counter(header.mode for header in known).most_common()),
        "width": _range([header.width for header in known]),
        "height": _range([header.height for header in known]),
        "resized_to": f"{height}x{width}, {'grey' if channels == 1 else 'colour'}",
        "ignored": dict(images.listing.ignored),
    }
    if images.labelled.task == "regression":
        columns = zip(images.labelled.labels, images.labelled.targets.T, strict=True)
        facts["targets"] = [{"name": name, **_range(values.tolist())} for name, values in columns]
    else:
        facts["classes"] = _class_rows(images)
    return {key: value for key, value in facts.items() if value}


def _range(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)}


def _class_rows(images: Images) -> list[dict[str, Any]]:
    """A row for each class: how many images, and how many in each split that the data give."""
    labels, targets = images.labelled.labels, images.labelled.targets
    member = targets > 0 if targets.ndim == 2 else targets[:, np.newaxis] == np.arange(len(labels))
    parts = np.array([entry.part for entry in images.listing.entries])
    rows = []
    for at, name in enumerate(labels):
        row = {"class": name, "images": int(member[:, at].sum())}
        if (parts > 0).any():
            clipped = np.maximum(parts, 0)
            row |= {PARTS[part]: int(member[clipped == part, at].sum()) for part in np.unique(clipped)}
        rows.append(row)
    return rows


def _schema(request: Request, labelled: Labelled, shape: tuple[int, int, int]) -> Any:
    """What was given and what was inferred, so that new files do not change the model's input."""
    plain, config = DataConfig(), request.config
    options = {name: getattr(config, name) for name in vars(plain) if getattr(config, name) != getattr(plain, name)}
    options = resolve_indices(options) | {"task": labelled.task, "image_channels": shape[2]}
    if shape[0] == shape[1]:
        options["image_size"] = shape[0]
    labels = () if labelled.task == "regression" else labelled.labels
    return replace(request.schema, options=options, labels=labels)


def _nothing(request: Request, listing: Listing) -> Reading:
    wrong = errors(listing.findings)
    none = Finding("error", f"{request.path} holds no image; expected class folders of .jpg, .png and the like")
    return Reading(
        path=request.path,
        form="images",
        kind="image",
        task=None,
        findings=listing.findings if wrong else (none, *listing.findings),
        facts={"images": 0, "ignored": dict(listing.ignored)},
        schema=request.schema,
        load=_no_load,
    )


def _no_load() -> Raw:
    raise DataError("there is no image to load")


def _raw(images: Images) -> Raw:
    entries = images.listing.entries
    parts = np.array([entry.part for entry in entries], np.int8)
    times = [entry.time for entry in entries if entry.time is not None]
    groups = [entry.group for entry in entries]
    return Raw(
        samples=images.decoded.samples,
        targets=images.labelled.targets,
        kind="image",
        task=images.labelled.task,
        labels=images.labelled.labels,
        parts=parts if (parts >= 0).any() else None,
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64) if any(groups) else None,
        times=np.array(times, np.float64) if len(times) == len(entries) else None,
        names=tuple(entry.name for entry in entries),
        digests=images.decoded.digests,
        sha256=_identity(images),
    )


def _identity(images: Images) -> str:
    """A checksum of names, bytes, labels, groups and splits; not of where and when the files were written."""
    state = hashlib.sha256()
    for entry, content in zip(images.listing.entries, images.decoded.sha256, strict=True):
        fields = (entry.name, content, *entry.answers, entry.part, entry.group, entry.time)
        state.update("\0".join(map(str, fields)).encode() + b"\n")
    return state.hexdigest()
