"""A user's own images: a folder of them or a list, looked at, decoded and labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.dataset import Raw
from zoo.data.files.collecting import class_rows, collect, identity, is_later, splitting
from zoo.data.files.concluding import nothing, reading
from zoo.data.files.labelling import Labelled, label
from zoo.data.files.listing import FileKind, Listing, counted, examples
from zoo.data.findings import Finding
from zoo.data.images.decoding import Decoded, decode
from zoo.data.images.headers import Header, misnamed, read_headers
from zoo.data.options import DataConfig, given_options
from zoo.data.own import Reading, Request
from zoo.errors import UsageError
from zoo.images import IMAGE_SUFFIXES

IMAGES = FileKind("image", IMAGE_SUFFIXES)

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
    check_options(request.config)
    listing = collect(request.path, request.config, IMAGES)
    if not listing.entries:
        expected = "class folders of .jpg, .png and the like"
        return nothing(request, "image", "image", expected, listing.findings, listing.ignored)
    files = [entry.file for entry in listing.entries]
    headers = read_headers(files)
    shape = fitting_shape(headers, request.config)
    decoded = decode(
        files,
        shape,
        known=[header if isinstance(header, str) else "" for header in headers],
        key="\0".join((str(listing.root), str(request.path), request.config.label_from, request.config.test_data)),
        areas=[0 if isinstance(header, str) else header.width * header.height for header in headers],
        on_event=request.on_event,
    )
    labelled = label(listing, request.config.task, request.schema.labels, later=is_later(request.config))
    images = Images(listing, headers, shape, decoded, labelled)
    side = {"image_size": shape[0]} if shape[0] == shape[1] else {}
    return reading(
        request,
        "image",
        labelled,
        (*listing.findings, *_findings(images), *labelled.findings),
        _facts(images),
        lambda: _raw(images),
        form="images",
        image_channels=shape[2],
        **side,
    )


def check_options(config: DataConfig) -> None:
    """Raises UsageError for options that only a table has."""
    given = given_options(config, TABLE_OPTIONS)
    if [name for name in given if name != "target_transform"]:
        what = "an option" if len(given) == 1 else "options"
        raise UsageError(f"{', '.join(given)}: {what} of a table; images have no columns to choose from")


def fitting_shape(
    headers: Sequence[Header | str], config: DataConfig, *, plain: int = PLAIN_SIDE, own: int = OWN_SIDE
) -> tuple[int, int, int]:
    """Height, width and channels that images are brought to, see `read_images`.

    Args:
        headers: Of the files.
        config: `image_size` and `image_channels`.
        plain: Pixels of a side of images of many sizes.
        own: Images of one size keep it up to this many pixels of a side.
    """
    known = [header for header in headers if isinstance(header, Header)]
    channels = config.image_channels or (1 if known and all(header.grey for header in known) else 3)
    if config.image_size:
        return config.image_size, config.image_size, channels
    sizes = {(header.height, header.width) for header in known}
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        if max(height, width) <= own:
            return height, width, channels
    return plain, plain, channels


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
        "width": extent([header.width for header in known]),
        "height": extent([header.height for header in known]),
        "resized_to": f"{height}x{width}, {'grey' if channels == 1 else 'colour'}",
        "ignored": dict(images.listing.ignored),
    }
    if images.labelled.task == "regression":
        columns = zip(images.labelled.labels, images.labelled.targets.T, strict=True)
        facts["targets"] = [{"name": name, **extent(values.tolist())} for name, values in columns]
    else:
        facts["classes"] = class_rows(images.listing, images.labelled)
    return facts


def extent(values: Sequence[float]) -> dict[str, float]:
    """Smallest, median and largest, for `zoo data check`; empty where there are none."""
    if not values:
        return {}
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)}


def _raw(images: Images) -> Raw:
    entries = images.listing.entries
    return Raw(
        samples=images.decoded.samples,
        targets=images.labelled.targets,
        kind="image",
        task=images.labelled.task,
        labels=images.labelled.labels,
        **splitting(entries),
        digests=images.decoded.digests,
        sha256=identity(entries, images.decoded.sha256),
    )
