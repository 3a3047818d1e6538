"""Recordings of a user's own: folders, lists, long tables and `.ts` files, cut into samples and split."""

import re

import numpy as np
import pytest

from zoo.data import load
from zoo.data.checking import check_data
from zoo.data.options import DataConfig
from zoo.data.series.reading import read_windows
from zoo.errors import DataError, UsageError
from zoo.preprocessing import apply

CHANNELS = ("x", "y")


def wave(steps, label, seed=0, phase=0.0):
    """(steps, 2): class "slow" or "fast", by its frequency."""
    generator = np.random.default_rng(seed)
    angle = np.arange(steps) * (0.2 if label == "slow" else 0.9) + phase
    return np.stack([np.sin(angle), 100 * np.cos(angle)], axis=1) + generator.normal(0, 0.05, (steps, 2))


def write(path, values, header=CHANNELS, more=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [[f"{value:.4f}" for value in row] for row in values]
    if more:
        header = (*header, *more)
        rows = [[*row, *(cells[at] for cells in more.values())] for at, row in enumerate(rows)]
    lines = [",".join(header)] if header else []
    path.write_text("\n".join([*lines, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")


def folder_of(root, count=6, steps=40, **given):
    for label in ("fast", "slow"):
        for number in range(count):
            write(root / label / f"take {number}.csv", wave(steps, label, number), **given)
    return root


def errors_of(path, **options):
    return [finding.message for finding in check_data(path, **options).findings if finding.severity == "error"]


def said(path, severity="warning", **options):
    return [finding.message for finding in check_data(path, **options).findings if finding.severity == severity]


def test_a_folder_of_recordings_is_a_class_for_each_folder(tmp_path):
    data = load(str(folder_of(tmp_path / "my waves")), seed=0)
    assert data.input.kind == "series"
    assert data.input.shape == (40, 2)
    assert data.input.columns == CHANNELS
    assert data.output.labels == ("fast", "slow")
    assert sum(map(len, (data.train, data.validation, data.test))) == 12


def test_channels_of_unlike_size_are_alike_after_the_steps(tmp_path):
    data = load(str(folder_of(tmp_path)), seed=0)
    made = data.inputs(data.train)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made.std(axis=(0, 1)), [1, 1], rtol=1e-3)


def test_windows_of_a_recording_stay_in_one_split(tmp_path):
    data = load(str(folder_of(tmp_path, count=8, steps=60)), seed=0, window=20, hop=10)
    assert data.hop == 10
    assert data.contract()["input"]["hop"] == 10
    assert sum(map(len, (data.train, data.validation, data.test))) == 16 * 5
    assert all(len(split) % 5 == 0 for split in (data.train, data.validation, data.test))
    for split in (data.train, data.validation, data.test):
        assert set(split.targets.tolist()) == {0, 1}


def test_a_window_is_the_stretch_of_its_recording(tmp_path):
    data = load(str(folder_of(tmp_path, count=3, steps=30)), seed=0, window=20, hop=10)
    first, second = data.train.samples[:2]
    np.testing.assert_array_equal(first[10:], second[:10])


def test_overlapping_windows_of_too_few_recordings_are_refused_and_others_are_warned_of(tmp_path):
    folder_of(tmp_path, count=1, steps=200)
    assert "windows overlap" in errors_of(tmp_path, window=20, hop=10)[0]
    assert not errors_of(tmp_path, window=20)
    assert "one recording stand in several splits" in said(tmp_path, window=20)[0]


def test_short_recordings_are_filled_in_front(tmp_path):
    folder_of(tmp_path, count=5, steps=30)
    write(tmp_path / "fast" / "short.csv", wave(12, "fast"))
    data = load(str(tmp_path), seed=0)
    everything = np.concatenate([np.asarray(split.samples) for split in (data.train, data.validation, data.test)])
    short = [sample for sample in everything if np.isnan(sample).any()]
    assert len(short) == 1
    assert np.isnan(short[0][:18]).all()
    assert not np.isnan(short[0][18:]).any()


def test_what_is_not_there_is_the_mean_after_the_steps(tmp_path):
    folder_of(tmp_path, count=5, steps=30)
    for label in ("fast", "slow"):
        for number in range(20):
            write(tmp_path / label / f"short {number}.csv", wave(12, label, number))
    data = load(str(tmp_path), seed=0)
    assert [step["step"] for step in data.steps] == ["standardise", "fill"]
    made = data.inputs(data.train)
    assert np.isfinite(made).all()
    assert (made[np.isnan(np.asarray(data.train.samples))] == 0).all()


def test_missing_numbers_are_filled_by_their_neighbours(tmp_path):
    folder_of(tmp_path)
    lines = (tmp_path / "fast" / "take 0.csv").read_text().splitlines()
    lines[1:6] = ["0,0", "1,NA", ",6", "3,9", "4,12"]
    (tmp_path / "fast" / "take 0.csv").write_text("\n".join(lines))
    assert any("2 missing numbers filled" in text for text in said(tmp_path))
    data = load(str(tmp_path), seed=0)
    everything = np.concatenate([np.asarray(split.samples) for split in (data.train, data.validation, data.test)])
    changed = next(sample for sample in everything if sample[0].tolist() == [0, 0])
    assert changed[:5].tolist() == [[0, 0], [1, 3], [2, 6], [3, 9], [4, 12]]


def test_arrays_and_tables_without_a_header_are_recordings_too(tmp_path):
    for label in ("fast", "slow"):
        for number in range(4):
            (tmp_path / label).mkdir(exist_ok=True)
            np.save(tmp_path / label / f"{number}.npy", wave(25, label, number))
            write(tmp_path / label / f"{number}.csv", wave(25, label, number + 9), header=())
    data = load(str(tmp_path), seed=0)
    assert data.input.shape == (25, 2)
    assert data.input.columns == ("column 1", "column 2")


def test_channels_in_another_order_are_put_right_and_other_ones_named(tmp_path):
    folder_of(tmp_path, count=5)
    write(tmp_path / "fast" / "turned.csv", wave(40, "fast", 3)[:, ::-1], header=("y", "x"))
    data = load(str(tmp_path), seed=0)
    everything = np.concatenate([np.asarray(split.samples) for split in (data.train, data.validation, data.test)])
    assert np.abs(everything[..., 0]).max() < 2
    write(tmp_path / "fast" / "other.csv", wave(40, "fast", 3), header=("x", "z"))
    assert "other.csv has channels x, z" in errors_of(tmp_path)[0]


def test_train_and_test_folders_are_splits(tmp_path):
    folder_of(tmp_path / "train", count=5)
    folder_of(tmp_path / "test", count=2)
    data = load(str(tmp_path), seed=0)
    assert len(data.test) == 4


def test_a_regular_expression_finds_the_class_also_where_it_ends_like_a_table(tmp_path):
    for label in ("fast", "slow"):
        write(tmp_path / f"{label}.csv", wave(200, label))
    data = load(str(tmp_path), seed=0, window=20, label_from=r"(\w+)\.csv")
    assert data.output.labels == ("fast", "slow")


def long_table(path, *, stamps=None, per=5):
    """Recordings one below the other: columns x, y, take, kind and perhaps when."""
    values, takes, kinds, times = [], [], [], []
    for number in range(2 * per):
        label = ("fast", "slow")[number % 2]
        values.append(wave(30, label, number))
        takes += [f"take {number}"] * 30
        kinds += [label] * 30
        times += [str(at) for at in (stamps(number) if stamps else range(30))]
    more = {"take": takes, "kind": kinds} | ({"when": times} if stamps else {})
    write(path, np.concatenate(values), more=more)
    return path


def test_one_long_table_is_cut_where_recording_or_class_changes(tmp_path):
    path = long_table(tmp_path / "all of it.csv")
    data = load(str(path), seed=0, target="kind", recording="take")
    assert data.input.shape == (30, 2)
    assert data.input.columns == CHANNELS
    assert sum(map(len, (data.train, data.validation, data.test))) == 10


def test_groups_of_a_long_table_never_straddle_splits(tmp_path):
    path = long_table(tmp_path / "t.csv", per=8)
    data = load(str(path), seed=0, target="kind", window=10, hop=5, group_from="column:take")
    assert all(len(split) % 5 == 0 for split in (data.train, data.validation, data.test))


def test_a_long_table_is_cut_at_gaps_in_its_time(tmp_path):
    path = long_table(tmp_path / "t.csv", stamps=lambda number: [*range(12), *range(20, 38)])
    text = said(path, target="kind", recording="take", time="when", window=10)
    assert any("steps are missing at 10 places, the first before line 14" in line for line in text)
    data = load(str(path), seed=0, target="kind", recording="take", time="when", window=10)
    assert sum(map(len, (data.train, data.validation, data.test))) == 10 * 2


def timed(root, name="time", stamps=None):
    """Class folders whose recordings have a column of times, in which one may be otherwise."""
    for label in ("fast", "slow"):
        for number in range(6):
            times = [f"{at * 0.05:.2f}" for at in range(40)]
            if stamps and (label, number) == ("slow", 3):
                times = stamps(times)
            write(root / label / f"{number}.csv", wave(40, label, number), more={name: times})
    return root


@pytest.mark.parametrize("name", ["time", "Timestamp", "time_ms", "t", "step"])
def test_a_column_of_times_is_known_and_no_channel(tmp_path, name):
    checked = check_data(timed(tmp_path / "timed takes", name))
    assert checked.facts["time"] == f"{name}, a step is 0.05"
    data = load(str(tmp_path / "timed takes"), seed=0)
    assert data.input.columns == CHANNELS
    assert data.input.shape == (40, 2)


def test_a_column_of_times_that_is_asked_for_is_a_channel(tmp_path):
    data = load(str(timed(tmp_path)), seed=0, columns="time,x")
    assert data.input.columns == ("time", "x")


def test_a_model_that_was_trained_on_a_column_of_times_is_measured_with_it(tmp_path):
    config = DataConfig(window=40, hop=40, keep="x,y,time")
    samples, _, _, columns = read_windows(timed(tmp_path), config, lambda _text: None)
    assert (columns, samples.shape) == ([*CHANNELS, "time"], (12, 40, 3))


def test_a_number_that_comes_round_is_a_channel_whatever_its_name(tmp_path):
    root = timed(tmp_path)
    for file in root.rglob("*.csv"):
        label = file.parent.name
        write(file, wave(40, label), more={"time": [str(at % 24) for at in range(40)]})
    assert load(str(root), seed=0).input.columns == (*CHANNELS, "time")


@pytest.mark.parametrize(
    ("stamps", "text"),
    [
        (lambda times: [*times[:9], times[8], *times[10:]], "line 11: time '0.40' stands there again; sort the rows"),
        (
            lambda times: [times[1], times[0], *times[2:]],
            "line 3: time '0.00' stands there after '0.05'; sort the rows",
        ),
    ],
)
def test_times_that_nobody_named_are_looked_at_all_the_same(tmp_path, stamps, text):
    (error,) = errors_of(timed(tmp_path, stamps=stamps))
    assert f"3.csv, {text} by 'time'" in error


def test_a_recording_is_cut_where_steps_are_missing(tmp_path):
    root = timed(tmp_path, stamps=lambda times: [*times[:20], *(f"{float(time) + 3:.2f}" for time in times[20:])])
    assert any("steps are missing at 1 place, the first before line 22; cut there" in line for line in said(root))
    assert check_data(root).facts["recordings"] == 13


def test_in_one_long_table_a_recording_begins_where_the_time_does_again(tmp_path):
    values = np.concatenate([wave(30, "fast", number) for number in range(5)] + [wave(30, "slow", 9)] * 5)
    more = {"time": [str(at) for _ in range(10) for at in range(30)], "kind": ["fast"] * 150 + ["slow"] * 150}
    write(tmp_path / "t.csv", values, more=more)
    data = load(str(tmp_path / "t.csv"), seed=0, target="kind", window=30)
    assert data.input.columns == CHANNELS
    assert sum(map(len, (data.train, data.validation, data.test))) == 10


@pytest.mark.parametrize(
    ("stamps", "text"),
    [
        (lambda _: [*range(29), 5], "time '5' stands there after '28'"),
        (lambda _: [0, *range(29)], "time '0' stands there again"),
        (lambda _: ["noon", *range(1, 30)], "'noon' is no time"),
    ],
)
def test_times_that_do_not_grow_are_named(tmp_path, stamps, text):
    path = long_table(tmp_path / "t.csv", stamps=stamps)
    with pytest.raises(DataError, match=text):
        load(str(path), seed=0, target="kind", recording="take", time="when")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("x,y\n", "a header and no rows"),
        ("", "is empty"),
        ("x,y\n1,2\n3\n", "line 3: 1 cells, expected 2"),
        ("x,y\n1,2\n3,up\n", "line 3, column 'y': 'up' is no finite number"),
        ("x,y\n1,\n2,\n", "channel 2 has no number"),
        ("x,x\n1,2\n", "more than once"),
    ],
)
def test_a_recording_that_cannot_be_read_is_named_with_its_line(tmp_path, content, text):
    folder_of(tmp_path)
    (tmp_path / "slow" / "bad.csv").write_text(content)
    found = errors_of(tmp_path)
    assert len(found) == 1
    assert "bad.csv" in found[0]
    assert text in found[0]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"image_size": 8}, UsageError, "image_size: no option of series"),
        ({"task": "regression"}, UsageError, "regression is not known for series"),
        ({"hop": 5}, UsageError, "set window = N too"),
        ({"window": 200}, DataError, "window = 200 is too long"),
        ({"recording": "x"}, UsageError, "each file is a recording"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, error, text):
    folder_of(tmp_path)
    with pytest.raises(error, match=text):
        load(str(tmp_path), seed=0, **options)


