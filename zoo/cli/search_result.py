"""What a search ends with: the summary for people, and the JSON value for scripts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tuning.books import PAGE, Books
from tuning.durations import show_seconds
from tuning.pareto import Choice, choose, dimensions, front
from tuning.reporting.words import cost_label, cost_text, counts, optimism, short, verdict
from tuning.trial import Trial
from zoo.cli.search_state import plain_score
from zoo.cli.table import aligned
from zoo.reporting.summary import label

if TYPE_CHECKING:
    from tuning.final import Final

MOST_ROWS = 12


def closing(books: Books, trials: Sequence[Trial], final: Final | None, seconds: float) -> str:
    """The summary under a search.

    Args:
        books: Of the search.
        trials: All of them.
        final: What became of the winner; None where nothing has.
        seconds: Of the whole command.
    """
    found, choice = _front(books, trials)
    lines = []
    if choice is not None:
        lines += ["Quality against cost, what no other trial beats in both:", _table(books, found, choice), ""]
        if len(found) > MOST_ROWS:
            lines.insert(-1, f"and {len(found) - MOST_ROWS} more, see the page")
    lines.append(verdict(books, trials))
    said = optimism(books.plan, final)
    lines += [said] if said else []
    lines += [
        f"trials  {counts(trials)}, {show_seconds(seconds)}",
        f"page    {books.path / PAGE}",
        f"search  {books.path}",
    ]
    if final is None:
        return "\n".join([*lines, f"next    zoo tune --resume {shlex.quote(str(books.path))}"])
    lines.append(f"run     {final.run.path}")
    if final.bundle is not None:
        return "\n".join([*lines, f"bundle  {final.bundle}", f"next    zoo verify {shlex.quote(str(final.bundle))}"])
    return "\n".join([*lines, f"next    zoo export {shlex.quote(str(final.run.path))} --quantize int8"])


def value(books: Books, trials: Sequence[Trial], final: Final | None) -> dict[str, Any]:
    """The JSON value of a search; arguments as for `closing`."""
    found, choice = _front(books, trials)
    return {
        "run": None if final is None else final.run.path,
        "search": books.path,
        "objective": books.plan.objective,
        "best": None if choice is None else choice.chosen.id,
        "chosen": None if choice is None else choice.chosen.id,
        "neighbours": {} if choice is None else {entry.trial.id: entry.how for entry in choice.neighbours},
        "front": [trial.id for trial in found],
        "figures": _figures(final),
        "metrics": None if final is None else final.run.metrics,
        "trials": [_trial(books, trial) for trial in trials],
    }


def _front(books: Books, trials: Sequence[Trial]) -> tuple[list[Trial], Choice | None]:
    plan = books.plan
    found = front(trials, plan.objective, smaller_is_better=plan.smaller_is_better)
    return found, choose(found)


def _table(books: Books, found: Sequence[Trial], choice: Choice) -> str:
    """The front, the best first; the chosen one and its neighbours are marked."""
    names, marks = dimensions(found), {entry.trial.id: entry.how for entry in choice.neighbours}
    marks[choice.chosen.id] = "chosen"
    first = list(found[:MOST_ROWS])
    shown = first + [trial for trial in found[MOST_ROWS:] if trial.id in marks]
    knobs = list(dict.fromkeys(name for trial in shown for name in trial.values))
    head = ["trial", label(books.plan.objective), *map(cost_label, names), *knobs, ""]
    rows = [
        [
            trial.id,
            plain_score(books.plan.objective, trial.score),
            *(cost_text(name, getattr(trial.figures, name)) for name in names),
            *(short(trial.values.get(name)) for name in knobs),
            marks.get(trial.id, ""),
        ]
        for trial in shown
    ]
    return aligned([head, *rows])


def _trial(books: Books, trial: Trial) -> dict[str, Any]:
    return {
        "id": trial.id,
        "status": trial.status,
        "values": trial.values,
        "score": trial.score,
        "scores": trial.scores,
        "reason": trial.reason,
        **{name: entry for name, entry in asdict(trial.figures).items() if name not in ("ops", "form")},
        "metrics": trial.metrics,
        "epochs": trial.done,
        "seconds": trial.seconds,
        "same_as": trial.same_as,
        "path": books.folder(trial),
    }


def _figures(final: Final | None) -> Mapping[str, Any] | None:
    """What the winner's own training came to; the metrics are of the test split."""
    if final is None:
        return None
    names = ("search_score", "metrics", "exported", "optimism", "bundle", "notes")
    return {name: getattr(final, name) for name in names}
