"""Compares what an exported file answers with what Keras answered, and decides whether that is good enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from export.quantization import Preset
from zoo import metrics, preprocessing

CLOSE = 0.2
"""How far apart two scores of one sample may be, as a share of the threshold, where not both are above it."""
TINY = 1e-12
MAPS = ("segmentation", "detection")
"""Tasks whose answers keep their axes."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """One comparison over `samples` samples.

    Attributes:
        split: Where the samples come from: "validation", "given", "calibration" (those that calibrate too),
            or "random" for a model without data.
        max_error: Largest absolute difference of the model's outputs, after dequantization.
        agreement: Share of samples, of a segmentation pixels, with the same answer; R2 between the two for numbers.
        changed: Samples, or pixels, whose answer differs; None for regression, whose answers are numbers.
        threshold: Of a file's own scores of anomalies, see `own_threshold`; None for other tasks.
        metric: Name of the task's primary metric; None where there are no targets, as are the next three.
        metric_before: Of Keras.
        metric_after: Of the file.
        drop: In points for accuracy-like metrics, percent of the metric for errors; negative for a gain.
    """

    split: str
    samples: int
    max_error: float
    largest_output: float
    agreement: float
    changed: int | None
    threshold: float | None = None
    metric: str | None = None
    metric_before: float | None = None
    metric_after: float | None = None
    drop: float | None = None


def compare(
    reference: np.ndarray, outputs: np.ndarray, targets: np.ndarray | None, output: Mapping[str, Any], split: str
) -> Parity:
    """Compares outputs sample by sample, and by the task's metric where there are targets.

    Args:
        reference: Of Keras, (n, *shape) float32.
        outputs: Of the file, dequantised, same shape.
        targets: As `zoo.metrics.evaluate` takes them; None where unknown.
        output: The contract's "output": task, scale and offset of standardised targets, threshold of anomalies.
        split: Name for the samples.
    """
    task, threshold = str(output["task"]), output.get("threshold")
    shape = reference.shape[1:] if task in MAPS else (-1,)
    flat, other = (np.asarray(values, np.float32).reshape(len(values), *shape) for values in (reference, outputs))
    own = None if threshold is None else own_threshold(flat, other, threshold)
    figures: dict[str, Any] = {}
    if targets is not None:
        before, after = (
            metrics.evaluate(task, targets, preprocessing.invert_target(values, output), above)
            for values, above in ((flat, threshold), (other, own))
        )
        figures = _figures(task, before, after)
    same = _same_answers(task, flat, other, threshold, own)
    return Parity(
        split=split,
        samples=len(flat),
        max_error=float(np.max(np.abs(flat - other))),
        largest_output=float(np.max(np.abs(flat))),
        agreement=metrics.agreement(task, flat, other) if same is None else float(np.mean(same)),
        changed=None if same is None else int(np.sum(~same)),
        threshold=own,
        **figures,
    )


def own_threshold(reference: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """The threshold of a file's scores of anomalies: that of Keras, or one that leaves as many samples above it.

    Coarser numbers move all scores a little, mostly up, and would raise the share of false alarms.

    Args:
        reference: Scores of Keras, (n, 1).
        scores: Of the file, (n, 1).
        threshold: Of Keras.
    """
    above = metrics.decide("anomaly", reference, threshold)
    if np.array_equal(metrics.decide("anomaly", scores, threshold), above):
        return threshold
    count = int(above.sum())
    return metrics.threshold_below(scores, count) if count else max(threshold, float(scores.max()))


def _same_answers(
    task: str, flat: np.ndarray, other: np.ndarray, threshold: float | None, own: float | None
) -> np.ndarray | None:
    """Which samples have the same answer, (n,) bool, of a segmentation which pixels; None for numbers.

    Those that both find an anomaly, and those whose scores are close, as shares of the thresholds: a file without any
    score would find most samples normal too, and a step across the threshold is as small as one below it.
    """
    if task == "regression" or (task == "anomaly" and threshold is None):
        return None
    if threshold is not None and own is not None:
        first, second = (metrics.decide(task, *pair) for pair in ((flat, threshold), (other, own)))
        apart = np.abs(flat[:, 0] / max(threshold, TINY) - other[:, 0] / max(own, TINY))
        return np.asarray(((first == 1) & (second == 1)) | (apart <= CLOSE))
    if task == "segmentation":
        return np.asarray(metrics.decide(task, flat) == metrics.decide(task, other))
    return metrics.same_answers(task, flat, other)


def _figures(task: str, before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Any]:
    """The primary metric before and after; where samples are all normal, the share that is told as such, if any."""
    name = metrics.PRIMARY[task]
    if task == "anomaly" and not math.isfinite(before[name]):
        name = "accuracy"
    if name not in before:
        return {}
    one, two = before[name], after[name]
    return {"metric": name, "metric_before": one, "metric_after": two, "drop": drop(name, one, two)}


def is_chance(parity: Parity, targets: np.ndarray, task: str) -> bool:
    """Whether Keras itself does no better than the same answer to every sample; False where nobody can tell."""
    if parity.metric_before is None or task in ("multilabel", "anomaly"):
        return False
    if task == "segmentation":
        counts = np.bincount(targets[targets != metrics.VOID].reshape(-1))
        # of one answer to every pixel: its share is the intersection over union of that class, the others have none
        return not parity.metric_before > float(counts.max() / counts.sum() / np.count_nonzero(counts))
    if task in ("regression", "detection"):
        return not parity.metric_before > 0.0
    constant = float(np.max(np.unique(targets, return_counts=True)[1]) / len(targets))
    return not parity.metric_before > constant


def figures(comparisons: Mapping[str, Parity]) -> dict[str, Any]:
    """What bundle.json says of a comparison: the figures of the only output, or the worst ones and each output's own.

    Args:
        comparisons: By output.
    """
    each = {name: asdict(parity) for name, parity in comparisons.items()}
    for told in each.values():
        del told["largest_output"]
    if len(each) == 1:
        return next(iter(each.values()))
    parities = list(comparisons.values())
    return {
        "split": parities[0].split,
        "samples": parities[0].samples,
        "max_error": float(np.max([parity.max_error for parity in parities])),
        "agreement": float(np.min([parity.agreement for parity in parities])),
        "changed": None,
        "threshold": None,
        "metric": None,
        "metric_before": None,
        "metric_after": None,
        "drop": None,
        "outputs": each,
    }


def all_failures(comparisons: Mapping[str, Parity], gates: Preset) -> list[str]:
    """The gates that were not passed, of every output; of several, each line begins with its output's name."""
    return [
        f"output {name!r}: {line}" if len(comparisons) > 1 else line
        for name, parity in comparisons.items()
        for line in failures(parity, gates, None)
    ]


