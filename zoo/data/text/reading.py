"""A user's own texts: a column of a table, or a folder of `.txt` files, labelled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zoo import preprocessing, rows
from zoo.data.dataset import PARTS, Raw
from zoo.data.files.collecting import class_rows, collect, identity, is_later, splitting
from zoo.data.files.labelling import Labelled, label
from zoo.data.files.listing import SPLIT_NAMES, Entry, FileKind, Listing, counted
from zoo.data.findings import Finding, errors, refuse
from zoo.data.options import AUDIO_OPTIONS, SERIES_OPTIONS, DataConfig, given_options
from zoo.data.own import Reading, Request
from zoo.data.references import resolve_indices
from zoo.data.tables.head import has_header
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import split_names
from zoo.registry import suggest

TEXTS = FileKind("text", (".txt",))
FOREIGN = (
    "columns",
    "drop",
    "keep",
    "target_transform",
    "image_size",
    "image_channels",
    *AUDIO_OPTIONS,
    *SERIES_OPTIONS,
)
"""Options that texts do not have."""
LOOKED_AT = 100
LEAST_WORDS = 3.0
"""Words of letters in a cell, on average, above which a column of two is taken for texts; a date has one at most."""
MOST_CLASSES = 0.5
"""Distinct cells of the other column, over all, above which it holds no classes."""


_LETTERS = re.compile(r"[^\W\d_]{2,}")


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


def is_text_table(path: Path, config: DataConfig) -> bool:
    """Whether a table holds texts and their classes: a column is named, or one of two has many different words."""
    if config.text:
        return True
    try:
        _, _, table = _records(path, LOOKED_AT)
    except DataError:
        return False  # whoever reads it as a table says what is wrong with it
    return _text_column(table) is not None


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
    foreign = given_options(config, FOREIGN)
    if foreign:
        raise UsageError(f"{', '.join(foreign)}: no option of texts; leave it out")
    found = _find(request.path, config)
    if not found.texts:
        none = Finding("error", f"{request.path} holds no text; expected rows, or class folders of .txt files")
        findings = found.findings if errors(found.findings) else (none, *found.findings)
        return _reading(request, None, findings, {"texts": 0}, _no_load)
    labelled = label(found.listing, config.task, request.schema.labels, later=is_later(config))
    return _reading(
        request,
        labelled,
        (*found.findings, *labelled.findings),
        _facts(found, labelled),
        lambda: _raw(found, labelled),
        text=found.column,
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
        sheet = _Sheet.of(table, config, part)
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


@dataclass(frozen=True)
class _Sheet:
    """A table with a column of texts and one of classes, both by position."""

    path: Path
    names: tuple[str, ...]
    lines: Sequence[int]
    table: Sequence[Sequence[str]]
    text: int
    target: int
    config: DataConfig
    part: int

    @classmethod
    def of(cls, path: Path, config: DataConfig, part: int) -> _Sheet:
        names, lines, table = _records(path)
        text = _named(config.text, names, "text", path) if config.text else _text_column(table)
        if text is None:
            raise UsageError(f"{path}: which column holds the texts? add --set text=COLUMN; it has {', '.join(names)}")
        how, _, column = config.split.partition(":")
        special = _named(column, names, "--split", path) if column and part < 0 else None
        if how not in ("random", "column", "group") or (how != "random" and not column):
            raise UsageError(f"--split {config.split} is not known for texts; expected random, column:COL or group:COL")
        given = split_names(config.target)
        if len(given) > 1:
            raise UsageError(f"--target {config.target}: texts have one class each; name one column")
        others = [at for at in range(len(names)) if at not in (text, special)]
        if not given and len(others) != 1:
            listed = ", ".join(names[at] for at in others) or "none"
            raise UsageError(
                f"{path} has {len(others)} columns that could be the class ({listed}); add --target COLUMN"
            )
        target = _named(given[0], names, "--target", path) if given else others[0]
        return cls(path, names, lines, table, text, target, config, part)

    def rows(self, findings: list[Finding]) -> Iterator[tuple[Entry, str]]:
        """Entries and their texts; what was left out is added to the findings."""
        missing = rows.missing_words(split_names(self.config.missing_values))
        how, _, column = self.config.split.partition(":")
        special = _named(column, self.names, "--split", self.path) if column and self.part < 0 else None
        empty, without = [], []
        for line, cells in zip(self.lines, self.table, strict=True):
            where = f"{self.path}, line {line}"
            text, answer = cells[self.text].strip(), cells[self.target].strip()
            if not text:
                empty.append(where)
                continue
            if answer.lower() in missing:
                without.append(where)
                continue
            part, group = self.part, ""
            if special is not None and how == "column":
                part = SPLIT_NAMES.get(cells[special].strip().lower(), -2)
                if part == -2:
                    told = f"{where}: {cells[special]!r} is no split; expected train, validation or test"
                    findings.append(Finding("error", told))
                    continue
            elif special is not None:
                group = cells[special].strip()
            yield Entry(file=self.path, name=where, answers=(answer,), part=part, group=group, where=f"{where}: "), text
        for places, what in ((empty, "an empty text"), (without, "no class")):
            if places:
                count = counted(len(places), "row")
                findings.append(Finding("warning", f"{places[0]}: {count} with {what} left out, this is the first"))


def _records(path: Path, count: int | None = None) -> tuple[tuple[str, ...], list[int], list[list[str]]]:
    """Names of the columns, line numbers and rows of a table, all of one length.

    Raises:
        DataError: It cannot be read, or a row has more or fewer cells.
    """
    with rows.open_text(path) as file:
        delimiter = rows.sniff_texts(rows.first_lines(file, path))
        file.seek(0)
        records = list(islice(rows.text_records(file, path, delimiter), count))
    if not records:
        raise DataError(f"{path} is empty; expected a header and rows")
    width = len(records[0][1])
    for line, cells in records:
        if len(cells) != width:
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells, expected {width}; quote texts with {delimiter!r}"
            )
    headed = has_header([cells for _, cells in records[:LOOKED_AT]], rows.missing_words()) and not _repeats(records)
    names = [cell.strip() for cell in records[0][1]] if headed else [rows.made_up(at) for at in range(width)]
    body = records[1:] if headed else records
    return tuple(names), [line for line, _ in body], [cells for _, cells in body]


def _repeats(records: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether a cell of the first line stands below it too: a class, and no name."""
    first = records[0][1]
    return any(cells[at].strip() == first[at].strip() for _, cells in records[1:] for at in range(len(first)))


