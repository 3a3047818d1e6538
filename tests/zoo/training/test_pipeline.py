import numpy as np
import pytest

from zoo.training.pipeline import EpochOrder, batches, class_weights


def epoch_of(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


@pytest.mark.parametrize("size", [1, 4, 10, 25])
def test_an_epoch_holds_every_sample_once_and_targets_stay_with_their_inputs(size):
    inputs, targets = np.arange(10, dtype=np.uint8)[:, None], np.arange(10, dtype=np.float32)[:, None] * 2
    found = epoch_of(batches(inputs, targets, batch_size=size, order=EpochOrder(seed=0, samples=10)))
    x, y = (np.concatenate(part)[:, 0] for part in zip(*found, strict=True))
    assert sorted(x) == list(range(10))
    assert x.dtype == np.float32
    assert (y == x * 2).all()
    assert [len(batch[0]) for batch in found][:-1] == [size] * (len(found) - 1)


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch, worker=0):
        return EpochOrder(seed=seed, samples=50, worker=worker, epoch=epoch).permutation().tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(*key)) for key in ((0, 0), (0, 1), (1, 0), (0, 0, 1))}) == 4


def test_each_iterator_asks_for_the_order_again():
    order = EpochOrder(seed=3, samples=20)
    dataset = batches(np.arange(20)[:, None], np.zeros((20, 1), np.float32), batch_size=5, order=order)
    first = np.concatenate([batch[0] for batch in epoch_of(dataset)])
    order.epoch = 1
    second = np.concatenate([batch[0] for batch in epoch_of(dataset)])
    assert first[:, 0].tolist() != second[:, 0].tolist()


def test_balanced_classes_weigh_the_same_in_all():
    targets = np.array([0] * 9 + [1] * 3)
    weights = class_weights(targets, 2)
    assert weights[targets == 0].sum() == pytest.approx(weights[targets == 1].sum())
    assert weights.mean() == pytest.approx(1.0)


def test_inputs_on_disk_come_in_the_same_batches_as_those_in_memory(tmp_path):
    from zoo.data.dataset import ModelInputs, Selection

    pixels = np.random.default_rng(0).integers(0, 256, (23, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    chosen = np.random.default_rng(1).permutation(23)[:17]
    on_disk = Selection(np.load(tmp_path / "x.npy", mmap_mode="r"), chosen)
    inputs = ModelInputs(on_disk, [{"step": "image", "height": 4, "width": 4, "channels": 3}])
    targets = np.arange(17, dtype=np.float32)[:, None]
    order = EpochOrder(seed=5, samples=17)
    given = {"batch_size": 5, "order": order, "weights": np.ones(17, np.float32)}
    held, made = batches(pixels[chosen], targets, **given), batches(inputs, targets, **given)
    assert held.element_spec == made.element_spec
    for epoch in (0, 1):
        order.epoch = epoch
        for one, other in zip(epoch_of(held), epoch_of(made), strict=True):
            assert all((left == right).all() for left, right in zip(one, other, strict=True))
