"""What a study found: the trainings of each value, their means and ranges over the seeds, in words and as files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from zoo.hyperparameters import Value
from zoo.metrics import better
from zoo.reporting.summary import label, number, show
from zoo.runs import jsonable, write_json, write_text

STUDY = "study.json"
STUDY_CSV = "study.csv"
STUDY_PICTURE = "study"
STUDY_REPORT = "study.html"
SPARSE = 1e-3
"""A weight counts as zero up to this share of the largest of its kernel: pruning it changes next to nothing."""

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of a study.

    Attributes:
        seed: Of split, initial weights and order.
        run: Its folder.
        epochs: Finished.
        best_epoch: By the validation split; 0 where none was finished.
        diverged: The epoch in which the loss stopped being finite; None where it stayed so.
        last: Split to metric to value at the last epoch; empty where it diverged.
        best: Likewise at the best epoch.
        penalty: L1 and L2 of the last weights.
        sparsity: Share of the last kernel weights that are as good as zero, see `SPARSE`; None where it diverged.
    """

    value: Value
    seed: int
    run: Path
    epochs: int
    best_epoch: int
    parameters: int
    seconds: float
    diverged: int | None = None
    last: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    best: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    penalty: float | None = None
    sparsity: float | None = None

    def figures(self) -> dict[str, float]:
        """Every figure under a flat name: `test_accuracy` at the last epoch, `best_test_accuracy` at the best."""
        found = {f"{split}_{name}": value for split in SPLITS for name, value in self.last.get(split, {}).items()}
        found |= {f"best_{split}_{name}": value for split in SPLITS for name, value in self.best.get(split, {}).items()}
        if self.diverged is None:
            found |= {"best_epoch": float(self.best_epoch)}
            found |= {name: number(getattr(self, name)) for name in ("penalty", "sparsity")}
        return found


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over the seeds whose training did not diverge."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One value of the knob.

    Attributes:
        text: The value as a person writes it.
        same_start: Whether every seed began with the weights that the other values began with.
        diverged: Trainings that diverged.
        figures: Name to spread; see `Training.figures`.
    """

    value: Value
    text: str
    same_start: bool
    diverged: int
    figures: Mapping[str, Spread]
    trainings: tuple[Training, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """One knob's effect.

    Attributes:
        path: The study's folder.
        plan: Digest of all that the values have in common; trainings of an equal one are taken over.
        status: "finished", or where it stands.
        metric: The task's usual one.
        data: A `DataIdentity` as a mapping, of the first seed.
        settings: Every knob that the values have in common.
        notes: What was fixed for the comparison and what must not be misread, a line each.
    """

    path: Path
    name: str
    knob: str
    metric: str
    plan: str
    status: Literal["running", "interrupted", "finished"]
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def trainings(self) -> list[Training]:
        """Every training, value by value."""
        return [training for row in self.rows for training in row.trainings]


def make_row(value: Value, text: str, trainings: Iterable[Training], *, same_start: bool) -> Row:
    """The row of a value: means and ranges over its trainings that did not diverge."""
    trainings = tuple(trainings)
    whole = [training.figures() for training in trainings if training.diverged is None]
    figures = {name: _spread([figure[name] for figure in whole]) for name in (whole[0] if whole else ())}
    return Row(
        value=value,
        text=text,
        same_start=same_start,
        diverged=len(trainings) - len(whole),
        figures=figures,
        trainings=trainings,
    )


def _spread(values: Sequence[float]) -> Spread:
    finite = [value for value in map(number, values) if math.isfinite(value)]
    if not finite:
        return Spread(mean=math.nan, low=math.nan, high=math.nan)
    return Spread(mean=sum(finite) / len(finite), low=min(finite), high=max(finite))


def verdict(study: Study) -> str:
    """One sentence: the value that is best on the validation split, and whether chance could have made it so.

    Example:
        'l2 = 0.0001 is best on the validation split at the last epoch: accuracy 94.20 % (93.80 % to 94.60 %), next l2 =
        0 with 93.90 %; the ranges over 3 seeds overlap, so other seeds may turn it round.'
    """
    name = f"validation_{study.metric}"
    found = [(row, row.figures[name]) for row in study.rows if name in row.figures]
    found = [(row, spread) for row, spread in found if math.isfinite(spread.mean)]
    if not found:
        return f"No value of {study.knob} was trained to the end."
    ranked = sorted(found, key=lambda pair: pair[1].mean, reverse=better(study.metric, 1.0, 0.0))
    (best, spread), others = ranked[0], [pair for pair in ranked if pair[1].mean != ranked[0][1].mean]
    mean, low, high = (show(study.metric, figure) for figure in (spread.mean, spread.low, spread.high))
    tied = [row.text for row, spread in ranked if spread.mean == ranked[0][1].mean]
    if len(tied) > 1:
        rest = (
            f"; next {study.knob} = {others[0][0].text} with {show(study.metric, others[0][1].mean)}" if others else ""
        )
        which = f"{study.knob} = {', '.join(tied)} are equally good on the validation split at the last epoch"
        return f"{which}: {label(study.metric)} {mean}{rest}."
    which = f"{study.knob} = {best.text} is best on the validation split at the last epoch"
    start = f"{which}: {label(study.metric)} {mean} ({low} to {high})"
    if not others:
        return f"{start}; nothing else was trained to the end."
    row, second = others[0]
    following = f", next {study.knob} = {row.text} with {show(study.metric, second.mean)}"
    if len(study.seeds) == 1:
        return f"{start}{following}; one seed says little, add --seeds 3."
    apart = spread.low > second.high if better(study.metric, 1.0, 0.0) else spread.high < second.low
    chance = "do not overlap" if apart else "overlap, so other seeds may turn it round"
    return f"{start}{following}; the ranges over {len(study.seeds)} seeds {chance}."


def table(study: Study) -> list[list[str]]:
    """Head and rows for people: the mean at the last epoch, and half the range over the seeds."""
    metric = study.metric
    columns = {f"{split} {label(metric)}": (f"{split}_{metric}", metric) for split in SPLITS}
    columns |= {f"{split} loss": (f"{split}_loss", "loss") for split in SPLITS[:2]}
    if any(row.figures.get("penalty", Spread(mean=0, low=0, high=0)).mean > 0 for row in study.rows):
        columns["penalty"] = ("penalty", "loss")
    columns |= {"sparsity": ("sparsity", "accuracy"), "best epoch": ("best_epoch", "loss")}
    diverged = any(row.diverged for row in study.rows)
    head = [study.knob, *columns, *(["diverged"] if diverged else [])]
    rows = []
    for row in study.rows:
        cells = [_cell(row.figures.get(name), kind) for name, kind in columns.values()]
        rows.append([row.text, *cells, *([_diverged(row)] if diverged else [])])
    return [head, *rows]


def _cell(spread: Spread | None, metric: str) -> str:
    if spread is None or not math.isfinite(spread.mean):
        return show(metric, math.nan)
    half = (spread.high - spread.low) / 2
    if half == 0:
        return show(metric, spread.mean)
    text = f"{100 * half:.2f}" if show(metric, spread.mean).endswith("%") else f"{half:.2g}"
    return f"{show(metric, spread.mean)} ±{text}"


def _diverged(row: Row) -> str:
    if not row.diverged:
        return ""
    epochs = ", ".join(str(training.diverged) for training in row.trainings if training.diverged is not None)
    return f"{row.diverged} of {len(row.trainings)} in epoch {epochs}"


def write_study(study: Study) -> None:
    """Writes `study.json`, and `study.csv` with a row for each training."""
    write_json(study.path / STUDY, {"schema_version": 1, **asdict(study)})
    write_text(study.path / STUDY_CSV, _csv(study))


def _csv(study: Study) -> str:
    plain = [entry.name for entry in fields(Training) if entry.name not in ("value", "last", "best", "penalty")]
    lines = [{study.knob: row.text, **_line(training, plain)} for row in study.rows for training in row.trainings]
    columns = dict.fromkeys(column for line in lines for column in line)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _line(training: Training, names: Sequence[str]) -> dict[str, Any]:
    line: dict[str, Any] = jsonable({name: getattr(training, name) for name in names})
    return line | {name: value for name, value in training.figures().items() if name not in line}
