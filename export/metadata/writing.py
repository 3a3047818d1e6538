"""What the metadata of a .tflite file say, from the contract of its bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.metadata import schema
from export.metadata.edges import Edge, read_edges
from export.metadata.embedding import embed
from zoo.preprocessing import feature_names

LABELS, COLUMNS = "labels.txt", "columns.txt"
"""Names of the files behind the model; of several inputs or outputs, with their name before it."""

IMAGE_AXES = 4
"""Batch, height, width and channels."""

TOLD = 4
"""Targets whose way back to their units a description tells at most; bundle.json has all."""

Values = dict[str, Any]


def write_metadata(model: bytes, contract: Mapping[str, Any], *, name: str) -> bytes:
    """A .tflite file with standard metadata and files of labels inside.

    Args:
        model: The converter's file.
        contract: The content of bundle.json, or as much as is known before the file was run: `input`, `steps` and
            `output` (of several, `outputs` by name), and where they apply `state` and `stream`. An image input whose
            dtype is "uint8" takes raw pixels.
        name: Of the model; must be the same at every export.

    Returns:
        The file, the same bytes for the same arguments; it answers as before.

    Raises:
        ModelError: It is damaged or has metadata already.
    """
    states = (contract.get("stream") or {}).get("states") or ()
    inputs, outputs = read_edges(model, [state[side] for state in states for side in ("input", "output")])
    files: dict[str, str] = {}
    content = {
        "name": name,
        "description": _description(contract),
        "subgraph_metadata": [
            {
                "input_tensor_metadata": [_input(edge, contract, files) for edge in inputs],
                "output_tensor_metadata": [_output(edge, contract, files) for edge in outputs],
            }
        ],
        "min_parser_version": schema.PARSER_VERSION,
    }
    return embed(model, schema.pack(content), files)


def _description(contract: Mapping[str, Any]) -> str:
    """What a user of the file must know before the first call."""
    if contract.get("stream"):
        return f"One time step a call. States start from 0, again after {contract['stream'].get('steps')} steps."
    if contract.get("state") == "reset per sequence":
        return "Keeps state in variable tensors: reset them before each sequence."
    return ""


def _input(edge: Edge, contract: Mapping[str, Any], files: dict[str, str]) -> Values:
    given: Mapping[str, Any] = contract.get("input") or {}
    if edge.state:
        return _features(edge, "State: 0 at first, then the output that belongs to it.")
    if not given:
        return _features(edge)
    steps: Sequence[Mapping[str, Any]] = contract.get("steps") or ()
    if given.get("kind") == "image":
        return _image(edge, given, steps)
    listed = _listed(edge, COLUMNS, _column_names(given, steps), files)
    return _features(edge, _prepared(steps), process_units=_normalisation(steps), **listed)


def _features(edge: Edge, description: str = "", **more: Any) -> Values:
    content = {"type": schema.FEATURES, "properties": {}}
    return {"name": edge.name, "description": description, "content": content, **more}


def _image(edge: Edge, given: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Values:
    """An image; where nobody knows whether pixels are scaled before the model, nothing is said of it.

    Readers take an image of four axes only: the rows that a model steps through, one a call, are features to them.
    """
    raw = edge.pixels or given.get("dtype") == "uint8" or any(step["step"] == "image" for step in steps)
    scaling = _normalisation(steps)
    image = {"type": schema.IMAGE, "properties": {"color_space": schema.COLOUR_SPACES.get(edge.size, 0)}}
    told: Values = {"content": image} if edge.rank == IMAGE_AXES else {}
    return {
        **_features(edge),
        **told,
        "description": "" if raw and not scaling else _prepared(steps),  # the range below says it in fewer bytes
        "process_units": scaling or (_unit([0.0], [1.0]) if raw else []),
        "stats": {"max": [255.0], "min": [0.0]} if raw and not scaling else None,
    }


def _prepared(steps: Sequence[Mapping[str, Any]]) -> str:
    """The steps before the model in words."""
    words = [f"{step['step']} (to {step['clip']:g})" if step.get("clip") else str(step["step"]) for step in steps]
    return f"Prepared by: {', '.join(words)}." if words else ""


def _normalisation(steps: Sequence[Mapping[str, Any]]) -> list[Values]:
    """The last step as the standard says it, (x - mean) / std by column; empty where it is another one."""
    if not steps or steps[-1]["step"] != "standardise":
        return []
    scale, offset = (np.asarray(steps[-1][key], np.float64) for key in ("scale", "offset"))
    if not np.all(scale != 0):
        return []
    return _unit((-offset / scale + 0.0).tolist(), (1 / scale).tolist())  # no negative zeros


def _unit(mean: list[float], std: list[float]) -> list[Values]:
    return [{"type": schema.NORMALIZATION, "options": {"mean": mean, "std": std}}]


def _column_names(given: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of what the model itself is fed: of features where a step makes them of columns."""
    encoding = [step for step in steps if step["step"] == "encode"]
    return feature_names(encoding[0]) if encoding else list(given.get("columns") or ())


