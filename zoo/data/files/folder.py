"""A folder of files: what lies in it, and what its sub-folders or a regular expression say about each file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from zoo.data.anomalies import NORMAL
from zoo.data.files.listing import SPLIT_NAMES, Entry, FileKind, Listing, counted, examples
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.errors import UsageError

HOW = (
    "put the files of each class into a folder of its own, or say where labels stand: --label-from index.csv, or a "
    "regular expression such as --label-from '(.+)_[0-9]+'"
)


@dataclass
class Walked:
    """What lies in a folder: files of the kind as paths relative to it, sub-folders likewise, and the rest.

    Attributes:
        again: Sub-folders that are another one, reached by a link; they are walked once.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def scan(root: Path, config: DataConfig, kind: FileKind, *, part: int = -1) -> Listing:
    """Lists the files of a folder with their labels, groups and splits.

    The first folder below the root, or below a split's folder, is the class; deeper ones belong to it. Links are
    followed; hidden files and files of another kind are counted and left out.

    Args:
        root: The folder.
        config: `label_from` is "folder", "" for the same, or a regular expression with one group, searched in each
            path relative to the root; `group_from` likewise.
        kind: What is looked for.
        part: The split that all of it belongs to; -1 to go by split folders.

    Raises:
        UsageError: A regular expression that is none.
    """
    walked = walk(root, kind)
    split = part < 0 and _has_split_folders(walked)
    label = _normal_or(label_of(config.label_from, "--label-from"), walked, config, split=split)
    group = group_of(config.group_from) if config.group_from else None
    entries, unlabelled = [], []
    for name in walked.files:
        inner = name.partition("/")[2] if split else name
        at = SPLIT_NAMES.get(name.partition("/")[0].lower(), -1) if split else part
        if split and at < 0:
            continue
        text = label(inner)
        if text is None:
            unlabelled.append(name)
            continue
        of = "" if group is None else group(name) or ""
        entries.append(Entry(file=root / name, name=name, answers=(text,), part=at, group=of))
        if group is not None and not of:
            walked.findings.append(_no_match(root, name, "--group-from", config.group_from))
    walked.findings += _unlabelled(root, config, kind, unlabelled, split=split, others=bool(entries))
    by_folder = config.label_from in ("", "folder")
    if by_folder:
        walked.findings += _same_folders(root, walked, split)
    return Listing(
        root=root,
        kind=kind,
        entries=tuple(entries),
        classes=_class_folders(walked, split) if by_folder else (),
        ignored=dict(walked.ignored),
        findings=(*walked.findings, *_left_out(root, kind, walked, split)),
    )


def walk(root: Path, kind: FileKind) -> Walked:
    """Everything below a folder, sorted; links are followed, but not round in circles."""
    found = Walked()
    seen: dict[str, str] = {}

    def unreadable(error: OSError) -> None:
        found.findings.append(
            Finding("error", f"{error.filename} cannot be read: {error.strerror}; see its permissions")
        )

    for folder, folders, files in os.walk(root, followlinks=True, onerror=unreadable):
        real = os.path.realpath(folder)
        above = Path(folder).relative_to(root).as_posix()
        if real in seen:
            found.again[above] = seen[real]
            folders.clear()
            continue
        seen[real] = above
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        prefix = "" if above == "." else f"{above}/"
        found.folders += [f"{prefix}{name}" for name in folders]
        for name in sorted(files):
            _sort_in(root, f"{prefix}{name}", kind, found)
    found.files.sort()
    return found


def _sort_in(root: Path, name: str, kind: FileKind, found: Walked) -> None:
    """Puts a file where it belongs: files, ignored, or a finding."""
    base = PurePosixPath(name)
    if base.name.startswith(".") or not kind.matches(base.name):
        found.ignored["hidden" if base.name.startswith(".") else base.suffix.lower() or "no suffix"] += 1
    elif not _is_utf8(name):
        found.findings.append(Finding("error", f"{root}/{name!a} has a name that is not UTF-8; rename the file"))
    elif not (root / name).exists():
        found.findings.append(Finding("error", f"{root / name} is a link to nothing; remove it or mend the link"))
    else:
        found.files.append(name)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def label_of(how: str, option: str) -> Callable[[str], str | None]:
    """What a relative path says: its first folder, or the group of a regular expression; None where it says nothing.

    Raises:
        UsageError: No regular expression with a group.
    """
    if how in ("", "folder"):
        return lambda name: name.partition("/")[0] if "/" in name else None
    if how.startswith("column:"):
        raise UsageError(f"{option} {how} names a column; a folder has none, give a CSV of paths: {option} index.csv")
    try:
        pattern = re.compile(how)
    except re.error as error:
        raise UsageError(f"{option} {how!r} is no regular expression ({error}) and no CSV file that exists") from error
    if pattern.groups < 1:
        raise UsageError(f"{option} {how!r} has no group; put what counts in brackets, such as '([a-z]+)_[0-9]+'")

    def search(name: str) -> str | None:
        match = pattern.search(name)
        return match.group(1) if match else None

    return search


