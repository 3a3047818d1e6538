import numpy as np
import pytest

from zoo import boxes
from zoo.errors import UsageError

SIDE, CLASSES = 48, 2


def scenes(count=12):
    """Dark images with one bright and one half-bright rectangle, and their maps."""
    generator = np.random.default_rng(1)
    samples, objects = np.zeros((count, SIDE, SIDE, 1), np.float32), np.full((count, 2, 5), -1.0, np.float32)
    for at in range(count):
        for label, left in ((0, 2), (1, 26)):
            x, y = left + generator.integers(0, 8), generator.integers(6, 28)
            width, height = generator.integers(8, 13, 2)
            samples[at, y : y + height, x : x + width] = 255 if label else 128
            objects[at, label] = (label, x / SIDE, y / SIDE, (x + width) / SIDE, (y + height) / SIDE)
    return samples, boxes.encode(objects, (12, 12), CLASSES), objects


@pytest.mark.parametrize("names", [("flip",), ("shift",), ("flip", "shift"), ("colour", "flip")])
def test_boxes_go_where_their_objects_go(names):
    import tensorflow as tf

    from zoo.training.augmentation import Augmentation

    samples, maps, objects = scenes()
    vary = Augmentation(names, "image", 1.0, task="detection")
    moved, found = vary(tf.constant([3, 4], tf.int32), tf.constant(samples), tf.constant(maps))
    moved, found = moved.numpy(), found.numpy()
    assert moved.shape == samples.shape
    assert found.shape == maps.shape
    changed = [not np.array_equal(one, two) for one, two in zip(maps, found, strict=True)]
    assert sum(changed) >= 3
    for image, rows in zip(moved[..., 0], boxes.decode(found, 0.999), strict=True):
        for _label, _score, *edges in rows:
            left, top, right, bottom = np.rint(np.array(edges) * SIDE).astype(int)
            inside = image[top:bottom, left:right]
            assert inside.size
            assert np.ptp(inside) < 1e-3  # one rectangle, whole
            assert inside.mean() > image.min() + 10
    kept = sum(len(rows) for rows in boxes.decode(found, 0.999))
    assert kept >= 20 if "shift" in names else kept == 24
    assert (objects[..., 0] >= 0).sum() == 24


def test_a_variation_that_leaves_boxes_behind_is_refused():
    from zoo.training.augmentation import read_augment

    assert read_augment("flip+shift+colour", "image", "detection") == ("flip", "shift", "colour")
    for name in ("crop", "erase", "mixup"):
        with pytest.raises(UsageError, match="leaves boxes behind"):
            read_augment(f"flip+{name}", "image", "detection")