def test_a_long_table_without_a_class_is_told_what_is_missing(tmp_path):
    with pytest.raises(UsageError, match="--target COLUMN"):
        load(str(long_table(tmp_path / "t.csv")), seed=0, window=10)


def test_what_was_checked_can_be_written_and_read_again(tmp_path):
    from zoo.data.schema import write_schema

    folder_of(tmp_path / "d", steps=60)
    checked = check_data(tmp_path / "d", window=20)
    write_schema(tmp_path / "data.toml", checked.schema)
    data = load(str(tmp_path / "data.toml"), seed=0)
    assert data.input.shape == (20, 2)
    assert checked.facts["samples"] == 12 * 3
    assert {row["class"]: row["recordings"] for row in checked.facts["classes"]} == {"fast": 6, "slow": 6}


def ts_file(path, lines, labels="a b"):
    head = f"#made\n@problemName made\n@timeStamps false\n@dimensions 2\n@classLabel true {labels}\n@data\n"
    path.write_text(head + "\n".join(lines) + "\n")


def test_a_ts_file_is_read_with_the_test_file_beside_it(tmp_path):
    lines = [f"{at},2,3:4,5,6:{'ab'[at % 2]}" for at in range(10)]
    ts_file(tmp_path / "Made_TRAIN.ts", lines)
    ts_file(tmp_path / "Made_TEST.ts", [line.replace(",3:", ",3,9:").replace(",6:", ",6,9:") for line in lines[:4]])
    data = load(str(tmp_path), seed=0)
    assert data.input.shape == (4, 2)
    assert data.output.labels == ("a", "b")
    assert len(data.test) == 4
    assert np.isnan(np.asarray(data.train.samples)[:, 0]).all()


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["1,2:3,4:a", "1,2:a"], "1 dimensions, expected 2"),
        (["1,2:3:a"], "dimensions of 2, 1 steps"),
        (["1,x:3,4:a"], "'x' is no finite number"),
        ([], "no case in it"),
    ],
)
def test_a_ts_file_that_is_none_is_named(tmp_path, lines, text):
    ts_file(tmp_path / "Made.ts", lines)
    with pytest.raises(DataError, match=text):
        load(str(tmp_path / "Made.ts"), seed=0)


