"""A user's own images with masks: paired, checked, decoded, whole or in tiles, with the classes of their pixels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.dataset import PARTS, Raw
from zoo.data.files.concluding import nothing, reading
from zoo.data.files.labelling import Labelled
from zoo.data.files.listing import counted
from zoo.data.findings import Finding, errors
from zoo.data.images.headers import Header, read_headers
from zoo.data.masks.arrays import Masks
from zoo.data.masks.decoding import Decoded, Layout, decode
from zoo.data.masks.pairing import Pair, Pairs, find_pairs
from zoo.data.options import DataConfig, refuse_options
from zoo.data.own import Reading, Request
from zoo.errors import UsageError
from zoo.hyperparameters import split_names

FOREIGN = ("columns", "drop", "keep", "target_transform", "label_from", "missing_values")
"""Options that images with masks do not have."""

MOST_CLASSES = 64
"""Values of masks; more are shades at the edges of shapes, not classes."""

LARGE_SIDE = 384
"""Images with a longer side are better trained on in tiles."""


@dataclass(frozen=True)
class Pictures:
    """All that was found out about pairs.

    Attributes:
        values: Values of the masks that are classes, ascending.
        labels: Of these.
    """

    pairs: tuple[Pair, ...]
    layout: Layout
    decoded: Decoded
    values: tuple[int, ...]
    labels: tuple[str, ...]
    threshold: int = 0

    @property
    def classes(self) -> np.ndarray:
        """(256,) uint8, from value to class."""
        if self.threshold:
            return (np.arange(256) >= self.threshold).astype(np.uint8)
        found = np.zeros(256, np.uint8)
        found[list(self.values)] = np.arange(len(self.values))
        return found


def read_masks(request: Request) -> Reading:
    """Reads images with a mask each: two folders of files with equal names, or a table with a column for each.

    Samples: the images as they are, where all have one size; resized to `image_size`; or tiles of `tile` pixels, cut
    from images of any size. Tiles overlap, and a pixel is measured in one of them alone. The values of the masks are
    the classes; `mask_threshold` makes two of grey masks with soft edges.

    Returns:
        A reading whose samples lie on disk, (n, height, width, channels) uint8, as do their masks.

    Raises:
        UsageError: An option that images with masks do not have.
        DataError: A table that cannot be read.
        ResourceError: The disk has no room for the pixels.
    """
    config = request.config
    refuse_options(config, FOREIGN, "images with masks")
    if config.task not in ("auto", "segmentation"):
        raise UsageError(
            f"task = {config.task} does not fit images with masks, whose task is segmentation; leave it out"
        )
    found = find_pairs(request.path, config)
    if not found.pairs:
        return nothing(request, "image", "image", "images with masks", found.findings, {})
    headers = read_headers([pair.image for pair in found.pairs])
    masks = read_headers([pair.mask for pair in found.pairs])
    good, findings = _sound(found, headers, masks)
    sizes = [(header.height, header.width) for header in headers if isinstance(header, Header)]
    known = dict(zip(found.pairs, headers, strict=True))
    layout, told = _layout([known[pair] for pair in good], config)
    findings += told
    facts = _facts(found.pairs, headers, sizes)
    if not good or layout is None:
        return reading(request, "image", None, findings, facts, form="masks")
    decoded = decode(
        good,
        [(known[pair].height, known[pair].width) for pair in good],  # type: ignore[union-attr]
        layout,
        key="\0".join((str(request.path), config.test_data)),
        on_event=request.on_event,
    )
    findings += [Finding("error", problem) for problem in decoded.problems if problem]
    values, told = _values(decoded, good, config)
    findings += told
    labels, told = _labels(values, request, config)
    findings += [*told, *_few(good, found)]
    pictures = Pictures(tuple(good), layout, decoded, values, labels, config.mask_threshold)
    labelled = Labelled("segmentation", labels, np.zeros(0, np.int64))
    height, width, channels = layout.shape
    facts |= {"samples": _described(pictures), "classes": _class_rows(pictures)}
    side = {"image_size": height} if not layout.tiled and config.image_size and height == width else {}
    return reading(
        request,
        "image",
        labelled,
        findings,
        facts,
        lambda: _raw(pictures),
        form="masks",
        image_channels=channels,
        **side,
    )


def _sound(
    found: Pairs, headers: Sequence[Header | str], masks: Sequence[Header | str]
) -> tuple[list[Pair], list[Finding]]:
    """Pairs that can be decoded, and what is wrong with the others."""
    good, findings = [], list(found.findings)
    for pair, image, mask in zip(found.pairs, headers, masks, strict=True):
        problems = [problem for problem in (image, mask) if isinstance(problem, str)]
        if isinstance(image, Header) and isinstance(mask, Header):
            if (image.width, image.height) == (mask.width, mask.height):
                good.append(pair)
                continue
            problems = [pair.unlike((image.height, image.width), (mask.height, mask.width))]
        findings += [Finding("error", problem) for problem in problems]
    return good, findings


def _layout(headers: Sequence[Header | str], config: DataConfig) -> tuple[Layout | None, list[Finding]]:
    """What samples are; None where that cannot be said."""
    known = [header for header in headers if isinstance(header, Header)]
    if not known:
        return None, []
    channels = config.image_channels or (1 if all(header.grey for header in known) else 3)
    sizes = Counter((header.width, header.height) for header in known)
    smallest = min(min(size) for size in sizes)
    if config.tile:
        if smallest < config.tile:
            text = f"tile = {config.tile} is larger than an image, whose shorter side has {smallest} pixels"
            return None, [Finding("error", f"{text}; take a smaller tile")]
        return Layout((config.tile, config.tile, channels), tiled=True), []
    if config.image_size:
        return Layout((config.image_size, config.image_size, channels), tiled=False), []
    way = "--set tile=N cuts them into tiles, --set image_size=N resizes them"
    if len(sizes) > 1:
        examples = ", ".join(f"{width}x{height}" for width, height in list(sizes)[:3])
        return None, [Finding("error", f"the images have {len(sizes)} sizes ({examples}); {way}")]
    ((width, height),) = sizes
    notes = []
    if max(width, height) > LARGE_SIDE:
        notes = [Finding("note", f"images of {width}x{height} pixels go through the model whole; {way}")]
    return Layout((height, width, channels), tiled=False), notes


def _values(decoded: Decoded, pairs: Sequence[Pair], config: DataConfig) -> tuple[tuple[int, ...], list[Finding]]:
    """The values of the masks that are classes, ascending."""
    present = decoded.counts.sum(axis=0) > 0
    found = np.flatnonzero(present).tolist()
    if config.mask_threshold:
        sides = [int(present[: config.mask_threshold].any()), int(present[config.mask_threshold :].any())]
        if not all(sides):
            text = f"mask_threshold = {config.mask_threshold} leaves a single class: the masks have {_short(found)}"
            return (0, 255), [Finding("error", f"{text}; take another")]
        return (0, 255), []
    if len(found) > MOST_CLASSES:
        many = (decoded.counts > 0).sum(axis=1)
        worst = int(many.argmax())
        text = f"the masks have {len(found)} values, {pairs[worst].mask} alone {many[worst]}"
        what = "soft edges are no classes: --set mask_threshold=128 makes two, or save one value for each class"
        return tuple(found), [Finding("error", f"{text}; {what}")]
    if len(found) == 1:
        text = f"all masks have the value {found[0]} alone, so there is nothing to tell apart"
        return tuple(found), [Finding("error", f"{text}; give masks with a value for each class")]
    return tuple(found), []


def _short(values: Sequence[int]) -> str:
    more = f" and {len(values) - 6} more" if len(values) > 6 else ""
    return f"value{'s' if len(values) > 1 else ''} {', '.join(map(str, values[:6]))}{more}"


def _labels(values: tuple[int, ...], request: Request, config: DataConfig) -> tuple[tuple[str, ...], list[Finding]]:
    """Names of the classes: those given, else "background" for 0 and the values."""
    given = split_names(config.mask_labels) or request.schema.labels
    if given:
        if len(given) == len(values) and len(set(given)) == len(given):
            return tuple(given), []
        text = f"{len(given)} names of classes ({', '.join(given)}), the masks have {_short(values)}"
        return tuple(map(str, values)), [Finding("error", f"{text}; name each once, by ascending value")]
    if values == (0, 255):
        return ("background", "foreground"), []
    return tuple("background" if value == 0 else str(value) for value in values), []


def _few(good: Sequence[Pair], found: Pairs) -> list[Finding]:
    """Too few images for three splits."""
    if len(good) >= 3 or errors(found.findings):
        return []
    return [Finding("error", f"{counted(len(good), 'image')} with a mask; expected at least 3, one for each split")]


def _facts(pairs: Sequence[Pair], headers: Sequence[Header | str], sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    known = [header for header in headers if isinstance(header, Header)]
    parts = Counter(PARTS[pair.part] for pair in pairs if pair.part >= 0)
    return {
        "pairs": len(pairs),
        "sizes": {f"{width}x{height}": count for (height, width), count in Counter(sizes).most_common(6)},
        "modes": dict(Counter(header.mode for header in known).most_common()),
        "given_splits": dict(parts),
    }


def _described(pictures: Pictures) -> str:
    height, width, channels = pictures.layout.shape
    colour = "grey" if channels == 1 else "colour"
    what = "tiles" if pictures.layout.tiled else "images"
    return f"{len(pictures.decoded.digests):,} {what} of {height}x{width}, {colour}"


def _class_rows(pictures: Pictures) -> list[dict[str, Any]]:
    """Of each class its value, the share of pixels and the images that have it."""
    counts = np.zeros((len(pictures.pairs), len(pictures.labels)), np.int64)
    for value, index in enumerate(pictures.classes):
        if index < counts.shape[1]:
            counts[:, index] += pictures.decoded.counts[:, value]
    total = max(int(counts.sum()), 1)
    return [
        {
            "class": label,
            "value": value,
            "share_of_pixels": float(counts[:, at].sum() / total),
            "images": int((counts[:, at] > 0).sum()),
        }
        for at, (label, value) in enumerate(zip(pictures.labels, pictures.values, strict=True))
    ]


def _raw(pictures: Pictures) -> Raw:
    decoded, pairs = pictures.decoded, pictures.pairs
    rows = np.arange(len(decoded.digests))
    kept = decoded.kept if pictures.layout.tiled else None
    parts = np.array([pair.part for pair in pairs], np.int8)
    names = [pair.group or pair.name for pair in pairs] if any(pair.group for pair in pairs) else range(len(pairs))
    groups = np.unique(list(names), return_inverse=True)[1].astype(np.int64)
    palette = decoded.palette[: max(pictures.values) + 1].tolist()
    return Raw(
        samples=decoded.samples,
        targets=Masks(decoded.values, rows, pictures.classes, kept),
        kind="image",
        task="segmentation",
        labels=pictures.labels,
        parts=parts[decoded.owners] if (parts >= 0).any() else None,
        groups=groups[decoded.owners],
        names=tuple(pairs[owner].name for owner in decoded.owners),
        digests=decoded.digests,
        sha256=_identity(pictures),
        tiles=pictures.layout.tiled,
        masks={"values": list(pictures.values), **({"palette": palette} if palette else {}), **_soft(pictures)},
    )


def _soft(pictures: Pictures) -> dict[str, int]:
    return {"mask_threshold": pictures.threshold} if pictures.threshold else {}


def _identity(pictures: Pictures) -> str:
    """A checksum of names, bytes, splits and groups; not of where and when the files were written."""
    state = hashlib.sha256()
    for pair, content in zip(pictures.pairs, pictures.decoded.sha256, strict=True):
        state.update("\0".join(map(str, (pair.name, content, pair.part, pair.group))).encode() + b"\n")
    return state.hexdigest()
