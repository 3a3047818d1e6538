"""A user's own recordings, read, labelled and cut into samples: a folder or list, one long table, or a `.ts` file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import PARTS, Raw
from zoo.data.files.collecting import class_rows, collect, identity, splitting
from zoo.data.files.labelling import Labelled, label
from zoo.data.files.listing import Entry, FileKind, Listing, counted
from zoo.data.files.sheet import lists_files
from zoo.data.findings import Finding, errors, refuse
from zoo.data.options import DataConfig, given_options
from zoo.data.own import Reading, Request
from zoo.data.references import resolve_indices
from zoo.data.series.recordings import ARRAYS, TABLES, Recording
from zoo.data.series.sktime import read_cases, siblings
from zoo.data.series.stretches import read_stretches
from zoo.data.series.windows import choose, cut
from zoo.errors import DataError, UsageError

RECORDINGS = FileKind("recording", (*TABLES, *ARRAYS))
SETS = (".ts",)
FOREIGN = ("keep", "target_transform", "image_size", "image_channels")
"""Options that series do not have."""
TOLD_EVERY = 500
"""Files between two lines of progress."""
SPLITS = 3


@dataclass(frozen=True)
class _Found:
    """Recordings without a break, an entry for each, and what was found on the way.

    Attributes:
        sources: (recordings,) int64; those with equal numbers were one recording that breaks off and goes on.
        labels: Classes that were announced, in their order.
    """

    listing: Listing
    recordings: tuple[Recording, ...]
    sources: np.ndarray
    findings: tuple[Finding, ...] = ()
    labels: tuple[str, ...] = ()


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
            samples; without them a recording is one.

    Returns:
        A reading whose samples are (n, window, channels) float32, NaN in front of short recordings.

    Raises:
        UsageError: An option that series do not have, or that does not fit.
        DataError: A table or list that cannot be read.
    """
    config = request.config
    foreign = given_options(config, FOREIGN)
    if foreign:
        raise UsageError(f"{', '.join(foreign)}: no option of series; leave it out")
    if config.task not in ("auto", "binary", "multiclass"):
        raise UsageError(f"--task {config.task} is not known for series of recordings; they have a class each")
    found = _find(request.path, config, request.on_event)
    if not found.recordings:
        return _nothing(request, found)
    labelled = label(found.listing, config.task, request.schema.labels or found.labels, later=True)
    wrong = (*found.listing.findings, *found.findings, *labelled.findings)
    if errors(wrong):
        return _reading(request, labelled, wrong, _facts(found, labelled, None), _no_load)
    try:
        samples = _cut(found, labelled, config)
    except DataError as error:
        return _reading(
            request, labelled, (*wrong, Finding("error", str(error))), _facts(found, labelled, None), _no_load
        )
    return _reading(
        request,
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
    found = _find(path, config, on_event)
    refuse((*found.listing.findings, *found.findings), path)
    if not found.recordings:
        raise DataError(f"{path} holds no labelled recording; expected class folders of .csv, .tsv or .npy files")
    samples, of = cut([recording.values for recording in found.recordings], config.window, config.hop)
    entries = [found.listing.entries[at] for at in of.tolist()]
    texts, names = [entry.answers[0] for entry in entries], [entry.name for entry in entries]
    return samples, texts, names, list(found.recordings[0].columns)


def _find(path: Path, config: DataConfig, on_event: Callable[[str], None]) -> _Found:
    if path.suffix.lower() in SETS or (path.is_dir() and any(path.glob("*.ts"))):
        return _sets(path, config)
    if path.is_file() and not lists_files(path, RECORDINGS):
        return _long_table(path, config)
    foreign = given_options(config, ("recording",))
    if foreign:
        raise UsageError("recording names a column of one long table; here each file is a recording, leave it out")
    listing = collect(path, config, RECORDINGS)
    entries: list[Entry] = []
    recordings: list[Recording] = []
    sources: list[int] = []
    findings: list[Finding] = []
    for at, entry in enumerate(listing.entries):
        if at and at % TOLD_EVERY == 0:
            on_event(f"read {at:,} of {len(listing.entries):,} recordings")
        try:
            stretches = read_stretches(entry.file, config)
        except DataError as error:
            findings.append(Finding("error", f"{entry.where}{error}"))
            continue
        findings += stretches.findings
        entries += [replace(entry, name=_named(entry.name, part, stretches.parts)) for part in stretches.parts]
        recordings += stretches.parts
        sources += [at] * len(stretches.parts)
    made, told = _same_channels(recordings, findings)
    listing = replace(listing, entries=tuple(entries))
    return _Found(listing, made, np.array(sources, np.int64), told)


def _named(name: str, part: Recording, parts: Sequence[Recording]) -> str:
    """Of a file that is several stretches, the lines too."""
    return name if len(parts) == 1 or not part.lines else f"{name}, lines {part.lines[0]} to {part.lines[-1]}"


def _same_channels(
    recordings: Sequence[Recording], findings: Sequence[Finding]
) -> tuple[tuple[Recording, ...], tuple[Finding, ...]]:
    """Recordings with the channels that most have, in one order; an error for each that has others."""
    if not recordings:
        return (), tuple(findings)
    usual = Counter(tuple(sorted(recording.columns)) for recording in recordings).most_common(1)[0][0]
    first = next(recording for recording in recordings if sorted(recording.columns) == list(usual))
    wanted, made, wrong = first.columns, [], []
    for recording in recordings:
        if recording.columns == wanted:
            made.append(recording)
        elif sorted(recording.columns) == sorted(wanted):
            order = [recording.columns.index(name) for name in wanted]
            made.append(replace(recording, columns=wanted, values=recording.values[:, order]))
        else:
            has = f"channels {', '.join(recording.columns)}"
            text = f"{recording.name} has {has}; {first.name} has {', '.join(wanted)}: make them alike"
            wrong.append(Finding("error", text))
    return tuple(made), (*findings, *wrong, *_counted(made))


def _counted(recordings: Sequence[Recording]) -> list[Finding]:
    """What was done to recordings: said of the first, and of how many more."""
    told = [recording.findings[0] for recording in recordings if recording.findings]
    if not told:
        return []
    more = f"; so in {len(told):,} recordings" if len(told) > 1 else ""
    return [Finding("warning", f"{told[0].message}{more}")]


def _long_table(path: Path, config: DataConfig) -> _Found:
    """One table: a stretch ends where recording or class change."""
    if not config.target:
        raise UsageError(f"{path} is one long table of steps; say which column holds the class: --target COLUMN")
    tables = [(path, -1)]
    if config.test_data:
        tables.append((Path(config.test_data).absolute(), PARTS.index("test")))
    entries: list[Entry] = []
    recordings: list[Recording] = []
    sources: list[str] = []
    findings: list[Finding] = []
    for table, part in tables:
        stretches = read_stretches(table, config, target=config.target)
        findings += stretches.findings
        for stretch in stretches.parts:
            where = f"{table}, lines {stretch.lines[0]} to {stretch.lines[-1]}"
            entries.append(
                Entry(
                    file=table,
                    name=where,
                    answers=(stretch.texts[config.target][0],),
                    part=part,
                    group=stretch.texts[stretches.group][0] if stretches.group else "",
                )
            )
            recordings.append(stretch)
            sources.append(f"{part} {stretch.texts[config.recording][0] if config.recording else where}")
    missing = [entry.name for entry in entries if not entry.answers[0]]
    findings += [Finding("error", f"{name}: no class; fill in the cells or remove the rows") for name in missing]
    listing = Listing(root=path, kind=RECORDINGS, entries=tuple(entries), listed=False)
    made, told = _same_channels(recordings, findings)
    return _Found(listing, made, np.unique(sources, return_inverse=True)[1], told)


def _sets(path: Path, config: DataConfig) -> _Found:
    foreign = given_options(config, ("target", "columns", "drop", "label_from", "group_from", "recording", "time"))
    if foreign or config.split != "random":
        raise UsageError(f"{', '.join(foreign) or 'split'}: a .ts file has no columns; leave it out")
    files = siblings(path)
    if config.test_data:
        if len(files) > 1:
            raise UsageError(f"{path} has a test file beside it, --test {config.test_data} is another; give one")
        files.append((Path(config.test_data).absolute(), PARTS.index("test")))
    entries, recordings, labels = [], [], dict[str, None]()
    for file, part in files:
        cases, names = read_cases(file)
        labels.update(dict.fromkeys(names))
        for case in cases:
            entries.append(Entry(file=file, name=case.recording.name, answers=(case.label,), part=part))
            recordings.append(case.recording)
    found, findings = _same_channels(recordings, ())
    listing = Listing(root=path, kind=RECORDINGS, entries=tuple(entries))
    return _Found(listing, found, np.arange(len(found)), findings, tuple(labels))


def _cut(found: _Found, labelled: Labelled, config: DataConfig) -> _Cut:
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


def _too_few(found: _Found, labelled: Labelled) -> str:
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


def _facts(found: _Found, labelled: Labelled, samples: _Cut | None) -> dict[str, Any]:
    lengths = [len(recording) for recording in found.recordings]
    facts: dict[str, Any] = {
        "recordings": len(found.recordings),
        "steps": {"min": min(lengths), "median": float(np.median(lengths)), "max": max(lengths)},
        "ignored": dict(found.listing.ignored),
        "classes": class_rows(found.listing, labelled) if len(labelled.targets) else [],
        "channels": [_channel(name, at, found.recordings) for at, name in enumerate(found.recordings[0].columns)],
    }
    if samples is not None:
        facts |= {"samples": len(samples.samples), "window": samples.samples.shape[1], "hop": samples.hop}
    return {key: value for key, value in facts.items() if value}


def _channel(name: str, at: int, recordings: Sequence[Recording]) -> dict[str, Any]:
    values = np.concatenate([recording.values[:, at] for recording in recordings])
    spread = {"min": values.min(), "mean": values.mean(), "max": values.max(), "deviation": values.std()}
    return {"channel": name, **{key: float(value) for key, value in spread.items()}}


def _reading(
    request: Request,
    labelled: Labelled,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    load: Callable[[], Raw],
    **inferred: int,
) -> Reading:
    plain, config = DataConfig(), request.config
    options = {name: getattr(config, name) for name in vars(plain) if getattr(config, name) != getattr(plain, name)}
    return Reading(
        path=request.path,
        form="series",
        kind="series",
        task=labelled.task,
        findings=tuple(findings),
        facts=facts,
        schema=replace(
            request.schema,
            options={**resolve_indices(options), "task": labelled.task, **inferred},
            labels=labelled.labels,
        ),
        load=load,
    )


def _nothing(request: Request, found: _Found) -> Reading:
    wrong = (*found.listing.findings, *found.findings)
    none = Finding("error", f"{request.path} holds no recording; expected class folders of .csv, .tsv or .npy files")
    return Reading(
        path=request.path,
        form="series",
        kind="series",
        task=None,
        findings=wrong if errors(wrong) else (none, *wrong),
        facts={"recordings": 0, "ignored": dict(found.listing.ignored)},
        schema=request.schema,
        load=_no_load,
    )


def _no_load() -> Raw:
    raise DataError("there is no recording to load")


def _raw(found: _Found, labelled: Labelled, samples: _Cut) -> Raw:
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
        sha256=identity(found.listing.entries, [recording.sha256 for recording in found.recordings]),
        parts=None if fields["parts"] is None else fields["parts"][samples.of],
        times=None if fields["times"] is None else fields["times"][samples.of],
    )


def _sample_names(names: Sequence[str], samples: _Cut) -> Iterator[str]:
    seen: Counter[int] = Counter()
    for at in samples.of.tolist():
        yield names[at] if not samples.hop else f"{names[at]}, step {seen[at] * samples.hop}"
        seen[at] += 1
