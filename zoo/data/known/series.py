"""The series the zoo knows by name, for classification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.data.dataset import Raw
from zoo.data.known import files
from zoo.data.loading import LoadRequest
from zoo.data.options import DataConfig
from zoo.data.own import load_path
from zoo.runs import read_npz

WISDM_TESTED = 10
"""Subjects with the highest numbers, which the test split is made of."""
WAND_STEPS = 119


def load_wisdm51_watch(request: LoadRequest) -> Raw:
    """WISDM-51, watch accelerometer: (n, 100, 3) float32, 5 s at 20 Hz, in m/s²; ten subjects are the test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    arrays = read_npz(files.load(request.card, request.on_event) / request.card.files[0].name)
    subjects, samples, targets = arrays["subject"], arrays["x"], arrays["y"].astype(np.int64)
    tested = np.isin(subjects, np.unique(subjects)[-WISDM_TESTED:])
    return Raw(
        samples=samples[~tested],
        targets=targets[~tested],
        test_samples=samples[tested],
        test_targets=targets[tested],
        groups=subjects[~tested].astype(np.int64),
        kind="series",
        task="multiclass",
        labels=request.card.labels,
        columns=("x", "y", "z"),
        hop=samples.shape[1],
    )


def load_magic_wand(request: LoadRequest) -> Raw:
    """Wand gestures: (n, 119, 6) float32, acceleration in g and rotation in degrees a second; its own test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    folder = files.load(request.card, request.on_event)
    return _read(folder, DataConfig(window=WAND_STEPS, label_from=r"(\w+)\.csv"))


def load_set(request: LoadRequest) -> Raw:
    """A set of the UCR and UEA archives: (n, steps, channels) float32, short ones NaN in front; its own test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    folder = files.load(request.card, request.on_event)
    return _read(folder / request.card.files[0].name, DataConfig())


def _read(path: Path, config: DataConfig) -> Raw:
    """As a user's own files; what is told of those is on the card here."""
    return replace(load_path(path, config), findings=(), names=())
