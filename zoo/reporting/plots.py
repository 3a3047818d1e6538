"""The plots of a report: as PNG files, and as SVG that takes the page's own colour of text.

matplotlib's figures are used without pyplot, so no window system and no global figure list is touched.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zoo.metrics import VOID, confusion_matrix, decide, pixel_counts
from zoo.reporting import masks
from zoo.reporting.objects import draw_objects
from zoo.reporting.summary import label
from zoo.runs import atomic_path

INK = "#010203"  # near-black in the PNG; replaced by currentColor in the SVG
BLUE, ORANGE, GREY = "#3b7dd8", "#e07b28", "#8a8f98"
MAX_CELL_CLASSES, MAX_TICKS, MAX_TARGETS, MAX_POINTS = 20, 40, 4, 2000
STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the reader's fonts
    "svg.hashsalt": "zoo",
    "text.parse_math": False,  # a label may hold a dollar sign
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


def draw_plots(
    folder: Path,
    *,
    history: Mapping[str, np.ndarray],
    metric: str | None,
    best_epoch: int | None = None,
    task: str = "",
    labels: Sequence[str] = (),
    targets: np.ndarray | None = None,
    outputs: np.ndarray | None = None,
    threshold: float | None = None,
    examples: np.ndarray | None = None,
) -> dict[str, str]:
    """Draws what there is data for.

    Args:
        folder: Where `<plot>.png` goes.
        history: Column to one value an epoch.
        metric: The metric drawn beside the loss.
        best_epoch: 1-based epoch whose weights were kept.
        task: One of `zoo.cards.TASKS`.
        labels: Class or target names.
        targets: (n,) classes, (n, targets) in target units, (n, height, width) classes of pixels, or (n, most, 5)
            objects, of the test split.
        outputs: (n, ...) probabilities or target units, classes of pixels, or a detector's maps.
        threshold: Of the score of anomalies.
        examples: The first test images, where objects were looked for on them.

    Returns:
        Plot name ("loss", "metric", "masks", "confusion", "scores", "predictions", "residuals") to an `<svg>`
            element.
    """
    import matplotlib as mpl

    drawn: dict[str, str] = {}
    with mpl.rc_context(dict(STYLE)):
        if history:
            drawn["loss"] = save_plot(_curve(history, "loss", "data loss", best_epoch), folder, "loss")
            if metric and f"val_{metric}" in history:
                drawn["metric"] = save_plot(_curve(history, metric, label(metric), best_epoch), folder, "metric")
        if targets is not None and outputs is not None:
            if task == "segmentation":
                figure = new_figure(7.2, 2.4 * min(len(targets), masks.SHOWN) + 0.6)
                masks.draw_masks(figure, labels, targets, outputs)
                drawn["masks"] = save_plot(figure, folder, "masks")
            if task == "anomaly" and threshold is not None:
                drawn["scores"] = save_plot(_scores(labels, targets, outputs, threshold), folder, "scores")
            if task in ("binary", "multiclass", "segmentation") or (task == "anomaly" and threshold is not None):
                counts = counts_of(task, targets, outputs, labels, threshold)
                drawn["confusion"] = save_plot(_confusion(labels, counts, task == "segmentation"), folder, "confusion")
            elif task == "regression":
                truth, answers = _finite_rows(targets, outputs)
                if len(truth) == 0:
                    return drawn
                drawn["predictions"] = save_plot(_predictions(labels, truth, answers), folder, "predictions")
                drawn["residuals"] = save_plot(_residuals(labels, truth, answers), folder, "residuals")
            elif task == "detection" and examples is not None:
                drawn["objects"] = save_plot(draw_objects(examples, targets, outputs, labels), folder, "objects")
    return drawn


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _curve(history: Mapping[str, np.ndarray], name: str, title: str, best_epoch: int | None) -> Any:
    """A figure of training and validation; in the loss's the penalty apart."""
    epochs = history.get("epoch", np.arange(1, len(next(iter(history.values()))) + 1))
    figure = new_figure(4.6, 3.2)
    axis = figure.subplots()
    marker = "o" if len(epochs) < 12 else ""
    for prefix, words, colour in (("train", "training", BLUE), ("val", "validation", ORANGE)):
        values = history.get(f"{prefix}_{name}")
        if values is not None:
            axis.plot(epochs, values, color=colour, marker=marker, markersize=3, label=words)
    penalty = history.get("penalty", np.zeros(1))
    if name == "loss" and np.any(penalty > 0):
        axis.plot(epochs, penalty, color=GREY, linestyle=":", label="penalty (L1, L2)")
    if best_epoch:
        axis.axvline(best_epoch, color=GREY, linewidth=0.8, linestyle="--", label=f"kept: epoch {best_epoch}")
    axis.set_title(title, loc="left")
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(visible=True)
    axis.legend()
    return figure


def _scores(labels: Sequence[str], targets: np.ndarray, outputs: np.ndarray, threshold: float) -> Any:
    """How many samples of either kind have which score, and the threshold; scores on a logarithmic axis."""
    figure = new_figure(5.4, 3.2)
    axis = figure.subplots()
    scores = np.maximum(np.where(np.isfinite(outputs[:, 0]), outputs[:, 0], np.nan), 1e-9)
    low, high = np.nanmin([np.nanmin(scores), threshold]), np.nanmax([np.nanmax(scores), threshold])
    edges = np.geomspace(max(low, 1e-9), max(high, 2e-9), 40)
    for kind, colour in ((0, BLUE), (1, ORANGE)):
        chosen = scores[targets.reshape(-1) == kind]
        if len(chosen):
            axis.hist(chosen, bins=edges, color=colour, alpha=0.6, label=labels[kind])
    axis.axvline(threshold, color=GREY, linewidth=1, linestyle="--", label=f"threshold {threshold:.3g}")
    axis.set_xscale("log")
    axis.set(xlabel="score", ylabel="samples")
    axis.legend()
    return figure


