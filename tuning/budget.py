"""What a device has room for: candidates exported before they are trained, measured, and rejected in seconds.

Cheapest first: multiplications of the Keras model, then the weights that any file of it must hold, then the file
itself, its time, and last its tensor arena. What the untrained file measures holds for the trained one: an
architecture is measured once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from export import micro
from export.attempt import Attempt
from export.candidates import convert, convert_untrained, open_candidate, time_attempt
from export.child import Child
from export.child import Limits as ChildLimits
from export.cost import count_macs, count_parameters, least_bytes
from export.micro.arena import RUNTIME, runtime_python
from export.quantization import find_preset
from export.source import Source
from export.targets import MICRO_MODES
from tuning.architecture import architecture
from tuning.limits import parse_limits
from tuning.plan import Limits
from tuning.rejection import Rejected, reject, told
from tuning.trial import Figures
from zoo.doctor.runtimes import try_out
from zoo.errors import ModelError, ResourceError, UsageError

__all__ = ["Device", "Rejected", "parse_limits"]

SECONDS = 180.0
"""Of one conversion or run of a candidate; beyond, it is stopped."""
ROUNDS = 3
"""Medians that are taken of every candidate's time."""
MORE_ROUNDS, PAUSE = 8, 0.1
"""Medians, seconds apart, before a candidate is called too slow: another process may have had the core."""
FAR = 3.0
"""Times the limit from which nobody looks again."""


