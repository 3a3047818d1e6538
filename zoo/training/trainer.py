"""From a name to a finished run folder: the whole training path, top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from zoo import data as zoo_data
from zoo.builders import get_builder
from zoo.builders.builder import source_file
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
    find_unfinished,
    locked,
    sha256,
    write_json,
    write_npz,
    write_text,
)
from zoo.training.assembly import use_threads
from zoo.training.augmentation import read_augment
from zoo.training.events import Listener, Message, log
from zoo.training.session import Session

SHOWN_LABELS = 10
PACKAGES = ("keras-deploy-zoo", "tensorflow", "keras", "numpy", "scikit-learn")


def train(
    recipe: str | None = None,
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
        recipe: A recipe's name, a path ending in `.toml`, a builder's name or "module:function"; None to resume.
        data: A data set's name or a path of your own, for a builder, or in place of a recipe's own.
        out: Folder of all runs.
        name: The run folder's name; by default the recipe's.
        resume: An unfinished run to go on with: a run, its folder, or a name for the latest of that name in `out`.
            Its own configuration counts.
        callbacks: Keras callbacks of your own, called after the zoo's; to resume, give them again (what they remember
            is theirs to keep).
        loss: Name of a loss, or a Keras loss on dense (one-hot) targets; give such an object again to resume or repeat.
        metrics: Keras metrics of your own; they become columns `own_<name>` of history.csv.
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
    own_loss = {"loss": "auto"} if loss is not None else {}
    if resume is not None:
        if any(given is not None for given in (recipe, data, name)) or overrides:
            raise UsageError("a resumed run keeps its own name, data and configuration; give resume alone")
        resumed = _unfinished(resume, Path(out))
        config = configure(str(resumed.path / CONFIG), own_loss)
    elif recipe is None:
        raise UsageError("nothing to train: give a recipe, a TOML file or a builder, or a run to resume")
    else:
        resumed, config = None, configure(recipe, {**overrides, **own_loss}, data=data, name=name)
    dataset = load_data(config, on_event)
    on_event(Message(_described(dataset)))
    config = resolve(config, dataset, loss, on_event)
    if resumed and resumed.manifest.data.get("sha256") != dataset.identity.sha256:
        raise DataError(
            f"{config.dataset!r} is not the data that {resumed.path} was trained on; fetch those, or train anew"
        )
    own = {"callbacks": tuple(callbacks), "loss": loss, "metrics": tuple(metrics)}
    return train_on(dataset, config, began, run=resumed, out=Path(out), on_event=on_event, **own)


def train_on(
    dataset: Dataset,
    config: RunConfig,
    began: float,
    *,
    run: Run | None,
    out: Path,
    on_event: Listener,
    callbacks: tuple[Any, ...] = (),
    loss: Any = None,
    metrics: tuple[Any, ...] = (),
) -> Run:
    """Trains on data at hand.

    Args:
        dataset: Loaded and split as `config` says.
        config: Resolved for the data.
        began: `time.monotonic` at the start.
        run: An unfinished one to go on with; None makes a new one in `out`.
        out: Folder of all runs.
        on_event: As for `train`, as is what is raised.
        callbacks: As for `train`.
        loss: A Keras loss, or None for the configured one.
        metrics: As for `train`.
    """
    builder = get_builder(config.builder)
    builder.check_fits(dataset.input, dataset.output)
    if "tensorflow" in sys.modules:
        use_threads(config.training.threads)
    going_on = run is not None
    run = run or create_run(out, config, dataset)
    session = Session(config, builder, dataset, run, on_event, callbacks, loss, metrics)
    with locked(run.path):
        return session.carry_out(began, resume=going_on)


def _unfinished(resume: Run | Path | str, root: Path) -> Run:
    """The run to go on with.

    Raises:
        UsageError: No such run, or one that is finished.
    """
    run = resume if isinstance(resume, Run) else find_unfinished(resume, root)
    if run.manifest.status == "finished":
        raise UsageError(f"{run.path} is finished, nothing to resume; train longer with: zoo train CONFIG --epochs N")
    return run


def resolve(config: RunConfig, dataset: Dataset, loss: Any, on_event: Listener) -> RunConfig:
    """The configuration with all that hangs on the data; a loss of the caller's own stands there by its name."""
    advice = config.recommended(dataset.input, dataset.output, len(dataset.train))
    config = config.with_knobs(advice)
    if advice:
        chosen = ", ".join(f"{name} {value}" for name, value in advice.items())
        on_event(Message(f"chosen for {len(dataset.train):,} training samples: {chosen}"))
    inputs, outputs = dataset.input, dataset.output
    read_augment(config.training.augment, inputs.kind, outputs.task, inputs.shape, forecast=bool(outputs.channels))
    config = _fetch(config, dataset, on_event)
    resolved = config.for_data(dataset.output.task, len(dataset.train))
    if resolved.training.epochs != config.training.epochs:
        few = f"{len(dataset.train):,} training samples are few steps"
        raised = f"{resolved.training.epochs} epochs instead of {config.training.epochs} (min_steps)"
        on_event(Message(f"{few}: {raised}"))
    if loss is None:
        return resolved
    named = f"own: {getattr(loss, '__name__', type(loss).__name__)}"
    return replace(resolved, training=replace(resolved.training, loss=named))


