"""A user's own texts: a column of a table, or a folder of `.txt` files, labelled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import preprocessing
from zoo.data.dataset import PARTS, Raw
from zoo.data.files.collecting import class_rows, collect, identity, is_later, splitting
from zoo.data.files.concluding import nothing, reading
from zoo.data.files.labelling import Labelled, label
from zoo.data.files.listing import Entry, FileKind, Listing
from zoo.data.findings import Finding, refuse
from zoo.data.identity import text_digests
from zoo.data.options import DataConfig, refuse_options
from zoo.data.own import Reading, Request
from zoo.data.text.sheet import TextSheet
from zoo.errors import DataError

TEXTS = FileKind("text", (".txt",))
FOREIGN = ("columns", "drop", "keep", "target_transform", "image_size", "image_channels")
"""Options that texts do not have."""


@dataclass(frozen=True)
class _Found:
    """Texts and an entry for each.

    Attributes:
        column: Name of the column that the texts stand in; empty for files.
    """

    listing: Listing
    texts: tuple[str, ...]
    findings: tuple[Finding, ...]
    column: str = ""


def read_text(request: Request) -> Reading:
    """Reads texts and their classes.

    Args:
        request: A table with a column of texts (`text` names it, or there are two columns), or a folder of `.txt` files
            with a sub-folder for each class. `--target`, `--split`, `--label-from`, `--group-from` and `--test` are
            followed.

    Returns:
        A reading whose samples are (n,) text.

    Raises:
        UsageError: An option that texts do not have, or that does not fit.
        DataError: A table that cannot be read.
    """
    config = request.config
    refuse_options(config, FOREIGN, "texts")
    found = _find(request.path, config)
    if not found.texts:
        expected = "rows, or class folders of .txt files"
        return nothing(request, "text", "text", expected, found.findings, found.listing.ignored)
    labelled = label(found.listing, config.task, request.schema.labels, later=is_later(config))
    column = {"text": found.column} if found.column else {}
    return reading(
        request,
        "text",
        labelled,
        (*found.findings, *labelled.findings),
        _facts(found, labelled),
        lambda: _raw(found, labelled),
        **column,
    )


def read_texts(path: Path, config: DataConfig) -> tuple[list[str], list[str], list[str]]:
    """Texts, the text of their classes, and their names, to measure a model on; nothing is split.

    Raises:
        UsageError: An option that does not fit.
        DataError: Whatever is wrong with the data, all of it at once.
    """
    found = _find(path, config)
    refuse(found.findings, path)
    if not found.texts:
        raise DataError(f"{path} holds no labelled text; expected rows, or class folders of .txt files")
    entries = found.listing.entries
    return list(found.texts), [entry.answers[0] for entry in entries], [entry.name for entry in entries]


def _find(path: Path, config: DataConfig) -> _Found:
    if path.is_dir():
        return _files(path, config)
    tables = [(path, -1)]
    if config.test_data:
        tables.append((Path(config.test_data).absolute(), PARTS.index("test")))
    entries: list[Entry] = []
    texts: list[str] = []
    findings: list[Finding] = []
    column, target = "", ""
    for table, part in tables:
        sheet = TextSheet.of(table, config, part)
        column, target = sheet.names[sheet.text], sheet.names[sheet.target]
        for entry, text in sheet.rows(findings):
            entries.append(entry)
            texts.append(text)
    listing = Listing(root=path, kind=TEXTS, entries=tuple(entries), targets=(target,))
    return _Found(listing, tuple(texts), tuple(findings), column)


def _files(path: Path, config: DataConfig) -> _Found:
    listing = collect(path, config, TEXTS)
    entries, texts, findings = [], [], list(listing.findings)
    for entry in listing.entries:
        try:
            text = entry.file.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = "is not UTF-8 text; save it as UTF-8" if isinstance(error, ValueError) else f"cannot be read: {error}"
            findings.append(Finding("error", f"{entry.where}{entry.file} {why}"))
            continue
        if not text:
            findings.append(Finding("error", f"{entry.where}{entry.file} is empty; write a text or remove it"))
            continue
        entries.append(entry)
        texts.append(text)
    return _Found(replace(listing, entries=tuple(entries)), tuple(texts), tuple(findings))


def _facts(found: _Found, labelled: Labelled) -> dict[str, Any]:
    words = [preprocessing.words(text) for text in found.texts]
    lengths = [len(each) for each in words]
    facts: dict[str, Any] = {
        "texts": len(found.texts),
        "column": found.column,
        "words": {"min": min(lengths), "median": float(np.median(lengths)), "max": max(lengths)},
        "distinct_words": len({word for each in words for word in each}),
        "ignored": dict(found.listing.ignored),
    }
    if labelled.task != "regression" and len(labelled.targets):
        facts["classes"] = class_rows(found.listing, labelled)
    return facts


def _raw(found: _Found, labelled: Labelled) -> Raw:
    digests, contents = text_digests(found.texts)
    return Raw(
        samples=np.array(found.texts, object),
        targets=labelled.targets,
        kind="text",
        task=labelled.task,
        labels=labelled.labels,
        columns=(found.column,) if found.column else (),
        digests=digests,
        sha256=identity(found.listing.entries, contents),
        **splitting(found.listing.entries),
    )
