"""The series the zoo knows by name, for classification."""

from __future__ import annotations

import numpy as np

from zoo.data.dataset import Raw
from zoo.data.known import files
from zoo.data.loading import LoadRequest
from zoo.runs import read_npz

WISDM_TESTED = 10
"""Subjects with the highest numbers, which the test split is made of."""


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
