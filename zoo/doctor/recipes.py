"""How each environment under `$ZOO_HOME/runtimes` is made, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.doctor import arm


@dataclass(frozen=True)
class Recipe:
    """How an environment is made.

    Attributes:
        lock: Its file of pinned requirements in export/runtimes, without the suffix.
        pythons: The versions of Python that the lock holds wheels for, by preference.
        cost: What to expect, said before.
        emulated: Whether another processor is emulated, with a Python of its own.
        probe: The program that tries it out; by default it runs a tiny model.
    """

    lock: str
    pythons: tuple[tuple[int, int], ...]
    cost: str
    emulated: bool = False
    probe: str = ""


_ALL = ((3, 11), (3, 12), (3, 13))

RUNTIMES: Mapping[str, Recipe] = {
    "litert": Recipe("litert", _ALL, "up to 150 MB, under a minute"),
    "tflite-runtime": Recipe("tflite-runtime", ((3, 11),), "up to 100 MB, under a minute"),
    "tflite-micro": Recipe("tflite-micro", _ALL, "up to 100 MB, under a minute"),
    "arm": Recipe("tflite-runtime", ((3, 11),), arm.COST, emulated=True),
}
"""What bundles run on."""

CLIENTS: Mapping[str, Recipe] = {
    "mediapipe": Recipe(
        "mediapipe",
        _ALL,
        "up to 550 MB, under a minute",
        probe="from mediapipe.tasks.python import vision; vision.ImageClassifier",
    ),
}
"""Other people's tools that read exported files, which our tests call: they run no bundle."""
