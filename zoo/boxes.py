"""Objects and their boxes, and the maps that a detector answers with. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.

A map has a cell for every few pixels, and in each cell a number for every class (how sure it is that the centre of an
object of that class is there) and four for the object's box: where in the cell its centre is, x and y, and the square
roots of its width and height as shares of the image's. All are between 0 and 1, so that one scale of an int8 output
suits them; the root keeps small boxes apart (Redmon et al., "You only look once", arXiv:1506.02640).

Centres as peaks of a map: Zhou, Wang and Kraehenbuehl, "Objects as points", arXiv:1904.07850. Their spread by the box's
own shape: Liu et al., "Training-time-friendly network", arXiv:1909.00700.
"""

from __future__ import annotations

import numpy as np

BOX = 4
"""Numbers of a cell besides those of the classes."""

THRESHOLD = 0.3
"""Score from which on an object counts as found, unless the contract has another."""

MOST = 100
"""Objects of an image that are looked at, the surest first."""

OVERLAP = 0.5
"""Intersection over union from which on two boxes are of the same object."""

SPREAD = 0.54 / 6
"""Standard deviation of a centre's peak over the box's width or height."""

NONE = -1
"""Class of an object that is not there, in arrays with room for more objects than an image has."""


def grid_of(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the map of an image: cells of 4 pixels up to 160 a side, of 8 up to 320, of 16 above."""
    side = max(height, width)
    stride = 4 if side <= 160 else 8 if side <= 320 else 16
    return -(-height // stride), -(-width // stride)


def encode(objects: np.ndarray, grid: tuple[int, int], classes: int) -> np.ndarray:
    """The maps that a detector should answer with.

    Args:
        objects: (n, most, 5) float: class (-1 where there is none), x_min, y_min, x_max, y_max as shares of the image.
        grid: Rows and columns of a map.
        classes: How many there are.

    Returns:
        (n, rows, columns, classes + 4) float32. A class is 1 in the cell of a centre and less around it. Of two centres
        in one cell the box of the later object stands there.
    """
    rows, columns = grid
    maps = np.zeros((len(objects), rows, columns, classes + BOX), np.float32)
    image, place = np.nonzero(objects[..., 0] >= 0)
    if not len(image):
        return maps
    kept = np.asarray(objects[image, place], np.float64)
    size = np.maximum(kept[:, 3:5] - kept[:, 1:3], 1e-6)
    cells = np.array([columns, rows])
    centre = (kept[:, 1:3] + kept[:, 3:5]) / 2 * cells
    cell = np.clip(np.floor(centre), 0, cells - 1).astype(np.int64)
    deviation = np.maximum(size * cells * SPREAD, 1e-3)
    across, down = (
        np.exp(-((np.arange(count) - cell[:, at, None]) ** 2) / (2 * deviation[:, at, None] ** 2))
        for at, count in ((0, columns), (1, rows))
    )
    peaks = (down[:, :, None] * across[:, None, :]).astype(np.float32)  # (objects, rows, columns)
    label = kept[:, 0].astype(np.int64)
    for at, peak in enumerate(peaks):
        whole = maps[image[at], :, :, label[at]]
        np.maximum(whole, peak, out=whole)
    maps[image, cell[:, 1], cell[:, 0], classes:] = np.concatenate([centre - cell, np.sqrt(size)], axis=1)
    return maps


def decode(maps: np.ndarray, threshold: float = THRESHOLD, most: int = MOST) -> list[np.ndarray]:
    """The objects of each image: cells whose surest class is at least the threshold, and no neighbour surer of it.

    A cell has one box and so one object: without its other classes there are fewer wrong objects (measured).

    Args:
        maps: (n, rows, columns, classes + 4), of a detector or of `encode`.
        threshold: Lowest score.
        most: Objects of an image at most.

    Returns:
        For each image (objects, 6) float32, the surest first: class, score, x_min, y_min, x_max, y_max, the last four
        as shares of the image, inside it.
    """
    scores = np.array(maps[..., :-BOX])
    scores[np.arange(scores.shape[-1]) != scores.argmax(axis=-1)[..., None]] = -1
    image, row, column, label = np.nonzero(_peaks(scores, threshold))
    score = scores[image, row, column, label]
    numbers = np.asarray(maps[image, row, column, -BOX:], np.float64)
    centre = (numbers[:, :2] + np.stack([column, row], axis=1)) / np.array([maps.shape[2], maps.shape[1]])
    half = numbers[:, 2:] ** 2 / 2
    edges = np.clip(np.concatenate([centre - half, centre + half], axis=1), 0.0, 1.0)
    found = np.concatenate([np.stack([label, score], axis=1), edges], axis=1).astype(np.float32)
    order = np.lexsort((-score, image))
    parts = np.split(found[order], np.searchsorted(image[order], np.arange(1, len(maps))))
    return [part[:most] for part in parts[: len(maps)]]


def _peaks(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Where a score is the highest of its 3x3 cells; of equal neighbours, as integers often are, the first one."""
    rows, columns = scores.shape[1:3]
    around = np.pad(scores, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-1)
    found = scores >= threshold
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            if (down, across) == (0, 0):
                continue
            other = around[:, 1 + down : 1 + down + rows, 1 + across : 1 + across + columns]
            found &= scores > other if (down, across) < (0, 0) else scores >= other
    return np.asarray(found)


def overlaps(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Intersection over union of each of (n, 4) boxes with each of (m, 4), (n, m); 0 where both are empty."""
    low = np.maximum(one[:, None, :2], two[None, :, :2])
    high = np.minimum(one[:, None, 2:], two[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    union = _areas(one)[:, None] + _areas(two)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1))


def same_objects(one: list[np.ndarray], two: list[np.ndarray], threshold: float = THRESHOLD) -> np.ndarray:
    """Whether two detectors see the same in each image.

    They do where every object of either has one of the same class and place in the other. A partner is looked for down
    to half of the threshold: a score beside the threshold is not another answer.

    Args:
        one: Of `decode` with half of the threshold.
        two: Likewise, of the same images.
        threshold: From which on an object needs a partner.

    Returns:
        (n,) bool.
    """
    return np.array([_all_there(a, b, threshold) and _all_there(b, a, threshold) for a, b in zip(one, two)], bool)


def _all_there(wanted: np.ndarray, found: np.ndarray, threshold: float) -> bool:
    sure = wanted[wanted[:, 1] >= threshold]
    same = (sure[:, None, 0] == found[None, :, 0]) & (overlaps(sure[:, 2:], found[:, 2:]) >= OVERLAP)
    return bool(same.any(axis=1).all())
