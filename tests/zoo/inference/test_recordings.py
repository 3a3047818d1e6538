"""Recordings as a model's input: cut, filled and named as the training data were."""

import re

import numpy as np
import pytest

from zoo.data.options import DataConfig
from zoo.data.series.reading import read_windows
from zoo.errors import DataError
from zoo.inference.contract import from_mapping
from zoo.inference.readers import Inputs

from .conftest import contract

STEP = {"step": "standardise", "scale": [2.0, 1.0], "offset": [0.0, 1.0]}
FILL = {"step": "fill", "value": 0.0}
ANSWER = {"task": "multiclass", "labels": ["a", "b"]}


def contract_of(*steps, hop=2, columns=("x", "y")):
    content = contract("series", [4, 2], list(steps or (STEP,)), ANSWER, columns)
    content["input"]["hop"] = hop
    return from_mapping(content, "here")


def read(path, of=None, **given):
    """Names, samples and problems of a path."""
    inputs = Inputs([path], of or contract_of(**given))
    chunks = list(inputs)
    problems = {chunk.names[at]: text for chunk in chunks for at, text in chunk.problems.items()}
    return [name for chunk in chunks for name in chunk.names], np.concatenate([c.samples for c in chunks]), problems


VALUES = np.arange(16, dtype=np.float32).reshape(8, 2)


def table(path, values=VALUES, header="x,y"):
    lines = [",".join("" if np.isnan(value) else f"{value:g}" for value in row) for row in values]
    path.write_text("\n".join([header, *lines] if header else lines) + "\n")
    return path


def test_a_long_recording_is_cut_with_the_hop_of_the_training(tmp_path):
    path = table(tmp_path / "a walk.csv")
    names, samples, problems = read(path)
    assert names == [f"{path}:1-4", f"{path}:3-6", f"{path}:5-8"]
    np.testing.assert_array_equal(samples[1], VALUES[2:6] * [2, 1] + [0, 1])
    assert not problems
    assert len(read(path, hop=0)[0]) == 2


@pytest.mark.parametrize("header", ["y,note,x", ""])
def test_channels_are_found_by_name_or_by_their_order(tmp_path, header):
    if header:
        path = tmp_path / "r.csv"
        path.write_text(f"{header}\n" + "\n".join(f"{y:g},hm,{x:g}" for x, y in VALUES))
        _, samples, _ = read(path)
    else:
        _, samples, _ = read(table(tmp_path / "r.csv", header=""), columns=("column 1", "column 2"))
    np.testing.assert_array_equal(samples[0], VALUES[:4] * [2, 1] + [0, 1])


def test_arrays_are_samples_or_recordings(tmp_path):
    np.save(tmp_path / "one.npy", VALUES[:4])
    np.save(tmp_path / "batch.npy", VALUES.reshape(2, 4, 2))
    np.save(tmp_path / "long.npy", VALUES)
    assert len(read(tmp_path / "one.npy")[1]) == 1
    assert len(read(tmp_path / "batch.npy")[1]) == 2
    names, samples, _ = read(tmp_path / "long.npy")
    assert names[1] == f"{tmp_path / 'long.npy'}:3-6"
    np.testing.assert_array_equal(samples, read(table(tmp_path / "r.csv"))[1])


def test_how_many_there_are_is_known_where_no_recording_must_be_read(tmp_path):
    np.save(tmp_path / "batch.npy", VALUES.reshape(2, 4, 2))
    np.save(tmp_path / "long.npy", VALUES)
    assert Inputs([tmp_path / "batch.npy"], contract_of()).total == 2
    assert Inputs([tmp_path / "long.npy"], contract_of()).total is None
    assert Inputs([table(tmp_path / "r.csv")], contract_of()).total is None


def test_missing_numbers_are_filled_as_in_training(tmp_path):
    values = VALUES.copy()
    values[2, 0] = np.nan
    np.testing.assert_array_equal(read(table(tmp_path / "r.csv", values))[1], read(table(tmp_path / "w.csv"))[1])


def test_a_short_recording_needs_a_model_that_saw_short_ones(tmp_path):
    path = table(tmp_path / "short.csv", VALUES[:3])
    _, samples, problems = read(path, of=contract_of(STEP, FILL))
    assert not problems
    np.testing.assert_array_equal(samples[0], [[0, 0], *(VALUES[:3] * [2, 1] + [0, 1])])
    assert "has 3 steps, the model takes 4" in read(path)[2][str(path)]


