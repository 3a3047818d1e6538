"""What a TOML file asks for besides the training: the tables `[tune]`, `[export]` and `[require]`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.metrics import ERRORS
from zoo.registry import suggest

TABLES = ("tune", "export", "require")
TUNE_KEYS = (
    "space",
    "tuner",
    "trials",
    "max_time",
    "objective",
    "repeats",
    "quantize",
    "max_flash",
    "max_arena",
    "max_latency",
    "max_macs",
    "keep",
    "workers",
)
"""Options of `zoo tune`; their values are checked there."""
EXPORT_KEYS = ("formats", "quantize", "max_drop")
EXTRAS = ("streaming", "micro")
"""What may follow a format and its mode, in this order."""
METRICS = ("accuracy", "macro_f1", "auc", "mae", "rmse", "r2", "mean_iou", "pixel_error")
REQUIRE_KEYS = (*METRICS, "max_bytes")
_UNITS = {"": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2}


@dataclass(frozen=True, kw_only=True)
class ExportWish:
    """One bundle that is asked for.

    Attributes:
        format: "tflite" or "saved_model".
        quantize: The quantization mode, or "auto".
        max_drop: Largest metric drop, see `zoo export`; None is the mode's own.
        streaming: One sample a call.
        micro: For a micro-controller.
    """

    format: str
    quantize: str
    max_drop: float | None = None
    streaming: bool = False
    micro: bool = False

    @property
    def name(self) -> str:
        """The bundle's folder."""
        extras = [name for name in EXTRAS if getattr(self, name)]
        return "-".join([self.format, self.quantize, *extras])


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One gate: a metric on the test split, or "max_bytes" of a bundle's model."""

    key: str
    limit: float

    @property
    def at_most(self) -> bool:
        """Whether less is better."""
        return self.key == "max_bytes" or self.key in ERRORS

    def met(self, found: float) -> bool:
        """Whether a figure passes; one that is not finite never does."""
        return math.isfinite(found) and (found <= self.limit if self.at_most else found >= self.limit)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Search, exports and gates of a TOML file, in its order.

    Attributes:
        tune: Options of `zoo tune`; None where there is no search.
    """

    tune: Mapping[str, Any] | None = None
    exports: tuple[ExportWish, ...] = ()
    requirements: tuple[Requirement, ...] = ()


def read_deployment(path: Path, content: Mapping[str, Any]) -> Deployment:
    """The tables of a parsed TOML file; all may be absent.

    Args:
        path: Of the file, for messages.
        content: All of the file, or these tables.

    Raises:
        UsageError: An unknown key or a value that is not allowed, each named with the file.
    """
    tune, export, require = (_table(path, content, name) for name in TABLES)
    _check_keys(path, "tune", tune, TUNE_KEYS)
    _check_keys(path, "export", export, EXPORT_KEYS)
    _check_keys(path, "require", require, REQUIRE_KEYS)
    exports = _exports(path, export) if "export" in content else ()
    requirements = tuple(_requirement(path, key, value) for key, value in require.items())
    return Deployment(tune=tune if "tune" in content else None, exports=exports, requirements=requirements)


def _table(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name!r} is a value; expected a table [{name}]")
    return table


def _check_keys(path: Path, table: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise UsageError(f"{path}: [{table}] has no key {key!r}{suggest(key, known)}")


def _exports(path: Path, table: Mapping[str, Any]) -> tuple[ExportWish, ...]:
    drop = table.get("max_drop")
    if drop is not None and not (_is_number(drop) and 0 <= drop < math.inf):
        raise UsageError(f"{path}: [export] max_drop = {drop!r} is not allowed; give points from 0 up, such as 0.5")
    names = [f"tflite-{mode}" for mode in _names(path, table, "quantize", "int8")]
    names = [*_names(path, table, "formats", "tflite-int8"), *names]
    if not names:
        raise UsageError(f'{path}: [export] names no format; add formats = ["tflite-int8"], or leave the table out')
    wishes = [_wish(path, name, drop) for name in names]
    for at, wish in enumerate(wishes):
        if wish in wishes[:at]:
            raise UsageError(f"{path}: [export] names {wish.name} twice; leave one of them out")
    return tuple(wishes)


def _names(path: Path, table: Mapping[str, Any], key: str, example: str) -> list[str]:
    given = table.get(key, [])
    if not isinstance(given, list) or not all(isinstance(name, str) and name.strip() for name in given):
        raise UsageError(f'{path}: [export] {key} = {given!r} is no list of names; such as {key} = ["{example}"]')
    return given


def _wish(path: Path, name: str, max_drop: float | None) -> ExportWish:
    """From "tflite-int8-micro", "tflite" or "saved_model"; whether that mode is offered is the export's to say."""
    file_format, *words = name.split("-")
    extras = {extra: extra in words for extra in EXTRAS}
    modes = [word for word in words if word not in EXTRAS]
    if len(modes) > 1 or words != [*modes, *(extra for extra in EXTRAS if extras[extra])]:
        raise UsageError(
            f"{path}: [export] format {name!r} is unknown; a mode may be followed by {', '.join(EXTRAS)}, such as "
            '"tflite-int8-micro"'
        )
    if file_format not in ("tflite", "saved_model"):
        near = suggest(name, ("tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8", "saved_model"))
        raise UsageError(f"{path}: [export] format {name!r} is unknown{near}")
    return ExportWish(format=file_format, quantize=modes[0] if modes else "float32", max_drop=max_drop, **extras)


def _requirement(path: Path, key: str, value: object) -> Requirement:
    limit = _bytes(value) if key == "max_bytes" else float(value) if _is_number(value) else math.nan  # type: ignore[arg-type]
    if not math.isfinite(limit):
        example = 'max_bytes = "64k"' if key == "max_bytes" else f"{key} = 0.95"
        raise UsageError(f"{path}: [require] {key} = {value!r} is not allowed; expected a number, such as {example}")
    if key in ("accuracy", "macro_f1", "auc", "r2", "mean_iou") and limit > 1:
        raise UsageError(f"{path}: [require] {key} = {value!r} can never be met; it is a fraction, such as 0.95")
    return Requirement(key=key, limit=limit)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bytes(value: object) -> float:
    """Bytes of a number or of text such as "64k" (65,536); NaN where it is neither."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).strip().lower())
    if isinstance(value, bool) or found is None or found[2] not in _UNITS:
        return math.nan
    return float(found[1]) * _UNITS[found[2]]
