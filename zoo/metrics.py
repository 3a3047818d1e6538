"""Quality figures, numpy only: accuracy, macro F1, AUC, MAE, RMSE, R2, IoU, agreement; of objects see `zoo.finding`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo import boxes, finding

PRIMARY: Mapping[str, str] = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "multilabel": "macro_f1",
    "regression": "r2",
    "anomaly": "auc",
    "segmentation": "mean_iou",
    "detection": "map50",
}
DECIDING: Mapping[str, str] = {**PRIMARY, "anomaly": "loss"}
"""What decides on the validation split where nobody says: it holds no anomalies, so there is no AUC on it."""
MEASURED: Mapping[str, tuple[str, ...]] = {
    "binary": ("accuracy", "macro_f1", "auc"),
    "multiclass": ("accuracy", "macro_f1"),
    "multilabel": ("accuracy", "macro_f1", "auc"),
    "regression": ("mae", "rmse", "r2"),
    "anomaly": ("accuracy", "macro_f1", "auc"),
    "segmentation": ("accuracy", "pixel_error", "mean_iou", "macro_f1"),
    "detection": ("map50", "precision", "recall", "f1"),
}
"""Task to all that `evaluate` gives."""
ERRORS = frozenset({"mae", "rmse", "pixel_error", "loss", "val_loss"})
"""Metrics of which less is better; of all others more is better."""

VOID = 255
"""In a mask of class indices: this pixel is not measured."""


def evaluate(task: str, targets: np.ndarray, outputs: np.ndarray, threshold: float | None = None) -> dict[str, float]:
    """All metrics of a task.

    Args:
        task: One of `zoo.cards.TASKS`.
        targets: (n,) classes for binary, multiclass and anomaly (0 normal, 1 anomaly), (n, labels) of 0 and 1,
            (n, targets) in target units, or (n, height, width) classes of pixels, `VOID` where none is measured; or
            (n, most, 5) objects as in `zoo.boxes`.
        outputs: (n, 1) or (n, classes) probabilities, (n, targets) in target units, (n, 1) scores of anomalies, or of
            pixels (n, height, width, classes) probabilities or (n, height, width) classes; or a detector's maps.
        threshold: Scores above it are anomalies; None leaves out what needs a decision.

    Returns:
        Metric name to value, as a fraction or in target units; NaN where a metric is undefined, such as the AUC of
        one class.
    """
    if task == "detection":
        return finding.measure(targets, outputs)
    if task == "regression":
        return regression(targets.reshape(len(targets), -1), outputs.reshape(len(outputs), -1))
    if task == "multilabel":
        return _multilabel(targets, outputs)
    if task == "segmentation":
        truth, decided = np.asarray(targets), decide(task, outputs)
        most = max(int(part[part != VOID].max(initial=0)) for part in (truth, decided))
        return pixel_figures(pixel_counts(truth, decided, most + 1))
    scores = outputs.reshape(len(outputs), -1)
    if task == "anomaly" and threshold is None:
        return {"auc": auc(targets, scores[:, 0])}
    decided = decide(task, outputs, threshold)
    classes = max(scores.shape[-1], 2)
    result = {"accuracy": float(np.mean(decided == targets)), "macro_f1": macro_f1(targets, decided, classes)}
    if task in ("binary", "anomaly"):
        result["auc"] = auc(targets, scores[:, 0])
    if task == "anomaly" and np.isnan(result["auc"]):
        result["macro_f1"] = float("nan")  # the F1 of a kind that does not occur says nothing
    return result


def decide(task: str, outputs: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """The answer behind probabilities or scores: class indices, 0 and 1 per label, or classes of pixels.

    Args:
        task: With answers to decide on; not regression.
        outputs: As for `evaluate`.
        threshold: Of anomalies, which need one.
    """
    if task == "segmentation":
        return outputs.argmax(axis=-1).astype(np.uint8) if outputs.ndim == 4 else outputs
    flat = outputs.reshape(len(outputs), -1)
    if threshold is not None:
        return np.asarray(flat[:, 0].astype(np.float64) > threshold, np.int64)
    if task == "multiclass":
        return np.asarray(flat.argmax(axis=-1))
    decided = (flat >= 0.5).astype(np.int64)
    return decided[:, 0] if task == "binary" else decided


def macro_f1(targets: np.ndarray, decided: np.ndarray, classes: int) -> float:
    """Mean F1 over the classes that occur among targets or answers."""
    confusion = confusion_matrix(targets, decided, classes)
    hits, sums = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    present = sums > 0
    return float(np.mean(2 * hits[present] / sums[present])) if present.any() else float("nan")


def pixel_counts(targets: np.ndarray, decided: np.ndarray, classes: int) -> np.ndarray:
    """Counts of pixels, (true class, answered class); those that are `VOID` are left out."""
    found = np.zeros((classes, classes), np.int64)
    for start in range(0, len(targets), 16):  # the indices of a confusion matrix are eight bytes a pixel
        truth, answers = (np.asarray(part[start : start + 16]) for part in (targets, decided))
        wanted = truth != VOID
        found += confusion_matrix(truth[wanted], answers[wanted], classes)
    return found


def pixel_figures(counts: np.ndarray) -> dict[str, float]:
    """Figures of a segmentation, over all pixels together.

    Args:
        counts: Of `pixel_counts`.

    Returns:
        Share of right pixels and of wrong ones, and the means over the classes that occur of intersection over union
        and of F1, which is the Dice coefficient.
    """
    hits, sums = np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1)
    present, total = sums > 0, counts.sum()
    if not total:
        return dict.fromkeys(("accuracy", "pixel_error", "mean_iou", "macro_f1"), float("nan"))
    return {
        "accuracy": float(hits.sum() / total),
        "pixel_error": float(1 - hits.sum() / total),
        "mean_iou": float(np.mean(hits[present] / (sums - hits)[present])),
        "macro_f1": float(np.mean(2 * hits[present] / sums[present])),
    }


def confusion_matrix(targets: np.ndarray, decided: np.ndarray, classes: int) -> np.ndarray:
    """Counts, (true class, answered class)."""
    flat = np.bincount(targets.astype(np.int64) * classes + decided.astype(np.int64), minlength=classes * classes)
    return flat.reshape(classes, classes)


def auc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve by ranks, ties shared; NaN where only one class occurs."""
    positive = targets.astype(bool)
    count = int(positive.sum())
    others = positive.size - count
    if count == 0 or others == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def regression(targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """MAE and RMSE in target units and R2, each the mean over the targets."""
    error = outputs.astype(np.float64) - targets.astype(np.float64)
    total = np.sum((targets - targets.mean(axis=0)) ** 2, axis=0, dtype=np.float64)
    residual = np.sum(error**2, axis=0)
    r2 = np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), np.nan)
    return {
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.mean(np.sqrt(np.mean(error**2, axis=0)))),
        "r2": float(np.mean(r2)),
    }


