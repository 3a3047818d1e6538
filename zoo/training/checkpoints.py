"""The checkpoint: all that `--resume` needs, in two generations, each one file written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import DataError
from zoo.runs import CHECKPOINT, jsonable, read_npz, write_npz

GENERATIONS = 2


def save(run: Path, epoch: int, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
    """Writes one generation and removes those older than the one before it.

    Args:
        run: The run folder.
        epoch: Epochs finished.
        arrays: Variables by name.
        state: Whatever else the loop needs, as plain JSON values.
    """
    text = np.frombuffer(json.dumps(jsonable(state)).encode(), np.uint8)
    stored = {**arrays, "state": text}
    write_npz(run / CHECKPOINT / f"{epoch:06d}.npz", **stored, digest=np.frombuffer(_digest(stored), np.uint8))
    for old in generations(run)[:-GENERATIONS]:
        old.unlink()


def generations(run: Path) -> list[Path]:
    """Checkpoint files, oldest first."""
    return sorted((run / CHECKPOINT).glob("[0-9]*.npz"))


def load(run: Path) -> tuple[dict[str, np.ndarray], dict[str, Any], list[str]]:
    """The newest generation that is whole.

    Returns:
        Arrays by name, the state, and a line for each damaged generation that was passed over.

    Raises:
        DataError: None is whole, or there is none.
    """
    damaged: list[str] = []
    for path in reversed(generations(run)):
        try:
            arrays = read_npz(path)
            digest = arrays.pop("digest", np.zeros(0, np.uint8)).tobytes()
        except DataError as error:
            damaged.append(str(error))
            continue
        if digest != _digest(arrays):
            damaged.append(f"{path} is damaged: its checksum does not match")
            continue
        return arrays, json.loads(arrays.pop("state").tobytes()), damaged
    why = "; ".join(damaged) or "there is none"
    raise DataError(f"{run / CHECKPOINT} holds no usable checkpoint ({why}); train again without --resume")


def _digest(arrays: Mapping[str, np.ndarray]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()
