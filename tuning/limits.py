"""Limits of a device as a person writes them: "64k", "2ms", "5M"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from export.micro.sizes import parse_size
from tuning.plan import Limits
from zoo.errors import UsageError

_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-zµμ]*)", re.IGNORECASE)
_MICROSECONDS: Mapping[str, float] = {"us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6}
_COUNTS: Mapping[str, float] = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def parse_limits(
    max_flash: str | int | None = None,
    max_arena: str | int | None = None,
    max_latency: str | None = None,
    max_macs: str | int | None = None,
) -> Limits:
    """What a device has, from texts; None is no limit.

    Args:
        max_flash: Bytes, or such as "64k": 65,536, k and M count in 1,024s.
        max_arena: Likewise.
        max_latency: Such as "2ms", "800us" or "0.002s"; a unit is needed.
        max_macs: A number, or such as "300k" and "5M": 5,000,000, k, M and G count in 1,000s.

    Raises:
        UsageError: Not of that form, or not above zero.
    """
    return Limits(
        flash=None if max_flash is None else parse_size(max_flash, "--max-flash"),
        arena=None if max_arena is None else parse_size(max_arena, "--max-arena"),
        latency_us=None if max_latency is None else parse_time(max_latency),
        macs=None if max_macs is None else parse_count(max_macs),
    )


def parse_time(text: str, option: str = "--max-latency") -> float:
    """Microseconds of "2ms", "800us" or "0.002s".

    Raises:
        UsageError: No unit, no time, or not above zero.
    """
    value = _parse(text, _MICROSECONDS)
    if not value:
        raise UsageError(f"{option} {text!r} is no time; give one above 0 with its unit, such as 2ms, 800us or 0.002s")
    return value


def parse_count(text: str | int, option: str = "--max-macs") -> int:
    """A number of "5M" (5,000,000), "300k" or "4500".

    Raises:
        UsageError: No number, or below one.
    """
    value = int(_parse(text, _COUNTS))
    if value < 1:
        raise UsageError(f"{option} {text!r} is no count; give one above 0, such as 4500, 300k (300,000) or 5M")
    return value


def _parse(text: str | float, units: Mapping[str, float]) -> float:
    """The value; 0 where it is none."""
    found = _NUMBER.fullmatch(str(text).strip())
    unit = units.get(found[2].lower()) if found else None
    value = float(found[1]) * unit if found and unit else 0.0
    return value if math.isfinite(value) else 0.0
