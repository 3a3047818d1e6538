"""Image files made in a test."""

import numpy as np
from PIL import Image


def picture(seed=0, size=(12, 10), mode="RGB"):
    """A Pillow image, (width, height) in pixels; every seed gives another."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def save(path, seed=0, size=(12, 10), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size, mode).save(path, **options)
    return path


def folder(root, classes=("cat", "dog"), count=6, parts=("",), size=(12, 10)):
    """Class folders below each part's folder, no picture twice."""
    seed = 0
    for part in parts:
        for name in classes:
            for at in range(count):
                seed += 1
                save(root / part / name / f"{at}.png", seed, size)
    return root
