"""What a search found, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuning.books import Books
from tuning.plan import Limits, Plan
from tuning.reporting.rows import find_standing, standing_words
from tuning.trial import Figures, Trial
from zoo.errors import DataError
from zoo.hyperparameters import Value
from zoo.metrics import ERRORS
from zoo.reporting.summary import label, noise, number, show
from zoo.runs import MANIFEST, read_manifest

if TYPE_CHECKING:
    from tuning.final import Final

NOTHING = "–"  # noqa: RUF001
KILOBYTE = 1024


def verdict(books: Books, trials: Sequence[Trial]) -> str:
    """One sentence: the best trial, beside the recipe as it stands where that was among the trials.

    Example:
        'Best of 20 completed trials is 0012: accuracy 98.76 % on the validation split, 1.20 points above the recipe as
        it stands (trial 0000, 97.56 %).'
    """
    plan, ranked = books.plan, books.ranked(list(trials))
    if not ranked:
        return f"No trial is completed: {counts(trials)}."
    best, standing = ranked[0], find_standing(plan, trials)
    of = f"of {len(ranked)} completed trials" if len(ranked) > 1 else "and only completed trial"
    score = f"{label(plan.objective)} {show(plan.objective, best.score)}"
    start = f"Best {of} is {best.id}: {score} on the validation split"
    if plan.quantize or plan.limits:
        start += f", answered by its exported {plan.quantize or 'float32'} file"
    same = sum(trial.score == best.score and not trial.same_as for trial in ranked[1:])
    if same:
        start += f" ({same} {'others score' if same > 1 else 'other scores'} the same)"
    if standing is None or standing.score is None:
        return f"{start}."
    as_it_is = f"{standing_words(plan)} (trial {standing.id}, {show(plan.objective, standing.score)})"
    if standing.id == best.id or standing.score == best.score:
        return f"{start}; nothing beat {as_it_is}."
    difference = number(best.score) - standing.score
    side = "below" if plan.smaller_is_better else "above"
    return f"{start}, {gap(plan.objective, abs(difference))} {side} {as_it_is}{_by_chance(books, best, difference)}."


def optimism(plan: Plan, final: Final | None) -> str:
    """One sentence: how much worse the test split came out than what the search had seen; empty without a final run.

    Example:
        'Validation was optimistic by 0.80 points: the search scored 98.90 %, the run that was made of it has 98.10 % on
        the test split, which decided nothing.'
    """
    if final is None:
        return ""
    scored, tested = final.search_score, number((final.exported or final.metrics).get(plan.objective))
    if not math.isfinite(tested) or not math.isfinite(scored):
        return f"The run {final.run.path} has no {label(plan.objective)} on a test split to set beside the search's."
    worse = tested - scored if plan.smaller_is_better else scored - tested
    what = "the exported file of the run" if final.exported else "the run"
    figures = (
        f"the search scored {show(plan.objective, scored)}, {what} that was made of it has "
        f"{show(plan.objective, tested)} on the test split, which decided nothing"
    )
    if worse <= 0:
        return f"Validation was not optimistic: {figures}."
    return f"Validation was optimistic by {gap(plan.objective, worse)}: {figures}."


def counts(trials: Sequence[Trial]) -> str:
    """How many trials are in which state: "12 completed, 1 failed, 7 rejected"."""
    states = [trial.status for trial in trials]
    kinds = {status: states.count(status) for status in ("completed", "failed", "rejected", "running")}
    return ", ".join(f"{count} {status}" for status, count in kinds.items() if count) or "there are no trials"


def gap(metric: str, difference: float) -> str:
    """A difference of a metric for people: "1.20 points", "0.014"."""
    if metric in ERRORS or show(metric, 0.5) != show("accuracy", 0.5):
        return f"{difference:.3g}"
    return f"{100 * difference:.2f} points"


def short(value: Value | None) -> str:
    """A knob's value in few characters: "0.00316", "true", "relu"."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else NOTHING if value is None else str(value)


def values_text(values: Mapping[str, Value]) -> str:
    """All values of a trial: "units 64  dropout 0.2"."""
    return "  ".join(f"{name} {short(value)}" for name, value in values.items())


def kilobytes(count: float | None) -> str:
    """Bytes for people, 1 kB being 1,024: "12.3 kB"."""
    return NOTHING if count is None or not math.isfinite(count) else f"{count / KILOBYTE:,.1f} kB"


def cost_text(name: str, value: float | None) -> str:
    """A cost by its name in `Figures`: "12.3 kB", "812 us", "61,706"."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if name in ("bytes", "arena_bytes"):
        return kilobytes(value)
    return microseconds(value) if name == "latency_us" else f"{value:,.0f}"


def microseconds(value: float) -> str:
    """A latency for people: "812 us", "2.4 us"."""
    return f"{value:,.0f} us" if value >= 10 else f"{value:.1f} us"


def cost_label(name: str) -> str:
    """What a cost is called: "file", "arena", "latency", "parameters", "MACs"."""
    return {"bytes": "file", "arena_bytes": "arena", "latency_us": "latency", "macs": "MACs"}.get(name, name)


def figures_text(figures: Figures) -> str:
    """What is known of a candidate's costs: "12.3 kB  arena 8.0 kB  812 us"; parameters where nothing else is."""
    parts = [kilobytes(figures.bytes)] if figures.bytes is not None else []
    parts += [f"arena {kilobytes(figures.arena_bytes)}"] if figures.arena_bytes is not None else []
    parts += [cost_text("latency_us", figures.latency_us)] if figures.latency_us is not None else []
    if not parts and figures.parameters is not None:
        parts = [f"{figures.parameters:,} parameters"]
    return "  ".join(parts)


def limits_text(limits: Limits) -> str:
    """The limits of a search: "file 64.0 kB, arena 32.0 kB"."""
    named = {
        "file": kilobytes(limits.flash) if limits.flash is not None else "",
        "arena": kilobytes(limits.arena) if limits.arena is not None else "",
        "latency": microseconds(limits.latency_us) if limits.latency_us is not None else "",
        "MACs": f"{limits.macs:,}" if limits.macs is not None else "",
    }
    return ", ".join(f"{name} {text}" for name, text in named.items() if text)


def _by_chance(books: Books, best: Trial, difference: float) -> str:
    """Says where a difference is within one standard error on the validation split, where its size is known."""
    if books.plan.objective not in ("accuracy", "macro_f1", "auc", "r2"):
        return ""
    try:
        manifest = read_manifest(books.folder(best) / MANIFEST)
    except DataError:  # its weights are not kept: the size of the split stands nowhere else
        return ""
    samples = int((manifest.data.get("samples") or {}).get("validation", 0))
    if samples and abs(difference) <= noise(books.plan.objective, number(best.score), samples):
        return f", no more than chance explains on a validation split of {samples:,} samples"
    return ""