class Device:
    """A device as far as a search is concerned: a mode, limits, and a warm process that converts and runs files.

    Args:
        limits: What it has; None of them set measures without rejecting.
        quantize: The mode of the files; None is float32.
        tell: Told what happens, a line each.
        child: A process to convert in, kept warm by the caller; by default one of its own, which ends with the block.

    Raises:
        UsageError: A mode that is unknown, or that micro-controllers do not run where the arena is limited.

    Example:
        >>> with Device(parse_limits(max_flash="64k"), "int8") as device:
        ...     figures = device.check(model, contract, calibration)
    """

    def __init__(
        self,
        limits: Limits,
        quantize: str | None,
        *,
        tell: Callable[[str], None] = lambda _text: None,
        child: Child | None = None,
    ) -> None:
        self.limits, self.mode = limits, find_preset(quantize or "float32").name
        self._tell = tell
        self._micro = limits.arena is not None
        if self._micro and self.mode not in MICRO_MODES:
            raise UsageError(
                f"--max-arena is a micro-controller's, which runs {', '.join(MICRO_MODES)}, not {self.mode}; use "
                "--quantize int8, or leave --max-arena out"
            )
        self._child, self._borrowed = child or Child(ChildLimits(seconds=SECONDS)), child is not None
        self._fitting: dict[str, Figures] = {}
        self._refused: dict[str, tuple[str, Figures]] = {}
        self._smallest: int | None = None

    def __enter__(self) -> Device:
        """Starts the process; it imports TensorFlow while the caller does the same.

        Raises:
            UsageError: tflite-micro, which measures the arena, is not installed or does not run.
        """
        if self._micro:
            check_runtime()
        self._child.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._borrowed:
            self._child.close()

    def check(
        self, model: Any, contract: Mapping[str, Any] | None, calibration: Any = None, *, name: str = ""
    ) -> Figures:
        """What a model that was not trained yet will cost.

        A model of an architecture that was checked before is not measured again.

        Args:
            model: A built `keras.Model`.
            contract: As `zoo.data.Dataset.contract`; None for a model of which nothing is recorded.
            calibration: Raw samples, (n, ...), for several inputs a dict by name; a few are enough.
            name: As its export would be called: it stands in the file.

        Raises:
            Rejected: It does not fit, or the mode does not serve it.
            UsageError: The mode needs calibration samples and there are none.
            ResourceError: Converting it took too much time or memory.
        """
        key = self._key(model, contract, name)
        if key in self._fitting:
            return self._fitting[key]
        if key in self._refused:
            raise Rejected(*self._refused[key])
        try:
            found = self._check(model, contract, calibration, name)
        except Rejected as rejected:
            if key:
                self._refused[key] = (rejected.reason, rejected.figures)
            raise
        if key:
            self._fitting[key] = found
        return found

    def answers(
        self, model: Any, contract: Mapping[str, Any] | None, calibration: Any, samples: Any, *, name: str = ""
    ) -> tuple[np.ndarray | dict[str, np.ndarray], Figures]:
        """What the file of a trained model answers, and what it costs.

        Time and arena that `check` measured on the same operators are not measured again.

        Args:
            model: Trained.
            contract: As in `check`.
            calibration: The raw samples that its export would calibrate with.
            samples: Raw samples, (n, ...), for several inputs a dict by name.
            name: As in `check`.

        Returns:
            The model's outputs, dequantized, (n, ...) float32, before the target transform is inverted; of several
            outputs by name. And its figures.

        Raises:
            Rejected: It does not fit after all, or the converter refuses it.
            UsageError, ResourceError: As in `check`.
        """
        known = self._fitting.get(self._key(model, contract, name))
        figures = _counted(model)
        with _folder() as folder, _refusals(figures):
            source = open_candidate(model, contract, calibration, samples, name=name)
            attempt = convert(source, self.mode, self._child, folder, micro=self._micro, tell=self._tell)
            if attempt.failed:
                self._tell(f"{source.name} in {self.mode} is far from Keras: {'; '.join(attempt.failed)}")
            figures = self._measure(source, attempt, figures, known)
        outputs = dict(attempt.outputs)
        return (next(iter(outputs.values())) if source.signature.single else outputs), figures

    def _check(self, model: Any, contract: Mapping[str, Any] | None, calibration: Any, name: str) -> Figures:
        figures = _counted(model)
        self._check_before(model, figures)
        with _folder() as folder, _refusals(figures):
            source = open_candidate(model, contract, calibration, name=name)
            if self._micro:
                micro.check_contract(source.contract, source.name)
            attempt = convert_untrained(source, self.mode, self._child, folder, micro=self._micro, tell=self._tell)
            return self._measure(source, attempt, figures)

    def _check_before(self, model: Any, figures: Figures) -> None:
        """What the Keras model itself tells, before anything is converted."""
        reject(figures, self.limits, self.mode)
        if self.limits.macs is not None and figures.macs is None:
            raise Rejected(
                "its multiplications cannot be counted: a layer has an open shape, is used twice, or is none of the "
                f"dense, convolution and recurrent ones of Keras; {self.limits.macs:,} are allowed (--max-macs)",
                figures,
            )
        limit, least = self.limits.flash, least_bytes(model, self.mode)
        # what might be the smallest of the search is measured all the same: a search that nothing fits shows it
        if limit is not None and least > limit and self._smallest is not None and self._smallest <= least:
            raise Rejected(
                f"the weights alone take {told(least)} in {self.mode}, {told(limit)} are allowed (--max-flash)", figures
            )

    def _measure(self, source: Source, attempt: Attempt, figures: Figures, known: Figures | None = None) -> Figures:
        """The figures of a file; time and arena as known where they are of the same operators.

        Raises:
            Rejected: Over a limit.
        """
        figures = replace(figures, bytes=attempt.bytes, ops=dict(attempt.ops), form=attempt.form)
        self._smallest = min(attempt.bytes, self._smallest or attempt.bytes)
        reject(figures, self.limits, self.mode)
        if known is not None and (known.ops, known.form) != (figures.ops, figures.form):
            known = None
        with _refusals(figures):
            figures = replace(figures, latency_us=known.latency_us if known else self._time(attempt))
            reject(figures, self.limits, self.mode)
        if not self._micro:
            return figures
        with _refusals(figures):
            arena = known.arena_bytes if known else self._measure_arena(source, attempt)
        figures = replace(figures, arena_bytes=arena)
        reject(figures, self.limits, self.mode)
        return figures

    def _time(self, attempt: Attempt) -> float:
        """Microseconds; whatever else runs here only adds time, so the quickest of several medians counts."""
        limit = self.limits.latency_us
        quickest = time_attempt(attempt, self._child, rounds=ROUNDS)
        if limit is not None and limit < quickest <= FAR * limit:
            again = time_attempt(attempt, self._child, rounds=MORE_ROUNDS, enough=limit, pause=PAUSE)
            quickest = min(quickest, again)
        return quickest

    def _measure_arena(self, source: Source, attempt: Attempt) -> int:
        micro.check_operators(attempt.model, f"{source.name} in {self.mode}")
        return micro.measure_arena(attempt.model).bytes

    def _key(self, model: Any, contract: Mapping[str, Any] | None, name: str) -> str:
        """What the cost of a model depends on, in this mode; empty where nobody can tell."""
        shape = architecture(model)
        if shape is None:
            return ""
        beside = json.dumps([contract, name], sort_keys=True)
        return f"{shape} {hashlib.sha256(beside.encode()).hexdigest()}"


def _counted(model: Any) -> Figures:
    return Figures(parameters=count_parameters(model), macs=count_macs(model))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """An empty folder for the files of one candidate.

    Raises:
        ResourceError: The disk is full, or cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="zoo-tune-") as folder:
            yield Path(folder)
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        raise ResourceError(f"{where} cannot be written or read: {error.strerror or error}; free the disk") from error


@contextlib.contextmanager
def _refusals(figures: Figures) -> Iterator[None]:
    """A model that is refused within the block is rejected, with what is known of it."""
    try:
        yield
    except ModelError as error:
        raise Rejected(str(error), figures) from error


def check_device(limits: Limits, quantize: str | None) -> None:
    """Raises UsageError where candidates could not be measured here; starts nothing that stays."""
    if Device(limits, quantize).limits.arena is not None:
        check_runtime()


def check_runtime() -> None:
    """Raises UsageError where the arena cannot be measured."""
    try:
        problem = try_out(runtime_python())
    except ModelError:
        problem = "is not installed here"
    else:
        problem = problem and f"does not run here ({problem})"
    if problem:
        raise UsageError(f"--max-arena is measured on {RUNTIME}, which {problem}; run: zoo doctor --install {RUNTIME}")
