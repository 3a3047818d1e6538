"""Series to forecast: histories with the steps after them, split by time, scaled by the training part alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import preprocessing
from zoo.data.dataset import PARTS, SEASONAL, Forecast, Raw
from zoo.data.files.concluding import reading
from zoo.data.findings import Finding, errors
from zoo.data.options import DataConfig, refuse_options
from zoo.data.own import Reading, Request
from zoo.data.series import lags
from zoo.data.series.clock import describe
from zoo.data.series.lags import Lags, Plan
from zoo.data.series.panel import Panel, read_panel
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import join_names, split_names

FOREIGN = ("keep", "image_size", "image_channels", "label_from", "group_from")
"""Options that a forecast does not have."""


@dataclass(frozen=True)
class _Read:
    """Series, those to test on behind them where they are files of their own, and how windows are cut.

    Attributes:
        edges: Of each series, the times that validation and test begin at.
    """

    panel: Panel
    plan: Plan
    edges: list[tuple[float, float]]
    findings: tuple[Finding, ...] = field(default=())


def read_forecast(request: Request) -> Reading:
    """Reads series and cuts them into histories and what comes after them.

    Args:
        request: A table with a row for each step, an array, or a folder of them; with `horizon`, the steps to
            forecast. `target` names the columns to forecast, by default the only one with numbers.

    Returns:
        A reading whose samples are (n, window, channels) float32 in their own units, and whose targets are all steps of
        the first column to forecast, then those of the next.

    Raises:
        UsageError: An option that forecasts do not have, or that does not fit.
        DataError: A file that cannot be read, times that repeat or go back.
    """
    config = request.config
    refuse_options(config, FOREIGN, "a forecast")
    if config.task not in ("auto", "regression"):
        raise UsageError(f"--task {config.task}: a forecast is numbers, a regression; leave it out")
    if config.split != "random":
        raise UsageError(f"--split {config.split}: a forecast is split by time by itself; leave it out, see --test")
    panel = read_panel(request.path, config)
    try:
        found = _plan(request.path, panel, config)
        cut = lags.cut(found.panel, found.plan, found.edges)
        wrong = (*found.findings, *_judge(found, cut, config))
    except DataError as error:
        return _reading(request, panel, None, None, (Finding("error", str(error)),))
    return _reading(request, panel, found, None if errors(wrong) else cut, wrong)


def _reading(
    request: Request, panel: Panel, found: _Read | None, cut: Lags | None, findings: Sequence[Finding]
) -> Reading:
    inferred: dict[str, Any] = {}
    if found is not None:
        names = join_names([panel.columns[at] for at in found.plan.channels])
        inferred = {"window": found.plan.window, "hop": found.plan.hop, "season": found.plan.season, "target": names}
        inferred |= {"time": panel.clock.name} if panel.clock else {}
    made = reading(
        request,
        "series",
        None,
        findings,
        _facts(panel, found),
        None if found is None or cut is None else lambda: _raw(found, cut, request.config),
        **inferred,
    )
    return replace(made, task="regression")


def _plan(path: Path, panel: Panel, config: DataConfig) -> _Read:
    """What is forecast, from which history, and where the parts begin; the tests of another file are behind.

    Raises:
        UsageError: Nobody says which of several columns is to be forecast.
        DataError: Series that are too short.
    """
    channels = _targets(path, panel, config)
    season = config.season or (panel.clock.season if panel.clock else 1)
    own = 0.0 if config.test_data else config.test
    times = [track.times for track in panel.tracks]
    shared = [np.concatenate(times)] * len(times) if panel.clock else times
    edges = [lags.borders(steps, config.horizon, config.validation, own) for steps in shared]
    longest = max(int((steps < edge[0]).sum()) for steps, edge in zip(times, edges, strict=True))
    window = config.window or lags.choose_history(longest, config.horizon, season)
    findings = [] if config.window else [Finding("note", f"window = {window} steps of history, chosen by the horizon")]
    plan = Plan(window, config.horizon, config.hop or 1, season, tuple(channels))
    if config.test_data:
        tests = read_panel(Path(config.test_data).absolute(), config)
        if tests.columns != panel.columns:
            raise DataError(
                f"{config.test_data} has columns {', '.join(tests.columns)}; {path} has {', '.join(panel.columns)}"
            )
        before = -np.inf  # all of it is tested on
        edges += [(before, before)] * len(tests.tracks)
        panel = replace(panel, tracks=(*panel.tracks, *tests.tracks), sha256=(*panel.sha256, *tests.sha256))
    return _Read(panel, plan, edges, tuple(findings))


def _targets(path: Path, panel: Panel, config: DataConfig) -> list[int]:
    """Positions of what is forecast: the columns that are named, or the only one."""
    given = split_names(config.target)
    if not given and len(panel.columns) > 1:
        listed = ", ".join(panel.columns)
        raise UsageError(f"{path} has {len(panel.columns)} columns that could be forecast ({listed}); add --target A,B")
    return panel.positions(given, path) if given else [0]


def _judge(found: _Read, cut: Lags, config: DataConfig) -> list[Finding]:
    """What was done to the series, and what keeps them from being learnt from."""
    told = [*_gaps(found), *_missing(found)]
    counts = np.bincount(cut.parts, minlength=len(PARTS))
    length = found.plan.window + found.plan.horizon
    for part, count in zip(PARTS, counts.tolist(), strict=True):
        if not count:
            text = f"the {part} part has no window of {found.plan.window} steps and {found.plan.horizon} to forecast"
            told.append(Finding("error", f"{text}, {length} without a gap; give a shorter window or a longer series"))
    if errors(told):
        return told
    trained = cut.targets[cut.parts == 0]
    for at, channel in enumerate(found.plan.channels):
        own = trained[:, at * found.plan.horizon : (at + 1) * found.plan.horizon]
        name = found.panel.columns[channel]
        if np.ptp(own) == 0:
            told.append(
                Finding("error", f"column {name!r} is {own[0, 0]:g} in all of the training part; nothing to learn")
            )
        if config.target_transform == "log1p" and cut.targets[:, at * found.plan.horizon :].min() < 0:
            told.append(Finding("error", f"--target-transform log1p: column {name!r} has values below 0; leave it out"))
    if cut.incomplete:
        text = f"{cut.incomplete:,} windows are left out: a step that they would be measured by is missing"
        told.append(Finding("note", text))
    return told


def _gaps(found: _Read) -> list[Finding]:
    """Steps that are missing: said of the first place, and of how many there are."""
    places = [(track, at) for track in found.panel.tracks for at in lags.gaps(track, found.panel.clock).tolist()]
    if not places:
        return []
    (track, at), count = places[0], "1 place" if len(places) == 1 else f"{len(places):,} places"
    text = f"{track.name}: steps are missing at {count}, the first before line {track.lines[at]}; cut there"
    return [Finding("warning", text)]


def _missing(found: _Read) -> list[Finding]:
    """Numbers that are missing, filled by the last before them."""
    counts = [(track, int(np.isnan(track.values).sum())) for track in found.panel.tracks]
    filled = [(track, count) for track, count in counts if count]
    if not filled:
        return []
    (track, count), more = filled[0], f"; so in {len(filled):,} series" if len(filled) > 1 else ""
    return [Finding("warning", f"{track.name}: {count:,} missing numbers filled by the last before them{more}")]


def _facts(panel: Panel, found: _Read | None) -> dict[str, Any]:
    lengths = [len(track) for track in panel.tracks]
    facts: dict[str, Any] = {
        "series": len(panel.tracks),
        "steps": {"min": min(lengths), "median": float(np.median(lengths)), "max": max(lengths)},
        **describe(panel.clock),
        "channels": list(panel.columns),
    }
    if found is not None:
        plan = found.plan
        facts["forecast"] = [panel.columns[at] for at in plan.channels]
        facts |= {"horizon": plan.horizon, "window": plan.window, "season": plan.season}
    return facts


def _raw(found: _Read, cut: Lags, config: DataConfig) -> Raw:
    plan, panel = found.plan, found.panel
    names = [panel.columns[at] for at in plan.channels]
    seasonal, findings = _references(cut, plan)
    logarithm = config.target_transform == "log1p"
    source: dict[str, Any] = {"recording": config.recording} if config.recording else {}
    source |= {"time": panel.clock.column()} if panel.clock else {}
    return Raw(
        samples=cut.samples,
        targets=cut.targets,
        kind="series",
        task="regression",
        labels=tuple(f"{name}+{step + 1}" for name in names for step in range(plan.horizon)),
        columns=panel.columns,
        target_columns=tuple(names),
        hop=plan.hop,
        parts=cut.parts,
        steps=_steps(found, logarithm),
        sha256=_identity(panel, plan),
        target_transform="log1p" if logarithm else "standard",
        findings=findings,
        source=source,
        forecast=Forecast(plan.channels, plan.season, {SEASONAL: seasonal}),
    )


def _references(cut: Lags, plan: Plan) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """The forecast that repeats the season before; the last value where a test window has no season before it."""
    tested = cut.parts == PARTS.index("test")
    if not np.isnan(cut.seasonal[tested]).any():
        return cut.seasonal, ()
    last = np.asarray(cut.samples[np.arange(len(cut))])[:, -1, list(plan.channels)]
    text = f"the test part begins before a season of {plan.season} steps is over; beside it stands the last value"
    return np.repeat(last, plan.horizon, axis=1), (Finding("note", text),)


def _steps(found: _Read, logarithm: bool) -> tuple[dict[str, Any], ...]:
    """The steps before the model, fitted on the training part's rows; trends go on, so nothing is clipped."""
    rows = [
        preprocessing.carried(track.values)[track.times < edge[0]]
        for track, edge in zip(found.panel.tracks, found.edges, strict=True)
    ]
    first = [{"step": "log1p", "channels": list(found.plan.channels)}] if logarithm else []
    trained = preprocessing.apply(first, np.concatenate(rows))
    return (*first, preprocessing.fit_standardise(trained))


