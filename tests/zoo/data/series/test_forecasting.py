"""Series to forecast: what is cut, split and scaled, and what is refused."""

import datetime

import numpy as np
import pytest

from zoo import metrics
from zoo.config import configure
from zoo.data import load
from zoo.data.checking import check_data, fitting_builders
from zoo.errors import DataError, UsageError

STEPS, HORIZON, WINDOW = 200, 4, 12


def days(steps, start="2020-01-01"):
    first = datetime.date.fromisoformat(start)
    return [(first + datetime.timedelta(days=at)).isoformat() for at in range(steps)]


def values(steps=STEPS, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.1, steps)
    return 10 + np.arange(steps) * 0.05 + 3 * np.sin(2 * np.pi * np.arange(steps) / 7) + noise


def write(path, columns, times=None, header=True):
    """A table of columns by name; a time is the first column."""
    columns = {**({"day": times} if times is not None else {}), **columns}
    lines = [",".join(columns)] if header else []
    rows = zip(*columns.values(), strict=True)
    lines += [",".join("" if cell != cell else str(cell) for cell in row) for row in rows]  # NaN is not itself
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def sales(tmp_path):
    return write(tmp_path / "my sales.csv", {"sold": values()}, days(STEPS))


def errors_of(path, **options):
    return [finding.message for finding in check_data(path, **options).findings if finding.severity == "error"]


def test_histories_stand_beside_the_steps_after_them(sales):
    data = load(sales, seed=0, horizon=HORIZON, window=WINDOW)
    assert data.input.shape == (WINDOW, 1)
    assert data.input.columns == ("sold",)
    assert data.output.labels == ("sold+1", "sold+2", "sold+3", "sold+4")
    assert (data.output.channels, data.output.horizon, data.output.season) == ((0,), HORIZON, 7)
    history, ahead = np.asarray(data.train.samples)[5, :, 0], data.train.targets[5]
    np.testing.assert_allclose(np.concatenate([history, ahead]), values()[5 : 5 + WINDOW + HORIZON], rtol=1e-6)


def test_parts_follow_each_other_and_no_step_to_forecast_stands_in_two(sales):
    data = load(sales, seed=0, horizon=HORIZON, window=WINDOW)
    ends = [split.targets[-1][-1] for split in (data.train, data.validation, data.test)]
    starts = [split.targets[0][0] for split in (data.train, data.validation, data.test)]
    series = values().astype(np.float32).tolist()
    places = [series.index(value) for value in (starts[0], ends[0], starts[1], ends[1], starts[2], ends[2])]
    assert places == [WINDOW, 143, 144, 159, 160, STEPS - 1]
    assert series.index(float(np.asarray(data.test.samples)[0, 0, 0])) == 160 - WINDOW  # a history may reach back


def test_channels_are_scaled_by_the_training_part_alone_and_targets_as_their_channels(tmp_path):
    path = write(tmp_path / "two.csv", {"a": values(), "b": 1000 * values(seed=1)}, days(STEPS))
    data = load(path, seed=0, horizon=HORIZON, window=WINDOW, target="b")
    rows = np.stack([values(), 1000 * values(seed=1)], axis=1)[:144]
    (step,) = data.steps
    np.testing.assert_allclose(step["scale"], 1 / rows.std(axis=0), rtol=1e-5)
    assert "clip" not in step
    assert data.target_transform["scale"] == [step["scale"][1]] * HORIZON
    made, targets = data.inputs(data.train), data.model_targets(data.train)
    np.testing.assert_allclose(made[HORIZON, -HORIZON:, 1], targets[0], rtol=1e-4)


