"""What `prepare` makes of raw arrays: splits as the data say, findings, lazily read rows."""

import numpy as np
import pytest

from zoo.data import Raw, prepare
from zoo.data import dataset as datasets
from zoo.data.dataset import ModelInputs, Selection, Split
from zoo.errors import DataError


def table(count=60, **changes):
    generator = np.random.default_rng(0)
    given = {
        "samples": generator.normal(size=(count, 2)),
        "targets": np.arange(count) % 2,
        "kind": "table",
        "task": "binary",
        "labels": ("no", "yes"),
        "columns": ("a", "b"),
    }
    return Raw(**{**given, **changes})


def rows(split, raw):
    """Positions in the raw samples of a split's rows."""
    return {int(np.flatnonzero((raw.samples == row).all(axis=1))[0]) for row in np.asarray(split.samples)}


def messages(dataset):
    return [f"{finding.severity}: {finding.message}" for finding in dataset.findings]


def test_a_group_never_straddles_splits():
    raw = table(groups=np.repeat(np.arange(12), 5))
    made = prepare(raw, "mine", seed=3)
    groups = [{int(raw.groups[at]) for at in rows(split, raw)} for split in (made.train, made.validation, made.test)]
    assert sum(map(len, groups)) == 12
    assert len(set.union(*groups)) == 12


def test_what_is_tested_on_is_later_than_what_is_validated_on_than_what_is_trained_on():
    raw = table(times=np.random.default_rng(1).permutation(60).astype(float))
    made = prepare(raw, "mine", seed=0)
    train, validation, test = (
        [raw.times[at] for at in rows(split, raw)] for split in (made.train, made.validation, made.test)
    )
    assert max(train) < min(validation)
    assert max(validation) < min(test)
    assert len(test) == 12


def test_another_drawing_validates_on_other_rows_and_tests_on_the_same():
    raw = table()
    first, again, second = (prepare(raw, "mine", seed=0, draw=draw) for draw in (0, 0, 1))
    assert rows(first.validation, raw) == rows(again.validation, raw)
    assert rows(first.test, raw) == rows(second.test, raw)
    assert len(rows(first.validation, raw)) == len(rows(second.validation, raw))
    assert rows(first.validation, raw) != rows(second.validation, raw)
    assert not rows(second.validation, raw) & (rows(second.train, raw) | rows(second.test, raw))


def test_the_data_say_their_own_split():
    parts = np.array([0] * 40 + [1] * 8 + [2] * 12, np.int8)
    raw = table(parts=parts)
    made = prepare(raw, "mine", seed=0)
    assert rows(made.train, raw) == set(range(40))
    assert rows(made.validation, raw) == set(range(40, 48))
    assert rows(made.test, raw) == set(range(48, 60))


def test_a_split_the_data_do_not_name_is_drawn_from_the_training_part():
    parts = np.array([0] * 50 + [1] * 10, np.int8)
    raw = table(parts=parts)
    made = prepare(raw, "mine", seed=0)
    assert rows(made.validation, raw) == set(range(50, 60))
    assert len(made.test) == 10
    assert rows(made.test, raw) < set(range(50))


def test_a_class_that_a_split_lacks_is_named_with_the_split():
    parts = np.array([0] * 40 + [1] * 8 + [2] * 12, np.int8)
    targets = np.arange(60) % 2
    targets[40:48] = 0
    with pytest.raises(DataError, match="class 'yes' has no sample in the validation split"):
        prepare(table(parts=parts, targets=targets), "mine", seed=0)


def test_equal_samples_of_different_labels_are_named():
    raw = table(names=[f"row {at}" for at in range(60)])
    raw.samples[7] = raw.samples[4]
    found = messages(prepare(raw, "mine", seed=0))
    assert any(
        "2 samples are exactly equal to one with another label, such as row 4 (no), row 7 (yes)" in line
        for line in found
    )


def test_unbalanced_classes_are_named():
    targets = (np.arange(60) % 12 == 0).astype(int)
    found = messages(prepare(table(targets=targets), "mine", seed=0))
    assert any(line.startswith("warning: the classes are unbalanced: 'no' has 55") for line in found)
    assert not messages(prepare(table(), "mine", seed=0))


def test_findings_are_told_and_kept_in_the_identity():
    told = []
    made = prepare(table(targets=(np.arange(60) % 12 == 0).astype(int)), "mine", seed=0, on_event=told.append)
    assert told[0].startswith("WARNING: the classes are unbalanced")
    assert made.identity.findings[0].startswith("warning: the classes are unbalanced")


def test_missing_numbers_are_filled_by_the_training_median_and_marked():
    samples = np.arange(120, dtype=float).reshape(60, 2)
    samples[::4, 0] = np.nan
    made = prepare(
        table(samples=samples, schema=({"name": "a", "type": "number"}, {"name": "b", "type": "number"})), "m", seed=0
    )
    assert made.input.shape == (3,)
    inputs = made.inputs(made.test)
    absent = np.isnan(np.asarray(made.test.samples)[:, 0])
    assert (inputs[:, 1] == absent).all()
    median = np.nanmedian(np.asarray(made.train.samples)[:, 0])
    assert made.steps[0]["columns"][0]["fill"] == median


def test_rows_on_disk_are_read_when_they_are_asked_for(tmp_path, monkeypatch):
    values = np.arange(40, dtype=np.uint8).reshape(10, 2, 2)
    np.save(tmp_path / "rows.npy", values)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    split = Split(mapped, np.arange(10)).take(np.array([7, 2, 5, 0])).take(np.array([3, 0, 1]))
    assert isinstance(split.samples, Selection)
    assert split.samples.shape == (3, 2, 2)
    assert (np.asarray(split.samples) == values[[0, 7, 2]]).all()
    assert (split.samples[1:] == values[[7, 2]]).all()
    assert (split.samples[np.array([2, 0])] == values[[2, 0]]).all()


def test_large_inputs_are_made_batch_by_batch_and_are_the_same(monkeypatch):
    made = prepare(table(), "mine", seed=0)
    whole = made.model_inputs(made.train)
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 10)
    lazy = made.model_inputs(made.train)
    assert isinstance(whole, np.ndarray)
    assert isinstance(lazy, ModelInputs)
    assert len(lazy) == len(whole)
    assert (lazy[3:9] == whole[3:9]).all()
    assert (lazy[np.array([5, 1])] == whole[[5, 1]]).all()


def test_every_split_that_lacks_a_class_is_named():
    parts = np.array([0] * 40 + [1] * 8 + [2] * 12, np.int8)
    targets = np.arange(60) % 2
    targets[40:] = 0
    with pytest.raises(DataError) as caught:
        prepare(table(parts=parts, targets=targets), "mine", seed=0)
    assert [part in line for line, part in zip(caught.value.problems, ("validation", "test"), strict=True)] == [
        True,
        True,
    ]


def test_a_test_split_that_was_trained_on_is_a_warning():
    raw = table()
    again = table(test_samples=raw.samples[:20], test_targets=raw.targets[:20])
    found = messages(prepare(again, "mine", seed=0))
    assert found == ["warning: 20 of 20 test samples also stand, exactly equal, in the training or validation split"]
