"""The end of a training: every split measured, the run's folder complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.dataset import Dataset, Split
from zoo.data.samples import MASK_BYTES
from zoo.runs import PREDICTIONS, PREPROCESSING, Run, write_json, write_npz

if TYPE_CHECKING:
    from zoo.training.measure import Measured


EXAMPLES = 8
"""Test images that are kept to show what was found on them."""


def conclude(
    run: Run,
    dataset: Dataset,
    splits: Mapping[str, Measured],
    *,
    best: Any,
    last: Any,
    baselines: Callable[[], Mapping[str, Mapping[str, float]]],
    epochs: Mapping[str, int],
    report: Callable[[Run], object] | None,
    began: float,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Measures, writes predictions and report, and says in the manifest that the run is finished.

    A threshold of anomalies is chosen here, of the weights that count, and the contract is written again with it.

    Args:
        run: Whose folder holds all but that.
        dataset: What it was trained on.
        splits: "train", "validation" and "test".
        best: The model with the weights that count.
        last: Inference with the weights of the last epoch; None where they are gone.
        baselines: Gives their metrics on the test split.
        epochs: As in the manifest.
        report: Writes the report; None where there is to be none.
        began: `time.monotonic` at the start of the run.
        check: Raises where the run is to stop.
    """
    from zoo.training.measure import inference

    forward = inference(best)
    threshold = splits["validation"].threshold(forward)
    at_best = {name: split.measure(forward, threshold) for name, split in splits.items()}
    at_last = None
    if last is not None:
        own = splits["validation"].threshold(last)
        at_last = {name: split.measure(last, own)[0] for name, split in splits.items()}
    if threshold is not None:
        write_json(run.path / PREPROCESSING, dataset.with_threshold(threshold).contract())
    arrays: dict[str, np.ndarray] = {}
    for name, split in (("validation", dataset.validation), ("test", dataset.test)):
        arrays |= _kept(name, split, at_best[name][1], dataset.output.task)
    if dataset.output.task == "detection":  # maps are many numbers, and half precision tells the same objects
        arrays |= {key: array.astype(np.float16) for key, array in arrays.items() if key.endswith("_outputs")}
        arrays["test_examples"] = np.asarray(dataset.test.samples[:EXAMPLES])
    write_npz(run.path / PREDICTIONS, **arrays)
    metrics: dict[str, Any] = {name: values for name, (values, _) in at_best.items()}
    run.update(
        metrics=metrics if at_last is None else {**metrics, "last": at_last},
        baselines=baselines(),
        threshold=threshold,
        epochs=epochs,
        seconds=time.monotonic() - began,
    )
    run.manifest = replace(run.manifest, status="finished")  # on disk last, when the rest is there
    if report is not None:
        report(run)
    check()
    run.update(files=run.checksums(), seconds=time.monotonic() - began)


def _kept(name: str, split: Split, outputs: np.ndarray, task: str) -> dict[str, np.ndarray]:
    """Targets and outputs of a split for `predictions.npz`; of masks the first ones, as many as `MASK_BYTES` hold."""
    count = len(split)
    if task == "segmentation":
        count = max(MASK_BYTES // max(int(np.prod(outputs.shape[1:])), 1), 1)
    return {f"{name}_targets": np.asarray(split.targets[:count]), f"{name}_outputs": outputs[:count]}