def group_of(how: str) -> Callable[[str], str | None]:
    """What a relative path says of its group: the whole path of its folder, or the group of a regular expression."""
    if how == "folder":
        return lambda name: str(PurePosixPath(name).parent)
    return label_of(how, "--group-from")


def _normal_or(
    label: Callable[[str], str | None], walked: Walked, config: DataConfig, *, split: bool
) -> Callable[[str], str | None]:
    """The same, but where anomalies are looked for a file is normal whose split, or all of the data, has no classes."""
    plain = split or not any("/" in name for name in walked.files)
    if config.task != "anomaly" or config.label_from not in ("", "folder") or not plain:
        return label
    return lambda name: label(name) or NORMAL


def _has_split_folders(walked: Walked) -> bool:
    """Whether train and others lie on top: train alone counts only where nothing else does."""
    top = [name.lower() for name in walked.folders if "/" not in name]
    parts = {SPLIT_NAMES[name] for name in top if name in SPLIT_NAMES}
    return 0 in parts and (len(parts) > 1 or all(name in SPLIT_NAMES for name in top))


def _class_folders(walked: Walked, split: bool) -> tuple[str, ...]:
    """Folders whose names are classes, empty ones too."""
    depth = 2 if split else 1
    names = [name.split("/") for name in walked.folders if name not in walked.again]
    return tuple(
        sorted({parts[-1] for parts in names if len(parts) == depth and (not split or parts[0].lower() in SPLIT_NAMES)})
    )


def _same_folders(root: Path, walked: Walked, split: bool) -> list[Finding]:
    """Classes and splits that are others by a link; links further down add nothing and lose nothing."""
    depth = 2 if split else 1
    return [
        Finding("error", f"{root / name} is the same folder as {root / first}, by a link; remove the link")
        for name, first in walked.again.items()
        if name.count("/") < depth
    ]


def _unlabelled(
    root: Path, config: DataConfig, kind: FileKind, names: list[str], *, split: bool, others: bool
) -> list[Finding]:
    """Files of which nothing says what they are."""
    if not names:
        return []
    if config.label_from not in ("", "folder"):
        return [_no_match(root, name, "--label-from", config.label_from) for name in names]
    if not others and split:
        parts = ", ".join(sorted({name.partition("/")[0] for name in names}))
        how = f"read as splits ({parts}) by the names of its folders, with no class folders in them"
        todo = (
            f"put the {kind.noun}s of each class into a folder of its own in every split; if they are the classes, "
            "rename them"
        )
        return [Finding("error", f"{root} holds {counted(len(names), kind.noun)}, {how}; {todo}")]
    if not others:
        return [Finding("error", f"{root} holds {counted(len(names), kind.noun)} and no class folders; {HOW}")]
    listed = examples(names)
    return [Finding("warning", f"{counted(len(names), kind.noun)} in no class folder, left out: {listed}")]


def _no_match(root: Path, name: str, option: str, pattern: str) -> Finding:
    return Finding(
        "error", f"{root / name} does not match {option} {pattern!r}; change the expression or move the file"
    )


def _left_out(root: Path, kind: FileKind, walked: Walked, split: bool) -> list[Finding]:
    found = []
    if walked.ignored:
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in sorted(walked.ignored.items()))
        found.append(Finding("note", f"{counted(walked.ignored.total(), 'file')} left out as no {kind.noun}s: {kinds}"))
    if split:
        others = [name for name in walked.folders if "/" not in name and name.lower() not in SPLIT_NAMES]
        if others:
            found.append(Finding("warning", f"{root}: beside the split folders, left out: {examples(others)}"))
    return found
