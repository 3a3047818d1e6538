import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from zoo.cards import DatasetCard
from zoo.data.identity import digest
from zoo.data.known.store import KEYS

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def real_data(monkeypatch, tmp_path):
    if not (REAL / "mnist" / "mnist.npz").is_file():
        pytest.skip(f"the real sets are not in {REAL}")
    monkeypatch.setenv("ZOO_DATA_PATH", str(REAL))
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return REAL


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty cache and nothing on the search path."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ZOO_DATA_PATH", raising=False)
    return tmp_path / "home"


@pytest.fixture
def no_network(monkeypatch):
    """Every connection is refused at once, as on a machine without a network."""

    def refuse(*args, **kwargs):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def tiny_arrays():
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (40, 28, 28), np.uint8),
        "y_train": np.arange(40, dtype=np.uint8) % 10,
        "x_test": generator.integers(0, 256, (10, 28, 28), np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }


def tiny_card(name="tiny", files=()):
    arrays = tiny_arrays()
    return DatasetCard(
        name=name,
        loader="zoo.data.known.images:load_fashion_mnist",
        kind="image",
        task="multiclass",
        summary="",
        samples=50,
        source="",
        licence="",
        labels=tuple("0123456789"),
        files=files,
        content_sha256=digest(*(arrays[key] for key in KEYS)),
    )


def idx_bytes(array):
    return gzip.compress(struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes(), mtime=0)
