"""An image and the objects that somebody marked on it, before any pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.files.listing import Entry
from zoo.data.findings import Finding


@dataclass(frozen=True)
class Box:
    """An object.

    Attributes:
        edges: x_min, y_min, x_max, y_max, in pixels or as shares of the image.
        where: "file, line n: ", for messages.
        shares: Whether the edges are shares.
    """

    label: str
    edges: tuple[float, float, float, float]
    where: str
    shares: bool = False


@dataclass
class Scene:
    """An image with its objects.

    Attributes:
        name: Its path as people know it.
        where: "file, line n: " of its first line, empty where there is none.
        part: Index of `zoo.data.dataset.PARTS`, -1 where nobody says.
        group: Images of one group never straddle splits; empty where there are none.
    """

    file: Path
    name: str
    where: str = ""
    boxes: list[Box] = field(default_factory=list)
    part: int = -1
    group: str = ""

    def entry(self) -> Entry:
        """As the readers of labelled files know a file: its answers are its boxes."""
        said = tuple(f"{box.label} {' '.join(map(str, box.edges))}" for box in self.boxes)
        return Entry(file=self.file, name=self.name, answers=said, part=self.part, group=self.group, where=self.where)


@dataclass(frozen=True)
class Scenes:
    """All images of a request.

    Attributes:
        labels: Names of the classes in their order, where the data say it; empty otherwise.
    """

    scenes: Sequence[Scene]
    findings: Sequence[Finding] = ()
    labels: tuple[str, ...] = ()
