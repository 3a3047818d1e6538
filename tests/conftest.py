"""What holds for every test: random numbers are drawn from one seed, whichever tests ran before."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
import pytest

SEED = 7


def seed() -> None:
    """Python's, numpy's and TensorFlow's generators at SEED; TensorFlow is not imported for it.

    Keras, when it is imported later, draws the seeds of its own from Python's.
    """
    random.seed(SEED)
    np.random.seed(SEED)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(SEED)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any) -> None:
    if fixturedef.scope != "function":
        seed()


@pytest.fixture(autouse=True)
def _seeded(request: Any) -> None:
    """Drawn anew for every test, before its other fixtures."""
    seed()
