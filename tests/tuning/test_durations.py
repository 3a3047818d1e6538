from __future__ import annotations

import pytest

from tuning.durations import parse_seconds, show_seconds
from zoo.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("90", 90), (12.5, 12.5), ("1H", 3600), ("0.5h", 1800), ("1m30", 90)],
)
def test_times_are_read_as_people_write_them(text: str | float, seconds: float) -> None:
    assert parse_seconds(text, "max_time") == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5m", "soon", "5 m x", "m", "nan", "inf", "5d"])
def test_what_is_no_time_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UsageError, match=r"max_time .* is no time; give such as 30m"):
        parse_seconds(text, "max_time")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.21, "8.2 s"), (59.99, "60.0 s"), (60, "1 min 00 s"), (750, "12 min 30 s"), (3900, "1 h 05 min")],
)
def test_times_are_shown_in_their_size(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text
