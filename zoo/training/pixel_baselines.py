"""What a U-Net must beat: the most frequent class, and a linear model on the pixels around each one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo import metrics
from zoo.data.dataset import Dataset, Split

REACH = 2
"""Pixels to each side that the linear model sees: a square of five."""

FITTED = 20_000
"""Pixels that the linear model is fitted on at most."""

ITERATIONS = 100


def pixel_baselines(dataset: Dataset, *, seed: int) -> dict[str, dict[str, float]]:
    """Baseline name to its test metrics and `samples`, the pixels it was fitted on.

    Args:
        dataset: Images with masks; fitted on the training split, measured on the test split.
        seed: Draws the pixels.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes = dataset.output.shape[-1]
    rows, truth = _drawn(dataset, seed)
    majority = int(np.bincount(truth, minlength=classes).argmax())
    with warnings.catch_warnings():
        # A bounded number of iterations is the point: a baseline, not a solution.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model: Any = LogisticRegression(max_iter=ITERATIONS).fit(rows, truth) if len(np.unique(truth)) > 1 else None
    counts = {name: np.zeros((classes, classes), np.int64) for name in ("majority", "logistic")}
    for pixels, mask in _images(dataset.test):
        answers = {"majority": np.full(mask.shape, majority, np.uint8)}
        if model is not None:
            answers["logistic"] = model.predict(_around(pixels)).astype(np.uint8).reshape(mask.shape)
        for name, answer in answers.items():
            counts[name] += metrics.pixel_counts(mask[np.newaxis], answer[np.newaxis], classes)
    return {
        name: {**metrics.pixel_figures(found), "samples": len(truth)} for name, found in counts.items() if found.any()
    }


def _drawn(dataset: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbourhoods of pixels from every training image, (n, features) float32, and their classes."""
    generator = np.random.default_rng((seed, 1))
    count = max(FITTED // len(dataset.train), 1)
    chosen = np.sort(generator.permutation(len(dataset.train))[:FITTED])
    rows, truth = [], []
    for pixels, mask in _images(dataset.train.take(chosen)):
        drawn = generator.integers(0, mask.size, count)
        rows.append(_around(pixels)[drawn])
        truth.append(mask.reshape(-1)[drawn])
    return np.concatenate(rows), np.concatenate(truth)


def _images(split: Split) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for at in range(len(split)):
        yield np.asarray(split.samples[at : at + 1])[0], np.asarray(split.targets[at : at + 1])[0]


def _around(pixels: np.ndarray) -> np.ndarray:
    """(pixels, features) float32 of 0 to 1, each pixel with those around it; the border is continued."""
    side = 2 * REACH + 1
    padded = np.pad(pixels, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    return np.asarray(windows.reshape(pixels.shape[0] * pixels.shape[1], -1), np.float32) / 255
