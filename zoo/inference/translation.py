"""Rows of a table as another model's contract has them: its columns in its order, its codes of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zoo import rows
from zoo.errors import DataError
from zoo.inference.contract import Contract
from zoo.tabular import encoding


def translate(
    samples: np.ndarray, columns: Sequence[Mapping[str, object]], contract: Contract, name: str
) -> np.ndarray:
    """Raw rows of a table in the order and with the category codes of a contract.

    Args:
        samples: (n, columns) raw numbers, see `zoo.rows`.
        columns: What they are: "name", "type" and "values".
        contract: Whose columns and codes are wanted.
        name: Of the data, for messages.

    Raises:
        DataError: A column that the model takes is not there.
    """
    wanted = encoding(contract.describe()).get("columns") or [{"name": column} for column in contract.columns]
    have = [str(column["name"]) for column in columns]
    absent = [str(column["name"]) for column in wanted if column["name"] not in have]
    if absent:
        raise DataError(f"{name} lacks column {', '.join(absent)}, which the model takes")
    parts = []
    for column in wanted:
        at = have.index(str(column["name"]))
        values = samples[:, at]
        if column.get("type") == "category":
            values = _recode(values, list(columns[at].get("values") or ()), list(column["values"]))  # type: ignore[call-overload]
        parts.append(values)
    return np.stack(parts, axis=1) if parts else samples


def _recode(codes: np.ndarray, old: Sequence[str], new: Sequence[str]) -> np.ndarray:
    """Codes of the new values for codes of the old ones; missing and unseen ones stay."""
    if list(old) == list(new):
        return codes
    index = {value: float(at) for at, value in enumerate(new)}
    table = np.array([*(index.get(value, rows.UNSEEN) for value in old), rows.UNSEEN, np.nan])
    places = np.where(np.isnan(codes), len(old) + 1, np.where(codes < 0, len(old), codes)).astype(np.int64)
    return np.asarray(table[places])
