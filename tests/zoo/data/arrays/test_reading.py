import numpy as np
import pytest

from zoo.data import load
from zoo.data.arrays import archive
from zoo.data.options import data_config
from zoo.data.own import load_path, read_path
from zoo.errors import DataError, UsageError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (30, 8, 10, 3), dtype=np.uint8)
ROWS = GENERATOR.normal(size=(30, 4))
CLASSES = np.arange(30) % 3


def packed(tmp_path, compress=False, name="my data.npz", **arrays):
    path = tmp_path / name
    (np.savez_compressed if compress else np.savez)(path, **arrays)
    return path


def read(path, **options):
    return read_path(path, data_config(**options))


def errors(reading):
    return [finding.message for finding in reading.findings if finding.severity == "error"]


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("X", "target"), ("images", "labels"), ("data", "targets")])
def test_samples_and_targets_have_their_usual_names(tmp_path, x, y):
    raw = read(packed(tmp_path, **{x: IMAGES, y: CLASSES})).load()
    assert (raw.kind, raw.task, raw.labels) == ("image", "multiclass", ("0", "1", "2"))
    assert (raw.samples == IMAGES).all()
    assert (raw.targets == CLASSES).all()


def test_the_splits_of_keras_sets_are_kept(tmp_path):
    parts = {"x_train": IMAGES[:18], "y_train": CLASSES[:18], "x_val": IMAGES[18:24], "y_val": CLASSES[18:24]}
    path = packed(tmp_path, **parts, x_test=IMAGES[24:], y_test=CLASSES[24:])
    reading = read(path)
    dataset = load(str(path), seed=0)
    assert dataset.identity.samples == {"train": 18, "validation": 6, "test": 6}
    assert (dataset.test.samples == IMAGES[24:]).all()
    assert reading.facts["classes"][0] == {"class": "0", "samples": 10, "train": 6, "validation": 2, "test": 2}


def test_another_file_can_be_the_test_split(tmp_path):
    tests = packed(tmp_path, x=IMAGES[:6], y=CLASSES[:6], name="t.npz")
    dataset = load(str(packed(tmp_path, x=IMAGES, y=CLASSES)), seed=0, test_data=str(tests))
    assert dataset.identity.samples["test"] == 6


def test_rows_are_a_table_and_nan_is_missing(tmp_path):
    rows = ROWS.copy()
    rows[3, 1] = np.nan
    path = packed(tmp_path, x=rows, y=ROWS[:, 0] * 2, columns=np.array(list("abcd")))
    dataset = load(str(path), seed=0)
    assert (dataset.output.task, dataset.input.columns) == ("regression", tuple("abcd"))
    assert np.isfinite(dataset.inputs(dataset.train)).all()
    assert read(path).facts["missing"] == 1


@pytest.mark.parametrize(
    ("targets", "options", "task", "labels"),
    [
        (CLASSES, {"task": "regression"}, "regression", ("target 1",)),
        (CLASSES.astype(float), {"task": "multiclass"}, "multiclass", ("0", "1", "2")),
        (CLASSES % 2 == 0, {}, "binary", ("0", "1")),
        ((CLASSES % 2).astype(np.float32)[:, None], {}, "binary", ("0", "1")),
        (np.array(["b", "a", "c"])[CLASSES], {}, "multiclass", ("a", "b", "c")),
        (np.eye(3)[CLASSES], {}, "multiclass", ("0", "1", "2")),
        (np.array([[1, 1], [0, 1], [1, 0]])[CLASSES], {}, "multilabel", ("target 1", "target 2")),
        (ROWS[:, :2], {}, "regression", ("target 1", "target 2")),
        (np.arange(30) * 7, {}, "regression", ("target 1",)),
    ],
)
def test_the_task_is_that_of_the_targets(tmp_path, targets, options, task, labels):
    reading = read(packed(tmp_path, x=ROWS, y=targets), **options)
    raw = reading.load()
    assert (errors(reading), raw.task, raw.labels) == ([], task, labels)
    if raw.task == "multiclass":
        assert (
            np.array(labels)[raw.targets] == (targets.argmax(1) if targets.ndim == 2 else targets).astype(str)
        ).all() or (targets.dtype.kind == "f")


def test_names_of_classes_say_what_the_numbers_mean(tmp_path):
    path = packed(tmp_path, x=IMAGES, y=CLASSES, class_names=np.array(["ash", "birch", "cedar"]))
    assert read(path).load().labels == ("ash", "birch", "cedar")
    path = packed(tmp_path, x=IMAGES, y=CLASSES, class_names=np.array(["ash", "birch"]))
    assert (
        "rows 2, 5, 8, 11, 14 and 5 more (counted from 0) are of class 2; expected one of ash, birch"
        in errors(read(path))[0]
    )


