"""What a user may say about data: how they are read, which column is the target, how they are split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from zoo.cards import TASKS
from zoo.errors import UsageError
from zoo.hyperparameters import Hyperparameter, choice, flag, integer, knob_field, names, real, resolve
from zoo.hyperparameters import text as free


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data, and how they are read and split; each field's declaration is its metadata."""

    validation: float = knob_field(
        real("validation", 0.1, "fraction of the training data kept for decisions", low=0.01, high=0.5)
    )
    test: float = knob_field(
        real("test", 0.2, "fraction tested on, where the set has no test split of its own", low=0.01, high=0.5)
    )
    test_data: str = knob_field(free("test_data", "a file or folder to test on, of the same form as the data"))
    train_samples: int = knob_field(
        integer("train_samples", 0, "train on this many samples, drawn by class; 0 is all", low=0, high=10**9)
    )
    strict_data: bool = knob_field(flag("strict_data", False, "refuse stand-in data"))
    target: str = knob_field(
        names("target", "column to predict, by name or index (-1 is the last); several for several answers")
    )
    task: str = knob_field(choice("task", "auto", "what kind of answer the target is", ("auto", *TASKS)))
    columns: str = knob_field(names("columns", "use these columns of a table, no others"))
    drop: str = knob_field(names("drop", "leave these columns of a table out"))
    keep: str = knob_field(names("keep", "use these columns even if they look like a leak or an identifier"))
    missing_values: str = knob_field(names("missing_values", "cells that mean missing, besides empty, NA and null"))
    split: str = knob_field(
        free("split", "random, time:COLUMN, group:COLUMN or column:COLUMN (of train, validation, test)", "random")
    )
    label_from: str = knob_field(
        free("label_from", "labels of files: folder, column:NAME, a CSV of paths and labels, or a regular expression")
    )
    group_from: str = knob_field(
        free("group_from", "groups of files that must not straddle splits: folder, column:NAME, CSV or expression")
    )
    target_transform: str = knob_field(
        choice(
            "target_transform",
            "auto",
            "what a regression is trained on; auto is standard",
            ("auto", "none", "standard", "log1p"),
        )
    )
    image_size: int = knob_field(
        integer("image_size", 0, "pixels of a side that images are resized to; 0 is fitting", low=0, high=1024)
    )
    image_channels: int = knob_field(
        integer("image_channels", 0, "1 is grey, 3 is colour, 0 as the images are", low=0, high=3)
    )
    tile: int = knob_field(
        integer("tile", 0, "pixels of a side that images with masks are cut into; 0 is whole images", low=0, high=2048)
    )
    mask_threshold: int = knob_field(
        integer("mask_threshold", 0, "values of a mask from this on are one class, others another", low=0, high=255)
    )
    mask_labels: str = knob_field(names("mask_labels", "names of the classes of masks, by ascending value"))
    window: int = knob_field(
        integer(
            "window",
            0,
            "steps of a sample cut from recordings; 0 is a whole recording, in a forecast what suits it",
            low=0,
            high=4096,
        )
    )
    hop: int = knob_field(
        integer("hop", 0, "steps between two windows; 0 is as many as a window, 1 in a forecast", low=0, high=65536)
    )
    rate: float = knob_field(
        real(
            "rate",
            0.0,
            "steps a second that recordings are brought to by their times; 0 takes steps as they are",
            low=0.0,
            high=1e6,
        )
    )
    recording: str = knob_field(free("recording", "column of a long table that says which recording a step is of"))
    text: str = knob_field(free("text", "column of a table that holds texts; the words of each are learnt from"))
    words: int = knob_field(
        integer("words", 0, "words of a text that are looked at, its last; 0 is fitting", low=0, high=4096)
    )
    vocabulary: int = knob_field(
        integer("vocabulary", 10_000, "words that are known, the most frequent", low=1, high=1_000_000)
    )
    sample_rate: int = knob_field(
        integer(
            "sample_rate",
            0,
            "samples a second that sounds are brought to; 0 is the usual one of the files",
            low=0,
            high=192_000,
        )
    )
    seconds: float = knob_field(
        real("seconds", 0.0, "length that sounds are cut or filled to; 0 is fitting", low=0.0, high=60.0)
    )
    bands: int = knob_field(integer("bands", 40, "bands of pitch of a sound", low=1, high=256))
    frame_ms: float = knob_field(
        real("frame_ms", 32.0, "milliseconds of a sound that a row is made from", low=1.0, high=1000.0)
    )
    hop_ms: float = knob_field(real("hop_ms", 20.0, "milliseconds between two rows of a sound", low=1.0, high=1000.0))
    normal: str = knob_field(
        names("normal", "classes that are normal, where anomalies are looked for; all others are anomalies")
    )
    false_alarms: float = knob_field(
        real("false_alarms", 0.05, "share of normal samples that may be taken for anomalies", low=0.0, high=0.5)
    )
    time: str = knob_field(free("time", "column with the time of a step: it must grow, recordings are cut at gaps"))
    horizon: int = knob_field(
        integer("horizon", 0, "steps to forecast from each window of a series; 0 is no forecast", low=0, high=4096)
    )
    season: int = knob_field(
        integer(
            "season",
            0,
            "steps of a season, for the forecast that repeats it; 0 is the usual one by the distance of the times",
            low=0,
            high=1_000_000,
        )
    )


DATA: tuple[Hyperparameter, ...] = tuple(entry.metadata["knob"] for entry in fields(DataConfig))
ALWAYS = ("validation", "test", "train_samples", "strict_data", "normal", "false_alarms")
FILE_ONLY = tuple(knob.name for knob in DATA if knob.name not in ALWAYS)
"""Knobs that say how files of the user's own are read; a registered set has its own ways."""


def given_options(config: DataConfig, names: Sequence[str]) -> list[str]:
    """Those of these knobs that have another value than their default."""
    plain = DataConfig()
    return [name for name in names if getattr(config, name) != getattr(plain, name)]


def refuse_options(config: DataConfig, names: Sequence[str], what: str) -> None:
    """Raises UsageError where one of these knobs is given for data that do not have it."""
    foreign = given_options(config, names)
    if foreign:
        raise UsageError(f"{', '.join(foreign)}: no option of {what}; leave it out")


OPTIONS_OF: Mapping[str, tuple[str, ...]] = {
    "masks": ("tile", "mask_threshold", "mask_labels"),
    "series": ("window", "hop", "rate", "recording", "time", "horizon", "season"),
    "audio": ("sample_rate", "seconds", "bands", "frame_ms", "hop_ms"),
    "text": ("text", "words", "vocabulary"),
}
"""Form of data to the knobs that no other form has."""


def data_config(**given: object) -> DataConfig:
    """A DataConfig of values as text or typed, each checked.

    Raises:
        UsageError: A name that is no knob of the data, or a value that is not allowed.
    """
    config = DataConfig(**resolve(DATA, given, "data"))  # type: ignore[arg-type]
    if config.season and not config.horizon:
        raise UsageError(f"season = {config.season} is that of a forecast; set horizon = N, the steps to forecast, too")
    if config.hop and not config.window and not config.horizon:
        raise UsageError(f"hop = {config.hop} is the distance of windows, and there are none; set window = N too")
    if config.tile and config.image_size:
        raise UsageError(
            f"tile = {config.tile} cuts images as they are, image_size = {config.image_size} resizes them; set one"
        )
    if config.image_channels == 2:
        raise UsageError("image_channels = 2 is not allowed; expected 1 (grey), 3 (colour) or 0 (as the images are)")
    return config
