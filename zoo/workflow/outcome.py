"""What a workflow came to: the run, its bundles, and the gates that were set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.deployment import Requirement
from zoo.reporting.summary import number
from zoo.runs import Run


@dataclass(frozen=True, kw_only=True)
class BundleOutcome:
    """One export that was asked for.

    Attributes:
        name: Of the bundle's folder.
        path: The folder; None where there is no bundle.
        kept: Whether it was there already.
        bytes: Of the model.
        parity: The comparison with Keras on the validation split, see bundle.json.
        metrics: On the test split.
        verify: `ok`, `runtime` and `max_error` of replaying it.
        problem: Why there is no bundle, or why it is not good; empty where it is.
    """

    name: str
    path: Path | None = None
    kept: bool = False
    bytes: int | None = None
    parity: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One requirement on one artefact.

    Attributes:
        of: "run", or the bundle's name.
        limit: What was required; None where it is to be good at all ("export").
        found: NaN where nothing was measured.
    """

    of: str
    key: str
    ok: bool
    limit: float | None = None
    found: float = math.nan
    at_most: bool = False
    problem: str = ""

    def __str__(self) -> str:
        if self.limit is None:
            return f"{self.of}: {self.problem}"
        sign = "<=" if self.at_most else ">="
        return f"{self.of}: {self.key} {self._show(self.found)}, required {sign} {self._show(self.limit)}"

    def _show(self, value: float) -> str:
        if math.isnan(value):
            return "none"
        return f"{int(value):,}" if self.key == "max_bytes" else f"{value:.4g}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a workflow came to.

    Attributes:
        skipped: Steps whose results were there already: "train", "export tflite-int8".
        seconds: Of the whole call.
    """

    run: Run
    skipped: tuple[str, ...]
    bundles: tuple[BundleOutcome, ...]
    gates: tuple[Gate, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every gate was passed."""
        return all(gate.ok for gate in self.gates)

    @property
    def missed(self) -> list[str]:
        """Every gate that was not passed, a line each."""
        return [str(gate) for gate in self.gates if not gate.ok]


def check_gates(run: Run, bundles: Iterable[BundleOutcome], requirements: Iterable[Requirement]) -> tuple[Gate, ...]:
    """Every gate: each bundle must be good, and every requirement met by the run and by each bundle."""
    requirements = tuple(requirements)
    gates = [
        _metric_gate("run", requirement, run.metrics["test"])
        for requirement in requirements
        if requirement.key != "max_bytes"
    ]
    for bundle in bundles:
        gates.append(Gate(of=bundle.name, key="export", ok=not bundle.problem, problem=bundle.problem))
        if bundle.path is not None:
            figures = {**bundle.metrics, "max_bytes": bundle.bytes}
            gates += [_metric_gate(bundle.name, requirement, figures) for requirement in requirements]
    return tuple(gates)


def _metric_gate(of: str, requirement: Requirement, figures: Mapping[str, Any]) -> Gate:
    found = number(figures.get(requirement.key))
    return Gate(
        of=of,
        key=requirement.key,
        ok=requirement.met(found),
        limit=requirement.limit,
        found=found,
        at_most=requirement.at_most,
    )