def _fetch(config: RunConfig, dataset: Dataset, on_event: Listener) -> RunConfig:
    """The configuration with the files that it names fetched, verified and pinned."""
    prepare = get_builder(config.builder).prepare
    if prepare is None:
        return config

    def tell(text: str) -> None:
        on_event(Message(text, warning=text.startswith("WARNING")))

    return config.with_knobs(prepare(dataset.input, config.hyperparameters, tell))


def load_data(config: RunConfig, on_event: Listener, *, draw: int = 0) -> Dataset:
    """The configured data, split by the configured seed; `draw` as for `zoo.data.load`."""
    on_event(Message(f"loading {config.dataset}"))
    return zoo_data.load(
        config.dataset,
        seed=config.training.seed,
        draw=draw,
        config=config.data,
        on_event=lambda text: on_event(Message(text, warning=text.startswith("WARNING"))),
    )


def _described(dataset: Dataset) -> str:
    """One line: sizes of the splits, what goes in, what comes out."""
    sizes = ", ".join(f"{count:,} {split}" for split, count in dataset.identity.samples.items())
    shape = "x".join(str(size) for size in dataset.input.shape)
    labels = dataset.output.labels
    few = f" ({', '.join(labels)})" if 0 < len(labels) <= SHOWN_LABELS else f" of {len(labels)} classes"
    return f"{sizes}; {dataset.input.kind} {shape}, {dataset.output.task}{few if labels else ''}"


def versions(builder: str) -> dict[str, str]:
    """What made a run: packages, and the checksum of a builder's own file (not of what that imports)."""
    found = {package: metadata.version(package) for package in PACKAGES}
    file = source_file(get_builder(builder))
    return found | ({f"builder {file.name}": f"sha256 {sha256(file)}"} if file else {})


def create_run(root: Path, config: RunConfig, dataset: Dataset, *, samples: bool = True) -> Run:
    """The run folder with all that is known before training; `samples` are those that an export needs."""
    run = Run.create(root, new_manifest(config, dataset))
    describe_run(run.path, config, dataset, samples=samples)
    return run


def new_manifest(config: RunConfig, dataset: Dataset) -> Manifest:
    """What `run.json` says before training."""
    return Manifest(
        name=config.name,
        builder=config.builder,
        recipe=config.recipe,
        seed=config.training.seed,
        data=asdict(dataset.identity),
        versions=versions(config.builder),
    )


def describe_run(folder: Path, config: RunConfig, dataset: Dataset, *, samples: bool = True) -> None:
    """Writes what a run folder says of its configuration and data, and with `samples` those that an export needs."""
    write_text(folder / CONFIG, config.to_toml())
    write_json(folder / PREPROCESSING, dataset.contract())
    write_text(folder / LABELS, "".join(f"{label}\n" for label in dataset.output.labels))
    for file, split in ((CALIBRATION, dataset.train), (VALIDATION, dataset.validation)) if samples else ():
        chosen = draw_samples(split, dataset.output.task, seed=config.training.seed)
        write_npz(folder / SAMPLES / file, samples=np.asarray(chosen.samples), targets=np.asarray(chosen.targets))
