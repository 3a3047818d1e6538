"""`auto`: every mode is tried, every one is reported, and the smallest file that is good enough is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from export.parity import Parity, figures
from export.quantization import PRESETS, Preset
from zoo.errors import GateError, ModelError, UsageError

LADDER: tuple[Preset, ...] = tuple(PRESETS[name] for name in ("int8", "int16x8", "float16", "dynamic", "float32"))
"""In the order in which they are tried; of two files of one size the earlier is kept."""
MAX_DROP = 0.5
"""Points of the metric that `auto` may lose unless the caller says otherwise."""
EXPLAINED = ("int8",)
"""Modes whose losses are followed to the layers: the others' are small, or have no remedy by layer."""
LITTLE_DROP = 0.2
LITTLE_DISAGREEMENT = 0.01
"""Losses up to these, in points and as a share of the samples, need no explanation."""


class Attempt(Protocol):
    """What a rung needs to know of an export that was tried; `export.attempt.Attempt` is one."""

    @property
    def bytes(self) -> int:
        """Size of the model file."""

    @property
    def comparisons(self) -> Mapping[str, Parity]:
        """With Keras, by output."""

    @property
    def failed(self) -> Sequence[str]:
        """The gates that it missed, a sentence each."""

    @property
    def keep_float(self) -> Sequence[str]:
        """The layers that stay in float in an int8 file."""


Tried = TypeVar("Tried", bound=Attempt)


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One mode and how it did.

    Attributes:
        mode: Its name.
        status: "passed", "failed" (converted, and not good enough) or "refused" (cannot be made).
        reasons: Why it did not pass, a sentence each.
        bytes: Of the model file; None where refused, as are the next five.
        metric: Name of the task's metric; None where there are no targets, as are the next three.
        metric_before: Of Keras.
        metric_after: Of the file.
        drop: In points, percent of the metric for errors; of several outputs, the largest.
        agreement: Share of samples with the same answer; of several outputs, the smallest.
        keep_float: Layers that stay in float, without which the mode would not do.
        worst_layers: What loses most in the mode, the worst first, where that was asked.
        note: Why the layers could not be told.
    """

    mode: str
    status: str
    reasons: tuple[str, ...] = ()
    bytes: int | None = None
    metric: str | None = None
    metric_before: float | None = None
    metric_after: float | None = None
    drop: float | None = None
    agreement: float | None = None
    keep_float: tuple[str, ...] = ()
    worst_layers: tuple[str, ...] = ()
    note: str | None = None

    def __str__(self) -> str:
        told = [f"{self.mode} with {', '.join(self.keep_float)} in float" if self.keep_float else self.mode]
        if self.bytes is not None:
            told.append(f"{self.bytes:,} bytes")
        if self.metric is not None:
            told.append(f"{self.metric} {self.metric_before:.4f} -> {self.metric_after:.4f} (drop {self.drop:.2f})")
        if self.agreement is not None:
            told.append(f"agreement {self.agreement:.4f}")
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        layers = f"; most is lost in {', '.join(self.worst_layers)}" if self.worst_layers else ""
        return f"{', '.join(told)}: {self.status}{why}{layers}"


@dataclass(frozen=True, kw_only=True)
class Ladder(Generic[Tried]):
    """Every rung, in the order in which they were tried.

    Attributes:
        attempts: By mode, those that were not refused.
    """

    rungs: tuple[Rung, ...]
    attempts: Mapping[str, Tried] = field(repr=False)

    @property
    def passed(self) -> tuple[Rung, ...]:
        """Those that are good enough, the smallest file first."""
        return tuple(sorted((rung for rung in self.rungs if rung.status == "passed"), key=lambda rung: rung.bytes or 0))

    def best(self) -> tuple[Preset, Tried]:
        """The mode of the smallest file that is good enough, and that file.

        Raises:
            GateError: There is none; the message has every rung.
        """
        if not self.passed:
            told = " | ".join(str(rung) for rung in self.rungs)
            raise GateError(f"no mode is good enough: {told}; allow more with --max-drop, or train the model longer")
        mode = self.passed[0].mode
        return PRESETS[mode], self.attempts[mode]

    def report(self) -> list[dict[str, Any]]:
        """Every rung as JSON values, the chosen one marked by "kept"."""
        kept = self.passed[0] if self.passed else None
        return [{**asdict(rung), "kept": rung is kept} for rung in self.rungs]


def climb(
    rungs: Sequence[Preset],
    attempt: Callable[[Preset], Tried],
    *,
    explain: Callable[[Tried], Sequence[str]] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Ladder[Tried]:
    """Tries every mode.

    Args:
        rungs: Such as `LADDER`.
        attempt: Exports in a mode and compares; what it misses is in `failed`. A mode that cannot be made raises
            UsageError or ModelError, which is reported and ends nothing.
        explain: Names the layers that lose most, the worst first; asked for a mode of `EXPLAINED` that lost more
            than a little.
        tell: Told each rung, a line.
    """
    done: list[Rung] = []
    attempts: dict[str, Tried] = {}
    for preset in rungs:
        try:
            tried = attempt(preset)
        except (ModelError, UsageError) as error:
            done.append(Rung(mode=preset.name, status="refused", reasons=(str(error),)))
        else:
            attempts[preset.name] = tried
            layers = _explained(preset, tried, explain)
            done.append(_judged(preset, tried, **layers))
        if tell:
            tell(str(done[-1]))
    return Ladder(rungs=tuple(done), attempts=attempts)


def _judged(preset: Preset, tried: Attempt, **layers: Any) -> Rung:
    told = figures(tried.comparisons)
    drops = [parity.drop for parity in tried.comparisons.values() if parity.drop is not None]
    return Rung(
        mode=preset.name,
        status="failed" if tried.failed else "passed",
        reasons=tuple(tried.failed),
        bytes=tried.bytes,
        **{key: told[key] for key in ("metric", "metric_before", "metric_after", "agreement")},
        drop=max(drops, default=None),
        keep_float=tuple(tried.keep_float),
        **layers,
    )


def _explained(preset: Preset, tried: Tried, explain: Callable[[Tried], Sequence[str]] | None) -> dict[str, Any]:
    """The layers to blame, or why they cannot be told; nothing for a mode that does well."""
    if explain is None or preset.name not in EXPLAINED or not lost_more_than_a_little(tried):
        return {}
    try:
        return {"worst_layers": tuple(explain(tried))}
    except ModelError as error:
        return {"note": str(error)}


def lost_more_than_a_little(tried: Attempt) -> bool:
    """Whether a file is worth an explanation: it missed a gate, needs floats, or more than one sample is worse."""
    if tried.failed or tried.keep_float:
        return True
    return any(
        (parity.changed is None or parity.changed > 1)
        and ((parity.drop or 0.0) > LITTLE_DROP or parity.agreement < 1 - LITTLE_DISAGREEMENT)
        for parity in tried.comparisons.values()
    )
