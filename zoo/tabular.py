"""Tables as samples, a row each, their columns as a model's contract says. Python 3.9 or later.

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
    from .interpreters import DataError
else:
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import rows  # type: ignore[import-not-found,no-redef]
    from chunks import Chunk, prepare  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".tab")


def table_suffixes(contract: Mapping[str, Any]) -> tuple[str, ...]:
    """Endings of files that are read as tables; of a model that takes none, those that can be nothing else."""
    return TABLE_SUFFIXES if contract["input"]["kind"] == "table" else TABLE_SUFFIXES[:2]


def encoding(contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step that says what the columns of a table mean; empty where all are plain numbers."""
    return next((step for step in contract["steps"] if step["step"] == "encode"), {})


def open_table(path: str | Path, contract: Mapping[str, Any], keep: Sequence[str] = ()) -> rows.TableReader:
    """A table opened for the columns that a model takes; the target and those to keep may stand there too.

    Raises:
        DataError: It cannot be read, or a column is missing.
    """
    expected, output = contract["input"], contract["output"]
    if expected["kind"] != "table":
        raise DataError(
            f"{path} is a table; the model takes {expected['kind']} samples of shape {tuple(expected['shape'])}"
        )
    step = encoding(contract)
    names = list(expected.get("columns") or [])
    plain = [{"name": name, "type": "number"} for name in names] or [{"type": "number"}] * expected["shape"][0]
    targets = output.get("target") or (output.get("labels") if output["task"] in ("regression", "multilabel") else ())
    return rows.TableReader(
        path,
        step.get("columns") or plain,
        missing=step.get("missing") or (),
        optional=[*(targets or ()), *keep],
    )


def table_chunks(reader: rows.TableReader, contract: Mapping[str, Any], keep: Sequence[str] = ()) -> Iterator[Chunk]:
    """The rows of a table; raises DataError where it has none, or cannot be read to the end."""
    positions = [reader.header.index(name) for name in keep]
    columns = [str(column["name"]) for column in encoding(contract).get("columns") or ()]
    number = 1
    for block in reader:
        names = [f"{reader.path}:{number + row}" for row in range(len(block.lines))]
        number += len(names)
        samples = prepare(block.raw, contract)
        yield Chunk(
            names,
            samples,
            block_problems(block, samples, reader, contract),
            [[cells[at] if at < len(cells) else "" for at in positions] for cells in block.cells] if positions else (),
            {name: int(count) for name, count in zip(columns, block.unseen) if count},
            {name: int(count) for name, count in zip(columns, block.missing) if count},
            block.lines,
        )
    if number == 1:
        raise DataError(f"{reader.path} has a header and no rows; give at least one row")


def block_problems(
    block: rows.Block, samples: np.ndarray, reader: rows.TableReader, contract: Mapping[str, Any]
) -> dict[int, str]:
    """What is wrong with rows, in their order.

    So is a missing cell, where the model was trained on plain numbers, and a number that is infinite after the steps.

    Args:
        block: Of the reader.
        samples: The block after the steps, (rows, features).
        reader: Of the table.
        contract: As of `inputs.read_inputs`.
    """
    problems = dict(block.problems)
    if not encoding(contract):
        for row, column in np.argwhere(np.isnan(block.raw)).tolist():
            name = (contract["input"].get("columns") or reader.header)[column]
            where = f"{reader.path}, line {block.lines[row]}, column {name!r}"
            problems.setdefault(row, f"{where}: the value is missing; give a number")
    names, columns = contract["input"].get("columns") or reader.header, _feature_columns(contract, samples.shape[1])
    for row, feature in np.argwhere(~np.isfinite(samples)).tolist():
        column = columns[feature]
        where = f"{reader.path}, line {block.lines[row]}, column {names[column]!r}"
        problems.setdefault(row, f"{where}: {block.raw[row, column]:g} is too large for the model")
    return dict(sorted(problems.items()))


def _feature_columns(contract: Mapping[str, Any], features: int) -> list[int]:
    """Of each feature the raw column that it is made from."""
    step = encoding(contract)
    if not step:
        return list(range(features))
    widths = [len(preprocessing.feature_names({**step, "columns": [column]})) for column in step["columns"]]
    return [at for at, width in enumerate(widths) for _ in range(width)]
