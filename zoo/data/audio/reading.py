"""A user's own sounds: a folder of WAV files or a list of them, read, brought to one rate and length, and labelled."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import preprocessing, sound
from zoo.data.dataset import Raw
from zoo.data.files.collecting import class_rows, collect, identity, is_later, splitting
from zoo.data.files.concluding import nothing, reading
from zoo.data.files.labelling import Labelled, label
from zoo.data.files.listing import FileKind, Listing, counted
from zoo.data.findings import Finding
from zoo.data.options import DataConfig, refuse_options
from zoo.data.own import Reading, Request
from zoo.errors import DataError
from zoo.settings import cpu_count

SOUNDS = FileKind("sound", sound.SUFFIXES)
FOREIGN = ("columns", "drop", "keep", "target_transform", "image_size", "image_channels")
"""Options that sounds do not have."""
LONGER = 1.5
"""Without `seconds`, sounds are cut where they are longer than this times the median."""
LONGEST_SECONDS = 30.0
TOLD_EVERY = 1000


@dataclass(frozen=True)
class _Heard:
    """A file that was read.

    Attributes:
        seconds: Of the whole.
        problem: What is wrong with it; the rest then means nothing.
    """

    samples: np.ndarray
    rate: int = 0
    channels: int = 1
    seconds: float = 0.0
    sha256: str = ""
    problem: str = ""


def read_audio(request: Request) -> Reading:
    """Reads WAV files, with a sub-folder for each class or a list of paths and labels.

    The rate: what `sample_rate` says, else that of most files; others are resampled. The length: what `seconds` says,
    else the longest, but at most one and a half times the median; longer sounds give their middle, shorter ones have
    silence on both sides. Several channels become their mean.

    Returns:
        A reading whose samples are (n, length) int16.

    Raises:
        UsageError: An option that sounds do not have, or that does not fit.
        DataError: A list that cannot be read.
    """
    config = request.config
    refuse_options(config, FOREIGN, "sounds")
    listing = collect(request.path, config, SOUNDS)
    if not listing.entries:
        expected = "class folders of .wav files"
        return nothing(request, "audio", "sound", expected, listing.findings, listing.ignored)
    heard = _hear([entry.file for entry in listing.entries], request.on_event)
    labelled = label(listing, config.task, request.schema.labels, later=is_later(config))
    good = [one for one in heard if not one.problem]
    findings = [*listing.findings, *(Finding("error", one.problem) for one in heard if one.problem), *labelled.findings]
    if not good:
        return reading(request, "audio", labelled, findings, {"sounds": len(heard)})
    rate = config.sample_rate or Counter(one.rate for one in good).most_common(1)[0][0]
    seconds, told = _length([one.seconds for one in good], config.seconds)
    findings += [*told, *_converted(good, rate)]
    try:
        step = _step(rate, seconds, config)
    except DataError as error:
        findings.append(Finding("error", str(error)))
        return reading(request, "audio", labelled, findings, _facts(listing, labelled, heard, None))
    facts = _facts(listing, labelled, heard, step)

    def load() -> Raw:
        return _raw(listing, labelled, heard, step)

    return reading(request, "audio", labelled, findings, facts, load, sample_rate=rate, seconds=seconds)


def _hear(files: Sequence[Path], on_event: Callable[[str], None]) -> list[_Heard]:
    """Reads files by several threads, in order."""
    heard = []
    with ThreadPoolExecutor(cpu_count(), thread_name_prefix="hear") as pool:
        for at, one in enumerate(pool.map(_hear_one, files)):
            if at and at % TOLD_EVERY == 0:
                on_event(f"read {at:,} of {len(files):,} sounds")
            heard.append(one)
    return heard


def _hear_one(file: Path) -> _Heard:
    try:
        found = sound.read_wav(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except DataError as error:
        return _Heard(np.zeros(0, np.float32), problem=str(error))
    return _Heard(found.samples, found.rate, found.channels, len(found.samples) / found.rate, digest)


def _length(lengths: Sequence[float], asked: float) -> tuple[float, list[Finding]]:
    """Seconds of a sample, and what is cut off."""
    seconds = asked or min(max(lengths), LONGER * float(np.median(lengths)))
    if not asked:
        seconds = math.ceil(seconds * 10 - 1e-6) / 10
    longer = sum(length > seconds * 1.001 for length in lengths)
    if not longer:
        return seconds, []
    text = f"{counted(longer, 'sound')} of {len(lengths):,} longer than {seconds:g} s, cut to the middle"
    return seconds, [Finding("note", f"{text}; --set seconds=N for another length")]


def _converted(heard: Sequence[_Heard], rate: int) -> list[Finding]:
    """What was done to files of another form."""
    findings = []
    others = Counter(one.rate for one in heard if one.rate != rate)
    if others:
        listed = ", ".join(f"{count:,} of {found:,} Hz" for found, count in sorted(others.items()))
        findings.append(Finding("note", f"sounds resampled to {rate:,} Hz: {listed}"))
    several = sum(one.channels > 1 for one in heard)
    if several:
        findings.append(Finding("note", f"{counted(several, 'sound')} with several channels, which became their mean"))
    silent = sum(not one.samples.any() for one in heard)
    if silent:
        findings.append(Finding("warning", f"{counted(silent, 'sound')} of silence alone; look at them"))
    return findings


def _step(rate: int, seconds: float, config: DataConfig) -> dict[str, Any]:
    """The step that makes features of sounds.

    Raises:
        DataError: A sound is too long, or a frame longer than a sound.
    """
    if seconds > LONGEST_SECONDS and not config.seconds:
        raise DataError(f"the sounds have up to {seconds:g} s, which is no sample; say how much: --set seconds=N")
    length = round(rate * seconds)
    step = preprocessing.make_log_mel(
        rate, length, frame=config.frame_ms / 1000, hop=config.hop_ms / 1000, bands=config.bands
    )
    if step["frame"] > length:
        raise DataError(f"frame_ms = {config.frame_ms:g} is longer than a sound of {seconds:g} s; take less")
    return step


def _facts(listing: Listing, labelled: Labelled, heard: Sequence[_Heard], step: Any) -> dict[str, Any]:
    lengths = [one.seconds for one in heard if not one.problem]
    facts: dict[str, Any] = {
        "sounds": len(heard),
        "rates": {f"{rate:,} Hz": count for rate, count in Counter(one.rate for one in heard if one.rate).items()},
        "seconds": {"min": min(lengths), "median": float(np.median(lengths)), "max": max(lengths)} if lengths else {},
        "ignored": dict(listing.ignored),
    }
    if step is not None:
        rows, bands = preprocessing.log_mel_shape(step)
        facts["cut_to"] = f"{step['length'] / step['rate']:g} s at {step['rate']:,} Hz"
        facts["features"] = f"{rows} rows of {bands} bands"
    if labelled.task != "regression" and len(labelled.targets):
        facts["classes"] = class_rows(listing, labelled)
    return facts


def _raw(listing: Listing, labelled: Labelled, heard: Sequence[_Heard], step: Mapping[str, Any]) -> Raw:
    made = [sound.fit(sound.resample(one.samples, one.rate, step["rate"]), step["length"]) for one in heard]
    return Raw(
        samples=np.stack(made),
        targets=labelled.targets,
        kind="audio",
        task=labelled.task,
        labels=labelled.labels,
        steps=(step,),
        sha256=identity(listing.entries, [one.sha256 for one in heard]),
        **splitting(listing.entries),
    )
