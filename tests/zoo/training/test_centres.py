import numpy as np
import pytest

from zoo import boxes

GRID, CLASSES = (6, 6), 2


@pytest.fixture(scope="module")
def loss():
    from zoo.training.optimizers import loss_function

    return loss_function("centres_and_boxes")


def maps(*rows):
    made = np.full((1, 3, 5), -1.0, np.float32)
    for at, row in enumerate(rows):
        made[0, at] = row
    return boxes.encode(made, GRID, CLASSES)


ONE = (0, 0.1, 0.1, 0.5, 0.5)
TWO = (1, 0.6, 0.6, 0.9, 0.9)


def test_the_right_map_costs_next_to_nothing_and_every_fault_costs(loss):
    true = maps(ONE)
    sharp = np.where(true == 1, 1.0, 0.0).astype(np.float32)
    sharp[..., CLASSES:] = true[..., CLASSES:]
    right = float(loss(true, sharp))
    assert right < 1e-3
    moved, larger, other = sharp.copy(), sharp.copy(), np.roll(sharp, 3, axis=1)
    moved[..., CLASSES] += 0.2 * (moved[..., CLASSES] > 0)
    larger[..., CLASSES + 2] += 0.2
    assert right < float(loss(true, moved)) < float(loss(true, larger)) < float(loss(true, other))


def test_a_cell_beside_a_centre_is_a_smaller_fault_than_one_far_away(loss):
    true = maps((0, 0.05, 0.05, 0.95, 0.95))
    row, column = np.unravel_index(true[0, ..., 0].argmax(), GRID)
    costs = []
    for at in (column + 1, 0):
        found = np.full_like(true, 1e-3)
        found[0, row, at, 0] = 0.9
        costs.append(float(loss(true, found)))
    assert costs[0] < costs[1]


def test_an_image_counts_the_same_however_many_objects_it_has(loss):
    one, two = maps(ONE), maps(ONE, TWO)
    flat = np.full_like(one, 0.01)
    assert float(loss(two, flat)) == pytest.approx(float(loss(one, flat)), rel=0.3)
    both = float(loss(np.concatenate([one, two]), np.concatenate([flat, flat])))
    assert both == pytest.approx((float(loss(one, flat)) + float(loss(two, flat))) / 2, rel=1e-5)


def test_an_image_without_objects_has_a_loss(loss):
    empty = maps()
    assert 0 < float(loss(empty, np.full_like(empty, 0.1))) < np.inf


def test_maps_made_by_the_batch_are_those_made_at_once():
    from zoo.data.dataset import ModelTargets
    from zoo.training.pipeline import EpochOrder, batches

    objects = np.full((5, 2, 5), -1.0, np.float32)
    objects[:4, 0], objects[2, 1] = ONE, TWO
    made = ModelTargets(objects, (*GRID, CLASSES + boxes.BOX))
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    found = []
    for targets in (made, made[:]):
        order = EpochOrder(seed=1, samples=5)
        found.append([batch[1].numpy() for batch in batches(images, targets, batch_size=2, order=order)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)  # its threads round the faintest values to 0
    np.testing.assert_array_equal(made[:], boxes.encode(objects, GRID, CLASSES))


def test_a_split_too_large_for_its_maps_has_the_same_loss(loss, monkeypatch):
    from zoo.cards import DataIdentity, InputSpec, OutputSpec
    from zoo.data import dataset as data
    from zoo.training.measure import Measured

    objects = np.full((7, 1, 5), -1.0, np.float32)
    objects[:5, 0] = ONE
    split = data.Split(np.zeros((7, 24, 24, 1), np.uint8), objects)
    whole = data.Dataset(
        input=InputSpec(shape=(24, 24, 1), kind="image", dtype="uint8"),
        output=OutputSpec(task="detection", shape=(*GRID, CLASSES + boxes.BOX)),
        train=split,
        validation=split,
        test=split,
        identity=DataIdentity(name="x", sha256="", samples={}),
    )

    def answer(batch):
        import tensorflow as tf

        return tf.fill((len(batch), *GRID, CLASSES + boxes.BOX), 0.2)

    at_once, _ = Measured(whole, split, loss).measure(answer)
    monkeypatch.setattr(data, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("zoo.training.measure.LARGEST_BATCH", 3)
    in_parts, outputs = Measured(whole, split, loss).measure(answer)
    assert outputs.shape == (7, *GRID, CLASSES + boxes.BOX)
    assert in_parts["loss"] == pytest.approx(at_once["loss"], rel=1e-6)