def drop(metric: str, before: float, after: float) -> float:
    """How much worse `after` is: points for accuracy-like metrics, percent of the metric for errors."""
    if metric not in metrics.ERRORS:
        return (before - after) * 100
    if before == 0:
        return 0.0 if after == 0 else math.inf
    return (after - before) / before * 100


def failures(parity: Parity, preset: Preset, max_drop: float | None) -> list[str]:
    """Every gate that was not passed, a sentence each; empty where the export is good.

    One changed answer always passes the metric's gates: with few samples, less cannot be told from chance.

    Args:
        parity: Of the exported file.
        preset: Its mode, with the gates' limits.
        max_drop: Replaces the preset's.
    """
    found = []
    if preset.max_error is not None:
        limit = preset.max_error * max(1.0, parity.largest_output)
        if not parity.max_error <= limit:
            found.append(f"maximum error {parity.max_error:.3g}, allowed {limit:.3g}")
    elif not math.isfinite(parity.max_error):
        found.append("outputs are NaN or infinite")
    if parity.changed is not None and parity.changed <= 1:
        return found
    allowed = preset.max_drop if max_drop is None else max_drop
    if allowed is not None and parity.drop is not None and not parity.drop <= allowed:
        found.append(
            f"{parity.metric} {parity.metric_before:.4f} -> {parity.metric_after:.4f}, a drop of {parity.drop:.2f}, "
            f"allowed {allowed:g}"
        )
    if preset.min_agreement is not None and not parity.agreement >= preset.min_agreement:
        found.append(f"agreement with Keras {parity.agreement:.4f}, at least {preset.min_agreement:g} expected")
    return found