def _identity(panel: Panel, plan: Plan) -> str:
    """A checksum of the files and of how they are cut."""
    said = "\n".join([*panel.sha256, *panel.columns, repr(plan)])
    return hashlib.sha256(said.encode()).hexdigest()


def read_lags(
    path: Path, config: DataConfig, columns: Sequence[str], targets: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, tuple[Finding, ...]]:
    """Every window of series with the steps after it, to measure a model on; nothing is split.

    Args:
        path: As `read_forecast` takes it.
        config: With the window, horizon and hop of the model.
        columns: The model's channels, in its order.
        targets: Those that it forecasts.

    Returns:
        (n, window, channels) and (n, targets * horizon) float32 in their own units, and what was found.

    Raises:
        UsageError: An option that does not fit.
        DataError: A column that is missing, or series too short for a window.
    """
    chosen = replace(config, columns=join_names(list(columns)), target=join_names(list(targets)))
    panel = read_panel(path, chosen)
    order = panel.positions(columns, path)
    tracks = tuple(replace(track, values=track.values[:, order]) for track in panel.tracks)
    panel = replace(panel, columns=tuple(columns), tracks=tracks)
    channels = tuple(list(columns).index(name) for name in targets)
    plan = Plan(config.window, config.horizon, config.hop or 1, 1, channels)
    found = _Read(panel, plan, [(-np.inf, -np.inf)] * len(tracks))
    longest = max(map(len, tracks))
    if longest >= plan.window + plan.horizon:
        cut = lags.cut(panel, plan, found.edges)
        if len(cut):
            return np.asarray(cut.samples), cut.targets, (*_gaps(found), *_missing(found))
    needed = f"{plan.window} steps and the {plan.horizon} to forecast, {plan.window + plan.horizon} without a gap"
    raise DataError(f"{path} has {longest:,} steps; measuring takes {needed}: give a longer series")
