"""How well objects are found, numpy only: average precision, precision, recall, F1.

Average precision: Everingham et al., "The PASCAL visual object classes challenge", IJCV 88, 2010, section 4.2, over all
points of the curve as from 2010 on; of several objects that an answer overlaps, it takes the best one that is still
free, as COCO does.
"""

from __future__ import annotations

import numpy as np

from zoo import boxes

FAINTEST = 0.01
"""Lowest score of an object that counts on the precision-recall curve."""


def measure(targets: np.ndarray, maps: np.ndarray) -> dict[str, float]:
    """Figures of a detector.

    Args:
        targets: (n, most, 5) objects as `zoo.boxes.encode` takes them.
        maps: (n, rows, columns, classes + 4).

    Returns:
        "map50", the mean of `average_precision` at an overlap of 0.5 over the classes that occur; "precision", "recall"
        and "f1" of all objects with a score of `zoo.boxes.THRESHOLD` or more. NaN where a figure is undefined.
    """
    found = boxes.decode(maps, FAINTEST)
    labels, scores, right = match(targets, found)
    wanted = np.bincount(targets[..., 0][targets[..., 0] >= 0].astype(np.int64), minlength=maps.shape[-1] - boxes.BOX)
    areas = [
        average_precision(scores[labels == at], right[labels == at], int(count))
        for at, count in enumerate(wanted)
        if count
    ]
    sure = scores >= boxes.THRESHOLD
    hits, answered, true = int(right[sure].sum()), int(sure.sum()), int(wanted.sum())
    return {
        "map50": float(np.mean(areas)) if areas else float("nan"),
        "precision": hits / answered if answered else float("nan"),
        "recall": hits / true if true else float("nan"),
        "f1": 2 * hits / (answered + true) if answered + true else float("nan"),
    }


def counts(targets: np.ndarray, maps: np.ndarray) -> list[tuple[int, int, int]]:
    """Objects of each class that were rightly found, all that were found, and those that there are; as in `measure`."""
    classes = maps.shape[-1] - boxes.BOX
    labels, _, right = match(targets, boxes.decode(maps, boxes.THRESHOLD))
    there = targets[..., 0][targets[..., 0] >= 0].astype(np.int64)
    columns = [np.bincount(one, minlength=classes).tolist() for one in (labels[right], labels, there)]
    return list(zip(*columns, strict=True))


def match(targets: np.ndarray, found: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, score and rightness of every object that was found.

    An object is right where it overlaps one of its class by half or more, which no surer one has taken.

    Args:
        targets: (n, most, 5).
        found: Of `zoo.boxes.decode`.

    Returns:
        (m,) int64 classes, (m,) float32 scores, (m,) bool.
    """
    parts = [np.zeros((0, 2), np.float32), *(part[:, :2] for part in found)]
    right = [np.zeros(0, bool), *(_right(row, part) for row, part in zip(targets, found, strict=True))]
    joined = np.concatenate(parts)
    return joined[:, 0].astype(np.int64), joined[:, 1], np.concatenate(right)


def _right(row: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which of an image's objects, the surest first, are right."""
    true = row[row[:, 0] >= 0]
    shared = boxes.overlaps(found[:, 2:], true[:, 1:]) * (found[:, None, 0] == true[None, :, 0])
    right = np.zeros(len(found), bool)
    for at in np.flatnonzero((shared >= boxes.OVERLAP).any(axis=1)):
        best = int(shared[at].argmax())
        if shared[at, best] >= boxes.OVERLAP:
            right[at] = True
            shared[:, best] = 0.0
    return right


def average_precision(scores: np.ndarray, right: np.ndarray, wanted: int) -> float:
    """Area under the precision-recall curve of one class, precision made to fall (interpolated).

    Args:
        scores: (m,) of the objects found.
        right: (m,) bool.
        wanted: Objects that there are, at least 1.
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(falling[right[order]]) / wanted)
