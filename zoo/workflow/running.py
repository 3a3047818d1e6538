"""`zoo run`: data, training or search, exports, verification, gates of a TOML file; what is unchanged is skipped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.bundle import Bundle
from export.child import Child
from export.exporting import export_model
from export.options import Options
from export.quantization import find_preset
from export.targets import find_target
from export.verification import verify
from zoo import metrics, runs
from zoo.cards import a_task
from zoo.config import RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.deployment import Deployment, ExportWish, read_deployment
from zoo.errors import (
    GateError,
    InterruptedRunError,
    ModelError,
    SigtermInterrupt,
    TerminatedRunError,
    UsageError,
)
from zoo.inference.evaluation import answer_split
from zoo.inference.predictor import Predictor
from zoo.recipefile import read_toml
from zoo.reporting.report import write_report
from zoo.runs import Run, locked, safe_name
from zoo.training.events import Listener, Message, log
from zoo.training.trainer import load_data, resolve, train_on
from zoo.workflow.earlier import find_bundle, find_earlier, record_bundle
from zoo.workflow.outcome import BundleOutcome, Outcome, check_gates
from zoo.workflow.searching import tuned


def run(file: Path | str, *, out: Path | str = "runs", force: bool = False, on_event: Listener = log) -> Outcome:
    """Carries out a TOML file: checks the data, trains, exports, verifies, measures on the test split, checks gates.

    A finished training of the same configuration, data and versions is taken over, an interrupted one gone on with; a
    bundle is taken over that was made from that very model with the same options and is whole.

    Args:
        file: A TOML file as `zoo train` takes it, with the tables `[tune]` (options of `zoo tune`, whose winner is the
            run), `[export]` (`formats`, `quantize`, `max_drop`) and `[require]` (metrics on the test split,
            `max_bytes`) where they are wanted.
        out: Folder of all runs.
        force: Does everything anew.
        on_event: Called with each event of `zoo.training.events`.

    Returns:
        What it came to; `Outcome.missed` names the gates that were not passed.

    Raises:
        UsageError: Anything wrong in the file.
        DataError: Anything wrong with the data.
        ModelError: A model that cannot be built or exported.
        DivergedError: The training diverged.
        InterruptedRunError: Ctrl-C; the same call goes on. SIGTERM raises TerminatedRunError.

    Example:
        >>> outcome = zoo.workflow.run("wine.toml")
        >>> outcome.ok, outcome.bundles[0].bytes
    """
    began = time.monotonic()
    path = Path(file)
    if path.suffix != ".toml":
        raise UsageError(
            f"{str(file)!r} is no TOML file; write one (zoo train NAME leaves a config.toml), or: zoo train"
        )
    config = configure(str(path))
    deployment = read_deployment(path, read_toml(path))
    for wish in deployment.exports:
        _check_wish(path, wish)
    root = Path(out).absolute()
    folder = root / safe_name(config.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            return _carry_out(_Work(path, config, deployment, root, force, on_event), began)
    except (KeyboardInterrupt, InterruptedRunError, TerminatedRunError) as error:
        terminated = isinstance(error, (SigtermInterrupt, TerminatedRunError))
        kind = TerminatedRunError if terminated else InterruptedRunError
        raise kind(f"interrupted, what is done is kept in {folder}; go on with the same command", run=folder) from error


@dataclass(frozen=True)
class _Work:
    """What is to be done."""

    path: Path
    config: RunConfig
    deployment: Deployment
    root: Path
    force: bool
    listener: Listener


def _check_wish(path: Path, wish: ExportWish) -> None:
    """Refuses a mode before anything is trained for it."""
    try:
        target = "micro" if wish.micro else None
        options = Options(file_format=wish.format, quantize=wish.quantize, target=target)
        if not options.automatic:
            find_preset(wish.quantize)
        find_target(options, lambda _line: None)
    except UsageError as error:
        raise UsageError(f"{path}: [export] {wish.name}: {error}") from error
    if wish.format == "saved_model" and (wish.quantize != "float32" or wish.streaming or wish.micro):
        raise UsageError(f"{path}: [export] {wish.name}: a SavedModel is float32; take tflite-{wish.quantize}")


def _carry_out(work: _Work, began: float) -> Outcome:
    dataset = load_data(work.config, work.listener)
    allowed = (*metrics.MEASURED[dataset.output.task], "max_bytes")
    for requirement in work.deployment.requirements:
        if requirement.key not in allowed:
            raise UsageError(
                f"{work.path}: [require] {requirement.key} does not fit {a_task(dataset.output.task)}; "
                f"choose of {', '.join(allowed)}"
            )
    trained, kept = _train(work, dataset, began)
    bundles = _export(work, trained, dataset)
    if any(not bundle.kept for bundle in bundles):
        write_report(trained)
    skipped = [] if not kept else ["tune" if work.deployment.tune is not None else "train"]
    skipped += [f"export {bundle.name}" for bundle in bundles if bundle.kept]
    return Outcome(
        run=trained,
        skipped=tuple(skipped),
        bundles=tuple(bundles),
        gates=check_gates(trained, bundles, work.deployment.requirements),
        seconds=time.monotonic() - began,
    )


def _train(work: _Work, dataset: Dataset, began: float) -> tuple[Run, bool]:
    """The finished run, and whether it was there already."""
    if work.deployment.tune is not None:
        return tuned(work.path, work.deployment.tune, root=work.root, force=work.force, listener=work.listener)
    config = resolve(work.config, dataset, None, work.listener)
    earlier, finished = (None, False) if work.force else find_earlier(work.root, config, dataset)
    if earlier is not None and finished:
        work.listener(Message(f"unchanged, not trained again: {earlier.path}"))
        return earlier, True
    if earlier is not None:
        work.listener(Message(f"going on with {earlier.path}"))
    return train_on(dataset, config, began, run=earlier, out=work.root, on_event=work.listener), False


def _export(work: _Work, trained: Run, dataset: Dataset) -> list[BundleOutcome]:
    """Every bundle, one after the other by one warm child process that starts when the first is needed."""
    found = []
    child = Child()
    try:
        for wish in work.deployment.exports:
            record = None if work.force else find_bundle(trained, wish)
            if record is not None:
                work.listener(Message(f"unchanged, not exported again: {wish.name}"))
                found.append(_outcome(trained, wish, record, kept=True))
            else:
                found.append(_export_one(work, trained, dataset, wish, child))
    finally:
        child.close()
    return found


def _export_one(work: _Work, trained: Run, dataset: Dataset, wish: ExportWish, child: Child) -> BundleOutcome:
    """Exports, verifies, measures on the test split."""
    try:
        bundle = export_model(
            trained,
            format=wish.format,
            quantize=wish.quantize,
            max_drop=wish.max_drop,
            streaming=wish.streaming,
            target="micro" if wish.micro else None,
            out=trained.path / runs.EXPORT / wish.name,
            child=child,
            on_event=lambda text: work.listener(Message(text)),
        )
    except (GateError, ModelError, UsageError) as error:  # one bundle that cannot be is no end of the others
        return BundleOutcome(name=wish.name, problem=str(error))
    work.listener(Message(f"verifying {wish.name}, measuring it on the test split"))
    verified = verify(bundle)
    predictor = Predictor.open(bundle.path)
    answers = answer_split(predictor, dataset, dataset.test.samples)
    figures = {
        "verify": asdict(verified),
        "metrics": metrics.evaluate(dataset.output.task, dataset.test.targets, answers, predictor.contract.threshold),
    }
    if verified.ok:
        record_bundle(trained, wish, figures)
    return _outcome(trained, wish, figures, kept=False)


def _outcome(trained: Run, wish: ExportWish, figures: Mapping[str, Any], *, kept: bool) -> BundleOutcome:
    bundle = Bundle(trained.path / runs.EXPORT / wish.name)
    replayed = dict(figures["verify"])
    problem = replayed.pop("problem")
    return BundleOutcome(
        name=wish.name,
        path=bundle.path,
        kept=kept,
        bytes=bundle.bytes,
        parity=bundle.parity,
        metrics=figures["metrics"],
        verify=replayed,
        problem=problem,
    )
