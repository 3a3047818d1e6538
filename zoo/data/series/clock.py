"""The times of a series: which column has them, whether they grow, where steps are missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import resampling, rows
from zoo.data.tables.dates import date_formats
from zoo.errors import DataError, UsageError

GAP = 1.5
"""Of the usual distance between two steps; where they are further apart, steps are missing."""

WEEKEND_GAP = 6.0
"""Days between two steps of a calendar without weekends from which on steps are missing: holidays are none."""

MONTHS = ("%Y-%m", "%Y/%m", "%Y.%m", "%m/%Y", "%m.%Y", "%m-%Y", "%b %Y", "%B %Y", "%b-%Y", "%Y-%b")
"""Forms of months, which are dates where all cells have one of them."""

IRREGULAR = 0.1
"""Share of the steps that are missing, from which on these are no steps of a steady rate."""
FEW = 20
"""Steps below which nobody can say."""

LOOKED_AT = 200
WORKDAYS = 5
"""Of a week; the days from then on are its end."""
COMPACT = "%Y%m%d"
_TIMELIKE = re.compile(
    r"|t([ _-]?(s|sec|ms|us|ns))?|no|idx|ds|instant"
    r"|(date|time|day|week|month|year|hour|step|index|unnamed|period).*|.*(date|time)"
)
_SURE = re.compile(
    r"((date|unix|epoch)[ _-]?)?(time|timestamp)([ _-]?(s|sec|seconds|ms|us|ns|utc))?|instant|step|index"
)
"""Names that say time even where the numbers under them repeat or go back, which is an error then and no channel."""
MOSTLY = 0.9
"""Share of steps that have a number of their own where they are times: the hours of days have not."""
_SEASONS = ((1.0, 7), (7.0, 52), (30.5, 12), (91.5, 4))
"""Usual distances in days to the steps of a season that they have."""


@dataclass(frozen=True)
class Clock:
    """A column of times, and how far apart its steps are.

    Attributes:
        formats: Of dates, as `zoo.rows.to_days` takes them; empty where times are plain numbers.
        usual: Distance of two steps, in days for dates.
        gap: Distance from which on steps are missing.
        rate: Steps a second that they were brought to; 0 where they are as they stand.
    """

    name: str
    formats: tuple[str, ...]
    usual: float
    gap: float
    rate: float = 0.0

    @property
    def season(self) -> int:
        """Steps of the usual season: a day's where steps are shorter than one, a week's of days, a year's otherwise."""
        if not self.formats or self.usual <= 0:
            return 1
        if self.usual < 1:
            return round(1 / self.usual)
        near = [steps for days, steps in _SEASONS if abs(self.usual - days) <= days / 10]
        return WORKDAYS if near == [7] and self.gap == WEEKEND_GAP else next(iter(near), 1)

    def ticks(self, times: np.ndarray) -> np.ndarray:
        """(steps,) int64: how many usual steps after the first each is, those that are missing counted."""
        calendar = self.formats and not self.rate
        if calendar and self.gap == WEEKEND_GAP:
            days = np.floor(times).astype("datetime64[D]")
            return np.asarray(np.busday_count(days[0], days), np.int64)
        if calendar and 28 <= self.usual <= 31:  # months are of unlike length
            months = np.floor(times).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
            if (np.diff(months) > 0).all():
                return np.asarray(months - months[0])
        steps = np.rint(np.diff(times, prepend=times[0]) / (self.usual or 1.0))
        steps[1:] = np.maximum(steps[1:], 1)
        return np.cumsum(steps).astype(np.int64)

    def column(self) -> dict[str, Any]:
        """As a contract has it: a column of `zoo.rows`, with the distance from which on steps are missing."""
        steady = {"rate": self.rate} if self.rate else {}
        return {**column(self.name, self.formats), "gap": self.gap, **steady}

    def at_rate(self, rate: float) -> Clock:
        """Of the same steps brought to a rate.

        Raises:
            DataError: They are too far apart for it.
        """
        step = resampling.step_of({**self.column(), "rate": rate})
        if self.usual > resampling.LONGEST * step:
            unit = resampling.seconds(self.column())
            hint = "" if self.formats else "numbers count as seconds unless the name ends in _ms, _us or _ns; "
            raise DataError(
                f"rate = {rate:g} a second: the times in column {self.name!r} are usually {self.usual * unit:g} s "
                f"apart, and {self.usual / step:,.0f} steps would be made of each; {hint}give a lower rate"
            )
        return replace(self, usual=step, gap=GAP * step, rate=rate)

    def check_steady(self, name: str, distances: np.ndarray) -> None:
        """Refuses times that are no steps of any rate.

        Args:
            name: Of the recording.
            distances: Between its steps.

        Raises:
            DataError: Many are far apart, and many near.
        """
        wide = distances > self.gap
        if len(distances) < FEW or wide.mean() <= IRREGULAR:
            return
        low, high = np.quantile(distances, [0.05, 0.95])
        raise DataError(
            f"{name}: the times in column {self.name!r} are {low:.3g} to {high:.3g} apart, usually {self.usual:.3g}; "
            f"bring the steps to a rate with --rate HZ, or take them as they stand with --drop {self.name}"
        )


def merged(clocks: Sequence[Clock | None]) -> Clock | None:
    """The clock of several recordings, with the forms of all; None where none has times."""
    known = [clock for clock in clocks if clock is not None]
    forms = tuple(dict.fromkeys(form for clock in known for form in clock.formats))
    return replace(known[0], formats=forms) if known else None


def column(name: str, formats: Sequence[str]) -> dict[str, Any]:
    """A column of times, of dates or numbers, as `zoo.rows` takes it."""
    kind = {"type": "date", "formats": list(formats)} if formats else {"type": "number"}
    return {"name": name, **kind}