def test_several_targets_are_answered_one_after_the_other(tmp_path):
    path = write(tmp_path / "two.csv", {"a": values(), "b": values(seed=1)}, days(STEPS))
    data = load(path, seed=0, horizon=2, window=WINDOW, target="b,a")
    assert data.output.labels == ("b+1", "b+2", "a+1", "a+2")
    assert data.output.channels == (1, 0)
    expected = [*values(seed=1)[WINDOW : WINDOW + 2], *values()[WINDOW : WINDOW + 2]]
    np.testing.assert_allclose(data.train.targets[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("cells", "season"),
    [
        (days(STEPS), 7),
        ([f"{1900 + at // 12}-{at % 12 + 1:02d}" for at in range(STEPS)], 12),
        ([f"{at % 12 + 1:02d}/{1900 + at // 12}" for at in range(STEPS)], 12),
        ([f"{day} {hour:02d}:00:00" for day in days(9) for hour in range(24)][:STEPS], 24),
        (
            [f"{day} {minute:02d}:{half}" for day in days(9) for minute in range(24) for half in ("00", "30")][:STEPS],
            48,
        ),
        ([day for day in days(7 * STEPS) if datetime.date.fromisoformat(day).weekday() == 2][:STEPS], 52),
        ([day for day in days(2 * STEPS) if datetime.date.fromisoformat(day).weekday() < 5][:STEPS], 5),
        ([day.replace("-", "") for day in days(STEPS)], 7),
        (list(range(STEPS)), 1),
    ],
)
def test_the_column_of_times_is_found_and_tells_the_season(tmp_path, cells, season):
    data = load(write(tmp_path / "s.csv", {"sold": values()}, cells), seed=0, horizon=HORIZON, window=WINDOW)
    assert data.input.columns == ("sold",)
    assert data.output.season == season
    assert sum(map(len, (data.train, data.validation, data.test))) == STEPS - WINDOW - HORIZON + 1 - 2 * (HORIZON - 1)


def test_a_day_that_repeats_for_each_hour_is_not_taken_for_the_time(tmp_path):
    columns = {"instant": list(range(STEPS)), "sold": values()}
    path = write(tmp_path / "hours.csv", columns, [day for day in days(STEPS) for _ in range(24)][:STEPS])
    data = load(path, seed=0, horizon=HORIZON, window=WINDOW, drop="day")
    assert data.contract()["input"]["time"]["name"] == "instant"
    with pytest.raises(DataError, match=r"column 'day': '2020-01-01' is no finite number"):
        load(path, seed=0, horizon=HORIZON, window=WINDOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda steps: [*steps[:50], steps[49], *steps[51:]], "line 52: time '49' stands there again"),
        (lambda steps: [*steps[:50], *steps[50:60][::-1], *steps[60:]], "line 53: time '58' stands there after '59'"),
    ],
)
def test_numbers_of_time_that_do_not_grow_are_no_channel(tmp_path, change, said):
    path = write(tmp_path / "s.csv", {"time": change(list(range(STEPS))), "sold": values()})
    with pytest.raises(DataError, match=said):
        load(path, seed=0, horizon=HORIZON, target="sold")


def test_a_table_whose_rows_follow_in_time_is_told_of_forecasts(sales, tmp_path):
    told = [finding.message for finding in check_data(sales, target="sold").findings]
    assert "the rows follow each other in time (day); to forecast the next N steps of a column: --set horizon=N" in told
    mixed = write(tmp_path / "mixed.csv", {"sold": values()}, days(STEPS)[::-1])
    assert not any("horizon" in finding.message for finding in check_data(mixed, target="sold").findings)


def test_a_column_without_times_is_one_series(tmp_path):
    np.save(tmp_path / "s.npy", values().astype(np.float32))
    data = load(str(tmp_path / "s.npy"), seed=0, horizon=HORIZON, window=WINDOW)
    other = load(write(tmp_path / "s.csv", {"sold": values()}), seed=0, horizon=HORIZON, window=WINDOW)
    assert data.identity.samples == other.identity.samples
    np.testing.assert_allclose(data.test.targets, other.test.targets, rtol=1e-6)


def test_the_season_before_is_known_from_all_that_came_before(sales):
    data = load(sales, seed=0, horizon=9, window=WINDOW, season=50)
    found = data.forecast.references["seasonal_naive"]
    series = values().astype(np.float32)
    first = int(np.flatnonzero(series == data.test.targets[0][0])[0])
    np.testing.assert_array_equal(found[0], series[first - 50 : first - 41])
    weekly = load(sales, seed=0, horizon=9, window=WINDOW).forecast.references["seasonal_naive"]
    np.testing.assert_array_equal(weekly[0], [*series[first - 7 : first], *series[first - 7 : first - 5]])
    assert metrics.regression(data.test.targets, weekly)["mae"] < 1.0


