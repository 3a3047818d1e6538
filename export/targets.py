"""What a target asks of an export beyond its quantization mode: its operators, its memory, its sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export import micro
from export.options import Options
from export.quantization import Preset
from export.verification import interpreter_of, verify
from zoo.errors import GateError, ModelError, UsageError

MICRO_MODES = ("float32", "int8", "int16x8")
"""What tflite-micro runs; float16 and dynamic do not allocate there."""


class Target:
    """Where a TFLite file is to run: its budget, and the proof that it runs there.

    Args:
        options: Target and budget.
        tell: Told what happens, a line each.

    Attributes:
        runtimes: Further runtimes that the file is verified on.

    Raises:
        UsageError: A budget or mode that does not belong to the target.
    """

    runtimes: tuple[str, ...] = ()

    def __init__(self, options: Options, tell: Callable[[str], None]) -> None:
        self._options, self._tell = options, tell
        if options.target is not None and not options.micro:
            self.runtimes = (options.target,)
        if options.file_format != "tflite" and (options.target or options.max_flash):
            raise UsageError("a target and a budget belong to a TFLite file; use --format tflite")
        if options.max_arena is not None and not options.micro:
            raise UsageError("the tensor arena is measured for micro-controllers only; add --target micro")

    def accept(self, contract: Mapping[str, Any], name: str) -> None:  # noqa: ARG002
        """Refuses, before any time is spent, what the target cannot do.

        Args:
            contract: Of the source.
            name: For messages.

        Raises:
            ModelError: The model's inputs cannot be prepared there.
            UsageError: A runtime is not installed.
        """
        for runtime in self.runtimes:
            interpreter_of(runtime)

    def runs(self, preset: Preset) -> bool:  # noqa: ARG002
        """Whether the target runs files of a mode."""
        return True

    def measure(self, model: Path, size: int, name: str) -> dict[str, Any]:  # noqa: ARG002
        """The "memory" of bundle.json.

        Args:
            model: The file.
            size: Its bytes; of a SavedModel, of its files together.
            name: For messages.

        Raises:
            GateError: Over the budget.
        """
        micro.check_budget(size, None, self._options.max_flash, None)
        return {"flash": {"model": size}, "arena": {"host": None}}

    def write(self, folder: Path, model: Path, content: Mapping[str, Any], golden: Mapping[str, np.ndarray]) -> None:
        """Adds the target's own files to a bundle's folder."""

    def check(self, folder: Path) -> None:
        """Replays the golden samples of a finished folder on the target's runtimes.

        Raises:
            GateError: It ends otherwise there, or answers otherwise.
            ModelError: The runtime is known not to run it.
        """
        for runtime in self.runtimes:
            self._tell(f"replaying the golden samples on {runtime}")
            found = verify(folder, runtime)
            if found.status == "refused":
                raise ModelError(f"{runtime} does not run it: {found.problem}")
            if not found.ok:
                raise GateError(f"the export does not pass on {runtime}: {found.problem}")


class MicroTarget(Target):
    """A micro-controller with tflite-micro."""

    runtimes = ("tflite-micro",)

    def __init__(self, options: Options, tell: Callable[[str], None]) -> None:
        super().__init__(options, tell)
        self._arena: micro.Arena | int = 0
        if not options.automatic and not self.runs(options.preset):
            raise UsageError(
                f"--target micro runs {', '.join(MICRO_MODES)}, not {options.quantize}; use --quantize int8"
            )

    def accept(self, contract: Mapping[str, Any], name: str) -> None:
        """Refuses a preprocessing step without C.

        Raises:
            ModelError: Names it.
            UsageError: tflite-micro is not installed.
        """
        super().accept(contract, name)
        micro.check_contract(contract, name)

    def runs(self, preset: Preset) -> bool:
        """Whether tflite-micro runs files of a mode."""
        return preset.name in MICRO_MODES

    def measure(self, model: Path, size: int, name: str) -> dict[str, Any]:
        """Likewise, with the tensor arena on this host.

        Raises:
            ModelError: tflite-micro lacks an operator, or is not installed.
            GateError: Over the budget.
        """
        micro.check_operators(model, name)
        self._tell("measuring the tensor arena with tflite-micro on this host")
        self._arena = micro.measure_arena(model)
        micro.check_budget(size, self._arena.bytes, self._options.max_flash, self._options.max_arena)
        return {"flash": {"model": size}, "arena": {"host": self._arena.bytes}}

    def write(self, folder: Path, model: Path, content: Mapping[str, Any], golden: Mapping[str, np.ndarray]) -> None:
        """Adds micro/, the program for the board."""
        micro.write_micro(folder / "micro", model, content, golden, self._arena)


def find_target(options: Options, tell: Callable[[str], None]) -> Target:
    """The target asked for; any runtime by default."""
    return MicroTarget(options, tell) if options.micro else Target(options, tell)
