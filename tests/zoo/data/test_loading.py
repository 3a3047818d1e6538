import numpy as np
import pytest

from zoo import data
from zoo.data.dataset import Raw
from zoo.data.preparing import prepare
from zoo.errors import DataError, UsageError

EMBEDDED = ["digits", "iris", "wine", "breast-cancer", "diabetes"]


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_card_says_what_is_loaded(name):
    card, dataset = data.DATASETS.get(name), data.load(name, seed=0)
    assert sum(dataset.identity.samples.values()) == card.samples
    assert dataset.train.samples.shape[1:] == card.shape
    assert (dataset.output.task, dataset.output.labels) == (card.task, card.labels)
    assert dataset.inputs(dataset.test).shape == (len(dataset.test), *dataset.input.shape)
    assert dataset.inputs(dataset.test).dtype == dataset.input.dtype
    assert len(dataset.model_targets(dataset.test)) == len(dataset.test)


def test_tables_are_standardised_on_the_training_split_alone():
    dataset = data.load("wine", seed=5)
    train, test = dataset.inputs(dataset.train), dataset.inputs(dataset.test)
    assert train.mean(axis=0) == pytest.approx(np.zeros(13), abs=1e-6)
    assert train.std(axis=0) == pytest.approx(np.ones(13), abs=1e-5)
    assert np.abs(test.mean(axis=0)).max() > 0.02  # fitted elsewhere, so not centred exactly
    assert dataset.input.columns[0] == "alcohol"


def test_regression_targets_are_standardised_and_come_back():
    from zoo.preprocessing import invert_target

    dataset = data.load("diabetes", seed=5)
    inside = dataset.model_targets(dataset.train)
    assert inside.std() == pytest.approx(1, abs=1e-5)
    assert invert_target(inside, dataset.contract()["output"]) == pytest.approx(dataset.train.targets, rel=1e-5)
    assert dataset.train.targets.max() > 300  # raw targets stay in their own units
    assert dataset.identity.class_counts == {}


def test_digits_are_honest_pixels():
    dataset = data.load("digits", seed=0)
    assert dataset.train.samples.dtype == np.uint8
    assert np.unique(dataset.train.samples).tolist() == [round(value * 255 / 16) for value in range(17)]
    assert dataset.input.scale == pytest.approx(1 / 255)


def test_breast_cancer_is_binary_and_stratified():
    dataset = data.load("breast-cancer", seed=0)
    assert dataset.output.shape == (1,)
    counts = dataset.identity.class_counts
    shares = [counts[split]["benign"] / sum(counts[split].values()) for split in ("train", "validation", "test")]
    assert shares == pytest.approx([357 / 569] * 3, abs=0.02)


def test_the_seed_changes_the_splits_and_not_the_identity():
    first, again, other = (data.load("iris", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.test.samples, again.test.samples)
    assert not np.array_equal(first.test.samples, other.test.samples)
    assert first.identity.sha256 == other.identity.sha256
    assert first.steps == again.steps


def test_a_training_subset_leaves_the_other_splits_alone():
    whole, part = data.load("iris", seed=1), data.load("iris", seed=1, train_samples=30)
    assert part.identity.class_counts["train"] == {"setosa": 10, "versicolor": 10, "virginica": 10}
    assert np.array_equal(whole.test.samples, part.test.samples)
    assert np.array_equal(whole.validation.samples, part.validation.samples)


@pytest.mark.parametrize(("key", "value"), [("validation", 0.0), ("validation", 1.0), ("test", -0.1), ("test", 2)])
def test_an_impossible_fraction_is_refused(key, value):
    with pytest.raises(UsageError, match=rf"{key} = .* expected float"):
        data.load("iris", seed=0, **{key: value})


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UsageError, match="did you mean mnist"):
        data.load("mnits", seed=0)