def test_a_season_longer_than_what_came_before_is_told(sales):
    found = check_data(sales, horizon=HORIZON, season=190)
    assert any("the test part begins before a season of 190 steps is over" in one.message for one in found.findings)


def test_where_steps_are_missing_no_window_runs_through(tmp_path):
    times, sold = days(STEPS), values()
    del times[50:53]
    path = write(tmp_path / "gap.csv", {"sold": np.delete(sold, [50, 51, 52])}, times)
    data = load(path, seed=0, horizon=HORIZON, window=WINDOW)
    warnings = [finding.message for finding in data.findings if finding.severity == "warning"]
    assert warnings == [f"{path}: steps are missing at 1 place, the first before line 52; cut there"]
    series = sold.astype(np.float32).tolist()
    firsts = [series.index(value) for value in np.asarray(data.train.samples)[:, 0, 0].tolist()]
    assert not set(firsts) & set(range(51 - WINDOW - HORIZON, 53))


def test_missing_numbers_are_the_last_before_them_and_are_never_measured_by(tmp_path):
    sold = values()
    sold[[30, 31, 170]] = np.nan
    path = write(tmp_path / "holes.csv", {"sold": sold}, days(STEPS))
    data = load(path, seed=0, horizon=HORIZON, window=WINDOW)
    told = [finding.message for finding in data.findings]
    assert f"{path}: 3 missing numbers filled by the last before them" in told
    assert any("windows are left out" in line for line in told)
    samples, series = np.asarray(data.train.samples)[:, :, 0], values().astype(np.float32)
    row = next(row for row in samples if row[0] == series[20])
    np.testing.assert_array_equal(row[9:], [series[29]] * 3)
    assert len(data.test) == 37 - HORIZON  # those that would be measured by step 170


def test_a_panel_is_split_at_one_time_however_its_rows_are_mixed(tmp_path):
    times = days(STEPS)
    mixed = [(day, shop, at) for at, day in enumerate(times) for shop in ("north", "south")]
    columns = {
        "shop": [shop for _, shop, _ in mixed],
        "sold": [at + (1000.0 if shop == "south" else 0.0) for _, shop, at in mixed],
    }
    path = write(tmp_path / "shops.csv", columns, [day for day, _, _ in mixed])
    data = load(path, seed=0, horizon=HORIZON, window=WINDOW, recording="shop")
    for split in (data.train, data.validation, data.test):
        own = split.targets[:, 0] % 1000
        assert (own[: len(own) // 2] == own[len(own) // 2 :]).all()  # both shops, the same days
    assert data.contract()["input"]["recording"] == "shop"
    with pytest.raises(DataError, match=r"shops\.csv, line 3: time '2020-01-01' stands there again"):
        load(path, seed=0, horizon=HORIZON, window=WINDOW, drop="shop")


def test_a_folder_is_a_panel_and_a_test_file_is_all_tested_on(tmp_path):
    (tmp_path / "shops").mkdir()
    for at in range(2):
        write(tmp_path / "shops" / f"shop {at}.csv", {"sold": values(seed=at)}, days(STEPS))
    later = write(tmp_path / "later.csv", {"sold": values(60, seed=5)}, days(60, "2021-01-01"))
    data = load(str(tmp_path / "shops"), seed=0, horizon=HORIZON, window=WINDOW, test_data=later)
    assert len(data.test) == 60 - WINDOW - HORIZON + 1
    assert len(data.train) == 2 * (180 - WINDOW - HORIZON + 1)


def test_the_logarithm_is_taken_of_history_and_targets_alike(sales, tmp_path):
    data = load(sales, seed=0, horizon=HORIZON, window=WINDOW, target_transform="log1p")
    assert [step["step"] for step in data.steps] == ["log1p", "standardise"]
    made, targets = data.inputs(data.train), data.model_targets(data.train)
    np.testing.assert_allclose(made[HORIZON, -HORIZON:, 0], targets[0], rtol=1e-4)
    below = write(tmp_path / "below.csv", {"sold": values() - 11}, days(STEPS))
    assert "column 'sold' has values below 0" in errors_of(below, horizon=HORIZON, target_transform="log1p")[0]


def test_a_window_is_chosen_and_said_where_none_is_given(sales):
    found = check_data(sales, horizon=HORIZON)
    assert found.facts["window"] == 24
    assert found.facts["forecast"] == ["sold"]
    assert found.schema.options["window"] == 24
    assert "forecaster" in fitting_builders(found)
    assert any("window = 24 steps of history" in finding.message for finding in found.findings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda day: day[::-1], "line 3: time '2020-07-17' stands there after '2020-07-18'; sort the rows by 'day'"),
        (lambda day: [day[0], *day[:-1]], "line 3: time '2020-01-01' stands there again; sort the rows by 'day'"),
        (
            lambda day: [*day[:5], "soon", *day[6:]],
            "line 7, column 'day': 'soon' is no time; expected a number or a date",
        ),
    ],
)
def test_wrong_times_are_named_with_file_and_line(tmp_path, change, said):
    path = write(tmp_path / "s.csv", {"sold": values()}, change(days(STEPS)))
    with pytest.raises(DataError) as caught:
        load(path, seed=0, horizon=HORIZON, time="day")
    assert f"{path}, {said}" in str(caught.value)


