"""Files and what is said about each of them, before any is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.findings import Finding

SPLIT_NAMES: Mapping[str, int] = {
    "train": 0,
    "training": 0,
    "validation": 1,
    "valid": 1,
    "val": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
}
"""Names of folders and cells that say which split a sample belongs to; values index `zoo.data.dataset.PARTS`."""


@dataclass(frozen=True)
class FileKind:
    """What a reader is after in a folder.

    Attributes:
        noun: For messages: "image".
        suffixes: Of the files' names, in lower case.
    """

    noun: str
    suffixes: tuple[str, ...]

    def matches(self, name: str) -> bool:
        """Whether a file's name is that of such a file."""
        return name.lower().endswith(self.suffixes)

    @property
    def article(self) -> str:
        """Noun and article: "an image"."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file.

    Attributes:
        name: Its path as people know it: relative to the folder, or as the list has it, with "/".
        answers: Text of each target; one but for several target columns.
        part: Index of `PARTS`, -1 where nobody says.
        group: Samples of one group never straddle splits; empty where there are none.
        time: Days since 1970-01-01, or any number that grows; None where there is none.
        where: "file, line n: " of a list, empty for a folder.
    """

    file: Path
    name: str
    answers: tuple[str, ...]
    part: int = -1
    group: str = ""
    time: float | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Files of one kind in a fixed order.

    Attributes:
        kind: What they are.
        targets: Names of the answers.
        classes: Classes that were announced, by a folder of their own, whether they hold a file or not.
        listed: Whether labels come from the column of a list, and may be numbers to predict.
        ignored: Suffix to the number of files that are of another kind.
    """

    root: Path
    kind: FileKind
    entries: tuple[Entry, ...]
    targets: tuple[str, ...] = ("label",)
    classes: tuple[str, ...] = ()
    listed: bool = False
    ignored: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def counted(count: int, what: str, several: str = "") -> str:
    """A number and its noun: "1 image", "2 images"; `several` where more than an s makes it plural."""
    return f"{count:,} {what if count == 1 else several or what + 's'}"


def examples(names: list[str], shown: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"