def test_groups_stay_together(tmp_path):
    path = packed(tmp_path, x=IMAGES, y=CLASSES, subject=np.arange(30) // 6)
    dataset = load(str(path), seed=0, group_from="subject", test=0.2, validation=0.3)
    assert all(size % 6 == 0 for size in dataset.identity.samples.values())


@pytest.mark.parametrize(
    ("options", "shape"),
    [({"image_size": 4}, (30, 4, 4, 3)), ({"image_channels": 1}, (30, 8, 10, 1)), ({}, (30, 8, 10, 3))],
)
def test_images_keep_their_size_unless_another_is_asked_for(tmp_path, options, shape):
    path = packed(tmp_path, x=IMAGES.astype(np.float32), y=CLASSES)
    samples = read(path, **options).load().samples
    assert (samples.shape, samples.dtype) == (shape, np.uint8)


def test_transparency_is_dropped(tmp_path):
    path = packed(tmp_path, x=np.concatenate([IMAGES, IMAGES[..., :1]], axis=-1), y=CLASSES)
    assert (read(path).load().samples == IMAGES).all()


@pytest.mark.parametrize("compress", [False, True])
def test_large_arrays_stay_on_disk_where_they_are_not_compressed(tmp_path, monkeypatch, compress):
    monkeypatch.setattr(archive, "MAPPED_BYTES", 1000)
    raw = read(packed(tmp_path, compress=compress, x=IMAGES, y=CLASSES)).load()
    assert isinstance(raw.samples, np.memmap) is not compress
    assert (raw.samples == IMAGES).all()


INFINITE = ROWS.copy()
INFINITE[7, 2] = np.inf
HALF = IMAGES / 255


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"x": IMAGES, "y": CLASSES[:-1]}, r"x has shape \(30, 8, 10, 3\), y \(29,\); expected as many"),
        ({"a": IMAGES}, "holds a; expected x and y"),
        ({"x": INFINITE, "y": CLASSES}, r"x, row 7, column 2 \(counted from 0\) is infinite"),
        ({"x": HALF, "y": CLASSES}, "pixels of 0 to 1; the model takes raw ones"),
        ({"x": IMAGES.astype(float) - 9, "y": CLASSES}, "values of -9 to 246; expected pixels of 0 to 255"),
        ({"x": np.where(IMAGES > 254, np.nan, IMAGES), "y": CLASSES}, "pixel that is not finite"),
        ({"x": IMAGES, "y": np.array([{}] * 30)}, "'y' holds Python objects"),
        ({"x": IMAGES, "y": CLASSES * 0}, "a single class, '0'"),
        ({"x": IMAGES, "y": np.array([1] + [0] * 29)}, "class '1' has 1 sample; expected at least 3"),
        ({"x": ROWS, "y": ROWS[:, 0] * 0 + 5}, "one value only"),
        ({"x": ROWS, "y": np.where(CLASSES > 1, np.nan, 0.5)}, "not finite"),
        ({"x": ROWS[:, :, None, None, None], "y": CLASSES}, "expected images"),
        ({"x": np.zeros((30, 8, 10, 7), np.uint8), "y": CLASSES}, "expected 1, 3 or 4 channels"),
        ({"x_train": IMAGES, "y_train": CLASSES, "x_test": IMAGES[:3, :4], "y_test": CLASSES[:3]}, "of one shape"),
        (
            {"x_train": IMAGES, "y_train": CLASSES, "x_test": IMAGES[:2], "y_test": CLASSES[:2]},
            "class '2' has 0 samples",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, arrays, part):
    with pytest.raises(DataError, match=part):
        load_path(packed(tmp_path, **arrays), data_config())


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"x\.npz is no \.npz file"):
        read(path)


@pytest.mark.parametrize("damage", ["cut", "byte"])
def test_a_damaged_archive_is_refused(tmp_path, damage):
    path = packed(tmp_path, x=IMAGES, y=CLASSES)
    content = bytearray(path.read_bytes())
    content[900] ^= 255
    path.write_bytes(content[:-30] if damage == "cut" else content)
    with pytest.raises(DataError, match=r"no \.npz file|cannot be read"):
        load_path(path, data_config())


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"columns": "a"}, UsageError, "columns is no option of arrays"),
        ({"split": "group:a"}, UsageError, "split is no option of arrays"),
        ({"columns": "a", "drop": "b"}, UsageError, "columns, drop are no options of arrays"),
        ({"target": "z"}, DataError, "no array 'z'"),
        ({"group_from": "z"}, DataError, "no array 'z' for --group-from"),
        ({"task": "binary"}, UsageError, "3 classes, --task binary needs 2"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, error, part):
    with pytest.raises(error, match=part):
        load_path(packed(tmp_path, x=IMAGES, y=CLASSES), data_config(**options))


