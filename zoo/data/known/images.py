"""The image sets known by name: raw uint8 pixels."""

from __future__ import annotations

import numpy as np

from zoo import preprocessing
from zoo.data.dataset import Raw
from zoo.data.known import store
from zoo.data.known.downloads import OfflineError
from zoo.data.loading import LoadRequest

STAND_IN = (
    "scikit-learn's {count:,} handwritten digits (8x8, resized to 28x28) stand in for MNIST, of which there is no file "
    "and no network to fetch it; figures are not MNIST figures"
)


def load_mnist(request: LoadRequest) -> Raw:
    """MNIST: (60000, 28, 28) uint8 and the official test split; offline the digits stand-in, unless strict.

    Raises:
        OfflineError: No file, no network, and a stand-in is refused.
        DataError: A damaged file or download.
    """
    try:
        return _official(request)
    except OfflineError:
        if request.strict:
            raise
        return _digits_stand_in(request)


def load_fashion_mnist(request: LoadRequest) -> Raw:
    """Fashion-MNIST: (60000, 28, 28) uint8 and the official test split.

    Raises:
        DataError: No file and no network, or a damaged file or download.
    """
    return _official(request)


def load_digits(request: LoadRequest) -> Raw:
    """Digits: (1797, 8, 8) uint8; the set's 17 grey values spread over 0 to 255."""
    samples, targets = sklearn_digits()
    return Raw(samples=samples, targets=targets, kind="image", task="multiclass", labels=request.card.labels)


def _official(request: LoadRequest) -> Raw:
    arrays = store.load(request.card, request.on_event)
    return Raw(
        samples=arrays["x_train"],
        targets=arrays["y_train"],
        test_samples=arrays["x_test"],
        test_targets=arrays["y_test"],
        kind="image",
        task="multiclass",
        labels=request.card.labels,
    )


def _digits_stand_in(request: LoadRequest) -> Raw:
    samples, targets = sklearn_digits()
    resized = preprocessing.image(samples, {"step": "image", "height": 28, "width": 28, "channels": 1})
    text = STAND_IN.format(count=len(samples))
    return Raw(
        samples=resized[..., 0],  # (n, 28, 28, 1) -> (n, 28, 28), as MNIST's own
        targets=targets,
        kind="image",
        task="multiclass",
        labels=request.card.labels,
        stand_in=text,
    )


def sklearn_digits() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 8, 8) uint8, 0 to 255, and their classes."""
    from sklearn.datasets import load_digits as load

    bunch = load()
    return np.rint(bunch.images * (255 / 16)).astype(np.uint8), np.asarray(bunch.target, np.uint8)
