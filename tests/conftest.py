"""What holds for every test: random numbers come from one seed, signals do what they usually do."""

from __future__ import annotations

import random
import signal
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


def usual_signals() -> None:
    """SIGINT and SIGTERM as a program finds them that a terminal starts.

    The command line ends with both ignored, and who calls it in this process, or starts the tests in the background,
    would hand that on to every child process: none could be stopped.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def afresh() -> None:
    """Nothing of what ran before is left."""
    seed()
    usual_signals()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any) -> None:
    if fixturedef.scope != "function":
        afresh()


@pytest.fixture(autouse=True)
def _afresh(request: Any) -> None:
    """Anew for every test, before its other fixtures."""
    afresh()