def _output(edge: Edge, contract: Mapping[str, Any], files: dict[str, str]) -> Values:
    if edge.state:
        return _features(edge, "State: the input that belongs to it, at the next call.")
    answer = _answer(edge, contract)
    labels, task = list(answer.get("labels") or ()), answer.get("task")
    if task == "regression":
        listed = _listed(edge, LABELS, labels, files, several="outputs" in contract)
        return _features(edge, _units(labels, answer), **listed)
    if task == "anomaly":
        return _features(edge, f"Score of an anomaly, which is one above {answer.get('threshold')}.")
    if task == "detection":
        return _features(edge, "Map: scores, then centre x and y in the cell, roots of width and height.")
    meaning = ""
    if task == "binary":
        meaning = f"Probability of {labels[-1]}, otherwise {labels[0]}." if len(labels) == 2 else "Probability of 1."
        labels = labels[-1:]
    listed = _listed(edge, LABELS, labels, files, several="outputs" in contract)
    return _features(edge, meaning or ("" if listed else "Probability of each label."), **listed)


def _answer(edge: Edge, contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an output means; of several, from a mapping by name or from entries with names."""
    answers = contract.get("outputs")
    if answers is None:
        only: Mapping[str, Any] = contract["output"]
        return only
    if not isinstance(answers, Mapping):
        answers = {entry["name"]: entry for entry in answers}
    found: Mapping[str, Any] = answers[edge.name]
    return found


def _units(labels: Sequence[str], answer: Mapping[str, Any]) -> str:
    """How an output becomes a value in target units."""
    scales, offsets = answer.get("scale") or (), answer.get("offset") or ()
    if not scales:
        return "Value in target units."
    if len(scales) > TOLD:
        return "Standardised: (y - offset) / scale of bundle.json is the value in target units."
    ends = ("exp(", ") - 1") if answer.get("transform") == "log1p" else ("", "")
    named = labels if len(labels) == len(scales) else [f"value {number}" for number in range(1, len(scales) + 1)]
    told = [
        f"{label} = {ends[0]}y * {1 / scale:.7g} + {-offset / scale:.7g}{ends[1]}"
        for label, scale, offset in zip(named, scales, offsets, strict=True)
    ]
    return f"Standardised: {', '.join(told)}."


def _listed(
    edge: Edge, name: str, lines: Sequence[str], files: dict[str, str], several: bool = False
) -> dict[str, list[Values]]:
    """The entry for a file that names the elements of the last axis; nothing where there are no names, or others."""
    if not lines or len(lines) != edge.size:
        return {}
    file = f"{edge.name}_{name}" if several else name
    files[file] = "".join(" ".join(line.split()) + "\n" for line in map(str, lines))
    return {"associated_files": [{"name": file, "type": schema.AXIS_LABELS}]}
