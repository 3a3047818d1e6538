"""Augmentation: batches vary by seed, epoch and step alone, keep their shape, and never reach the model."""

import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.training.augmentation import MIXUP, VARIATIONS, Augmentation, read_augment
from zoo.training.pipeline import EpochOrder, batches

SHAPES = {"image": (16, 12, 3), "series": (40, 3), "audio": (40, 12)}
CASES = [(kind, name) for kind in VARIATIONS for name in (*VARIATIONS[kind], MIXUP)]


def samples_of(kind, count=64):
    generator = np.random.default_rng(3)
    if kind == "image":
        return generator.integers(0, 256, (count, *SHAPES[kind])).astype(np.float32)
    return generator.normal(size=(count, *SHAPES[kind])).astype(np.float32)


def vary(kind, name, seed=(1, 2), strength=1.0):
    import tensorflow as tf

    targets = np.eye(4, dtype=np.float32)[np.arange(64) % 4]
    found = Augmentation([name], kind, strength)(tf.constant(seed, tf.int32), samples_of(kind), targets)
    return [np.asarray(part) for part in found]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_variation_changes_samples_by_its_seed_and_keeps_their_shape(kind, name):
    samples, targets = vary(kind, name)
    assert samples.shape == (64, *SHAPES[kind])
    assert not np.array_equal(samples, samples_of(kind))
    assert np.array_equal(samples, vary(kind, name)[0])
    assert not np.array_equal(samples, vary(kind, name, seed=(1, 3))[0])
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-5)
    if name != MIXUP:
        assert np.array_equal(targets, np.eye(4)[np.arange(64) % 4])
    if kind == "image":
        assert samples.min() >= -1e-3
        assert samples.max() <= 255 + 1e-3


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, name in CASES if name not in ("flip", "flip_vertical", "rotate")]
)
def test_a_stronger_variation_changes_more(kind, name):
    base = samples_of(kind)
    changes = [float(np.abs(vary(kind, name, strength=strength)[0] - base).mean()) for strength in (0.1, 2.0)]
    assert changes[0] < changes[1]


def test_a_flipped_image_is_its_mirror_and_others_stay():
    base, (found, _) = samples_of("image"), vary("image", "flip")
    mirrored = [np.array_equal(new, old[:, ::-1]) for new, old in zip(found, base, strict=True)]
    kept = [np.array_equal(new, old) for new, old in zip(found, base, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 16 < sum(mirrored) < 48


def test_a_turned_sensor_measures_the_same_force_and_every_sample_turns_by_itself():
    base, (found, _) = samples_of("series"), vary("series", "rotate")
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), np.linalg.norm(base, axis=-1), rtol=1e-4)
    turned = [np.linalg.lstsq(old, new, rcond=None)[0] for old, new in zip(base, found, strict=True)]
    degrees = [np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) for turn in turned]
    assert 20 < max(degrees) <= 30.1
    assert len({round(one, 3) for one in degrees}) > 50


def test_what_is_no_sensor_of_three_axes_is_not_turned():
    assert read_augment("rotate", "series", "multiclass", (40, 6)) == ("rotate",)
    with pytest.raises(UsageError, match="4 channels are none, leave it out"):
        read_augment("rotate", "series", "multiclass", (40, 4))


def test_a_shifted_image_is_the_same_image_elsewhere():
    pixels = np.zeros((8, 16, 16, 1), np.float32)
    pixels[:, 8, 8] = 255.0
    import tensorflow as tf

    found = np.asarray(Augmentation(["shift"], "image", 1.0)(tf.constant([0, 0]), pixels, np.zeros((8, 1)))[0])
    places = [np.argwhere(image[..., 0]) for image in found]
    assert all(len(place) == 1 and np.abs(place[0] - 8).max() <= 2 for place in places)
    assert len({tuple(place[0]) for place in places}) > 2


