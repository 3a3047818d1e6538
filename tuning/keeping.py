"""A trial whose weights are kept: its folder becomes a run, which can be exported and evaluated."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from tuning.books import TRIAL, Books
from tuning.trial import Trial
from zoo.builders import get_builder
from zoo.config import RunConfig
from zoo.data.dataset import Dataset
from zoo.runs import MANIFEST, file_checksums, write_json
from zoo.training.bare import Fitted
from zoo.training.recorder import save_model
from zoo.training.trainer import describe_run, new_manifest


def keep(books: Books, trial: Trial, config: RunConfig, dataset: Dataset, fitted: Fitted) -> None:
    """Writes all that makes the trial's folder a run, `run.json` last: until then it is none.

    Args:
        books: Of the search.
        trial: Completed.
        config: Resolved; of several repeats that of the first.
        dataset: Without its test split; nothing is said of that.
        fitted: Of that configuration.
    """
    from zoo.training.assembly import build_model
    from zoo.training.measure import Measured, inference

    folder = books.folder(trial)
    threshold = None
    if dataset.alarm:
        threshold = Measured(dataset, dataset.validation, None).threshold(inference(fitted.model))
    describe_run(folder, config, dataset.with_threshold(threshold))
    model = build_model(config, get_builder(config.builder), dataset, precision="float32")
    model.set_weights(fitted.model.get_weights())  # the trained one would take its optimizer along
    save_model(model, folder)
    manifest = replace(
        new_manifest(config, dataset),
        status="finished",
        metrics=fitted.metrics,
        threshold=threshold,
        epochs={"done": fitted.done, "best": fitted.best},
        parameters=trial.figures.parameters or int(fitted.model.count_params()),
        seconds=round(sum(row.get("seconds", 0.0) for row in fitted.rows), 3),
        search={"folder": str(books.path), "trial": trial.id, "objective": books.plan.objective},
        files=file_checksums(folder, without=(TRIAL,)),
    )
    write_json(folder / MANIFEST, asdict(manifest))


def forget_run(folder: Path) -> None:
    """Takes a folder's `run.json` away before what it speaks of is written anew: a worker died with this trial."""
    (folder / MANIFEST).unlink(missing_ok=True)
