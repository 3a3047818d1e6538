"""Texts as samples: sentences, text files, and tables with a text in each row. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from . import preprocessing, rows
    from .chunks import Chunk, prepare
    from .interpreters import DataError, one_line
else:
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import rows  # type: ignore[import-not-found,no-redef]
    from chunks import Chunk, prepare  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError, one_line  # type: ignore[import-not-found,no-redef]

TEXTS_AT_ONCE = 512


def is_text(contract: Mapping[str, Any]) -> bool:
    """Whether a model takes texts."""
    return bool(contract["input"]["kind"] == "text")


def is_sentence(given: str) -> bool:
    """Whether what was given is a text itself, and not the name of a file."""
    try:
        exists = Path(given).exists()
    except OSError:  # it is longer than a path can be
        exists = False
    return not exists and (any(map(str.isspace, given)) or not Path(given).suffix)


def text_chunk(given: str, contract: Mapping[str, Any], name: str = "") -> Chunk:
    """The text of a file, or what was given where that is a sentence; an empty one is a problem.

    Raises:
        DataError: A file that is missing, or no text.
    """
    text = given
    if not is_sentence(given):
        try:
            text = Path(given).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{given} cannot be read as UTF-8 text: {one_line(error)}") from error
    return _texts([name or given], [text], contract)


def texts_chunks(path: str | Path, contract: Mapping[str, Any], keep: Sequence[str] = ()) -> Iterator[Chunk]:
    """The texts of a table; raises DataError where it cannot be read or lacks the column."""
    with rows.open_text(Path(path)) as file:
        names = list(contract["input"].get("columns") or ())
        delimiter = rows.sniff_texts(rows.first_lines(file, Path(path)), names)
        file.seek(0)
        records = rows.text_records(file, Path(path), delimiter)
        line, first = next(records, (0, []))
        header = [cell.strip() for cell in first]
        if not header:
            raise DataError(f"{path} is empty; expected a row for each text")
        at, headed = _text_position(header, names, path)
        positions = [_position(name, header, path) for name in keep]
        block: list[tuple[int, list[str]]] = [] if headed else [(line, first)]
        number = 1
        for record in records:
            block.append(record)
            if len(block) == TEXTS_AT_ONCE:
                yield _block_of_texts(path, block, at, positions, number, contract)
                number, block = number + len(block), []
        if block:
            yield _block_of_texts(path, block, at, positions, number, contract)
        elif number == 1:
            raise DataError(f"{path} has a header and no rows; give at least one text")


def _text_position(header: Sequence[str], names: Sequence[str], path: str | Path) -> tuple[int, bool]:
    """Where the texts stand, and whether the first line is a header."""
    if names and names[0] in header:
        return header.index(names[0]), True
    if len(header) == 1:
        return 0, False
    made_up = rows.made_up(0)[:-1]
    if names and names[0].startswith(made_up) and names[0][len(made_up) :].isdigit():
        at = int(names[0][len(made_up) :]) - 1
        if at < len(header):
            return at, False
    wanted = names[0] if names else "text"
    raise DataError(f"{path} lacks column {wanted!r}; it has {rows.short(header)}")


def _position(name: str, header: Sequence[str], path: str | Path) -> int:
    if name not in header:
        raise DataError(f"{path} has no column {name!r} to keep; it has {rows.short(header)}")
    return header.index(name)


def _block_of_texts(
    path: str | Path,
    block: Sequence[tuple[int, list[str]]],
    at: int,
    positions: Sequence[int],
    number: int,
    contract: Mapping[str, Any],
) -> Chunk:
    chunk = _texts(
        [f"{path}:{number + row}" for row in range(len(block))],
        [cells[at] if at < len(cells) else "" for _, cells in block],
        contract,
    )
    kept = [[cells[place] if place < len(cells) else "" for place in positions] for _, cells in block]
    return chunk._replace(kept=kept if positions else (), lines=[line for line, _ in block])


def _texts(names: Sequence[str], texts: Sequence[str], contract: Mapping[str, Any]) -> Chunk:
    samples = prepare(np.array(list(texts), object), contract)
    problems = {at: f"{names[at]}: the text is empty" for at, text in enumerate(texts) if not text.strip()}
    unknown = int((samples == preprocessing.UNKNOWN).sum())
    return Chunk(list(names), samples, problems, unseen={"words": unknown} if unknown else {})
