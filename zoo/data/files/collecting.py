"""The files of a request with their labels, and what they say of splits, groups and times."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import PARTS
from zoo.data.files.folder import scan
from zoo.data.files.labelling import Labelled
from zoo.data.files.listing import Entry, FileKind, Listing
from zoo.data.files.lists import find_index, read_list
from zoo.data.findings import Finding, errors
from zoo.data.options import DataConfig
from zoo.data.references import is_index
from zoo.errors import DataError, UsageError


def collect(path: Path, config: DataConfig, kind: FileKind) -> Listing:
    """The data's files, and behind them those of `test_data`.

    Raises:
        UsageError: An option that does not fit, or two test splits.
        DataError: A list that cannot be read, or test data that are not there.
    """
    listing = list_files(path, config, kind)
    if not config.test_data:
        return listing
    other = Path(config.test_data).absolute()
    if not other.exists():
        raise DataError(f"test_data {other} does not exist; correct the path")
    if any(entry.part == PARTS.index("test") for entry in listing.entries):
        raise UsageError(f"{path} has a test split of its own, --test {other} is another; give one of them")
    tests = list_files(other, replace(config, split="random", group_from=""), kind, part=PARTS.index("test"))
    told = tests.entries or errors(tests.findings)
    empty = [] if told else [Finding("error", f"test_data {other} holds no labelled {kind.noun}; give another")]
    return replace(
        listing,
        # Tests alone would be found to lack what is to be trained on, which is told already.
        entries=(*listing.entries, *tests.entries) if listing.entries else (),
        classes=tuple(sorted({*listing.classes, *tests.classes})),
        ignored=Counter(listing.ignored) + Counter(tests.ignored),
        findings=(*listing.findings, *tests.findings, *empty),
    )


def list_files(path: Path, config: DataConfig, kind: FileKind, *, part: int = -1) -> Listing:
    """Files of a folder or a list with the text of their labels, none of them opened.

    Args:
        path: A folder, or a table of paths and labels.
        config: `label_from`, `group_from`, `target`, `split` and `missing_values` are followed.
        kind: What is looked for.
        part: The split that all of it belongs to; -1 to go by what the data say.

    Raises:
        UsageError: An option that does not fit.
        DataError: A list that cannot be read.
    """
    if path.is_file():
        return read_list(path, config, kind, part=part)
    if is_index(config.label_from):
        return read_list(find_index(config.label_from, path, "--label-from"), config, kind, folder=path, part=part)
    for option, value in (("--target", config.target), ("--split", config.split)):
        if value not in ("", "random"):
            raise UsageError(f"{option} {value} names a column; {path} is a folder and has none, see --label-from")
    return scan(path, config, kind, part=part)


def is_later(config: DataConfig) -> bool:
    """Whether groups, times or parts decide the splits, so that few files of a class may do."""
    return config.split != "random" or bool(config.group_from)


def class_rows(listing: Listing, labelled: Labelled) -> list[dict[str, Any]]:
    """For each class how many files it has, and how many in each split that the data give."""
    labels, targets = labelled.labels, labelled.targets
    member = targets > 0 if targets.ndim == 2 else targets[:, np.newaxis] == np.arange(len(labels))
    parts = np.array([entry.part for entry in listing.entries])
    rows = []
    for at, name in enumerate(labels):
        row = {"class": name, f"{listing.kind.noun}s": int(member[:, at].sum())}
        if (parts > 0).any():
            clipped = np.maximum(parts, 0)
            row |= {PARTS[part]: int(member[clipped == part, at].sum()) for part in np.unique(clipped)}
        rows.append(row)
    return rows


def splitting(entries: Sequence[Entry]) -> dict[str, Any]:
    """What a `zoo.data.dataset.Raw` is told of a sample for each file: parts, groups, times and names."""
    parts = np.array([entry.part for entry in entries], np.int8)
    times = [entry.time for entry in entries if entry.time is not None]
    groups = [entry.group for entry in entries]
    return {
        "parts": parts if (parts >= 0).any() else None,
        "groups": np.unique(groups, return_inverse=True)[1].astype(np.int64) if any(groups) else None,
        "times": np.array(times, np.float64) if len(times) == len(entries) else None,
        "names": tuple(entry.name for entry in entries),
    }


def identity(entries: Sequence[Entry], contents: Sequence[str]) -> str:
    """A checksum of names, bytes, labels, groups and splits; not of where and when the files were written.

    Args:
        entries: The files.
        contents: A checksum of the bytes of each.
    """
    state = hashlib.sha256()
    for entry, content in zip(entries, contents, strict=True):
        fields = (entry.name, content, *entry.answers, entry.part, entry.group, entry.time)
        state.update("\0".join(map(str, fields)).encode() + b"\n")
    return state.hexdigest()
