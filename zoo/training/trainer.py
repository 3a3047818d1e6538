"""From a name to a finished run folder: the whole training path, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo import data as zoo_data
from zoo.builders import get_builder
from zoo.config import RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.data.samples import draw_samples
from zoo.errors import DataError, UsageError
from zoo.runs import (
    CALIBRATION,
    CONFIG,
    LABELS,
    PREPROCESSING,
    SAMPLES,
    VALIDATION,
    Manifest,
    Run,
    locked,
    write_json,
    write_npz,
    write_text,
)
from zoo.training.events import Listener, Message, log
from zoo.training.session import Session

PACKAGES = ("keras-deploy-zoo", "tensorflow", "keras", "numpy", "scikit-learn")


def train(
    target: str,
    *,
    data: str | None = None,
    out: Path | str = "runs",
    name: str | None = None,
    resume: Run | Path | str | None = None,
    callbacks: Sequence[Any] = (),
    loss: Any = None,
    metrics: Sequence[Any] = (),
    on_event: Listener = log,
    **overrides: object,
) -> Run:
    """Trains a recipe, a TOML file, or a builder on data, into a run folder.

    Args:
        target: A recipe's name, a path ending in `.toml`, a builder's name or "module:function".
        data: A data set's name, for a builder, or in place of a recipe's own.
        out: Folder of all runs.
        name: The run folder's name; by default the recipe's.
        resume: A run to go on with; its own configuration counts, `target` must be its name or "".
        callbacks: Keras callbacks of your own, called after the zoo's.
        loss: Name of a loss, or a Keras loss on dense (one-hot) targets.
        metrics: Keras metrics of your own; they become columns of history.csv.
        on_event: Called with each event of `zoo.training.events`; by default they go to the logger "zoo".
        **overrides: Any knob: training, data or the builder's hyperparameters.

    Returns:
        The finished run.

    Raises:
        UsageError: An unknown name, knob or value.
        DataError: The data are missing or damaged.
        DivergedError: The loss stopped being finite; `.run` holds the last finite weights.
        InterruptedRunError: Ctrl-C; `.run` holds what was reached. SIGTERM raises TerminatedRunError.

    Example:
        >>> run = zoo.train("mnist-cnn", epochs=3)
        >>> run.metrics["test"]["accuracy"]
    """
    began = time.monotonic()
    if isinstance(loss, str):
        overrides["loss"], loss = loss, None
    if resume is not None:
        if overrides or data:
            raise UsageError("a resumed run keeps its own configuration; leave the other options away")
        resumed = resume if isinstance(resume, Run) else Run(resume)
        config = configure(str(resumed.path / CONFIG))
    else:
        resumed, config = None, configure(target, overrides, data=data, name=name)
    dataset = _load(config, on_event)
    asked, config = config.training.epochs, config.for_data(dataset.output.task, len(dataset.train))
    if config.training.epochs != asked:
        few = f"{len(dataset.train):,} training samples are few steps"
        on_event(Message(f"{few}: {config.training.epochs} epochs instead of {asked} (min_steps)"))
    builder = get_builder(config.builder)
    builder.check_fits(dataset.input, dataset.output)
    if resumed and resumed.manifest.data.get("sha256") != dataset.identity.sha256:
        raise DataError(
            f"{config.dataset!r} is not the data that {resumed.path} was trained on; fetch those, or train anew"
        )
    run = resumed or _create(Path(out), config, dataset)
    session = Session(config, builder, dataset, run, on_event, tuple(callbacks), loss, tuple(metrics))
    with locked(run.path):
        return session.carry_out(began, resume=resumed is not None)


def _load(config: RunConfig, on_event: Listener) -> Dataset:
    on_event(Message(f"loading {config.dataset}"))
    return zoo_data.load(
        config.dataset,
        seed=config.training.seed,
        validation=config.data.validation,
        test=config.data.test,
        train_samples=config.data.train_samples or None,
        strict=config.data.strict_data,
        on_event=lambda text: on_event(Message(text)),
    )


def _create(root: Path, config: RunConfig, dataset: Dataset) -> Run:
    """The run folder with all that is known before training."""
    manifest = Manifest(
        name=config.name,
        builder=config.builder,
        recipe=config.recipe,
        seed=config.training.seed,
        data=asdict(dataset.identity),
        versions={package: metadata.version(package) for package in PACKAGES},
    )
    run = Run.create(root, manifest)
    write_text(run.path / CONFIG, config.to_toml())
    write_json(run.path / PREPROCESSING, dataset.contract())
    write_text(run.path / LABELS, "".join(f"{label}\n" for label in dataset.output.labels))
    for file, split in ((CALIBRATION, dataset.train), (VALIDATION, dataset.validation)):
        chosen = draw_samples(split, dataset.output.task, seed=config.training.seed)
        write_npz(run.path / SAMPLES / file, samples=chosen.samples, targets=chosen.targets)
    return run