def test_a_step_that_is_no_number_spoils_its_windows_alone(tmp_path):
    path = tmp_path / "r.csv"
    lines = ["x,y", *(f"{x:g},{y:g}" for x, y in VALUES)]
    lines[8] = "14,oops"
    path.write_text("\n".join(lines))
    _, _, problems = read(path)
    assert list(problems) == [f"{path}:5-8"]
    assert "line 9, column 'y': 'oops' is no finite number" in problems[f"{path}:5-8"]


def test_a_folder_is_read_in_order_and_named_by_what_is_in_it(tmp_path):
    (tmp_path / "in" / "b").mkdir(parents=True)
    table(tmp_path / "in" / "b" / "2.csv", VALUES[:4])
    np.save(tmp_path / "in" / "a.npy", VALUES[:4])
    (tmp_path / "in" / "notes.md").write_text("no recording")
    told = []
    inputs = Inputs([tmp_path / "in"], contract_of(), on_event=told.append)
    assert [item.name for item in inputs.items] == ["a.npy", "b/2.csv"]
    assert any("1 files are no recordings" in line for line in told)


@pytest.mark.parametrize(
    ("content", "text"),
    [("x,z\n1,2\n", "lacks column 'y'"), ("x,y\n", "no rows"), ("", "is empty")],
)
def test_what_is_no_recording_for_the_model_is_named(tmp_path, content, text):
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(DataError, match=text):
        read(tmp_path / "r.csv")


def at_rate(rate=10.0):
    content = contract("series", [4, 2], [STEP], ANSWER, ("x", "y"))
    content["input"].update(hop=2, time={"name": "t", "type": "number", "gap": 0.15, "rate": rate})
    return from_mapping(content, "here")


TIMES = np.array([0.0, 0.06, 0.21, 0.3, 0.34, 0.5, 0.58, 0.7, 3.0, 3.1, 3.17, 3.3, 3.42])


def unsteady(path, times=TIMES, cells=None):
    rows = [f"{t:g},{t:g},{-t:g}" for t in times]
    for at, row in (cells or {}).items():
        rows[at] = row
    path.write_text("\n".join(["t,x,y", *rows]) + "\n")
    return path


def test_steps_are_brought_to_the_rate_of_the_training_and_cut_at_gaps(tmp_path):
    path = unsteady(tmp_path / "a walk.csv")
    names, samples, problems = read(path, of=at_rate())
    whole = [f"{path}, lines 2 to 9:{steps}" for steps in ("1-4", "3-6", "5-8")]
    assert names == [*whole, f"{path}, lines 10 to 14"]
    first = np.array([0.0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(samples[0], np.stack([2 * first, 1 - first], axis=1), atol=1e-6)
    np.testing.assert_allclose(samples[3, :, 0] / 2, [3.0, 3.1, 3.2, 3.3], atol=1e-6)
    assert not problems


def test_files_are_cut_as_those_of_the_training_were(tmp_path):
    generator = np.random.default_rng(0)
    times = np.cumsum(generator.uniform(0.01, 0.19, 80)) + np.repeat([0, 4], 40)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        unsteady(tmp_path / label / "r.csv", times, {5: f"{times[5]},,7", 50: f"{times[50]},3,"})
    config = DataConfig(window=4, hop=2, rate=10.0)
    trained, _, _, columns = read_windows(tmp_path, config, lambda _text: None)
    found = read(tmp_path / "a" / "r.csv", of=at_rate())[1]
    assert columns == ["x", "y"]
    np.testing.assert_allclose(found, trained[: len(trained) // 2] * [2, 1] + [0, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({3: ",1,1"}, "r.csv, line 5: no time in column 't'; fill it in, or remove the row"),
        ({3: "0.1,1,1"}, "r.csv, line 5: the time in column 't' repeats or goes back"),
    ],
)
def test_at_a_rate_every_row_needs_a_time_that_grows(tmp_path, cells, text):
    with pytest.raises(DataError, match=re.escape(text)):
        read(unsteady(tmp_path / "r.csv", cells=cells), of=at_rate())


def test_at_a_rate_a_wrong_cell_is_told_of_the_windows_near_it(tmp_path):
    path = unsteady(tmp_path / "r.csv", cells={6: "0.58,hm,0"})
    problems = read(path, of=at_rate())[2]
    assert list(problems) == [f"{path}, lines 2 to 9:3-6", f"{path}, lines 2 to 9:5-8"]
    assert "line 8" in problems[f"{path}, lines 2 to 9:5-8"]


def test_at_a_rate_a_file_without_times_is_refused(tmp_path):
    with pytest.raises(DataError, match="'t'"):
        read(table(tmp_path / "r.csv"), of=at_rate())
