import numpy as np
import pytest

from zoo.data.dataset import Split
from zoo.data.samples import draw_samples
from zoo.data.splits import allocate, divide, divide_by_group, divide_by_time, subset
from zoo.errors import DataError, UsageError

TARGETS = np.repeat([0, 1, 2], [60, 30, 10])


def test_a_division_is_stratified_disjoint_and_complete():
    kept, held = divide(TARGETS, 0.2, seed=3, classes=3)
    assert np.bincount(TARGETS[held]).tolist() == [12, 6, 2]
    assert sorted([*kept, *held]) == list(range(100))


def test_the_seed_decides_and_nothing_else_does():
    first, again, other = (divide(TARGETS, 0.2, seed=seed, classes=3)[1] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_rare_class_stands_on_both_sides():
    targets = np.repeat([0, 1], [98, 2])
    kept, held = divide(targets, 0.05, seed=0, classes=2)
    assert (targets[kept] == 1).sum() == (targets[held] == 1).sum() == 1


def test_a_class_with_one_sample_is_named():
    with pytest.raises(DataError, match=r"class 'rare' has 1 samples where the validation split"):
        divide(np.array([0, 0, 0, 1]), 0.5, seed=0, classes=2, labels=("common", "rare"), what="validation")


def test_regression_is_divided_at_random():
    targets = np.linspace(0, 1, 50)[:, np.newaxis]
    kept, held = divide(targets, 0.2, seed=1, classes=0)
    assert (len(kept), len(held)) == (40, 10)
    with pytest.raises(DataError, match="2 samples cannot give a test split"):
        divide(targets[:2], 0.1, seed=1, classes=0)


def test_a_subset_keeps_the_shares():
    split = Split(np.arange(100), TARGETS)
    assert np.bincount(subset(split, 20, seed=0, classes=3).targets).tolist() == [12, 6, 2]
    assert subset(split, 100, seed=0, classes=3) is split


@pytest.mark.parametrize("count", [0, 2, 101])
def test_an_impossible_subset_says_what_is_possible(count):
    with pytest.raises(UsageError, match=rf"train_samples = {count} .* expected 3 to 100"):
        subset(Split(np.arange(100), TARGETS), count, seed=0, classes=3)


@pytest.mark.parametrize(
    ("counts", "wanted", "spare", "shares"),
    [
        ([50, 50], 5, 1, [3, 2]),
        ([1000, 1, 1], 3, 0, [1, 1, 1]),
        ([1000, 1, 1], 10, 0, [8, 1, 1]),
        ([2, 100], 90, 1, [1, 89]),
        ([4, 0], 2, 1, [2, 0]),
    ],
)
def test_shares_add_up(counts, wanted, spare, shares):
    assert allocate(np.array(counts), wanted, spare=spare).tolist() == shares


def test_kept_samples_have_every_class_and_the_seed_decides():
    split = Split(np.arange(2000), np.repeat([0, 1, 2], [1500, 499, 1]))
    drawn = draw_samples(split, "multiclass", limit=500, seed=1)
    assert len(drawn) == 500
    assert np.bincount(drawn.targets).tolist() == [375, 124, 1]
    assert np.array_equal(drawn.samples, draw_samples(split, "multiclass", limit=500, seed=1).samples)
    assert not np.array_equal(drawn.samples, draw_samples(split, "multiclass", limit=500, seed=2).samples)


def test_a_small_split_is_kept_whole_and_regression_is_drawn_at_random():
    split = Split(np.arange(600), np.linspace(0, 1, 600)[:, np.newaxis])
    assert draw_samples(split.take(np.arange(30)), "regression").samples.tolist() == list(range(30))
    drawn = draw_samples(split, "regression", limit=100, seed=0)
    assert len(drawn) == 100
    assert np.all(np.diff(drawn.samples) > 0)


def test_a_group_never_stands_on_both_sides():
    groups = np.repeat(np.arange(20), np.arange(1, 21))
    kept, held = divide_by_group(groups, 0.2, seed=0, what="test")
    assert not set(groups[kept]) & set(groups[held])
    assert sorted([*kept, *held]) == list(range(len(groups)))
    assert 0.1 < len(held) / len(groups) < 0.3
    assert not np.array_equal(held, divide_by_group(groups, 0.2, seed=1, what="test")[1])


def test_one_group_cannot_be_divided():
    with pytest.raises(DataError, match=r"1 group cannot be divided to make a test split"):
        divide_by_group(np.zeros(9), 0.2, seed=0, what="test")


def test_what_is_held_out_is_later_and_equal_times_stay_together():
    times = np.array([5, 1, 3, 3, 3, 2, 4, 1, 5, 5.0])
    kept, held = divide_by_time(times, 0.2, what="test")
    assert times[kept].max() < times[held].min()
    assert sorted([*kept, *held]) == list(range(10))
    assert times[held].tolist() == [5, 5, 5]


def test_a_time_that_most_rows_share_is_cut_behind():
    times = np.array([1] * 9 + [2.0])
    assert divide_by_time(times, 0.5, what="test")[1].tolist() == [9]
    with pytest.raises(DataError, match="all times are equal"):
        divide_by_time(np.ones(5), 0.2, what="test")
