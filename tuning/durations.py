"""Times as people write them."""

from __future__ import annotations

import re

from zoo.errors import UsageError

_FORM = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_seconds(text: str | float, option: str) -> float:
    """Seconds of "30m", "1h30m", "90s", "90" or a number.

    Args:
        text: What was given.
        option: Where, for the message.

    Raises:
        UsageError: It is no time, or 0.
    """
    found = _FORM.fullmatch(str(text).strip().lower())
    parts = [float(part) if part else 0.0 for part in found.groups()] if found else [0.0]
    seconds = sum(value * unit for value, unit in zip(parts, (3600, 60, 1), strict=False))
    if seconds <= 0:
        raise UsageError(f"{option} {text!r} is no time; give such as 30m, 1h30m, 90s or seconds")
    return seconds


def show_seconds(seconds: float) -> str:
    """Such as "1 h 05 min", "12 min 30 s" or "8.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