def choose_threshold(scores: np.ndarray, false_alarms: float) -> float:
    """The lowest threshold that leaves at most a share of normal samples above it; see `threshold_below`.

    Args:
        scores: (n, 1) or (n,) of normal samples.
        false_alarms: Share of them, at least 0 and below 1.
    """
    return threshold_below(scores, int(np.floor(false_alarms * len(scores))))


def threshold_below(scores: np.ndarray, count: int) -> float:
    """A threshold with at most so many scores above it.

    Midway between the lowest of those and the next one below: another runtime moves scores a little.

    Args:
        scores: (n, 1) or (n,).
        count: At least 0 and below n.
    """
    ordered = np.sort(scores.reshape(-1).astype(np.float64))[::-1]
    return float((ordered[count] + ordered[count - 1]) / 2 if count else ordered[0])


def agreement(task: str, first: np.ndarray, second: np.ndarray) -> float:
    """Share of samples, or pixels, with the same answer of two models; of numbers the R2 of one against the other.

    Two constant regressions agree fully where they are equal and not at all where they differ. Numbers are those of a
    regression, and scores of anomalies. For detection the share of images in which both find the same objects, see
    `zoo.boxes.same_objects`.
    """
    if task in ("regression", "anomaly"):
        value = regression(first.reshape(len(first), -1), second.reshape(len(second), -1))["r2"]
        return value if np.isfinite(value) else float(np.allclose(first, second))
    if task == "segmentation":
        return float(np.mean(decide(task, first) == decide(task, second)))
    return float(np.mean(same_answers(task, first, second)))


def same_answers(task: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether two models give the same answer to each sample, (n,) bool; not for regression."""
    if task == "detection":
        faint = boxes.THRESHOLD / 2
        return boxes.same_objects(boxes.decode(first, faint), boxes.decode(second, faint))
    one, two = decide(task, first), decide(task, second)
    return np.asarray(np.all((one == two).reshape(len(one), -1), axis=-1))


def better(metric: str, value: float, than: float) -> bool:
    """Whether a value of this metric beats another; a value that is not finite never does."""
    if not np.isfinite(value):
        return False
    if not np.isfinite(than):
        return True
    return value < than if metric in ERRORS else value > than


def _multilabel(targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    decided = decide("multilabel", outputs)
    hits = np.sum((decided == 1) & (targets == 1), axis=0)
    sums = decided.sum(axis=0) + targets.sum(axis=0)
    present = sums > 0
    areas = np.array([auc(targets[:, column], outputs[:, column]) for column in range(targets.shape[1])])
    return {
        "accuracy": float(np.mean(decided == targets)),
        "macro_f1": float(np.mean(2 * hits[present] / sums[present])) if present.any() else float("nan"),
        "auc": float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan"),
    }