def _confusion(labels: Sequence[str], counts: np.ndarray, as_shares: bool = False) -> Any:
    """Counts by true class (rows) and answer (columns); the deeper, the larger its share of the row."""
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(2.6 + 0.42 * classes, 9.0)
    figure = new_figure(size + 0.6, size)
    axis = figure.subplots()
    colours = np.zeros((classes, classes, 4))
    colours[..., :3] = np.array([0x3B, 0x7D, 0xD8]) / 255
    colours[..., 3] = shares  # see-through where there is nothing: fits a light and a dark page
    axis.pcolormesh(
        np.arange(classes + 1),
        np.arange(classes + 1),
        colours,
        edgecolors=GREY if classes <= MAX_TICKS else "none",
        linewidth=0.2,
        rasterized=classes > MAX_TICKS,
    )
    if classes <= MAX_CELL_CLASSES:
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > 0.6 else INK
            text = f"{shares[row, column]:.1%}" if as_shares else str(counts[row, column])
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=8)
    step = -(-classes // MAX_TICKS)
    ticks = np.arange(0, classes, step)
    names = [_short(labels[tick]) if tick < len(labels) else str(tick) for tick in ticks.tolist()]
    upright = max(len(name) for name in names) > 3
    axis.set_xticks(ticks + 0.5, names, rotation=90 if upright else 0)
    axis.set_yticks(ticks + 0.5, names)
    axis.tick_params(length=0)
    axis.invert_yaxis()
    axis.set_aspect("equal")
    axis.set_xlabel("answer")
    axis.set_ylabel("true class")
    return figure


def counts_of(
    task: str, targets: np.ndarray, outputs: np.ndarray, labels: Sequence[str], threshold: float | None = None
) -> np.ndarray:
    """Samples, of a segmentation pixels, by (true class, answered class)."""
    if task == "segmentation":
        most = max(int(outputs.max(initial=0)), int(targets[targets != VOID].max(initial=0)))
        return pixel_counts(targets, outputs, max(len(labels), most + 1))
    return confusion_matrix(targets.reshape(-1), decide(task, outputs, threshold), max(outputs.shape[-1], 2))


def _predictions(labels: Sequence[str], truth: np.ndarray, answers: np.ndarray) -> Any:
    """Predicted against true, a plot for each target; arguments are (n, targets)."""
    count = min(truth.shape[1], MAX_TARGETS)
    figure = new_figure(4.4, 3.4 * count)
    chosen = np.linspace(0, len(truth) - 1, min(len(truth), MAX_POINTS)).astype(np.int64)
    for target, axis in enumerate(figure.subplots(count, 1, squeeze=False)[:, 0]):
        name, true, predicted = _target(labels, target), truth[chosen, target], answers[chosen, target]
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        axis.plot(ends, ends, color=GREY, linewidth=1)
        axis.scatter(true, predicted, s=10, alpha=0.6, color=BLUE, linewidths=0)
        axis.set(xlabel=f"true {name}", ylabel=f"predicted {name}")
    return figure


def _residuals(labels: Sequence[str], truth: np.ndarray, answers: np.ndarray) -> Any:
    """How far off the answers are, a histogram for each target; arguments are (n, targets)."""
    count = min(truth.shape[1], MAX_TARGETS)
    figure = new_figure(4.4, 3.4 * count)
    for target, axis in enumerate(figure.subplots(count, 1, squeeze=False)[:, 0]):
        axis.hist(answers[:, target] - truth[:, target], bins=30, color=BLUE, alpha=0.8)
        axis.axvline(0, color=GREY, linewidth=1)
        axis.set(xlabel=f"{_target(labels, target)}: predicted - true", ylabel="samples")
    return figure


def _finite_rows(targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as (n, targets), without the rows that hold a number that is not finite."""
    truth, answers = targets.reshape(len(targets), -1), outputs.reshape(len(outputs), -1)
    kept = np.isfinite(truth).all(axis=1) & np.isfinite(answers).all(axis=1)
    return truth[kept], answers[kept]


def _target(labels: Sequence[str], index: int) -> str:
    return _short(labels[index]) if index < len(labels) else f"target {index}"


def _short(name: str, limit: int = 18) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def save_plot(figure: Any, folder: Path, name: str) -> str:
    """Writes `<name>.png` whole or not at all, and returns the SVG element."""
    folder.mkdir(parents=True, exist_ok=True)
    with _any_script(), atomic_path(folder / f"{name}.png") as temporary:
        figure.savefig(temporary, format="png", dpi=120, facecolor="white", metadata={"Software": None})
    return svg_of(figure, name)


def svg_of(figure: Any, name: str) -> str:
    """The figure as an SVG element of a page; the name is that of no other element there."""
    stream = io.StringIO()
    with _any_script():
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(stream.getvalue(), name)


@contextmanager
def _any_script() -> Iterator[None]:
    """A label in a script that the PNG's font lacks: boxes there, right in the page, which uses the reader's fonts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        yield


def _inline(text: str, name: str) -> str:
    """The SVG as part of a page: no prologue, ids of its own, the page's colour of text, width by the page."""
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", element)
    element = element.replace(INK, "currentColor")
    return re.sub(r'(<svg[^>]*?) width="[^"]*"', rf'\1 role="img" aria-label="{name}"', element, count=1).replace(
        ' height="', ' data-height="', 1
    )
