"""Images with masks made in a test: discs and squares on noise."""

import numpy as np
from PIL import Image


def shapes(seed, size=(24, 20), classes=3, colour=True):
    """An image and its mask, (height, width); every seed gives others."""
    generator = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    mask = np.zeros(size, np.uint8)
    for value in range(1, classes):
        row, column, reach = (
            generator.integers(4, height - 4),
            generator.integers(4, width - 4),
            generator.integers(3, 6),
        )
        away = (
            (rows - row) ** 2 + (columns - column) ** 2 if value % 2 else np.maximum(rows - row, columns - column) ** 2
        )
        mask[away < reach**2] = value
    mask.flat[:classes] = np.arange(classes)  # each class is in each image
    shades = np.array([[40, 60, 80], [200, 80, 60], [70, 190, 90], [90, 90, 220]])[mask]
    image = np.clip(shades + generator.normal(0, 20, (*size, 3)), 0, 255).astype(np.uint8)
    return (image if colour else image.mean(-1).astype(np.uint8)), mask


def save(root, name, image, mask, images="images", masks="masks"):
    for folder, pixels in ((images, image), (masks, mask)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / folder / f"{name}.png")


def folder(root, count=8, values=None, **options):
    """Two folders of images and masks; `values` stand for the classes in the masks' files."""
    for seed in range(count):
        image, mask = shapes(seed, **options)
        save(root, seed, image, mask if values is None else np.array(values, np.uint8)[mask])
    return root
