"""A model's answers beside the right ones, gathered batch by batch from rows that hold the right ones as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.errors import DataError
from zoo.inference.contract import Contract
from zoo.inference.job import Job
from zoo.inference.targets import by_cause, read_targets, refuse


@dataclass(frozen=True)
class Measured:
    """Answers beside what they should have been.

    Attributes:
        targets: As `zoo.metrics.evaluate` takes them: (n,) classes, else (n, answers).
        outputs: (n, outputs) float32.
        without: Rows that have no target and were left out.
        notes: What a user should know of the rows, a line each.
    """

    targets: np.ndarray
    outputs: np.ndarray
    without: int = 0
    notes: tuple[str, ...] = ()


@dataclass
class _Reading:
    """Targets of a file as they are with one decimal mark; what is wrong, and where; and how many are."""

    decimal: str
    targets: list[np.ndarray] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)
    wrong: int = 0

    def add(self, placed: Sequence[tuple[str, Sequence[str]]], contract: Contract) -> None:
        values, wrong = read_targets([row for _, row in placed], contract, self.decimal)
        for cause, places in by_cause(wrong, [name for name, _ in placed]).items():
            self.problems.setdefault(cause, []).extend(places)
        self.targets.append(values)
        self.wrong += len(wrong)


def gather(
    job: Job,
    path: Path,
    answered: Iterator[tuple[Sequence[str], Sequence[Sequence[str]], np.ndarray]],
    missing: frozenset[str],
    decimals: Sequence[str] = (".",),
) -> Measured:
    """All answers with a target, read with the decimal mark that makes sense of most; others are named at once."""
    readings = [_Reading(decimal) for decimal in decimals]
    outputs: list[np.ndarray] = []
    without = 0
    for names, texts, found in answered:
        known = np.array([not any(text.strip().lower() in missing for text in row) for row in texts], bool)
        without += int((~known).sum())
        kept = [(name, row) for name, row, there in zip(names, texts, known, strict=True) if there]
        for reading in readings:
            reading.add(kept, job.contract)
        outputs.append(found[known])
    best = min(readings, key=lambda reading: reading.wrong)
    refuse(best.problems, path)
    notes = [f"{without:,} rows have no target and were left out"] if without else []
    for what, counts in (("unseen categories", job.summary.unseen), ("missing cells, filled", job.summary.imputed)):
        if counts:
            notes.append(f"{what}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")
    joined = np.concatenate(best.targets)
    if not len(joined):
        raise DataError(f"{path}: no row has a target; give a file with the right answers, see --target")
    return Measured(joined, np.concatenate(outputs), without, tuple(notes))