def test_steps_of_a_run_are_those_of_the_device(tmp_path):
    data = load(str(folder_of(tmp_path)), seed=0)
    raw = np.asarray(data.test.samples)
    np.testing.assert_array_equal(apply(data.contract()["steps"], raw), data.inputs(data.test))


def irregular(root, name="time", scale=1.0, gap=0.0, steps=60):
    """Class folders of sines whose steps are 0.01 to 0.19 s apart, and then perhaps a gap in the middle."""
    generator = np.random.default_rng(3)
    for label, speed in (("fast", 3.0), ("slow", 1.0)):
        for number in range(6):
            times = np.cumsum(generator.uniform(0.01, 0.19, steps))
            times[steps // 2 :] += gap
            values = np.stack([np.sin(speed * times), times], axis=1)
            write(root / label / f"{number}.csv", values, more={name: [f"{at * scale:.6f}" for at in times]})
    return root


def test_irregular_steps_are_refused_without_a_rate(tmp_path):
    errors = errors_of(irregular(tmp_path))
    assert len(errors) == 12
    assert "the times in column 'time' are 0.0" in errors[0]
    assert "bring the steps to a rate with --rate HZ, or take them as they stand with --drop time" in errors[0]
    assert load(str(tmp_path), seed=0, drop="time").input.shape == (60, 2)


@pytest.mark.parametrize(("name", "scale"), [("time", 1.0), ("t_ms", 1000.0)])
def test_a_rate_brings_recordings_to_steps_of_one_distance(tmp_path, name, scale):
    root = irregular(tmp_path, name, scale)
    data = load(str(root), seed=0, rate=10, window=20)
    assert data.input.columns == CHANNELS
    assert data.contract()["input"]["time"] == {
        "name": name,
        "type": "number",
        "gap": pytest.approx(0.15 * scale),
        "rate": 10.0,
    }
    for sample, target in zip(data.train.samples, data.train.targets.tolist(), strict=True):
        np.testing.assert_allclose(np.diff(sample[:, 1]), 0.1, atol=2e-3)
        speed = (3.0, 1.0)[target]
        np.testing.assert_allclose(sample[:, 0], np.sin(speed * sample[:, 1]), atol=0.05)


def test_at_a_rate_too_a_recording_is_cut_at_a_gap(tmp_path):
    root = irregular(tmp_path, gap=2.0)
    checked = check_data(root, rate=10, window=20)
    assert checked.facts["time"] == "time, brought to 10 steps a second"
    assert checked.facts["recordings"] == 24
    assert any("steps are missing at 1 place, the first before line 32" in line for line in said(root, rate=10))


def test_at_a_rate_a_stretch_without_a_number_in_a_channel_is_left_out(tmp_path):
    root = irregular(tmp_path, gap=2.0)
    path = root / "fast" / "0.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:31], *(f",{line.split(',', 1)[1]}" for line in lines[31:])]) + "\n")
    assert errors_of(root, rate=10) == []
    assert check_data(root, rate=10, window=20).facts["recordings"] == 23
    told = "a stretch between gaps left out, a channel has no number there, the first in lines 32 to"
    assert any(told in line for line in said(root, rate=10))
    path.write_text("\n".join([lines[0], *(f",{line.split(',', 1)[1]}" for line in lines[1:])]) + "\n")
    assert "channel 1 has no number in it" in errors_of(root, rate=10)[0]


def test_a_long_table_is_brought_to_a_rate_recording_by_recording(tmp_path):
    generator = np.random.default_rng(3)
    times = np.concatenate([np.cumsum([0, *generator.uniform(0.01, 0.19, 49)]) for _ in range(10)])
    more = {"time": [f"{at:.4f}" for at in times], "kind": ["fast"] * 250 + ["slow"] * 250}
    write(tmp_path / "t.csv", np.stack([times, -times], axis=1), more=more)
    data = load(str(tmp_path / "t.csv"), seed=0, target="kind", rate=20, window=40)
    np.testing.assert_allclose(np.diff(data.train.samples[..., 0], axis=1), 0.05, atol=2e-3)


def test_a_rate_that_cannot_be_is_refused(tmp_path):
    root = irregular(tmp_path)
    text = r"rate = 200 a second: the times in column 'time' are usually 0\.\d+ s apart, and \d+ steps would be made of"
    assert re.search(text, errors_of(root, rate=200)[0])
    with pytest.raises(UsageError, match="has no column of times by which its steps could be brought to it"):
        load(str(root), seed=0, rate=10, drop="time")


def test_arrays_have_no_times_for_a_rate(tmp_path):
    for label in ("fast", "slow"):
        (tmp_path / label).mkdir()
        np.save(tmp_path / label / "a.npy", wave(30, label))
    with pytest.raises(UsageError, match="has no column of times"):
        load(str(tmp_path), seed=0, rate=10)
