"""Why a candidate is not trained: its figures against a device's limits."""

from __future__ import annotations

from tuning.plan import Limits
from tuning.trial import Figures


class Rejected(Exception):  # noqa: N818 - an outcome of a trial, not a failure
    """A candidate that does not fit the device, or that the mode does not serve.

    Attributes:
        reason: One line, without a full stop.
        figures: What was measured until then.
    """

    def __init__(self, reason: str, figures: Figures) -> None:
        super().__init__(reason)
        self.reason, self.figures = reason, figures


def reject(figures: Figures, limits: Limits, mode: str) -> None:
    """Compares what was measured so far with the limits; what was not measured yet passes.

    Args:
        figures: Of a candidate.
        limits: Of the device.
        mode: Of the file, for the message.

    Raises:
        Rejected: The first limit that is exceeded, both figures in its reason.
    """
    reasons = (
        _over_macs(figures.macs, limits.macs),
        _over_flash(figures.bytes, limits.flash, mode),
        _over_latency(figures.latency_us, limits.latency_us),
        _over_arena(figures.arena_bytes, limits.arena),
    )
    if reason := next(filter(None, reasons), ""):
        raise Rejected(reason, figures)


def told(size: int) -> str:
    """A size as messages give it: "70,123 bytes (68.5 kB)"."""
    return f"{size:,} bytes ({size / 1024:.1f} kB)"


def _over_macs(found: int | None, limit: int | None) -> str:
    if found is None or limit is None or found <= limit:
        return ""
    return f"one sample takes {found:,} multiplications with addition, {limit:,} are allowed (--max-macs)"


def _over_flash(found: int | None, limit: int | None, mode: str) -> str:
    if found is None or limit is None or found <= limit:
        return ""
    return f"the {mode} file has {told(found)}, {told(limit)} are allowed (--max-flash)"


def _over_latency(found: float | None, limit: float | None) -> str:
    if found is None or limit is None or found <= limit:
        return ""
    return (
        f"one sample takes {found:,.0f} us here, the quickest of several medians, {limit:,.0f} us are allowed "
        "(--max-latency)"
    )


def _over_arena(found: int | None, limit: int | None) -> str:
    if found is None or limit is None or found <= limit:
        return ""
    return f"the tensor arena takes {told(found)}, measured on this host, {told(limit)} are allowed (--max-arena)"
