"""What the figures of a run say, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zoo.data.dataset import SEASONAL
from zoo.metrics import ERRORS, PRIMARY
from zoo.runs import Manifest

ALIKE_MAE = 0.005
"""Share of a baseline's mean error within which a forecast's is as good."""

CLEAR_MAE = 1.05
"""A mean error this many times a baseline's is said, also where R2 is as good."""

_PEOPLE: Mapping[str, str] = {
    "majority": "the majority class",
    "mean": "the mean",
    "logistic": "the logistic model",
    "linear": "the linear model",
    "gradient_boosting": "gradient boosting",
    SEASONAL: "the seasonal-naive forecast",
    "distance": "the distance to the mean",
    "pca": "PCA",
    "isolation_forest": "the isolation forest",
}
_METRICS: Mapping[str, str] = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "r2": "R²",
    "mae": "MAE",
    "rmse": "RMSE",
    "loss": "loss",
    "mean_iou": "mean IoU",
    "pixel_error": "pixel error",
    "map50": "mAP@0.5",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}


def verdict(manifest: Manifest) -> str:
    """One sentence that sets the network's primary test metric beside the best baseline.

    "As good" means within one standard error of the network's figure on a test split of that size, or within one
    changed sample: a difference that another draw of the split could turn round.

    Example:
        >>> verdict(run.manifest)
        'The network beats the logistic model by 6.7 points of accuracy on the test split (98.9 % against 92.2 %).'
    """
    metric = primary_metric(manifest)
    network = number(manifest.metrics["test"].get(metric)) if metric else math.nan
    if manifest.threshold is not None and not math.isfinite(network):
        alarms = 1 - number((manifest.metrics.get("test") or {}).get("accuracy"))
        return (
            f"No verdict: there is no anomaly to test on; {show('accuracy', alarms)} of the normal samples of the test "
            "split are false alarms."
        )
    if metric is None or not math.isfinite(network):
        return f"No verdict: the run is {manifest.status} and has no finite test figure."
    where = f"On a stand-in, not on {manifest.data.get('name')}: " if manifest.data.get("stand_in") else ""
    if metric == "mae":
        return f"{where}{_forecast(manifest, network)}."
    rivals = {name: number(values.get(metric)) for name, values in manifest.baselines.items()}
    rivals = {name: value for name, value in rivals.items() if math.isfinite(value)}
    if not rivals:
        return f"No verdict: there is no baseline beside the network's {label(metric)} of {show(metric, network)}."
    best = max(rivals, key=lambda name: rivals[name])
    sentence = _compare(metric, network, best, rivals[best], int(manifest.data.get("samples", {}).get("test", 0)))
    return f"{where}{sentence}{_shortened(manifest, best)}{_by_mae(manifest, sentence)}."


def primary_metric(manifest: Manifest) -> str | None:
    """The metric that decides, told from what was measured; None where nothing was."""
    test = manifest.metrics.get("test") or {}
    if SEASONAL in manifest.baselines:
        return "mae"
    if manifest.threshold is not None:
        return PRIMARY["anomaly"]
    if "mean_iou" in test:
        return PRIMARY["segmentation"]
    if "r2" in test:
        return PRIMARY["regression"]
    if "map50" in test:
        return PRIMARY["detection"]
    if "auc" in test and not manifest.data.get("class_counts"):
        return PRIMARY["multilabel"]
    return PRIMARY["multiclass"] if PRIMARY["multiclass"] in test else None


def label(metric: str) -> str:
    """A metric's name for people."""
    return _METRICS.get(metric, metric.replace("_", " "))


def baseline_label(name: str) -> str:
    """A baseline's name for people: "the logistic model"."""
    return _PEOPLE.get(name, f"the {name.replace('_', ' ')} baseline")


def show(metric: str, value: object) -> str:
    """A metric's value for people: "98.31 %", "0.482", "41.2"; a dash where there is none."""
    figure = number(value)
    if not math.isfinite(figure):
        return "–"  # noqa: RUF001
    if metric == "r2":
        return f"{figure:.3f}"
    return f"{figure:.4g}" if metric in ERRORS or metric not in _METRICS else f"{100 * figure:.2f} %"


