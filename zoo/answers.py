"""What a model's outputs say, for people and for files: labels, probabilities, values. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Tuple

import numpy as np

if __package__:
    from . import boxes, preprocessing
    from .interpreters import ModelError
else:
    import boxes  # type: ignore[import-not-found,no-redef]
    import preprocessing  # type: ignore[import-not-found,no-redef]
    from interpreters import ModelError  # type: ignore[import-not-found,no-redef]


BY_LABEL = {"regression": "values", "multilabel": "probabilities", "segmentation": "shares"}
"""Tasks whose answer is a number for each label or target, and what these are."""

OBJECT = ("label", "score", "x_min", "y_min", "x_max", "y_max")
"""What is told of an object that was found; its box in pixels of the image as it was given."""

Sizes = Sequence[Tuple[int, int]]
"""Height and width of each image as it was given; empty where the model was fed images of its own size."""


def answers(outputs: np.ndarray, contract: Mapping[str, Any], top: int = 1, sizes: Sizes = ()) -> list[dict[str, Any]]:
    """Answers for people: label and probability (the `top` best), each label's, values, shares, a score, or objects.

    Args:
        outputs: Of the model, (n, outputs) float32; of a segmentation the classes' shares of the pixels, (n, classes);
            of a detector its maps.
        contract: With "output": task, labels, the scale of regression targets, the threshold of anomalies and the
            lowest score of objects.
        top: Labels per sample of a multi-class model.
        sizes: Of the images that a detector saw.

    Returns:
        A mapping for each sample; all its values are None where an output is NaN.
    """
    output = contract["output"]
    if output["task"] == "detection":
        return [{"objects": found} for found in _objects(outputs, contract, sizes)]
    flat = preprocessing.invert_target(_flat(outputs), output)
    labels = _labels(flat, output)
    if output["task"] == "anomaly":
        found = zip(_told_apart(flat, output), flat[:, 0].astype(float).tolist())
        return _silent([{"label": label, "score": score} for label, score in found], flat)
    if output["task"] in BY_LABEL:
        key = BY_LABEL[output["task"]]
        return _silent([{key: dict(zip(labels, row))} for row in flat.astype(float).tolist()], flat)
    order, probabilities = _ranked(flat, output["task"], top)
    result = []
    for best, values in zip(order.tolist(), probabilities.astype(float).tolist()):
        ranked = [{"label": labels[index], "probability": value} for index, value in zip(best, values)]
        result.append({**ranked[0], "top": ranked} if top > 1 else ranked[0])
    if output["task"] == "binary":
        for answer, (value,) in zip(result, flat.astype(float).tolist()):
            answer["probabilities"] = {labels[0]: 1 - value, labels[1]: value}
    return _silent(result, flat)


def answer_columns(outputs: np.ndarray, contract: Mapping[str, Any], top: int = 1) -> dict[str, list[str]]:
    """The same answers as columns of text: name to one cell for each sample, empty where an output is NaN.

    The columns are `label` and `probability` (then `label_2`, `probability_2`, as far as `top` goes), for two classes
    also `probability_<second label>`, which is the score to rank by; `label` and `score` of anomalies; a column for
    each label or each target otherwise. A detector's columns are empty here: its cells are those of `answer_rows`.
    """
    output = contract["output"]
    if output["task"] == "detection":
        return {name: [] for name in OBJECT}
    flat = preprocessing.invert_target(_flat(outputs), output)
    labels, known = _labels(flat, output), np.isfinite(flat).all(axis=1).tolist()
    if output["task"] == "anomaly":
        told = [label if there else "" for label, there in zip(_told_apart(flat, output), known)]
        return {"label": told, "score": _text(flat[:, 0], "%.7g", known)}
    if output["task"] in BY_LABEL:
        pattern = "%.7g" if output["task"] == "regression" else "%.6f"
        return {label: _text(flat[:, at], pattern, known) for at, label in enumerate(labels)}
    order, probabilities = _ranked(flat, output["task"], top)
    columns: dict[str, list[str]] = {}
    for rank in range(order.shape[1]):
        suffix = f"_{rank + 1}" if rank else ""
        best = order[:, rank].tolist()
        columns[f"label{suffix}"] = [labels[at] if there else "" for at, there in zip(best, known)]
        columns[f"probability{suffix}"] = _text(probabilities[:, rank], "%.6f", known)
    if output["task"] == "binary":
        columns[f"probability_{labels[1]}"] = _text(flat[:, 0], "%.6f", known)
    return columns


def _told_apart(flat: np.ndarray, output: Mapping[str, Any]) -> list[str]:
    """Normal or anomaly for each score, (n, 1).

    Raises:
        ModelError: There is no threshold: the training did not come to its end.
    """
    threshold = output.get("threshold")
    if threshold is None:
        raise ModelError(
            "the model scores anomalies and no threshold is recorded, the training did not come to its end; resume it"
        )
    labels = _labels(flat, output)
    return [labels[score > threshold] for score in flat[:, 0].tolist()]


def answer_rows(
    first: Sequence[Sequence[str]],
    outputs: np.ndarray,
    contract: Mapping[str, Any],
    top: int = 1,
    sizes: Sizes = (),
) -> list[tuple[str, ...]]:
    """The same answers as rows of text: one for each sample; of a detector one for each object.

    An image in which nothing was found has one row with empty cells, as in a table of boxes to train on.

    Args:
        first: Cells of each sample that its rows begin with.
        outputs: As of `answers`, as are the others.
        contract: Likewise.
        top: Likewise.
        sizes: Likewise.
    """
    if contract["output"]["task"] != "detection":
        return [(*cells, *row) for cells, row in zip(first, zip(*answer_columns(outputs, contract, top).values()))]
    rows: list[tuple[str, ...]] = []
    for cells, found in zip(first, _objects(outputs, contract, sizes)):
        for one in found or [{}]:
            numbers = ["%.6f" % one["score"], *("%.2f" % one[name] for name in OBJECT[2:])] if one else [""] * 5
            rows.append((*cells, one.get("label", ""), *numbers))
    return rows


def _objects(outputs: np.ndarray, contract: Mapping[str, Any], sizes: Sizes) -> list[list[dict[str, Any]] | None]:
    """The objects of each image; None where an output is NaN."""
    output, labels = contract["output"], contract["output"].get("labels")
    told: list[list[dict[str, Any]] | None] = [None] * len(outputs)
    known = np.flatnonzero(np.isfinite(_flat(outputs)).all(axis=1))
    if not len(known):
        return told
    found = boxes.decode(outputs[known], float(output.get("score_threshold") or boxes.THRESHOLD))
    for at, rows in zip(known.tolist(), found):
        height, width = sizes[at] if len(sizes) else contract["input"]["shape"][:2]
        rows = rows.astype(float) * [1, 1, width, height, width, height]
        told[at] = [
            {"label": str(labels[int(row[0])] if labels else int(row[0])), **dict(zip(OBJECT[1:], row[1:].tolist()))}
            for row in rows
        ]
    return told


def _silent(found: list[dict[str, Any]], flat: np.ndarray) -> list[dict[str, Any]]:
    """The answers, with None for every value of those without one."""
    known = np.isfinite(flat).all(axis=1).tolist()
    return [answer if there else dict.fromkeys(answer) for answer, there in zip(found, known)]


def _flat(outputs: np.ndarray) -> np.ndarray:
    """(n, outputs), also where n is 0."""
    return outputs.reshape(len(outputs), math.prod(outputs.shape[1:]))


def _labels(flat: np.ndarray, output: Mapping[str, Any]) -> list[str]:
    width = 2 if output["task"] in ("binary", "anomaly") else flat.shape[-1]
    return [str(label) for label in output.get("labels") or range(width)]


def _ranked(flat: np.ndarray, task: str, top: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, top) indices of the best labels, and their probabilities."""
    if task == "binary":  # one half counts as the second class, as in training
        order = np.where(flat >= 0.5, [[1, 0]], [[0, 1]])
        flat = np.concatenate([1 - flat, flat], axis=1)
    else:
        order = np.argsort(-flat, axis=1, kind="stable")
    order = order[:, : max(top, 1)]
    return order, np.take_along_axis(flat, order, axis=1)


def _text(values: np.ndarray, pattern: str, known: Sequence[bool]) -> list[str]:
    return [pattern % value if there else "" for value, there in zip(values.tolist(), known)]


def unanswered(outputs: np.ndarray, contract: Mapping[str, Any], neutral: Callable[[], np.ndarray]) -> list[int]:
    """Positions of samples that a model has no finite answer for: their numbers are beyond what it can add up.

    Args:
        outputs: Of the model.
        contract: As of `answers`.
        neutral: Gives the model's outputs for a sample of zeros; called only where an answer is not finite.

    Raises:
        ModelError: Zeros have no finite answer either: the model is damaged, not what it was fed.
    """
    wrong: list[int] = _without(outputs, contract).tolist()
    if wrong and len(_without(neutral(), contract)):
        raise ModelError("the model answers NaN or infinite values even for zeros; train or export it again")
    return wrong


TOO_FAR = "the model answers NaN or infinite values; its numbers are too far from those of the training"
"""What is wrong with a row that is `unanswered`."""


def _without(outputs: np.ndarray, contract: Mapping[str, Any]) -> np.ndarray:
    flat = preprocessing.invert_target(_flat(outputs), contract["output"])
    return np.flatnonzero(~np.isfinite(flat).all(axis=1))