def test_what_cannot_be_forecast_is_refused_in_a_line(tmp_path, sales):
    two = write(tmp_path / "two.csv", {"a": values(), "b": values()}, days(STEPS))
    with pytest.raises(UsageError, match=r"2 columns that could be forecast \(a, b\); add --target A,B"):
        load(two, seed=0, horizon=HORIZON)
    text = write(tmp_path / "text.csv", {"sold": values(), "sky": ["blue"] * STEPS}, days(STEPS))
    with pytest.raises(DataError, match=r"line 2, column 'sky': 'blue' is no finite number; .* --drop sky"):
        load(text, seed=0, horizon=HORIZON, target="sold")
    flat = write(tmp_path / "flat.csv", {"sold": np.full(STEPS, 3.0)}, days(STEPS))
    assert errors_of(flat, horizon=HORIZON) == ["column 'sold' is 3 in all of the training part; nothing to learn"]
    short = write(tmp_path / "short.csv", {"sold": values(20)}, days(20))
    assert "20 steps are too few to learn to forecast 8: validation takes 16" in errors_of(short, horizon=8)[0]
    assert "the train part has no window of 150 steps" in errors_of(sales, horizon=HORIZON, window=150)[0]
    with pytest.raises(UsageError, match=r"split time:day: a forecast is split by time by itself"):
        load(sales, seed=0, horizon=HORIZON, split="time:day")
    with pytest.raises(UsageError, match=r"task multiclass: a forecast is numbers"):
        load(sales, seed=0, horizon=HORIZON, task="multiclass")
    with pytest.raises(UsageError, match=r"season = 7 is that of a forecast; set horizon = N"):
        load(sales, seed=0, season=7)


def test_a_forecaster_asks_for_a_horizon(sales):
    with pytest.raises(UsageError, match=r"^forecaster needs horizon: steps to forecast .*; add --set horizon=N$"):
        configure("forecaster", data=sales)
    assert configure("forecaster", {"horizon": "3"}, data=sales).data.horizon == 3


def test_a_series_of_unlike_steps_needs_a_rate_and_is_brought_to_it(tmp_path):
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.1, 2.4, 200))
    path = write(tmp_path / "s.csv", {"x": seconds.tolist()}, [f"{at:.6f}" for at in seconds])
    with pytest.raises(DataError, match="bring the steps to a rate with --rate HZ"):
        load(path, seed=0, horizon=HORIZON, window=WINDOW)
    data = load(path, seed=0, horizon=HORIZON, window=WINDOW, rate=1)
    assert data.contract()["input"]["time"]["rate"] == 1.0
    np.testing.assert_allclose(np.diff(np.asarray(data.train.samples)[..., 0], axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(data.train.targets[:, 0] - np.asarray(data.train.samples)[:, -1, 0], 1.0, atol=1e-4)


def test_a_rate_takes_a_series_with_many_gaps_as_it_is(tmp_path):
    times = np.array([9 * (at // 8) * 2 + at % 8 for at in range(400)], np.float64)
    path = write(tmp_path / "s.csv", {"x": np.sin(times).tolist()}, [f"{at:.1f}" for at in times])
    data = load(path, seed=0, horizon=1, window=4, rate=1)
    assert np.isfinite(np.asarray(data.train.samples)).all()
    assert len(data.train) > 50