def raw(samples, targets, **changes):
    return Raw(
        **{"kind": "table", "task": "binary", "labels": ("no", "yes"), "columns": ("a", "b"), **changes},
        samples=samples,
        targets=targets,
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_named_by_row_and_column(value):
    samples = np.ones((20, 2))
    samples[7, 1] = value
    with pytest.raises(DataError, match=r"mine, row 7, column 'b' is (nan|inf)"):
        prepare(raw(samples, np.arange(20) % 2), "mine", seed=0)


@pytest.mark.parametrize(
    ("targets", "changes", "said"),
    [
        (np.full(20, np.nan), {"task": "regression", "labels": ("y",)}, "target of row 0, column 'y' is nan"),
        (np.arange(20) % 3, {}, "target of row 2 is class 2; expected 0 to 1"),
        (np.zeros(20, int), {}, "class 'yes' has no sample"),
        (np.arange(20) / 2, {}, "expected one integer class"),
        (np.arange(19) % 2, {}, "20 samples and 19 targets"),
        (np.array([1] + [0] * 19), {}, "class 'yes' has 1 samples where the test split"),
    ],
)
def test_targets_that_make_no_sense_are_named(targets, changes, said):
    with pytest.raises(DataError, match=said):
        prepare(raw(np.random.default_rng(0).normal(size=(20, 2)), targets, **changes), "mine", seed=0)


def test_an_official_test_split_without_a_class_is_refused():
    half = {"test_samples": np.ones((5, 2)), "test_targets": np.zeros(5, int)}
    with pytest.raises(DataError, match="class 'yes' has no sample in the test split"):
        prepare(raw(np.ones((20, 2)), np.arange(20) % 2, **half), "mine", seed=0)


def test_duplicates_between_train_and_test_are_counted_and_said():
    samples = np.random.default_rng(0).normal(size=(100, 2))
    test = np.concatenate([samples[3:6], -samples[:7]])
    events = []
    dataset = prepare(
        raw(samples, np.arange(100) % 2, test_samples=test, test_targets=np.arange(10) % 2),
        "mine",
        seed=0,
        on_event=events.append,
    )
    assert dataset.identity.duplicates == 3
    assert "3 of 10 test samples" in events[0]


def test_mnist_keeps_its_official_test_split(real_data):
    dataset = data.load("mnist", seed=1)
    assert dataset.identity.samples == {"train": 54_000, "validation": 6_000, "test": 10_000}
    assert dataset.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert dataset.identity.sha256 == data.DATASETS.get("mnist").content_sha256
    assert not dataset.identity.stand_in


def test_fashion_mnist_is_the_published_one(real_data):
    dataset = data.load("fashion_mnist", seed=1, train_samples=1000)
    assert dataset.identity.sha256 == data.DATASETS.get("fashion_mnist").content_sha256
    assert dataset.identity.class_counts["train"] == dict.fromkeys(dataset.output.labels, 100)


def test_mnist_offline_is_the_marked_stand_in(home, no_network):
    events = []
    dataset = data.load("mnist", seed=1, on_event=events.append)
    assert dataset.input.shape == (28, 28, 1)
    assert dataset.identity.name == "mnist"
    assert dataset.identity.stand_in
    assert "1,797 handwritten digits" in dataset.identity.note
    assert events[-1].startswith("WARNING") or events[0].startswith("WARNING")
    assert dataset.train.samples.dtype == np.uint8
    assert dataset.train.samples.max() > 200


@pytest.mark.parametrize(("name", "strict"), [("mnist", True), ("fashion_mnist", False)])
def test_offline_without_a_stand_in_says_what_to_do(home, no_network, name, strict):
    with pytest.raises(DataError, match=rf"zoo data fetch {name}, or put .* ZOO_DATA_PATH") as caught:
        data.load(name, seed=1, strict_data=strict)
    assert caught.value.exit_code == 3


def test_a_damaged_file_is_never_replaced_by_the_stand_in(home, no_network):
    path = home / "data" / "mnist" / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"mnist\.npz is not a readable"):
        data.load("mnist", seed=1)
