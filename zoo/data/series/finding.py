"""Recordings of a folder, a list, one long table or a `.ts` file, with what is said of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo.data.dataset import PARTS
from zoo.data.files.collecting import collect
from zoo.data.files.listing import Entry, FileKind, Listing
from zoo.data.files.sheet import lists_files
from zoo.data.findings import Finding
from zoo.data.options import DataConfig, given_options
from zoo.data.series.clock import Clock, merged
from zoo.data.series.recordings import ARRAYS, TABLES, Recording
from zoo.data.series.sktime import read_cases, siblings
from zoo.data.series.stretches import read_stretches
from zoo.errors import DataError, UsageError

RECORDINGS = FileKind("recording", (*TABLES, *ARRAYS))
SETS = (".ts",)
TOLD_EVERY = 500
"""Files between two lines of progress."""


@dataclass(frozen=True)
class Found:
    """Recordings without a break, an entry for each, and what was found on the way.

    Attributes:
        sources: (recordings,) int64; those with equal numbers were one recording that breaks off and goes on.
        labels: Classes that were announced, in their order.
        clock: Of the column of times; None where there is none.
    """

    listing: Listing
    recordings: tuple[Recording, ...]
    sources: np.ndarray
    findings: tuple[Finding, ...] = ()
    labels: tuple[str, ...] = ()
    clock: Clock | None = None


def find(path: Path, config: DataConfig, on_event: Callable[[str], None]) -> Found:
    """Reads what lies there, cut at every break; what is wrong with a file is a finding.

    Raises:
        UsageError: An option that does not fit.
        DataError: A table, list or set that cannot be read.
    """
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
    clocks: list[Clock | None] = []
    for at, entry in enumerate(listing.entries):
        if at and at % TOLD_EVERY == 0:
            on_event(f"read {at:,} of {len(listing.entries):,} recordings")
        try:
            stretches = read_stretches(entry.file, config)
        except DataError as error:
            findings.append(Finding("error", f"{entry.where}{error}"))
            continue
        clocks.append(stretches.clock)
        findings += stretches.findings
        entries += [replace(entry, name=_named(entry.name, part, stretches.parts)) for part in stretches.parts]
        recordings += stretches.parts
        sources += [at] * len(stretches.parts)
    made, told = _same_channels(recordings, findings)
    listing = replace(listing, entries=tuple(entries))
    return Found(listing, made, np.array(sources, np.int64), told, clock=merged(clocks))


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


def _long_table(path: Path, config: DataConfig) -> Found:
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
    clocks: list[Clock | None] = []
    for table, part in tables:
        stretches = read_stretches(table, config, target=config.target)
        clocks.append(stretches.clock)
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
    return Found(listing, made, np.unique(sources, return_inverse=True)[1], told, clock=merged(clocks))


def _sets(path: Path, config: DataConfig) -> Found:
    foreign = given_options(
        config, ("target", "columns", "drop", "label_from", "group_from", "recording", "time", "rate")
    )
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
    return Found(listing, found, np.arange(len(found)), findings, tuple(labels))
