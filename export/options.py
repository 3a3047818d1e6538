"""What is asked of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export.quantization import AUTO, Preset, find_preset

ASKED = (
    "quantize",
    "io",
    "max_drop",
    "tolerance",
    "streaming",
    "target",
    "max_flash",
    "max_arena",
    "keep_float",
)
"""Options that decide what is in a TFLite bundle, as `export.export_model` takes them."""
TARGETS = ("litert", "tflite-runtime", "micro")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to export; see `export.export_model`.

    Attributes:
        quantize: A mode, or "auto".
        io: What the file takes and gives; None is the mode's own.
        tolerance: Largest error of float32; None is the mode's own.
        target: Where it is to run; None is any runtime.
        max_flash: Bytes.
        max_arena: Bytes.
    """

    file_format: str = "tflite"
    quantize: str = "float32"
    max_drop: float | None = None
    tolerance: float | None = None
    io: str | None = None
    streaming: bool = False
    target: str | None = None
    max_flash: int | None = None
    max_arena: int | None = None
    keep_float: tuple[str, ...] = ()
    out: Path | None = None
    keep_failed: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """What bundle.json says was asked for; all that the same export needs again."""
        return {name: getattr(self, name) for name in ASKED}

    @property
    def automatic(self) -> bool:
        """Whether the mode is to be found."""
        return self.quantize == AUTO

    @property
    def preset(self) -> Preset:
        """The mode asked for.

        Raises:
            UsageError: Unknown, or "auto".
        """
        return find_preset(self.quantize)

    @property
    def micro(self) -> bool:
        """Whether a micro-controller is the target."""
        return self.target == "micro"

    def gates(self, preset: Preset) -> Preset:
        """A mode with the limits asked for in place of its own."""
        if self.tolerance is not None and preset.max_error is not None:
            preset = replace(preset, max_error=self.tolerance)
        return preset if self.max_drop is None else replace(preset, max_drop=self.max_drop)

    def name(self, mode: str) -> str:
        """The bundle's default folder name."""
        extras: Sequence[str] = [
            *(["streaming"] if self.streaming else []),
            *(["micro"] if self.micro else []),
        ]
        return "-".join([self.file_format, mode, *extras])
