"""The table sets that scikit-learn carries: raw columns in their own units."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.dataset import Raw
from zoo.data.loading import LoadRequest


def load_iris(request: LoadRequest) -> Raw:
    """Iris: (150, 4) float64 in cm, three classes."""
    from sklearn.datasets import load_iris as load

    return _table(load(), request)


def load_wine(request: LoadRequest) -> Raw:
    """Wine: (178, 13) float64, three classes."""
    from sklearn.datasets import load_wine as load

    return _table(load(), request)


def load_breast_cancer(request: LoadRequest) -> Raw:
    """Breast cancer: (569, 30) float64, class 0 malignant, 1 benign."""
    from sklearn.datasets import load_breast_cancer as load

    return _table(load(), request)


def load_diabetes(request: LoadRequest) -> Raw:
    """Diabetes: (442, 10) float64 in the patients' units, targets (442, 1) float64 from 25 to 346."""
    from sklearn.datasets import load_diabetes as load

    return _table(load(scaled=False), request)


def _table(bunch: Any, request: LoadRequest) -> Raw:
    card = request.card
    targets = np.asarray(bunch.target)
    return Raw(
        samples=np.asarray(bunch.data, np.float64),
        targets=targets.reshape(-1, 1) if card.task == "regression" else targets.astype(np.int64),
        kind="table",
        task=card.task,
        labels=card.labels,
        columns=tuple(str(name) for name in bunch.feature_names),
    )
