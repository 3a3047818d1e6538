"""Pictures of masks: what was right and what was answered, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.metrics import VOID

SHOWN = 4
"""Images at most, spread over the split."""

COLOURS = ("#1f2430", "#e8e4d8", "#3b7dd8", "#e07b28", "#4aa564", "#b8463c", "#8a63c9", "#c9a63c")
"""Of the classes, in turn."""

NOTHING, WRONG = "#8a8f98", "#d62728"


def draw_masks(figure: Any, labels: Sequence[str], targets: np.ndarray, answers: np.ndarray) -> None:
    """Draws a row for each image: the mask, the answer, and the pixels that are wrong; grey is not measured.

    Args:
        figure: Empty.
        labels: Of the classes.
        targets: (n, height, width) classes of pixels.
        answers: Likewise.
    """
    chosen = np.unique(np.linspace(0, len(targets) - 1, min(len(targets), SHOWN)).astype(np.int64))
    axes = figure.subplots(len(chosen), 3, squeeze=False)
    for row, at in zip(axes, chosen, strict=True):
        known = targets[at] != VOID
        wrong = known & (targets[at] != answers[at])
        parts = (_coloured(targets[at]), _coloured(answers[at]), _marked(known, wrong))
        for axis, title, picture in zip(row, ("mask", "answer", "wrong"), parts, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_axis_off()
            axis.set_title(
                f"{title}: {wrong.sum() / max(known.sum(), 1):.1%}" if title == "wrong" else title, fontsize=9
            )
    from matplotlib.patches import Patch

    shown = labels[: len(COLOURS)]
    handles = [Patch(color=COLOURS[at % len(COLOURS)], label=str(label)) for at, label in enumerate(shown)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))


def _rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _coloured(classes: np.ndarray) -> np.ndarray:
    palette = np.array([_rgb(COLOURS[value % len(COLOURS)]) for value in range(256)], np.uint8)
    palette[VOID] = _rgb(NOTHING)
    return np.asarray(palette[classes])


def _marked(known: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    picture = np.full((*known.shape, 3), _rgb("#f4f4f0"), np.uint8)
    picture[~known], picture[wrong] = _rgb(NOTHING), _rgb(WRONG)
    return picture
