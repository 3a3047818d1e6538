"""`search.html`: one self-contained page of what a search tried and found."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.books import PAGE, Books
from tuning.durations import show_seconds
from tuning.pareto import Choice, choose, dimensions, front
from tuning.plan import Plan
from tuning.reporting import knob_pictures, pictures
from tuning.reporting.effects import Effect, effects
from tuning.reporting.knobs import Knob, knobs_of
from tuning.reporting.rows import rows_of
from tuning.reporting.trial_tables import all_trials, reasons
from tuning.reporting.words import (
    NOTHING,
    cost_label,
    cost_text,
    counts,
    limits_text,
    optimism,
    values_text,
    verdict,
)
from tuning.trial import Trial
from zoo.reporting import page
from zoo.reporting.plots import STYLE, save_plot, svg_of
from zoo.reporting.summary import label, show
from zoo.runs import MANIFEST, PLOTS, write_text

if TYPE_CHECKING:
    from tuning.final import Final

CHOSEN_BY_RESULTS = ("bayesian", "hyperband")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the page is made of, each worked out once.

    Attributes:
        completed: Trials with a finite score, the best first.
        status: Of the search.
        choice: None where nothing is completed.
    """

    books: Books
    plan: Plan
    trials: Sequence[Trial]
    completed: Sequence[Trial]
    status: str
    knobs: Sequence[Knob] = ()
    effects: Sequence[Effect] = ()
    front: Sequence[Trial] = ()
    choice: Choice | None = None
    plots: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether trials still compete with the page for the machine."""
        return self.status == "running"


def write_page(books: Books, trials: Sequence[Trial], final: Final | None = None) -> Path:
    """Writes `search.html` and `plots/*.png` of a search, from its first trial on.

    While it runs the page has its course, the front and the tables alone: the other plots would take the time of a
    trial. It is whole as soon as `search.json` says that the search has ended.

    Args:
        books: Of the search.
        trials: All that there are, in any state.
        final: What became of the winner; None while nothing has.

    Raises:
        DataError: `search.json` is damaged.
        ResourceError: The folder cannot be written.
    """
    found = _find(books, trials)
    plan = books.plan
    title = f"Search: {', '.join(plan.names)}"
    sections = [
        *_top(found, title, final),
        page.section("Course", page.row(*_figures(found, "course", width="58rem")), _course_note(found)),
        page.section("Quality against cost", *_front(found, final)),
        page.section("All knobs at once", *_coordinates(found)),
        page.section("Effect of each knob", *_effects(found)),
        page.section("What penalties and dropout do to the losses", *_losses(found)),
        page.section("What was searched", *_searched(found)),
        page.section("Failed", *reasons(trials, "failed")),
        page.section("Rejected before their training", *reasons(trials, "rejected")),
        page.section("All trials", *all_trials(plan, trials)),
    ]
    path = books.path / PAGE
    write_text(path, page.page(title, sections))
    return path


def _find(books: Books, trials: Sequence[Trial]) -> Found:
    plan, completed = books.plan, books.ranked(list(trials))
    own = [trial for trial in completed if not trial.same_as]
    knobs = knobs_of(plan, completed)
    strongest = effects(knobs, own, plan.objective, smaller_is_better=plan.smaller_is_better)
    best = front(completed, plan.objective, smaller_is_better=plan.smaller_is_better)
    choice = choose(best)
    found = Found(
        books=books,
        plan=plan,
        trials=trials,
        completed=completed,
        status=str(books.status().get("status", "")),
        knobs=knobs,
        effects=strongest,
        front=best,
        choice=choice,
    )
    return replace(found, plots=_draw(found, own))


def _draw(found: Found, own: Sequence[Trial]) -> dict[str, str]:
    """Every plot there is something for, as an SVG element; PNG files beside the page of a search that has ended."""
    import matplotlib as mpl

    plan, folder, drawn = found.plan, found.books.path / PLOTS, {}
    wanted: dict[str, Callable[[], Any]] = {}
    if any(trial.ended is not None for trial in found.trials):
        wanted["course"] = lambda: pictures.course(found.trials, found.completed, plan)
    if found.effects and not found.running:
        wanted["coordinates"] = lambda: knob_pictures.coordinates(found.effects, own, plan)
        wanted["effects"] = lambda: knob_pictures.effect_pictures(found.effects, plan)
        wanted["losses"] = lambda: knob_pictures.loss_picture(found.knobs, own)
    with mpl.rc_context(dict(STYLE)):
        made = {name: draw() for name, draw in wanted.items()}
        if found.choice is not None:
            made |= pictures.front_pictures(found.front, own, found.choice, plan)
        for name, figure in made.items():
            if figure is not None:
                svg = svg_of(figure, name) if found.running else save_plot(figure, folder, name)
                drawn[name] = svg.replace(knob_pictures.PAPER, "var(--page)")
    return drawn


def _top(found: Found, title: str, final: Final | None) -> list[str]:
    """Title, state, verdict, and what the test split said."""
    plan, status = found.plan, found.status
    facts = [
        plan.tuner,
        f"{len(found.trials)} trials: {counts(found.trials)}",
        f"objective {label(plan.objective)}, {'less' if plan.smaller_is_better else 'more'} is better",
        f"candidates exported as {plan.quantize}" if plan.quantize else "",
        f"at most {limits_text(plan.limits)}" if plan.limits else "",
        f"mean of {plan.repeats} trainings, each on a validation split of its own" if plan.repeats > 1 else "",
        f"{show_seconds(sum(trial.seconds for trial in found.trials))} in trials",
        f"seed {plan.seed}",
    ]
    going_on = f" Go on with: zoo tune --resume {shlex.quote(str(found.books.path))}" if not found.running else ""
    unfinished = status and status != "finished"
    return [
        f"<h1>{page.text(title)}</h1>",
        page.banner(f"This search is {status}.{going_on}", "warn") if unfinished else "",
        page.paragraph(" · ".join(fact for fact in facts if fact), "soft"),
        page.paragraph(verdict(found.books, found.trials), "verdict"),
        page.paragraph(optimism(plan, final), "verdict") if optimism(plan, final) else "",
        page.paragraph(" ".join([f"The winner's run: {final.run.path}.", *final.notes]), "soft") if final else "",
    ]


def _figures(found: Found, *names: str, width: str) -> list[str]:
    return [page.figure(found.plots[name], width) for name in names if name in found.plots]


def _course_note(found: Found) -> str:
    """What the plot cannot say of itself."""
    epochs = {trial.epochs for trial in found.completed}
    parts = ["Triangles at the edge are scores beyond it."] if "course" in found.plots else []
    if len(epochs) > 1:
        parts.append("Trials were given different numbers of epochs: scores of short ones are lower for that alone.")
    same = sum(bool(trial.same_as) for trial in found.completed)
    if same:
        parts.append(f"{same} had the configuration of an earlier one and took its result over.")
    return page.paragraph(" ".join(parts), "soft") if parts else ""


def _front(found: Found, final: Final | None) -> list[str]:
    """Plots, and the table of what can be exported."""
    if found.choice is None:
        return [page.paragraph("Nothing is completed yet.", "soft")]
    names = dimensions(found.completed)
    beside = {entry.trial.id: entry.how for entry in found.choice.neighbours}
    roles = {found.choice.chosen.id: "chosen"} | beside
    head = ["trial", label(found.plan.objective), *(cost_label(name) for name in names), "", "values", "export"]
    rows = [
        [
            trial.id,
            show(found.plan.objective, trial.score),
            *(cost_text(name, getattr(trial.figures, name)) for name in names),
            roles.get(trial.id, ""),
            values_text(trial.values),
            export_command(found.books, trial, final if trial.id == found.choice.chosen.id else None),
        ]
        for trial in found.front
    ]
    note = (
        "On the front is what no other trial equals or beats in quality and every cost. The steps are the best to be "
        "had for each amount of one cost alone. The chosen one is the best; beside it stand those that are cheaper."
    )
    return [
        page.row(*_figures(found, *names, width="28rem")),
        page.table(head, rows, figures=False),
        page.paragraph(note, "soft"),
    ]


def export_command(books: Books, trial: Trial, final: Final | None = None) -> str:
    """How a trial becomes a bundle: the command, or why there is none."""
    folder = books.folder(trial) if final is None else final.run.path
    if final is None and not (folder / MANIFEST).is_file():
        return "weights not kept"
    mode = f" --quantize {books.plan.quantize}" if books.plan.quantize else ""
    target = " --target micro" if books.plan.limits.arena is not None else ""
    return f"zoo export {shlex.quote(str(folder))}{mode}{target}"


def _coordinates(found: Found) -> list[str]:
    if "coordinates" not in found.plots:
        return []
    left = len(found.effects) - knob_pictures.MOST_AXES
    more = f" {left} knobs with weaker effects are left out." if left > 0 else ""
    words = f"One line is one completed trial; the darker, the better, the thick one is the best.{more}"
    return [page.row(*_figures(found, "coordinates", width="58rem")), page.paragraph(words, "soft")]


def _effects(found: Found) -> list[str]:
    if not found.effects or found.running:
        return []
    said: dict[str, list[str]] = {}
    for effect in found.effects:
        said.setdefault(effect.words, []).append(effect.knob.name)
    rows = [[", ".join(names), words] for words, names in said.items()]
    words = (
        "The other knobs varied at the same time, so this is what went together, not what caused what. Only monotone "
        "trends are looked for; chance is what shuffled scores give as well."
    )
    if found.plan.tuner in CHOSEN_BY_RESULTS:
        words += f" The {found.plan.tuner} tuner chose later trials by earlier ones, which overstates such trends."
    return [
        page.row(*_figures(found, "effects", width="58rem")),
        page.table(["knob", "with the score"], rows, figures=False),
        page.paragraph(words, "soft"),
    ]


def _losses(found: Found) -> list[str]:
    if "losses" not in found.plots:
        return []
    name = next(knob.name for knob in found.knobs if knob.name in knob_pictures.REGULARISERS)
    words = (
        "The loss is that of the data, without the penalty itself. A penalty that is too weak leaves training below "
        "validation (overfitting), one that is too strong raises both (underfitting). One knob alone, everything else "
        f"the same: zoo study {found.plan.names[0]} --vary {name}=V1,V2,..."
    )
    return [page.row(*_figures(found, "losses", width="58rem")), page.paragraph(words, "soft")]


def _searched(found: Found) -> list[str]:
    """The dimensions, and what was the same for all trials."""
    plan = found.plan
    rows = [[row.knob, row.words] for row in rows_of(plan)]
    fixed = [[name, value] for name, value in plan.given.items()]
    fixed += [["data", plan.data or "the recipe's own"], ["sha256 of the data", plan.sha256 or NOTHING]]
    fixed += [["search folder", found.books.path]]
    return [
        page.table(["searched", "values"], rows, figures=False),
        page.table(["same for all trials", ""], fixed, figures=False),
    ]