def test_mixed_targets_are_mixed_as_their_samples_are():
    import tensorflow as tf

    targets = np.eye(64, dtype=np.float32)
    samples = np.arange(64, dtype=np.float32)[:, np.newaxis]
    weights = np.arange(64, dtype=np.float32)
    mixed, shares, weighed = map(
        np.asarray, Augmentation([MIXUP], "table", 1.0)(tf.constant([5, 6]), samples, targets, weights)
    )
    np.testing.assert_allclose(mixed, shares @ samples, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(weighed, shares @ weights, rtol=1e-4, atol=1e-4)
    assert (np.diag(shares) >= 0.5 - 1e-6).all()


def epoch_of(order, augment="flip,shift", kind="image"):
    samples = samples_of(kind).astype(np.uint8)
    augmentation = Augmentation(read_augment(augment, kind, "binary"), kind, 1.0)
    found = batches(samples, np.zeros((64, 1), np.float32), batch_size=24, order=order, augmentation=augmentation)
    return np.concatenate([np.asarray(batch[0]) for batch in found])


def test_an_epoch_is_a_function_of_seed_and_number():
    first = epoch_of(EpochOrder(seed=1, samples=64, epoch=4))
    assert np.array_equal(first, epoch_of(EpochOrder(seed=1, samples=64, epoch=4)))
    for other in (EpochOrder(seed=1, samples=64, epoch=5), EpochOrder(seed=2, samples=64, epoch=4)):
        assert not np.array_equal(first, epoch_of(other))


@pytest.mark.parametrize(
    ("names", "kind", "task", "said"),
    [
        ("flop", "image", "multiclass", "flip"),
        ("flip", "series", "multiclass", "jitter"),
        ("flip", "table", "multiclass", "mixup"),
        ("flip+flip", "image", "multiclass", "twice"),
        (MIXUP, "table", "regression", "classes"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(names, kind, task, said):
    with pytest.raises(UsageError, match=said):
        read_augment(names, kind, task)


@pytest.mark.parametrize("given", ["flip+shift", "flip, shift", "shift,flip", "none", ""])
def test_names_stand_with_a_plus_or_a_comma_between(given):
    wanted = set() if given in ("none", "") else {"flip", "shift"}
    assert set(read_augment(given, "image", "multiclass")) == wanted


@pytest.mark.slow
def test_a_training_varies_its_samples_and_its_model_does_not(tmp_path):
    runs = [
        zoo.train("digits-mlp", out=tmp_path / name, epochs=1, units=8, layers=1, seed=3, augment=augment)
        for name, augment in (("plain", "none"), ("varied", "shift,mixup"), ("again", "shift,mixup"))
    ]
    losses = [run.metrics["train"]["loss"] for run in runs]
    assert losses[0] != losses[1] == losses[2]
    assert [type(layer) for layer in runs[0].model.layers] == [type(layer) for layer in runs[1].model.layers]


@pytest.mark.parametrize("name", ["scale", "shift"])
def test_what_parts_a_history_from_its_future_is_refused(name):
    assert read_augment("jitter", "series", "regression", forecast=True) == ("jitter",)
    with pytest.raises(UsageError, match=f"augment = {name} would part a history from the steps after it"):
        read_augment(name, "series", "regression", forecast=True)


@pytest.mark.parametrize("name", ["flip", "flip_vertical", "rotate", "crop", "shift"])
def test_what_moves_an_image_moves_its_mask_alike(name):
    import tensorflow as tf

    masks = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 3, (32, 4, 4)), 4, axis=1), 4, axis=2)
    images = (masks[..., np.newaxis] * 100).astype(np.float32)
    found, dense = Augmentation([name], "image", 1.0, classes=3)(tf.constant((1, 2)), images, masks.astype(np.float32))
    assert dense.shape == (32, 16, 16, 3)
    assert not np.array_equal(np.argmax(dense, axis=-1), masks)
    wrong = np.abs(np.asarray(found)[..., 0] - 100 * np.argmax(dense, axis=-1)) > 50
    # only the bilinear seams of a cropped image are not plain
    assert wrong.mean() < (0.1 if name == "crop" else 1e-9)


@pytest.mark.parametrize("name", ["colour", "erase"])
def test_what_changes_colours_leaves_the_mask(name):
    import tensorflow as tf

    masks = np.random.default_rng(0).integers(0, 3, (8, 16, 16))
    images = samples_of("image", 8)[:, :16, :16]
    images = np.concatenate([images, images], axis=2)[:, :, :16]
    _, dense = Augmentation([name], "image", 1.0, classes=3)(tf.constant((1, 2)), images, masks.astype(np.float32))
    assert np.array_equal(np.argmax(dense, axis=-1), masks)


def test_a_turned_image_is_one_of_its_four_quarter_turns():
    import tensorflow as tf

    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype(np.float32)
    found = np.asarray(Augmentation(["rotate"], "image", 1.0)(tf.constant((1, 2)), images, images[:, 0, 0])[0])
    turns = [
        [k for k in range(4) if np.array_equal(new, np.rot90(old, k))] for new, old in zip(found, images, strict=True)
    ]
    assert all(turns)
    assert {k for several in turns for k in several} == {0, 1, 2, 3}
