"""Which forms the dates of a column have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from zoo.rows import to_days

_DAYS = (
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
)
_HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
FORMATS = ("iso", *(f"{day}{hour}" for day in _DAYS for hour in _HOURS))
"""Forms that are tried; the day before the month where both can be."""

MAX_FORMATS = 3
_LIKELY = re.compile(r"\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,4}.*|[A-Za-z]{3,9} \d{1,2},? \d{4}.*")


def date_formats(texts: Sequence[str], share: float = 1.0) -> tuple[tuple[str, ...], str]:
    """The forms of dates, as `zoo.rows.to_days` takes them.

    Args:
        texts: Different cells, in the file's order.
        share: How many of them have to be dates.

    Returns:
        As few forms as read them, at most three; none where they are no dates. And what should be said of them.
    """
    likely = [text for text in texts if _LIKELY.fullmatch(text)]
    if not likely or len(likely) < share * len(texts):
        return (), ""
    left, remark = likely, ""
    chosen: list[str] = []
    while left and len(chosen) < MAX_FORMATS:
        counts = {form: sum(to_days(text, (form,)) is not None for text in left) for form in FORMATS}
        best = max(FORMATS, key=lambda form: counts[form])  # the first of equals
        if not counts[best]:
            break
        other = _other_order(best)
        if other and counts[other] == counts[best]:
            best, remark = _nearer(left, best, other)
        chosen.append(best)
        left = [text for text in left if to_days(text, (best,)) is None]
    if len(likely) - len(left) < share * len(texts):
        return (), ""
    return tuple(chosen), remark


def _other_order(form: str) -> str | None:
    """The form with day and month changed round, if it is one that is tried."""
    if form.startswith(("%d/%m", "%d-%m")):
        return "%m" + form[2] + "%d" + form[5:]
    if form.startswith(("%m/%d", "%m-%d")):
        return "%d" + form[2] + "%m" + form[5:]
    return None


def _nearer(texts: Sequence[str], first: str, second: str) -> tuple[str, str]:
    """Of two forms that both read all: the one whose dates are nearer to those of the rows beside them."""

    def way(form: str) -> float:
        days = [day for text in texts if (day := to_days(text, (form,))) is not None]
        return sum(abs(later - earlier) for earlier, later in pairwise(days))

    best = first if way(first) <= way(second) else second
    order = "day before month" if best.startswith("%d") else "month before day"
    return best, f"its dates can be read in two ways, taken as {order} ({best})"
