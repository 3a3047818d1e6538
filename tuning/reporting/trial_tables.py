"""The tables of trials on a search's page: why some did not complete, and all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tuning.pareto import dimensions
from tuning.plan import Plan
from tuning.reporting.words import NOTHING, cost_label, cost_text, short
from tuning.trial import Trial
from zoo.reporting import page
from zoo.reporting.summary import label, show

MOST_ROWS = 1000
MOST_IDS = 12


def reasons(trials: Sequence[Trial], status: str) -> list[str]:
    """Reasons with the trials that ended for them, the commonest first; figures in them tell none apart."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.status == status:
            groups.setdefault(re.sub(r"\d[\d.,e+-]*", "#", trial.reason), []).append(trial)
    ordered = sorted(groups.values(), key=len, reverse=True)
    rows = [[str(len(group)), group[0].reason or "no reason is recorded", _ids(group)] for group in ordered]
    return [page.table(["trials", "reason, of the first", "which"], rows, figures=False)] if rows else []


def _ids(trials: Sequence[Trial]) -> str:
    left = len(trials) - MOST_IDS
    listed = ", ".join(trial.id for trial in trials[:MOST_IDS])
    return f"{listed} and {left} more" if left > 0 else listed


def all_trials(plan: Plan, trials: Sequence[Trial]) -> list[str]:
    """Every trial in the order of creation, with its values and costs."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    costs = dimensions(trials)
    head = ["trial", "status", label(plan.objective), *names, *map(cost_label, costs), "epochs", "seconds"]
    rows = [
        [
            trial.id,
            f"as {trial.same_as}" if trial.same_as else trial.status,
            show(plan.objective, trial.score),
            *(short(trial.values.get(name)) for name in names),
            *(cost_text(name, getattr(trial.figures, name)) for name in costs),
            trial.done or NOTHING,
            f"{trial.seconds:.1f}",
        ]
        for trial in sorted(trials, key=lambda trial: trial.created)[:MOST_ROWS]
    ]
    left = len(trials) - len(rows)
    more = page.paragraph(f"{left} further trials are in trials.csv.", "soft") if left > 0 else ""
    return [page.table(head, rows), more] if rows else [page.paragraph("No trial has begun yet.", "soft")]