def number(value: object) -> float:
    """The value as a float; NaN where JSON had null."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def _compare(metric: str, network: float, name: str, rival: float, samples: int) -> str:
    difference = network - rival
    who, where = baseline_label(name), f"on the test split ({show(metric, network)} against {show(metric, rival)})"
    if abs(difference) <= noise(metric, network, samples) + 1e-12:
        size = f" of {samples:,} samples" if samples else ""
        return (
            f"{who[0].upper()}{who[1:]} is as good: {label(metric)} {show(metric, rival)} against the network's "
            f"{show(metric, network)}, no more apart than chance explains on a test split{size}; the network buys "
            "nothing here"
        )
    if difference > 0:
        return f"The network beats {who} by {_gap(metric, difference)} {where}"
    return (
        f"{who[0].upper()}{who[1:]} beats the network by {_gap(metric, -difference)} on the test split "
        f"({show(metric, rival)} against {show(metric, network)}); use it, or train longer or otherwise"
    )


def _forecast(manifest: Manifest, network: float) -> str:
    """The network's mean error beside every baseline's, and who is better by how much.

    Windows overlap, so that nothing is said of chance.
    """
    rivals = {name: number(values.get("mae")) for name, values in manifest.baselines.items()}
    shares = {name: network / value - 1 for name, value in rivals.items() if value > 0}
    better = {name: share for name, share in shares.items() if share < -ALIKE_MAE}
    worse = {name: share for name, share in shares.items() if share > ALIKE_MAE}
    told = f"MAE {show('mae', network)} on the test split"
    parts = []
    if worse:
        beaten = " and ".join(f"{baseline_label(name)} ({show('mae', rivals[name])})" for name in worse)
        parts.append(f"{beaten} beat{'s' if len(worse) == 1 else ''} the network; use it, or train otherwise")
    alike = [name for name in shares if name not in better and name not in worse]
    if alike:
        parts.append(f"as good {'is' if len(alike) == 1 else 'are'} " + " and ".join(map(baseline_label, alike)))
    if better:
        ranked = sorted(better, key=lambda name: rivals[name])
        parts.append(
            "the network is better than "
            + " and ".join(
                f"{baseline_label(name)} by {-100 * better[name]:.1f} % ({show('mae', rivals[name])})"
                for name in ranked
            )
        )
    return "; ".join([told, *parts])


def _gap(metric: str, difference: float) -> str:
    if metric == "r2":
        return f"{difference:.3f} of R²"
    points = 100 * difference
    return f"{points:.1f} points of {label(metric)}" if points >= 0.1 else f"{points:.2f} points of {label(metric)}"


def noise(metric: str, value: float, samples: int) -> float:
    """One standard error of a metric on so many samples, and never less than one changed sample."""
    if samples <= 0 or metric == "mean_iou":  # pixels of an image hang together: nothing here tells how much
        return 0.0
    if metric == "r2":  # large-sample variance of R2: Olkin and Finn (1995), 4 R2 (1 - R2)^2 / n
        share = min(max(value, 0.0), 1.0)
        return 2 * math.sqrt(share / samples) * (1 - share)
    return max(1 / samples, math.sqrt(max(value * (1 - value), 0.0) / samples))


def _by_mae(manifest: Manifest, sentence: str) -> str:
    """Says where the network's mean error is clearly above a baseline's though it does not lose by R2."""
    if "beats the network" in sentence:
        return ""
    network = number(manifest.metrics["test"].get("mae"))
    rivals = {name: number(values.get("mae")) for name, values in manifest.baselines.items()}
    rivals = {name: value for name, value in rivals.items() if value > 0}
    if not rivals or not math.isfinite(network):
        return ""
    best = min(rivals, key=lambda name: rivals[name])
    if network <= CLEAR_MAE * rivals[best]:
        return ""
    share = 100 * (network / rivals[best] - 1)
    return (
        f"; by mean error {baseline_label(best)} beats the network: MAE {show('mae', rivals[best])} against "
        f"{show('mae', network)}, {share:.0f} % more"
    )


def _shortened(manifest: Manifest, name: str) -> str:
    """Says where the baseline was fitted on fewer samples than the network."""
    seen = number(manifest.baselines[name].get("samples"))
    whole = number(manifest.data.get("samples", {}).get("train"))
    if not seen < whole:
        return ""
    return f"; {baseline_label(name)} was fitted on {int(seen):,} of {int(whole):,} training samples"


__all__: list[Any] = ["baseline_label", "label", "noise", "number", "primary_metric", "show", "verdict"]
