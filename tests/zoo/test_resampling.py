"""Recordings at a steady rate."""

import numpy as np
import pytest

from zoo import resampling

RAMP = np.array([0.0, 0.7, 1.1, 2.0, 2.9, 3.3, 4.0])


def test_values_stand_on_the_straight_line_between_neighbours():
    values = np.stack([RAMP * 2, 5 - RAMP], axis=1)
    (made,) = resampling.bring(RAMP, values, 0.5)
    np.testing.assert_allclose(made.times, np.arange(9) / 2)
    np.testing.assert_allclose(made.values, np.stack([made.times * 2, 5 - made.times], axis=1))
    assert made.part == slice(0, 7)


def test_steps_that_are_there_stay_as_they_are():
    values = np.random.default_rng(0).normal(size=(50, 3))
    (made,) = resampling.bring(np.arange(50) * 0.02, values, 0.02)
    np.testing.assert_allclose(made.values, values, atol=1e-9)


def test_counted_from_the_last_it_ends_on_the_last():
    (made,) = resampling.bring(RAMP, RAMP[:, np.newaxis], 0.6, backwards=True)
    np.testing.assert_allclose(made.times, 4 - 0.6 * np.arange(6, -1, -1))
    np.testing.assert_allclose(made.values[:, 0], made.times)


def test_nothing_is_made_up_across_a_gap():
    times = np.array([0.0, 1, 2, 10, 11, 12])
    first, second = resampling.bring(times, times[:, np.newaxis], 1.0)
    assert first.times.tolist() == [0, 1, 2]
    assert second.times.tolist() == [10, 11, 12]
    assert (second.part, second.at(11.2), second.at(9.0)) == (slice(3, 6), 1, -1)
    (whole,) = resampling.bring(times, times[:, np.newaxis], 2.0)
    assert whole.times.tolist() == [0, 2, 4, 6, 8, 10, 12]


def test_channels_that_take_turns_have_their_own_neighbours():
    values = np.array([[0, np.nan], [np.nan, 10], [2, np.nan], [np.nan, 30], [4, np.nan]])
    made = resampling.at_times(np.arange(5.0), values, np.arange(5.0), 3.0)
    assert made[:, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(made[:, 1], [np.nan, 10, 20, 30, np.nan])
    far = resampling.at_times(np.arange(5.0), values, np.arange(5.0), 1.5)
    np.testing.assert_array_equal(far[:, 0], [0, np.nan, 2, np.nan, 4])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ({"name": "time", "type": "number"}, 1.0),
        ({"name": "t_ms", "type": "number"}, 1e-3),
        ({"name": "Time (us)", "type": "number"}, 1e-6),
        ({"name": "stamp.ns", "type": "number"}, 1e-9),
        ({"name": "items", "type": "number"}, 1.0),
        ({"name": "forms", "type": "number"}, 1.0),
        ({"name": "day_ms", "type": "date", "formats": ["iso"]}, 86_400.0),
    ],
)
def test_what_a_time_counts_in_is_in_its_name(column, expected):
    assert resampling.seconds(column) == expected
    assert resampling.step_of({**column, "rate": 50}) == pytest.approx(0.02 / expected)
