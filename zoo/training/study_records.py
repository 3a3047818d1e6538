"""The trainings of a study on disk: found again, and what their folders say."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from zoo.errors import ZooError
from zoo.hyperparameters import Value
from zoo.reporting.content import read_history
from zoo.reporting.study import SPARSE, Training
from zoo.runs import HISTORY, MANIFEST, Run, safe_name
from zoo.training import checkpoints


def earlier(folder: Path, name: str) -> tuple[Run | None, bool]:
    """The newest training of that name in the folder, and whether it is to be gone on with."""
    for file in sorted((folder / safe_name(name)).glob(f"*/{MANIFEST}"), reverse=True):
        with suppress(ZooError):  # a damaged one is made anew
            run = Run(file.parent)
            if run.manifest.name != name:
                continue
            if run.manifest.status in ("finished", "diverged"):
                record(run, 0, 0)
                return run, False
            checkpoints.load(run.path)
            return run, True
    return None, False


def record(run: Run, value: Value, seed: int) -> Training:
    """What a training's folder says.

    Raises:
        DataError: It is damaged.
    """
    manifest = run.manifest
    history = read_history(run.path / HISTORY) if (run.path / HISTORY).is_file() else {}
    epochs = len(history["epoch"]) if history else 0
    if manifest.status == "diverged":
        return Training(
            value=value,
            seed=seed,
            run=run.path,
            epochs=epochs,
            best_epoch=0,
            parameters=manifest.parameters,
            seconds=manifest.seconds,
            diverged=epochs + 1,
        )
    metrics = dict(manifest.metrics)
    return Training(
        value=value,
        seed=seed,
        run=run.path,
        epochs=epochs,
        best_epoch=manifest.epochs["best"],
        parameters=manifest.parameters,
        seconds=manifest.seconds,
        last=metrics.pop("last"),
        best=metrics,
        penalty=float(history["penalty"][-1]),
        sparsity=sparsity(run.path),
    )


def sparsity(run: Path) -> float:
    """The share of weights that are as good as zero at a run's last epoch.

    Counted are arrays with two axes or more (kernels and embeddings; biases and normalisations are left out), each
    weight against the largest of its own array, see `SPARSE`.

    Raises:
        DataError: The run has no usable checkpoint.
    """
    arrays, _, _ = checkpoints.load(run)
    named = {name: array for name, array in arrays.items() if name.startswith("model") and array.ndim >= 2}
    kernels: list[np.ndarray] = [np.abs(array) for array in named.values()]
    zeros = sum(int((kernel <= SPARSE * kernel.max()).sum()) for kernel in kernels)
    return zeros / max(sum(kernel.size for kernel in kernels), 1)
