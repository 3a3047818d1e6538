"""The last steps of series, as a forecast takes them from files."""

import numpy as np
import pytest

from zoo.errors import DataError
from zoo.inference.contract import from_mapping
from zoo.inference.readers import Inputs

from .conftest import contract

WINDOW = 4
STEP = {"step": "standardise", "scale": [2.0, 1.0], "offset": [0.0, 1.0]}
TIME = {"name": "day", "type": "date", "formats": ["iso"], "gap": 1.5}


def contract_of(recording="", time=TIME):
    answer = {"task": "regression", "labels": ["x+1", "x+2"], "horizon": 2, "target": ["x"], "scale": [1.0, 1.0]}
    content = contract("series", [WINDOW, 2], [STEP], {**answer, "offset": [0.0, 0.0]}, ("x", "y"))
    content["input"].update(hop=1, recording=recording, time=time)
    return from_mapping(content, "here")


def read(path, **given):
    chunks = list(Inputs([path], contract_of(**given)))
    problems = {chunk.names[at]: text for chunk in chunks for at, text in chunk.problems.items()}
    return [name for chunk in chunks for name in chunk.names], np.concatenate([c.samples for c in chunks]), problems


VALUES = np.arange(16, dtype=np.float32).reshape(8, 2)
DAYS = [f"2024-01-0{at + 1}" for at in range(8)]


def table(path, days=DAYS, values=VALUES, more=""):
    rows = [f"{y},{day},{x}" for day, (x, y) in zip(days, values.tolist(), strict=True)]
    path.write_text("\n".join(["y,day,x", *rows]).replace("nan", "") + more + "\n")
    return path


def test_the_last_window_of_a_file_is_one_sample(tmp_path):
    path = table(tmp_path / "my sales.csv")
    names, samples, problems = read(path)
    assert names == [str(path)]
    np.testing.assert_array_equal(samples, [VALUES[-WINDOW:] * [2, 1] + [0, 1]])
    assert not problems
    np.save(tmp_path / "s.npy", VALUES)
    np.testing.assert_array_equal(read(tmp_path / "s.npy")[1], samples)


def test_missing_numbers_are_the_last_before_them(tmp_path):
    values = VALUES.copy()
    values[[3, 4, 7], 0] = np.nan
    _, samples, problems = read(table(tmp_path / "s.csv", values=values))
    assert (samples[0, :, 0] / 2).tolist() == [4, 10, 12, 12]
    assert not problems


def test_a_panel_is_a_forecast_for_each_series(tmp_path):
    path = tmp_path / "shops.csv"
    rows = [f"{day},{shop},{x},{y}" for day, (x, y) in zip(DAYS, VALUES.tolist(), strict=True) for shop in ("b", "a")]
    path.write_text("\n".join(["day,shop,x,y", *rows, "2024-01-01,new,1,2"]))
    names, samples, problems = read(path, recording="shop")
    assert names == [f"{path}:b", f"{path}:a", f"{path}:new"]
    np.testing.assert_array_equal(samples[0], samples[1])
    assert problems == {f"{path}:new": f"{path}:new has 1 steps, the model takes 4; give a longer recording"}


@pytest.mark.parametrize(
    ("days", "line", "said"),
    [
        ([*DAYS[:6], "2024-01-08", "2024-01-09"], 8, "steps are missing before it, among the last 4; fill them in"),
        ([*DAYS[:6], "", DAYS[7]], 8, "no time in column 'day'"),
        ([*DAYS[:6], "soon", DAYS[7]], 8, "column 'day': 'soon' is no date of the known form"),
    ],
)
def test_what_is_wrong_among_the_last_steps_is_a_problem(tmp_path, days, line, said):
    path = table(tmp_path / "s.csv", days)
    (problem,) = read(path)[2].values()
    assert f"{path}, line {line}" in problem
    assert said in problem


def test_before_them_it_does_not_matter(tmp_path):
    assert not read(table(tmp_path / "s.csv", ["2023-01-01", "soon", *DAYS[2:]]))[2]


def test_times_that_go_back_are_no_series(tmp_path):
    path = table(tmp_path / "s.csv", DAYS[::-1])
    with pytest.raises(DataError, match=r"s\.csv, line 3: the time in column 'day' repeats or goes back"):
        read(path)


def test_a_file_without_times_is_taken_in_its_order(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in VALUES.tolist()))
    np.testing.assert_array_equal(read(path)[1], [VALUES[-WINDOW:] * [2, 1] + [0, 1]])


def test_a_known_series_is_cut_as_a_model_away_from_its_run_was_trained():
    from zoo.inference.evaluation import _forecast_options

    found = _forecast_options(contract_of(), "etth1")
    assert (found["window"], found["horizon"], found["columns"], found["target"]) == (WINDOW, 2, "x,y", "x")
    assert not _forecast_options(contract_of(), "iris.csv")


STEADY = {"name": "day", "type": "date", "formats": ["iso"], "gap": 1.5, "rate": 1 / 86_400}


def test_steps_are_brought_to_the_rate_and_end_on_the_last(tmp_path):
    hours = ("01 06", "02 00", "03 12", "04 06", "05 00", "05 12", "07 00", "07 18")
    days = [f"2024-01-{hour}:00" for hour in hours]
    at = np.array([float(hour[:2]) + float(hour[3:]) / 24 for hour in hours])
    path = table(tmp_path / "s.csv", days, np.stack([at, -at], axis=1))
    _, samples, problems = read(path, time=STEADY)
    expected = np.array([4.75, 5.75, 6.75, 7.75])
    np.testing.assert_allclose(samples[0], np.stack([2 * expected, 1 - expected], axis=1), rtol=1e-6)
    assert not problems


def test_at_a_rate_too_nothing_is_forecast_across_a_gap(tmp_path):
    days = [*DAYS[:6], "2024-01-20", "2024-01-21"]
    path = table(tmp_path / "s.csv", days)
    problems = read(path, time=STEADY)[2]
    assert problems == {str(path): f"{path}, line 8: steps are missing before it, among the last 4; fill them in"}
