"""A study's picture and page: the curves of all values laid over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.reporting import page
from zoo.reporting.content import read_history
from zoo.reporting.plots import GREY, STYLE, new_figure, save_plot
from zoo.reporting.study import STUDY_PICTURE, STUDY_REPORT, Row, Study, table, verdict
from zoo.reporting.summary import label
from zoo.runs import HISTORY, write_text

LOG_RATIO = 100
"""Losses that differ by more than this factor are drawn on a logarithmic axis."""

WIDTH = "60rem"
DASHES = ("-", "--", ":", "-.")


def write_study_page(study: Study) -> Path:
    """Draws `study.png` and writes `study.html`; returns the page.

    Raises:
        DataError: A history that cannot be read.
        ResourceError: The folder cannot be written.
    """
    import matplotlib as mpl

    with mpl.rc_context(dict(STYLE)):
        svg = save_plot(_picture(study), study.path, STUDY_PICTURE)
    head, *rows = table(study)
    settings = [[name, value] for name, value in study.settings.items()]
    stand_in = study.data.get("stand_in")
    data = str(study.data.get("name", ""))
    sections = [
        f"<h1>{page.text(study.name)}</h1>",
        page.banner(f"NOT {data.upper()}. A stand-in: {study.data.get('note', '')}", "alarm") if stand_in else "",
        page.paragraph(f"{study.knob} on {data}, seeds {', '.join(map(str, study.seeds))}", "soft"),
        page.paragraph(verdict(study), "verdict"),
        page.row(page.figure(svg, WIDTH)),
        page.section("At the last epoch", page.table(head, rows), *(page.paragraph(n, "soft") for n in study.notes)),
        page.section("Same for every value", page.table([], settings, figures=False)),
    ]
    path = study.path / STUDY_REPORT
    write_text(path, page.page(study.name, sections))
    return path


def _picture(study: Study) -> Any:
    """Loss above, metric below, training left, validation right: one colour a value, mean line, range as a band."""
    figure = new_figure(10.0, 6.4)
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    colours = _colours(study.rows)
    histories = [_histories(row) for row in study.rows]
    names = (("loss", "data loss"), (study.metric, label(study.metric)))
    for line, (name, title) in enumerate(names):
        for column, (prefix, split) in enumerate((("train", "training"), ("val", "validation"))):
            axis = axes[line][column]
            for at, row in enumerate(study.rows):
                _draw(axis, histories[at], f"{prefix}_{name}", row, f"{study.knob} = {row.text}", colours[at], at)
            axis.set_title(f"{title}, {split}", loc="left")
            axis.grid(visible=True)
    _scale(axes[0][0], [history for group in histories for history, whole in group if whole])
    for axis in axes[1]:
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
    handles, words = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=min(len(words), 5))
    return figure


def _histories(row: Row) -> list[tuple[Mapping[str, np.ndarray], bool]]:
    """Every training's history, and whether it came to its end."""
    found = []
    for training in row.trainings:
        path = training.run / HISTORY
        if path.is_file():  # a training that diverged in its first epoch has none
            found.append((read_history(path), training.diverged is None))
    return found


def _draw(
    axis: Any,
    histories: Sequence[tuple[Mapping[str, np.ndarray], bool]],
    column: str,
    row: Row,
    words: str,
    colour: Any,
    at: int,
) -> None:
    """One value's curve; a training that diverged is a thin line that ends in a cross."""
    whole = [history[column] for history, ended in histories if ended and column in history]
    mark = "" if not row.diverged else f" ({row.diverged} of {len(row.trainings)} diverged)"
    if whole:
        curves = np.stack(whole)  # (seeds, epochs)
        epochs = np.arange(1, curves.shape[1] + 1)
        marker = "o" if len(epochs) < 12 else ""
        style = {"color": colour, "linestyle": DASHES[at % len(DASHES)], "marker": marker, "markersize": 3}
        axis.plot(epochs, curves.mean(axis=0), label=words + mark, **style)
        axis.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    else:
        axis.plot([], [], color=colour, marker="x", linewidth=0.8, label=words + mark)
    for history, ended in histories:
        if not ended and column in history:
            values = history[column]
            epochs = np.arange(1, len(values) + 1)
            axis.plot(epochs, values, color=colour, linewidth=0.8)
            axis.plot(epochs[-1:], values[-1:], color=colour, marker="x")


def _colours(rows: Sequence[Row]) -> list[Any]:
    """Light to dark for numbers in order, unlike colours for names; grey marks what stands apart from an order."""
    import matplotlib as mpl

    numbers = [row.value for row in rows if isinstance(row.value, (int, float)) and not isinstance(row.value, bool)]
    if len(numbers) < len(rows) - 1 or len(rows) < 2:
        wheel = mpl.colormaps["tab10"]
        return [wheel(at % 10) for at in range(len(rows))]
    ranks = {value: rank for rank, value in enumerate(sorted(numbers))}
    ramp = mpl.colormaps["viridis"]
    last = max(len(ranks) - 1, 1)
    return [ramp(0.9 * ranks[row.value] / last) if row.value in ranks else GREY for row in rows]


def _scale(axis: Any, histories: Sequence[Mapping[str, np.ndarray]]) -> None:
    """The loss axis: logarithmic where it must be, and not stretched by what diverged."""
    if not histories:
        return
    columns = ("train_loss", "val_loss")
    values = np.concatenate([history[name] for history in histories for name in columns if name in history])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > LOG_RATIO:
        axis.set_yscale("log")
        axis.set_ylim(low / 1.3, high * 1.3)
        return
    margin = 0.05 * (high - low) or 0.1
    axis.set_ylim(low - margin, high + margin)
