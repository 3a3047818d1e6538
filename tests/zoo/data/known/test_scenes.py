import numpy as np

from zoo.data.known import scenes
from zoo.data.known.images import sklearn_digits


def made(count=60, seed=3):
    digits, classes = sklearn_digits()
    return scenes.compose(digits[:200], classes[:200], count, seed=seed)


def test_the_same_seed_makes_the_same_canvases():
    for one, two in zip(made(8), made(8), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(made(8)[0], made(8, seed=4)[0])


def test_every_box_holds_a_digit_that_stands_out_of_its_ground():
    samples, objects = made()
    there = objects[..., 0] >= 0
    assert there.sum(axis=1).min() >= 1
    assert there.sum(axis=1).max() == scenes.MOST
    for canvas, rows, known in zip(samples.astype(float), objects, there, strict=True):
        for _, *edges in rows[known]:
            left, top, right, bottom = np.rint(np.array(edges) * scenes.SIDE).astype(int)
            assert 0 <= left < right <= scenes.SIDE
            assert scenes.SMALLEST <= bottom - top <= scenes.LARGEST
            inside = canvas[top:bottom, left:right]
            assert np.percentile(inside, 95) - np.percentile(inside, 5) > 40


def test_digits_overlap_little():
    from zoo import boxes

    _, objects = made()
    for rows in objects:
        edges = rows[rows[:, 0] >= 0][:, 1:]
        shared = boxes.overlaps(edges, edges)
        np.fill_diagonal(shared, 0)
        assert shared.max(initial=0) <= scenes.SHARED + 1e-6


def test_no_digit_is_in_two_splits_and_each_has_all_classes():
    _, classes = sklearn_digits()
    pools = scenes.pools(classes)
    every = np.concatenate(list(pools.values()))
    assert sorted(every) == list(range(len(classes)))
    assert [len(pool) for pool in pools.values()] == [1293, 144, 360]
    for pool in pools.values():
        counts = np.bincount(classes[pool], minlength=10)
        assert counts.max() - counts.min() <= 0.1 * len(pool)
