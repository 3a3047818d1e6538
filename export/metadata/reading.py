"""What the metadata of a .tflite file say, ours or another tool's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.metadata import schema
from export.metadata.edges import Edge, read_edges
from export.metadata.embedding import files_behind, stored
from zoo.errors import ModelError
from zoo.interpreters import check_file

CONTENT = {schema.FEATURES: "features", schema.IMAGE: "image"}
COLOUR_SPACES = {1: "rgb", 2: "grayscale"}
TEXTS = ("name", "description", "version", "author", "license", "min_parser_version")


def read_metadata(path: Path | str) -> dict[str, Any]:
    """The standard metadata of a .tflite file.

    Args:
        path: The file.

    Returns:
        `name`, `description`, `version`, `author`, `license` and `min_parser_version` (empty where they are not
        given), and `inputs` and `outputs` in the graph's order, each with `tensor` (its name in the file), `name`,
        `description`, `content` ("image", "features" or empty), `color_space` ("rgb", "grayscale" or empty),
        `normalization` (`mean` and `std`, so that the model takes (x - mean) / std, or None), `range` (`min` and
        `max`, or None) and `labels` (of the last axis, or None). Empty for a file without metadata.

    Raises:
        ModelError: No .tflite file, or a damaged one.
    """
    path = Path(path)
    check_file(path)
    model = path.read_bytes()
    try:
        content = stored(model)
        if content is None:
            return {}
        found, files = schema.unpack(content), files_behind(model)
        graphs = found.get("subgraph_metadata") or [{}]
        sides = {
            side: [_tensor(edge, values, files) for edge, values in _paired(edges, graphs[0], side)]
            for side, edges in zip(("input", "output"), read_edges(model), strict=True)
        }
    except Exception as error:  # struct.error and flatbuffers' own kinds share no base
        raise ModelError(f"{path} has damaged metadata: {error}; export it again") from error
    texts = {key: found.get(key, "") for key in TEXTS}
    return {**texts, "inputs": sides["input"], "outputs": sides["output"]}


def _paired(edges: list[Edge], graph: Mapping[str, Any], side: str) -> list[tuple[Edge, Mapping[str, Any]]]:
    """Each tensor with what is said of it; nothing where the file tells less."""
    told = list(graph.get(f"{side}_tensor_metadata") or ())
    return [(edge, told[at] if at < len(told) else {}) for at, edge in enumerate(edges)]


def _tensor(edge: Edge, values: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    content = values.get("content") or {}
    space = (content.get("properties") or {}).get("color_space", 0)
    units = [unit for unit in values.get("process_units") or () if unit.get("type") == schema.NORMALIZATION]
    stats = values.get("stats") or {}
    return {
        "tensor": edge.name,
        "name": values.get("name", ""),
        "description": values.get("description", ""),
        "content": CONTENT.get(content.get("type", 0), ""),
        "color_space": COLOUR_SPACES.get(space, ""),
        "normalization": {key: units[0]["options"].get(key, []) for key in ("mean", "std")} if units else None,
        "range": {key: stats.get(key, []) for key in ("min", "max")} if stats else None,
        "labels": _labels(values, files),
    }


def _labels(values: Mapping[str, Any], files: Mapping[str, bytes]) -> list[str] | None:
    names = [
        entry.get("name", "")
        for entry in values.get("associated_files") or ()
        if entry.get("type") == schema.AXIS_LABELS
    ]
    kept = [files[name].decode() for name in names if name in files]
    return kept[0].removesuffix("\n").split("\n") if kept else None
