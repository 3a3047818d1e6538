"""Sizes as people write them, and budgets."""

from __future__ import annotations

import re

from zoo.errors import GateError, UsageError

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(k|m|)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}


def parse_size(text: str | int, option: str = "a size") -> int:
    """Bytes of "64k" (65,536), "1.5M", "65536" or a number.

    Args:
        text: What was given.
        option: Where, for the message.

    Raises:
        UsageError: It is no size, or 0.
    """
    found = _FORM.fullmatch(str(text).strip())
    size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if size <= 0:
        raise UsageError(f"{option} {text!r} is no size; give bytes, or such as 64k (65,536 bytes) or 1M")
    return size


def check_budget(flash: int, arena: int | None, max_flash: int | None = None, max_arena: int | None = None) -> None:
    """Compares what a model takes with what a board has, both figures at once.

    Args:
        flash: Bytes of the model file.
        arena: Bytes of the tensor arena, measured on the host; None where it was not measured.
        max_flash: Bytes allowed, or None.
        max_arena: Likewise.

    Raises:
        GateError: One or both are beyond the budget; the figures are in the message.
    """
    over = []
    if max_flash is not None and flash > max_flash:
        over.append(f"the model takes {_told(flash)} of flash, {_told(max_flash)} are allowed")
    if max_arena is not None and arena is not None and arena > max_arena:
        over.append(f"the tensor arena takes {_told(arena)} (measured on the host), {_told(max_arena)} are allowed")
    if over:
        raise GateError(
            f"over budget: {'; '.join(over)}; use a smaller model, int8, or allow more (--max-flash, --max-arena)"
        )


def _told(size: int) -> str:
    return f"{size:,} bytes ({size / 1024:.1f} kB)"
