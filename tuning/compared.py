"""A run, or a trial of a search, as a comparison reads it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tuning.books import SEARCH, TRIAL, TRIALS, Books
from tuning.trial import Trial
from zoo.errors import DataError
from zoo.metrics import ERRORS, PRIMARY
from zoo.reporting.content import Export, read_exports
from zoo.reporting.summary import number, primary_metric
from zoo.runs import CONFIG, EXPORT, MANIFEST, Manifest, Run, find_run, read_manifest


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run, or a trial of a search.

    Attributes:
        name: The run's; of a trial its search's folder.
        id: The folder's name.
        recipe: Empty where there is none.
        data: As `Manifest.data`; of a trial without weights the name and the checksum alone.
        primary: The metric that decides, without the prefix "val_".
        smaller_is_better: Its direction.
        metrics: Split to metric to value; a trial has no test split.
        exports: Of the folder's `export/`; of a trial also the candidate's own figures.
        knobs: Every setting of `config.toml`; of a trial without it those that were searched or given.
        whole: These are all the knobs there are.
    """

    name: str
    id: str
    kind: Literal["run", "trial"]
    path: Path
    status: str
    recipe: str
    builder: str
    data: Mapping[str, Any]
    primary: str
    smaller_is_better: bool
    metrics: Mapping[str, Mapping[str, float]]
    parameters: int | None
    epochs: int
    seconds: float
    exports: tuple[Export, ...] = ()
    knobs: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False

    def figure(self, split: str, metric: str) -> float:
        """A metric on a split; NaN where it was not measured."""
        return number((self.metrics.get(split) or {}).get(metric))


def read_entries(reference: str | Path, root: Path, top: int) -> tuple[list[Entry], list[str]]:
    """What a reference stands for, and what is to be said of it.

    Args:
        reference: A run's folder or name, a search's folder or name, or a trial's folder.
        root: Folder that names are looked up in.
        top: Trials of a search, the best first.

    Raises:
        UsageError: An unknown name.
        DataError: A run or a search that is damaged; it is named.
    """
    path = Path(reference)
    if str(reference) and (path / TRIAL).is_file():
        books = Books.open(path.absolute().parent.parent)
        return [_of_trial(books, books.read(path.absolute().name))], []
    if _is_search(path):
        return _of_search(path, top)
    searches = sorted((root / str(reference)).glob(f"*/{SEARCH}")) if str(reference) else []
    if searches:
        return _of_search(searches[-1].parent, top)
    return [_of_run(find_run(reference, root))], []


def _is_search(path: Path) -> bool:
    return str(path) != "." and ((path / SEARCH).is_file() or (path / TRIALS).is_dir())


def _of_search(path: Path, top: int) -> tuple[list[Entry], list[str]]:
    books = Books.open(path.absolute())
    trials, damaged = books.trials()
    ranked = [trial for trial in books.ranked(trials) if not trial.same_as]
    notes = [f"left out: {line}" for line in damaged]
    if not ranked:
        notes.append(f"{books.path} has no completed trial")
    if len(ranked) > top:
        notes.append(f"{books.path} has {len(ranked) - top} further completed trials; see more with --top N")
    return [_of_trial(books, trial) for trial in ranked[:top]], notes


def _of_run(run: Run) -> Entry:
    manifest = run.manifest
    knobs, _ = _settings(run.path)
    primary = primary_metric(manifest) or _primary(manifest.metrics.get("validation") or {})
    return Entry(
        name=manifest.name,
        id=run.path.name,
        kind="run",
        path=run.path,
        status=manifest.status,
        recipe=manifest.recipe or "",
        builder=manifest.builder,
        data=manifest.data,
        primary=primary,
        smaller_is_better=primary in ERRORS,
        metrics={split: manifest.metrics.get(split) or {} for split in ("train", "validation", "test")},
        parameters=manifest.parameters,
        epochs=int(manifest.epochs.get("done", 0)),
        seconds=manifest.seconds,
        exports=tuple(read_exports(run.path / EXPORT)),
        knobs=knobs,
        whole=bool(knobs),
    )


def _of_trial(books: Books, trial: Trial) -> Entry:
    plan, folder = books.plan, books.folder(trial)
    knobs, top = _settings(folder)
    kept: Manifest | None = read_manifest(folder / MANIFEST) if (folder / MANIFEST).is_file() else None
    dataset = plan.data or top.get("dataset") or "the recipe's own"
    objective = plain_metric(plan.objective)
    return Entry(
        name=books.path.name,
        id=trial.id,
        kind="trial",
        path=folder,
        status=trial.status,
        recipe=str(trial.values.get("recipe", plan.names[0])),
        builder=str(top.get("builder", "")),
        data=kept.data if kept and kept.data else {"name": str(dataset), "sha256": plan.sha256},
        primary=objective,
        smaller_is_better=plan.smaller_is_better,
        metrics=trial.metrics,
        parameters=trial.figures.parameters,
        epochs=trial.done,
        seconds=trial.seconds,
        exports=(*_candidate(plan.quantize, objective, trial), *read_exports(folder / EXPORT)),
        knobs=knobs or {**plan.given, **trial.values},
        whole=bool(knobs),
    )


def _candidate(mode: str | None, objective: str, trial: Trial) -> list[Export]:
    """The exported file that the trial was scored by."""
    if trial.figures.bytes is None:
        return []
    metric = (trial.metrics.get("exported") or {}).get(objective)
    bundle = {"bytes": trial.figures.bytes, "parity": {"metric_after": metric}}
    return [Export(name=f"candidate-{mode or 'float32'}", bundle=bundle)]


def _settings(folder: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Every knob of a `config.toml`, and what stands above them; both empty where there is none."""
    path = folder / CONFIG
    if not path.is_file():
        return {}, {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not TOML: {error}; it is damaged, leave {folder} out") from error
    data = dict(content.get("data") or {})
    top = {"builder": content.get("builder", ""), "dataset": data.pop("dataset", "")}
    return {**(content.get("hyperparameters") or {}), **(content.get("training") or {}), **data}, top


def _primary(measured: Mapping[str, Any]) -> str:
    """The metric that decides, told from what was measured on the validation split."""
    return next(
        (name for name in (PRIMARY["regression"], PRIMARY["segmentation"], *PRIMARY.values()) if name in measured),
        "loss",
    )


def plain_metric(name: str) -> str:
    """A metric's name as trials have it: without the prefix that it has in the logs of `fit`."""
    return name.removeprefix("val_")


def export_figures(export: Export) -> tuple[int | None, float]:
    """Bytes of an export, None where they are not known, and its metric, NaN where that is not."""
    size, parity = export.bundle.get("bytes"), export.bundle.get("parity")
    metric = parity.get("metric_after") if isinstance(parity, Mapping) else None
    return size if isinstance(size, int) else None, number(metric)
