"""Right answers that stand in files as text: read as the numbers that a model answers with, or named as wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo import rows
from zoo.data.anomalies import is_anomaly
from zoo.data.findings import SHOWN
from zoo.errors import DataError
from zoo.inference.contract import Contract

SEPARATOR = "|"
_SAID = {
    **dict.fromkeys(("0", "0.0", "false", "no", "f", "n"), 0.0),
    **dict.fromkeys(("1", "1.0", "true", "yes", "t", "y"), 1.0),
}


def read_targets(
    texts: Sequence[Sequence[str]], contract: Contract, decimal: str = "."
) -> tuple[np.ndarray, dict[int, str]]:
    """Right answers of text as numbers.

    Args:
        texts: Of each row a cell for each target; one with bars between them for several labels at once.
        contract: Task and labels.
        decimal: Mark of a regression's targets.

    Returns:
        (n,) classes, (n, labels) of 0 and 1 or (n, targets) values; and position to what is wrong there.
    """
    if contract.task in ("binary", "multiclass", "anomaly"):
        return classes([row[0].strip() for row in texts], contract)
    if contract.task == "multilabel" and all(len(row) == 1 for row in texts):
        return _several([row[0] for row in texts], contract.labels)
    width = len(texts[0]) if texts else contract.outputs or 1
    values, wrong = np.zeros((len(texts), width)), dict[int, str]()
    for at in range(width):
        cells = [row[at].strip() for row in texts]
        if contract.task == "multilabel":
            said = [_SAID.get(cell.lower()) for cell in cells]
            values[:, at] = [value or 0.0 for value in said]
            wrong.update(
                {row: f"label {cells[row]!r} is not 0 or 1" for row, value in enumerate(said) if value is None}
            )
        else:
            values[:, at], bad = rows.convert(cells, {"type": "number", "decimal": decimal}, ())
            wrong.update({row: f"target {cells[row]!r} is no finite number" for row in bad})
    return values, dict(sorted(wrong.items()))


def classes(texts: Sequence[str], contract: Contract) -> tuple[np.ndarray, dict[int, str]]:
    """Indices of labels; equal numbers are the same label however they are written.

    Of a model of anomalies, 0 for what was a normal class in training and 1 for everything else.
    """
    if contract.task == "anomaly":
        return is_anomaly(texts, contract.alarm), {}
    labels = contract.labels
    index = {label: at for at, label in enumerate(labels)}
    numbers: dict[float | None, int] = {
        number: at for at, label in enumerate(labels) if (number := _number(label)) is not None
    }
    found = [index.get(text, numbers.get(_number(text))) for text in texts]
    wrong = {
        at: f"label {texts[at]!r} is unknown to the model, which answers {rows.short(list(labels))}"
        for at, value in enumerate(found)
        if value is None
    }
    return np.array([value or 0 for value in found], np.int64), wrong


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _several(texts: Sequence[str], labels: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
    """(n, labels) of 0 and 1 for cells such as "cat|dog"."""
    index = {label: at for at, label in enumerate(labels)}
    values, wrong = np.zeros((len(texts), len(labels))), dict[int, str]()
    for row, text in enumerate(texts):
        for name in filter(None, (part.strip() for part in text.split(SEPARATOR))):
            if name in index:
                values[row, index[name]] = 1
            else:
                wrong[row] = f"label {name!r} is unknown to the model, which answers {rows.short(list(labels))}"
    return values, wrong


def by_cause(wrong: Mapping[int, str], names: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong to the names of the samples that it is wrong with, from positions."""
    problems: dict[str, list[str]] = {}
    for at, cause in wrong.items():
        problems.setdefault(cause, []).append(names[at])
    return problems


def refuse(problems: Mapping[str, Sequence[str]], path: Path) -> None:
    """Raises DataError with every kind of wrong target, the first place of it and how often it stands there."""
    if not problems:
        return
    lines = [
        f"{names[0]}: {cause}" + (f"; so in {len(names):,} rows" if len(names) > 1 else "")
        for cause, names in problems.items()
    ]
    hint = "correct them, or name the right column with --target"
    if len(lines) == 1:
        raise DataError(f"{lines[0]}; {hint}")
    more = [f"and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    raise DataError(f"{path} has targets that the model does not answer; {hint}", problems=[*lines[:SHOWN], *more])
