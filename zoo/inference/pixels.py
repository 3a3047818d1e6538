"""Images with masks that a model is measured on: every pixel of every image, in the image's own size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo import metrics
from zoo.data.findings import SHOWN, errors, fail
from zoo.data.masks.files import read_mask
from zoo.data.masks.pairing import Pair, find_pairs, holds_masks
from zoo.data.options import DataConfig
from zoo.errors import DataError
from zoo.images import read_image
from zoo.inference.contract import Contract
from zoo.inference.predictor import Predictor

TELL_EVERY = 100


def measure_pairs(
    predictor: Predictor, path: Path, config: DataConfig, *, on_event: Callable[[str], None] | None = None
) -> tuple[dict[str, float], int]:
    """Figures over all pixels of a folder or a table of images with masks, and the number of images.

    Args:
        predictor: Its contract says which value of a mask is which class.
        path: As for a training.
        config: Of a table, `target` names the column of masks.
        on_event: Told of progress.

    Raises:
        DataError: What cannot be used, and masks with values that the model does not know; all problems at once.
    """
    if not holds_masks(path):
        raise DataError(f"{path} holds no images with masks; the model answers for every pixel, see: zoo data check")
    found = find_pairs(path, config)
    problems = errors(found.findings)
    fail(problems, path)
    classes = _classes(predictor.contract)
    count = len(predictor.contract.labels)
    counts = np.zeros((count, count), np.int64)
    for at, pair in enumerate(found.pairs, start=1):
        try:
            truth, image = _read(pair, classes)
        except DataError as error:
            problems.append(str(error))
            if len(problems) >= SHOWN:
                break
            continue
        if not problems:
            counts += metrics.pixel_counts(truth[np.newaxis], predictor.segment(image)[np.newaxis], count)
        if on_event and at % TELL_EVERY == 0:
            on_event(f"measured {at:,} of {len(found.pairs):,} images")
    fail(problems, path)
    return metrics.pixel_figures(counts), len(found.pairs)


def _read(pair: Pair, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes of a pair's pixels, (height, width) uint8, and the image.

    Raises:
        DataError: They do not belong together, or the mask has a value that the model does not know.
    """
    image, values = read_image(pair.image), read_mask(pair.mask).values
    if values.shape != image.shape[:2]:
        raise DataError(pair.unlike(image.shape, values.shape))
    truth = classes[values]
    if (truth == metrics.VOID).any():
        unknown = values[truth == metrics.VOID][0]
        known = ", ".join(str(value) for value in np.flatnonzero(classes != metrics.VOID)[:8])
        raise DataError(f"mask {pair.mask} has the value {unknown}, which the model does not know; it knows {known}")
    return truth, image


def _classes(contract: Contract) -> np.ndarray:
    """(256,) uint8, from a mask's value to its class; `VOID` for values that there were none of in training."""
    threshold = contract.masks.get("mask_threshold")
    if threshold:
        return (np.arange(256) >= int(threshold)).astype(np.uint8)
    found = np.full(256, metrics.VOID, np.uint8)
    for at, value in enumerate(contract.masks.get("values") or range(len(contract.labels))):
        found[int(value)] = at
    return found
