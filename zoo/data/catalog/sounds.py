"""Sounds known by name."""

from __future__ import annotations

from zoo.cards import DatasetCard, Tree

_ADJUSTABLE = ("sample_rate", "seconds", "bands", "frame_ms", "hop_ms")

CARDS = (
    DatasetCard(
        name="fsdd",
        loader="zoo.data.known.sounds:load_fsdd",
        kind="audio",
        task="multiclass",
        summary="spoken digits by six people, 8 kHz; of each speaker and digit the first five are tested on",
        samples=3_000,
        test_samples=300,
        labels=tuple(str(digit) for digit in range(10)),
        source="Z. Jackson, Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC BY-SA 4.0",
        place="fsdd/recordings",
        tree=Tree(
            suffix=".wav",
            files=3_000,
            bytes=21_128_848,
            sha256="1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959",
        ),
        options={"label_from": r"(\d)_\w+_\d+\.wav"},
        adjustable=_ADJUSTABLE,
    ),
    DatasetCard(
        name="speech_commands_mini",
        loader="zoo.data.known.own:load_own",
        kind="audio",
        task="multiclass",
        summary="the words bed, cat and happy, one second at 16 kHz; no speaker stands in two splits",
        samples=750,
        labels=("bed", "cat", "happy"),
        source="P. Warden, Speech Commands v0.01 (arXiv:1804.03209), 250 sounds of each of three words",
        licence="CC BY 4.0",
        tree=Tree(
            suffix=".wav",
            files=750,
            bytes=23_634_400,
            sha256="d2a74d0ed43cc91ed9373432fb38768207e0366c08189849128afea7431be46b",
        ),
        options={"group_from": r"(\w+)_nohash"},
        adjustable=_ADJUSTABLE,
    ),
)
