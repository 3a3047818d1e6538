"""A user's own recordings, read, labelled and cut into samples: a folder or list, one long table, or a `.ts` file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import Raw
from zoo.data.files.collecting import class_rows, identity, splitting
from zoo.data.files.concluding import nothing, reading
from zoo.data.files.labelling import Labelled, label
from zoo.data.files.listing import counted
from zoo.data.findings import Finding, errors, refuse
from zoo.data.options import DataConfig, refuse_options
from zoo.data.own import Reading, Request
from zoo.data.series.clock import describe
from zoo.data.series.finding import Found, find
from zoo.data.series.forecasting import read_forecast
from zoo.data.series.recordings import Recording
from zoo.data.series.windows import choose, cut
from zoo.errors import DataError, UsageError

FOREIGN = ("keep", "target_transform", "image_size", "image_channels")
"""Options that series do not have."""
SPLITS = 3


@dataclass(frozen=True)
class _Cut:
    """Samples: of each the recording it was cut from; and how they may be split."""

    samples: np.ndarray
    of: np.ndarray
    hop: int
    groups: np.ndarray | None
    findings: tuple[Finding, ...] = field(default=())


def read_series(request: Request) -> Reading:
    """Reads recordings and cuts them into samples.

    Args:
        request: A folder with a sub-folder of recordings for each class (with or without train, validation and test on
            top), a CSV of paths and labels, one long table whose rows are steps (`--target` names the class's column,
            `recording` that of the recording), or a `.ts` file of the UCR and UEA archives. `window` and `hop` cut
            samples; without them a recording is one. With `horizon`, as `read_forecast`.

    Returns:
        A reading whose samples are (n, window, channels) float32, NaN in front of short recordings.

    Raises:
        UsageError: An option that series do not have, or that does not fit.
        DataError: A table or list that cannot be read.
    """
    config = request.config
    if config.horizon:
        return read_forecast(request)
    refuse_options(config, FOREIGN, "series")
    if config.task not in ("auto", "binary", "multiclass", "anomaly"):
        raise UsageError(f"--task {config.task} is not known for series of recordings; they have a class each")
    found = find(request.path, config, request.on_event)
    if not found.recordings:
        told = (*found.listing.findings, *found.findings)
        expected = "class folders of .csv, .tsv or .npy files"
        return nothing(request, "series", "recording", expected, told, found.listing.ignored)
    labelled = label(found.listing, config.task, request.schema.labels or found.labels, later=True)
    wrong = (*found.listing.findings, *found.findings, *labelled.findings)
    if errors(wrong):
        return reading(request, "series", labelled, wrong, _facts(found, labelled, None))
    try:
        samples = _cut(found, labelled, config)
    except DataError as error:
        wrong = (*wrong, Finding("error", str(error)))
        return reading(request, "series", labelled, wrong, _facts(found, labelled, None))
    return reading(
        request,
        "series",
        labelled,
        (*wrong, *samples.findings),
        _facts(found, labelled, samples),
        lambda: _raw(found, labelled, samples),
        hop=samples.hop,
        window=samples.samples.shape[1],
    )


def read_windows(
    path: Path, config: DataConfig, on_event: Callable[[str], None]
) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    """Every sample of recordings, to measure a model on; nothing is split.

    Args:
        path: As `read_series` takes it.
        config: With the window and hop of the model; how classes are found.
        on_event: Told of progress, a line each.

    Returns:
        (samples, window, channels) float32, of each sample the text of its class and its name, and the channels' names.

    Raises:
        UsageError: An option that does not fit.
        DataError: Whatever is wrong with the data, all of it at once.
    """
    found = find(path, config, on_event)
    refuse((*found.listing.findings, *found.findings), path)
    if not found.recordings:
        raise DataError(f"{path} holds no labelled recording; expected class folders of .csv, .tsv or .npy files")
    samples, of = cut([recording.values for recording in found.recordings], config.window, config.hop)
    entries = [found.listing.entries[at] for at in of.tolist()]
    texts, names = [entry.answers[0] for entry in entries], [entry.name for entry in entries]
    return samples, texts, names, list(found.recordings[0].columns)


def _cut(found: Found, labelled: Labelled, config: DataConfig) -> _Cut:
    lengths = [len(recording) for recording in found.recordings]
    window, hop, note = choose(lengths, config.window, config.hop)
    samples, of = cut([recording.values for recording in found.recordings], window, hop)
    findings = [Finding("note", note)] if note else []
    groups = splitting(found.listing.entries)["groups"]
    if groups is not None:
        return _Cut(samples, of, hop, groups[of], tuple(findings))
    several = len(samples) > len(np.unique(found.sources))
    few = _too_few(found, labelled)
    if few and not several:
        findings.append(Finding("error", few))
    elif few and hop < window:
        text = f"{few}, and its windows overlap, so that a split of them would test on what was trained on; "
        findings.append(Finding("error", f"{text}give more recordings, a split (--split, --test), or hop = {window}"))
    elif few:
        text = "windows of one recording stand in several splits, and a test says little of new recordings"
        findings.append(Finding("warning", f"{few}: {text}; give more recordings, or --group-from"))
        several = False
    return _Cut(samples, of, hop, found.sources[of] if several else None, tuple(findings))


def _too_few(found: Found, labelled: Labelled) -> str:
    """A class with fewer recordings than splits are drawn from them; empty where there is none."""
    parts = {max(entry.part, 0) for entry in found.listing.entries}
    drawn = SPLITS - len(parts - {0})
    known = zip(found.listing.entries, labelled.targets.tolist(), found.sources.tolist(), strict=True)
    counts = Counter(target for target, _ in {(target, source) for entry, target, source in known if entry.part < 1})
    least = min(range(len(labelled.labels)), key=lambda at: counts[at])
    if counts[least] >= drawn:
        return ""
    have = counted(counts[least], "recording")
    return f"class {labelled.labels[least]!r} has {have} to make {drawn} splits of"


def _facts(found: Found, labelled: Labelled, samples: _Cut | None) -> dict[str, Any]:
    lengths = [len(recording) for recording in found.recordings]
    facts: dict[str, Any] = {
        "recordings": len(found.recordings),
        "steps": {"min": min(lengths), "median": float(np.median(lengths)), "max": max(lengths)},
        **describe(found.clock),
        "ignored": dict(found.listing.ignored),
        "classes": class_rows(found.listing, labelled) if len(labelled.targets) else [],
        "channels": [_channel(name, at, found.recordings) for at, name in enumerate(found.recordings[0].columns)],
    }
    if samples is not None:
        facts |= {"samples": len(samples.samples), "window": samples.samples.shape[1], "hop": samples.hop}
    return facts


def _channel(name: str, at: int, recordings: Sequence[Recording]) -> dict[str, Any]:
    values = np.concatenate([recording.values[:, at] for recording in recordings])
    spread = {"min": values.min(), "mean": values.mean(), "max": values.max(), "deviation": values.std()}
    return {"channel": name, **{key: float(value) for key, value in spread.items()}}


def _raw(found: Found, labelled: Labelled, samples: _Cut) -> Raw:
    fields = splitting(found.listing.entries)
    names = tuple(_sample_names(fields["names"], samples))
    return Raw(
        samples=samples.samples,
        targets=labelled.targets[samples.of],
        kind="series",
        task=labelled.task,
        labels=labelled.labels,
        columns=found.recordings[0].columns,
        groups=samples.groups,
        names=names,
        hop=samples.hop,
        source={"time": found.clock.column()} if found.clock and found.clock.rate else {},
        sha256=identity(found.listing.entries, [recording.sha256 for recording in found.recordings]),
        parts=None if fields["parts"] is None else fields["parts"][samples.of],
        times=None if fields["times"] is None else fields["times"][samples.of],
    )


def _sample_names(names: Sequence[str], samples: _Cut) -> Iterator[str]:
    seen: Counter[int] = Counter()
    for at in samples.of.tolist():
        yield names[at] if not samples.hop else f"{names[at]}, step {seen[at] * samples.hop}"
        seen[at] += 1