def _text_column(table: Sequence[Sequence[str]]) -> int | None:
    """Of two columns the one with texts in it; None where there is none, or where nobody can tell."""
    if not table or len(table[0]) != 2:
        return None
    words = [float(np.mean([len(_LETTERS.findall(row[at])) for row in table])) for at in (0, 1)]
    best = int(np.argmax(words))
    classes = len({row[1 - best].strip() for row in table}) <= max(2, MOST_CLASSES * len(table))
    return best if classes and words[best] >= LEAST_WORDS > words[1 - best] else None


def _named(name: str, names: Sequence[str], option: str, path: Path) -> int:
    if name in names:
        return names.index(name)
    try:
        return range(len(names))[int(name)]
    except (ValueError, IndexError):
        raise DataError(f"{path} has no column {name!r}, named by {option}{suggest(name, names)}") from None


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
    return {key: value for key, value in facts.items() if value}


def _reading(
    request: Request,
    labelled: Labelled | None,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    load: Callable[[], Raw],
    text: str = "",
) -> Reading:
    plain, config = DataConfig(), request.config
    options = {name: getattr(config, name) for name in vars(plain) if getattr(config, name) != getattr(plain, name)}
    if labelled is not None:
        options["task"] = labelled.task
    return Reading(
        path=request.path,
        form="text",
        kind="text",
        task=None if labelled is None else labelled.task,
        findings=tuple(findings),
        facts=facts,
        schema=replace(
            request.schema,
            options={**resolve_indices(options), **({"text": text} if text else {})},
            labels=() if labelled is None or labelled.task == "regression" else labelled.labels,
        ),
        load=load,
    )


def _no_load() -> Raw:
    raise DataError("there is no text to load")


def _raw(found: _Found, labelled: Labelled) -> Raw:
    contents = [hashlib.sha256(text.encode()).hexdigest() for text in found.texts]
    return Raw(
        samples=np.array(found.texts, object),
        targets=labelled.targets,
        kind="text",
        task=labelled.task,
        labels=labelled.labels,
        columns=(found.column,) if found.column else (),
        digests=np.array([int(content[:16], 16) for content in contents], np.uint64),
        sha256=identity(found.listing.entries, contents),
        **splitting(found.listing.entries),
    )