def formats_of(cells: Sequence[str]) -> tuple[str, ...]:
    """The forms of a column of dates or months; none where it has none."""
    some = list(dict.fromkeys(cell.strip() for cell in cells))[:LOOKED_AT]
    if all(len(cell) == 8 and cell.isdecimal() and rows.to_days(cell, (COMPACT,)) is not None for cell in some):
        return (COMPACT,)
    month = next((form for form in MONTHS if all(rows.to_days(cell, (form,)) is not None for cell in some)), "")
    return (month,) if month else date_formats(some)[0]


def recognise(
    header: Sequence[str], columns: Sequence[Sequence[str]], left_out: Sequence[str] = (), *, panel: bool = False
) -> str:
    """The name of the column with times: dates, else numbers that grow under a name for time; empty without one.

    Under a name such as `timestamp` they need not grow, so that whoever reads them next can say where they do not.

    Args:
        header: Names of the columns.
        columns: Cells of each.
        left_out: Names of those that are known for something else.
        panel: Whether there are several series, so that times repeat.
    """
    candidates = [(name, cells) for name, cells in zip(header, columns, strict=True) if name not in left_out]
    dates = [
        (name, cells)
        for name, cells in candidates
        if rows.to_number(cells[0]) is None and formats_of(cells[:LOOKED_AT])
    ]
    single = [name for name, cells in dates if len(set(cells)) == len(cells)]  # a day may repeat where hours count
    growing = [name for name, cells in candidates if _tells_time(name, cells, panel=panel)]
    every = [name for name, _ in dates]
    return next(iter([*every, *growing] if panel else [*single, *growing, *every]), "")


def _tells_time(name: str, cells: Sequence[str], *, panel: bool) -> bool:
    """Whether these are numbers that grow under a name for time, or any that hardly repeat under one that is sure."""
    plain = name.strip().lower()
    numbers = rows.to_numbers(cells) if _TIMELIKE.fullmatch(plain) else None
    if numbers is None:
        return False
    if (np.diff(numbers) > 0).all():
        return True
    return bool(_SURE.fullmatch(plain)) and (panel or len(np.unique(numbers)) > MOSTLY * len(numbers))


def read_times(
    name: str, lines: Sequence[int], column: str, cells: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Times as numbers that grow: as they stand, or days; and the forms of dates.

    Args:
        name: Of the recording, for messages.
        lines: That the steps stand on.
        column: Name of the column.
        cells: Its text.

    Raises:
        DataError: A cell that is no time.
    """
    numbers, formats = rows.to_numbers(cells), formats_of(cells[:LOOKED_AT])
    if numbers is not None and not np.isnan(numbers).any() and formats != (COMPACT,):
        return numbers, ()
    formats = formats_of(cells)
    days, wrong = rows.convert(cells, {"type": "date", "formats": formats or ("iso",)}, ())
    if wrong:
        raise DataError(
            f"{name}, line {lines[wrong[0]]}, column {column!r}: {cells[wrong[0]]!r} is no time; expected a number or "
            "a date such as 2024-05-31 12:00:00"
        )
    return days, formats


def clock_of(name: str, times: Sequence[np.ndarray], formats: tuple[str, ...]) -> Clock:
    """The clock of recordings.

    Args:
        name: Of the column.
        times: Of each recording, ascending.
        formats: Of dates.
    """
    distances = np.concatenate([np.diff(own) for own in times])
    usual = float(np.median(distances)) if distances.size else 0.0
    days = np.concatenate(list(times))
    no_weekends = bool(formats) and usual == 1 and not (_weekday(days) >= WORKDAYS).any() and (days % 1 == 0).all()
    return Clock(name, formats, usual, WEEKEND_GAP if no_weekends and np.ptp(days) >= 7 else GAP * usual)


def _weekday(days: np.ndarray) -> np.ndarray:
    return np.asarray((np.floor(days) + 3) % 7)  # 1970-01-01 was a Thursday


def check_order(
    name: str, lines: Sequence[int], column: str, cells: Sequence[str], times: np.ndarray, inside: np.ndarray
) -> None:
    """Refuses times that repeat or go back.

    Args:
        name: As for `read_times`, and so the next three.
        lines: That the steps stand on.
        column: Name of the column.
        cells: Its text.
        times: Of the steps.
        inside: (steps - 1,) whether two neighbours are of one recording.

    Raises:
        DataError: Names file, line and column.
    """
    distances = np.diff(times)
    wrong = np.flatnonzero((distances <= 0) & inside)
    if wrong.size:
        at = int(wrong[0]) + 1
        how = "again" if distances[at - 1] == 0 else f"after {cells[at - 1]!r}"
        raise DataError(
            f"{name}, line {lines[at]}: time {cells[at]!r} stands there {how}; sort the rows by {column!r}, and leave "
            "one of each"
        )


def check_timed(path: Path, rate: float, column: str) -> None:
    """Raises UsageError where a rate is asked for and there is no column of times."""
    if rate and not column:
        raise UsageError(
            f"rate = {rate:g}: {path} has no column of times by which its steps could be brought to it; leave it out, "
            "or name the column: --set time=COLUMN"
        )


def describe(clock: Clock | None) -> Mapping[str, Any]:
    """What a check says of it."""
    if clock is None:
        return {}
    if clock.rate:
        return {"time": f"{clock.name}, brought to {clock.rate:g} steps a second"}
    unit = f"{clock.usual:g} days" if clock.formats else f"{clock.usual:g}"
    return {"time": f"{clock.name}, a step is {unit}"}
