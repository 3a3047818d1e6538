"""What was found wrong, or worth knowing, in a user's data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.errors import DataError

Severity = Literal["error", "warning", "note"]
SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        severity: An "error" stops a training, a "warning" should be read, a "note" says what was done.
        message: One line: file, line or column, cause, next step.
    """

    severity: Severity
    message: str


def errors(findings: Iterable[Finding]) -> list[str]:
    """The messages of those that stop a training."""
    return [finding.message for finding in findings if finding.severity == "error"]


def refuse(findings: Iterable[Finding], path: Path) -> None:
    """Raises a DataError with every error among the findings; nothing where there is none."""
    fail(errors(findings), path)


def fail(problems: Sequence[str], path: Path | str) -> None:
    """Raises a DataError with every problem; nothing where there is none."""
    if not problems:
        return
    if len(problems) == 1:
        raise DataError(problems[0])
    listed = list(problems[:SHOWN])
    if len(problems) > SHOWN:
        listed.append(f"and {len(problems) - SHOWN:,} more")
    raise DataError(f"{path} has {len(problems):,} problems; see: zoo data check", problems=listed)
