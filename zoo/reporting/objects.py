"""Test images with the boxes that are there and the boxes that were found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo import boxes

COLUMNS = 4
TRUE, FOUND = "#2ca25f", "#e6550d"
"""Colours of the boxes that are there, and of those that were found."""


def draw_objects(images: np.ndarray, targets: np.ndarray, outputs: np.ndarray, labels: Sequence[str]) -> Any:
    """A figure of the first images of a split.

    Args:
        images: (k, height, width[, channels]) uint8.
        targets: (n, most, 5) objects of the split.
        outputs: (n, rows, columns, classes + 4) maps of the split.
        labels: Class names.
    """
    from matplotlib.figure import Figure

    rows = -(-len(images) // COLUMNS)
    figure = Figure(figsize=(9.0, 2.4 * rows), layout="constrained")
    found = boxes.decode(np.asarray(outputs[: len(images)], np.float32))
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for at, axis in enumerate(axes):
        axis.set_axis_off()
        if at >= len(images):
            continue
        image = images[at].squeeze()
        axis.imshow(image, cmap="gray" if image.ndim == 2 else None, vmin=0, vmax=255)
        for true in targets[at][targets[at][:, 0] >= 0]:
            _box(axis, true[1:], image.shape, TRUE, "")
        for one in found[at]:
            _box(axis, one[2:], image.shape, FOUND, f"{labels[int(one[0])]} {one[1]:.2f}")
    figure.suptitle("first test images: boxes that are there (green, dashed) and that were found", x=0.0, ha="left")
    return figure


def _box(axis: Any, edges: np.ndarray, shape: tuple[int, ...], colour: str, words: str) -> None:
    from matplotlib.patches import Rectangle

    height, width = shape[:2]
    left, top, right, bottom = edges * [width, height, width, height]
    style = "-" if words else "--"
    axis.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linestyle=style, linewidth=1.2)
    )
    if words:
        axis.text(left, top, words, fontsize=6, color="white", backgroundcolor=colour, va="bottom").set_bbox(
            {"facecolor": colour, "edgecolor": "none", "pad": 0.6}
        )