@pytest.mark.parametrize("task", ["auto", "multiclass"])
def test_a_target_that_is_not_finite_is_named_with_its_row(tmp_path, task):
    targets = CLASSES.astype(float)
    targets[4] = np.nan
    reading = read(packed(tmp_path, x=ROWS, y=targets), task=task)
    assert any("row 4 (counted from 0)" in text for text in errors(reading))


def spoilt(values, **at):
    """The values as floats, others in some rows, such as r3=0.5."""
    values = values.astype(float)
    for row, value in at.items():
        values[int(row[1:])] = value
    return values


@pytest.mark.parametrize(
    ("targets", "task", "message"),
    [
        (spoilt(CLASSES, r4=0.3, r7=1.7), "multiclass", "rows 4, 7 (counted from 0) are of 0.3, which is no class"),
        (spoilt(CLASSES, r4=1e300), "multiclass", "row 4 (counted from 0) is of 1e+300, which is no class"),
        (spoilt(CLASSES % 2, r4=np.nan), "auto", "row 4 (counted from 0) is not finite"),
        (spoilt(CLASSES % 2, r4=-np.inf), "binary", "row 4 (counted from 0) is of -inf, which is no class"),
        (spoilt(np.eye(3)[CLASSES], r4=np.nan), "auto", "row 4 (counted from 0) is not finite"),
        (CLASSES * np.nan, "auto", "rows 0, 1, 2, 3, 4 and 25 more (counted from 0) are not finite"),
    ],
)
def test_rows_that_are_no_target_are_named(tmp_path, targets, task, message):
    (found,) = errors(read(packed(tmp_path, x=ROWS, y=targets), task=task))
    assert message in found


def test_numbers_between_whole_ones_are_no_classes(tmp_path):
    (text,) = errors(read(packed(tmp_path, x=ROWS, y=ROWS[:, 0]), task="multiclass"))
    assert "which is no class" in text


def test_the_facts_of_a_regression_are_plain_numbers(tmp_path):
    (facts,) = read(packed(tmp_path, x=ROWS, y=ROWS[:, 0])).facts["targets"]
    assert [type(facts[key]) for key in ("min", "mean", "max")] == [float] * 3


SERIES = GENERATOR.normal(size=(30, 12, 2))


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": SERIES},
        {"series": np.abs(SERIES) / 10},
        {"x": np.abs(SERIES) / 10, "columns": np.array(["ax", "ay"])},
    ],
)
def test_three_axes_are_series_by_name_channels_or_values(tmp_path, arrays):
    (given,) = (array for name, array in arrays.items() if name != "columns")
    reading = read(packed(tmp_path, **arrays, y=CLASSES))
    raw = reading.load()
    assert (reading.kind, raw.kind, raw.hop, errors(reading)) == ("series", "series", 12, [])
    np.testing.assert_array_equal(raw.samples, given.astype(np.float32))
    assert raw.columns == (("ax", "ay") if "columns" in arrays else ("column 1", "column 2"))


def test_grey_pixels_of_three_axes_stay_images_and_fractions_say_what_to_add_for_series(tmp_path):
    grey = GENERATOR.integers(0, 256, (30, 8, 8)).astype(np.float64)
    assert read(packed(tmp_path, x=grey, y=CLASSES)).kind == "image"
    (message,) = errors(read(packed(tmp_path, x=grey / 255, y=CLASSES)))
    assert "if they are series, add columns" in message


def test_series_keep_people_apart_and_an_infinite_value_is_an_error(tmp_path):
    values, people = SERIES.copy(), np.repeat(np.arange(6), 5)
    values[2, :4] = np.nan
    path = packed(tmp_path, x=values, y=CLASSES, person=people)
    dataset = load(str(path), seed=0, group_from="person")
    assert np.isfinite(dataset.inputs(dataset.train)).all()
    of = {float(sample[-1, 0]): person for sample, person in zip(values.astype(np.float32), people, strict=True)}
    splits = (dataset.train, dataset.validation, dataset.test)
    groups = [{of[float(sample[-1, 0])] for sample in np.asarray(split.samples)} for split in splits]
    assert all(groups)
    assert groups[0].isdisjoint(groups[1] | groups[2])
    assert groups[1].isdisjoint(groups[2])
    values[4, 2, 1] = np.inf
    assert "is infinite" in errors(read(packed(tmp_path, x=values, y=CLASSES)))[0]
