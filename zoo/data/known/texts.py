"""The texts the zoo knows by name, where their files are of a form of their own."""

from __future__ import annotations

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np

from zoo.data.dataset import Raw
from zoo.data.identity import text_digests
from zoo.data.known import files
from zoo.data.loading import LoadRequest

Rows = dict[str, tuple[list[str], list[int]]]
"""Split to texts and their classes."""


def load_imdb(request: LoadRequest) -> Raw:
    """IMDB: (25000,) reviews, 0 negative and 1 positive, and the official test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    path = files.load(request.card, request.on_event) / request.card.files[0].name
    found: Rows = {"train": ([], []), "test": ([], [])}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            texts, targets = found[row["split"]]
            texts.append(row["text"])
            targets.append(request.card.labels.index(row["label"]))
    return _raw(request, found)


def load_trec(request: LoadRequest) -> Raw:
    """TREC questions: (5452,) questions, six classes, and the official test split.

    Raises:
        DataError: No file, or a damaged one.
    """
    folder = files.load(request.card, request.on_event)
    train, test = (folder / file.name for file in request.card.files)
    return _raw(request, {"train": _numbered(train), "test": _numbered(test)})


def _numbered(path: Path) -> tuple[list[str], list[int]]:
    lines = [line.split(" ", 1) for line in path.read_text(encoding="latin-1").splitlines()]
    return [text.strip() for _, text in lines], [int(number) for number, _ in lines]


def _raw(request: LoadRequest, found: Rows) -> Raw:
    (texts, targets), (test_texts, test_targets) = found["train"], found["test"]
    digests, sums = text_digests(texts)
    test_digests, test_sums = text_digests(test_texts)
    return Raw(
        samples=np.array(texts, object),
        targets=np.array(targets, np.int64),
        test_samples=np.array(test_texts, object),
        test_targets=np.array(test_targets, np.int64),
        kind="text",
        task=request.card.task,
        labels=request.card.labels,
        digests=digests,
        test_digests=test_digests,
        sha256=hashlib.sha256(repr((sums, targets, test_sums, test_targets)).encode()).hexdigest(),
    )
