"""A user's own arrays: an `.npz` file of samples and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import preprocessing
from zoo.cards import Kind
from zoo.data.anomalies import NORMAL
from zoo.data.arrays.archive import open_archive
from zoo.data.arrays.targets import Answers, understand
from zoo.data.dataset import PARTS, Raw
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.data.own import Reading, Request
from zoo.errors import DataError, UsageError
from zoo.registry import suggest

SAMPLES = ("x", "X", "data", "samples", "images", "features", "series")
TARGETS = ("y", "Y", "targets", "target", "labels", "label")
NAMES = ("class_names", "label_names", "labels", "classes")
COLUMNS = ("columns", "feature_names", "channels")
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "train": ("_train",),
    "validation": ("_val", "_valid", "_validation"),
    "test": ("_test",),
}
CHUNK = 1024
KNOWN = "expected x and y, or x_train, y_train, x_test, y_test and perhaps x_val, y_val"


@dataclass(frozen=True)
class Part:
    """A split of an archive, or all of it; names are those of its arrays."""

    split: str
    x: np.ndarray
    y: np.ndarray
    x_name: str
    y_name: str


def read_arrays(request: Request) -> Reading:
    """Reads an `.npz` file: `x` and `y`, or `x_train`, `y_train`, `x_test`, `y_test` with or without `x_val`, `y_val`.

    Images are (n, height, width[, channels]), pixels of 0 to 255, kept at their size unless `image_size` says another;
    tables (n, columns), NaN where a cell is missing; series (n, steps, channels), NaN where a step is. Of three axes
    those are series that are called `series`, name their channels in `columns`, or have values that no pixel has.
    `class_names` names integer classes; `--target KEY` picks other targets, `--group-from KEY` an array of groups,
    `--test FILE.npz` another file to test on. Large arrays that are stored without compression stay on disk.

    Raises:
        UsageError: An option that arrays do not have, or that does not fit.
        DataError: No archive of arrays.
    """
    config, path = request.config, request.path
    _check_options(config)
    arrays, findings = open_archive(path)
    parts, wrong = ([], []) if findings else _parts(path, arrays, config)
    findings += wrong
    if config.test_data and not findings:
        tests, wrong = _test_parts(Path(config.test_data).absolute(), config, parts)
        parts, findings = [*parts, *tests], [*findings, *wrong]
    facts: dict[str, Any] = {
        "arrays": [{"name": k, "shape": list(v.shape), "type": str(v.dtype)} for k, v in arrays.items()]
    }
    if not parts or any(finding.severity == "error" for finding in findings):
        return _reading(request, "table", None, findings, facts, _nothing)
    columns = tuple(_texts(arrays, COLUMNS, set()))
    kind, wrong = _kind(path, parts, columns)
    findings += wrong
    groups, wrong = _groups(path, arrays, config, parts)
    findings += wrong
    if kind is None:
        return _reading(request, "table", None, findings, facts, _nothing)
    names = request.schema.labels or tuple(_texts(arrays, NAMES, {part.y_name for part in parts}))
    pairs = [(f"{path}: {part.y_name}", np.asarray(part.y)) for part in parts]
    answers = understand(pairs, config.task, names, images=kind == "image")
    findings += answers.findings
    facts |= _facts(kind, parts, answers)

    def load() -> Raw:
        return _raw(kind, parts, answers, columns, groups, config)

    return _reading(request, kind, answers, findings, facts, load)


def _reading(
    request: Request,
    kind: Kind,
    answers: Answers | None,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    load: Any,
) -> Reading:
    plain, config = DataConfig(), request.config
    options = {name: getattr(config, name) for name in vars(plain) if getattr(config, name) != getattr(plain, name)}
    labels: tuple[str, ...] = ()
    if answers is not None:
        options["task"] = answers.task
        labels = () if answers.task == "regression" else answers.labels
    return Reading(
        path=request.path,
        form="arrays",
        kind=kind,
        task=None if answers is None else answers.task,
        findings=tuple(findings),
        facts=facts,
        schema=replace(request.schema, options=options, labels=labels),
        load=load,
    )


def _nothing() -> Raw:
    raise DataError("there are no arrays to load")


def _check_options(config: DataConfig) -> None:
    plain = DataConfig()
    names = ("columns", "drop", "keep", "missing_values", "label_from")
    given = [name for name in names if getattr(config, name) != getattr(plain, name)]
    if config.split != "random":
        given.append("split")
    if given:
        are = "is no option" if len(given) == 1 else "are no options"
        raise UsageError(f"{', '.join(given)} {are} of arrays (.npz); see --target KEY and --group-from KEY")


def _parts(path: Path, arrays: Mapping[str, np.ndarray], config: DataConfig) -> tuple[list[Part], list[Finding]]:
    """The splits that an archive has: one "all", or several."""
    if config.target and config.target not in arrays and f"{config.target}_train" not in arrays:
        near = suggest(config.target, arrays)
        return [], [Finding("error", f"{path} has no array {config.target!r}{near}; it has {', '.join(arrays)}")]
    wanted = (config.target,) if config.target else TARGETS
    ends = ("", *(suffix for suffixes in SUFFIXES.values() for suffix in suffixes))
    plain = config.task == "anomaly" and not any(name + end in arrays for name in wanted for end in ends)
    parts = []
    for split, suffixes in {"all": ("",), **SUFFIXES}.items():
        for suffix in suffixes:
            x = next((name + suffix for name in SAMPLES if name + suffix in arrays), "")
            y = next((name + suffix for name in wanted if name + suffix in arrays and name + suffix != x), "")
            if x and plain:
                parts.append(Part(split, arrays[x], np.full(len(arrays[x]), NORMAL), x, NORMAL))
                break
            if x and y:
                parts.append(Part(split, arrays[x], arrays[y], x, y))
                break
    if any(part.split == "all" for part in parts):
        parts = [part for part in parts if part.split == "all"]
    elif not any(part.split == "train" for part in parts):
        found = ", ".join(arrays) or "nothing"
        return [], [Finding("error", f"{path} holds {found}; {KNOWN}")]
    return parts, [finding for part in parts for finding in _lengths(path, part)]


def _lengths(path: Path, part: Part) -> list[Finding]:
    if part.x.ndim == 0 or part.y.ndim == 0 or len(part.x) != len(part.y):
        shapes = f"{part.x_name} has shape {part.x.shape}, {part.y_name} {part.y.shape}"
        return [Finding("error", f"{path}: {shapes}; expected as many targets as samples")]
    if part.y.dtype.kind not in "uifbUS" or part.y.ndim > 2:
        found = f"{part.y_name} has shape {part.y.shape} of {part.y.dtype}"
        return [Finding("error", f"{path}: {found}; expected numbers or text, (n,) or (n, targets)")]
    if len(part.x) == 0:
        return [Finding("error", f"{path}: {part.x_name} is empty; expected samples")]
    return []


def _test_parts(path: Path, config: DataConfig, parts: Sequence[Part]) -> tuple[list[Part], list[Finding]]:
    if any(part.split == "test" for part in parts):
        raise UsageError(f"the data have a test split of their own, --test {path} is another; give one of them")
    arrays, findings = open_archive(path)
    found, wrong = _parts(path, arrays, config)
    tests = [replace(part, split="test") for part in found if part.split in ("all", "test")]
    if found and not tests:
        wrong.append(Finding("error", f"{path} has no x and y, nor x_test and y_test, to test on"))
    return tests[:1], [*findings, *wrong]


def _kind(path: Path, parts: Sequence[Part], columns: Sequence[str]) -> tuple[Kind | None, list[Finding]]:
    """What the samples are, by their shape and values; all that is wrong with them."""
    first = parts[0].x
    shapes = {part.x.shape[1:] for part in parts}
    if len(shapes) > 1:
        listed = ", ".join(f"{part.x_name} {part.x.shape}" for part in parts)
        return None, [Finding("error", f"{path}: {listed}; expected samples of one shape")]
    if first.dtype.kind not in "uifb" or first.ndim not in (2, 3, 4) or 0 in first.shape:
        found = f"{parts[0].x_name} has shape {first.shape} of {first.dtype}"
        return None, [
            Finding(
                "error",
                f"{path}: {found}; expected images (n, h, w[, c]), rows (n, columns) or series (n, steps, channels)",
            )
        ]
    if first.ndim == 4 and first.shape[-1] not in (1, 2, 3, 4):
        return None, [
            Finding("error", f"{path}: {parts[0].x_name} has shape {first.shape}; expected 1, 3 or 4 channels, last")
        ]
    kind: Kind = "table" if first.ndim == 2 else "series" if _is_series(parts, columns) else "image"
    check = _check_pixels if kind == "image" else _check_rows
    return kind, [finding for part in parts for finding in check(path, part)]


def _is_series(parts: Sequence[Part], columns: Sequence[str]) -> bool:
    """Whether samples of two axes are steps of channels rather than grey pixels."""
    first = parts[0]
    if first.x.ndim != 3 or first.x.dtype.kind != "f":
        return False
    if first.x_name.startswith("series") or len(columns) == first.x.shape[2]:
        return True
    chunks = (part.x[start : start + CHUNK] for part in parts for start in range(0, len(part.x), CHUNK))
    return any(bool((chunk < 0).any() or (chunk > 255).any()) for chunk in chunks)


def _check_rows(path: Path, part: Part) -> list[Finding]:
    if part.x.dtype.kind != "f":
        return []
    for start in range(0, len(part.x), CHUNK):
        wrong = np.argwhere(np.isinf(part.x[start : start + CHUNK]))
        if wrong.size:
            row, column = int(wrong[0][0]) + start, int(wrong[0][-1])
            where = f"{part.x_name}, row {row}, column {column} (counted from 0)"
            return [Finding("error", f"{path}: {where} is infinite; correct it, NaN means missing")]
    return []


def _check_pixels(path: Path, part: Part) -> list[Finding]:
    """Pixels must be what a camera gives: 0 to 255, so that a device need not know how they were scaled."""
    if part.x.dtype == np.uint8:
        return []
    low, high = np.inf, -np.inf
    for start in range(0, len(part.x), CHUNK):
        chunk = part.x[start : start + CHUNK]
        if chunk.dtype.kind == "f" and not np.isfinite(chunk).all():
            row = int(np.argwhere(~np.isfinite(chunk))[0][0]) + start
            return [Finding("error", f"{path}: {part.x_name}, image {row} has a pixel that is not finite; correct it")]
        low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
    if low < 0 or high > 255:
        span = f"values of {low:g} to {high:g}"
        return [
            Finding("error", f"{path}: {part.x_name} of shape {part.x.shape} has {span}; expected pixels of 0 to 255")
        ]
    if part.x.dtype.kind == "f" and high <= 1:
        raw = "(x * 255).round().astype('uint8'); if they are series, add columns, the names of their channels"
        return [Finding("error", f"{path}: {part.x_name} has pixels of 0 to 1; the model takes raw ones, save {raw}")]
    return []


def _groups(
    path: Path, arrays: Mapping[str, np.ndarray], config: DataConfig, parts: Sequence[Part]
) -> tuple[np.ndarray | None, list[Finding]]:
    name = config.group_from.removeprefix("column:")
    if not name:
        return None, []
    key = name if name in arrays else f"{name}_train"
    if key not in arrays:
        listed = ", ".join(arrays)
        return None, [Finding("error", f"{path} has no array {name!r} for --group-from; it has {listed}")]
    if arrays[key].shape != (len(parts[0].x),) or any(part.split == "validation" for part in parts):
        return None, [
            Finding(
                "error", f"{path}: {key} has shape {arrays[key].shape}; expected a group for each of {len(parts[0].x)}"
            )
        ]
    return np.unique(arrays[key], return_inverse=True)[1].astype(np.int64), []


def _texts(arrays: Mapping[str, np.ndarray], keys: Sequence[str], taken: set[str]) -> list[str]:
    """The text of the first of these arrays that there is."""
    for key in keys:
        if key in arrays and key not in taken and arrays[key].ndim == 1 and arrays[key].dtype.kind in "US":
            return [str(text) for text in arrays[key].astype(np.str_)]
    return []


def _facts(kind: Kind, parts: Sequence[Part], answers: Answers) -> dict[str, Any]:
    facts: dict[str, Any] = {"samples": sum(len(part.x) for part in parts), "shape": list(parts[0].x.shape[1:])}
    if kind != "image" and parts[0].x.dtype.kind == "f":
        chunks = (part.x[at : at + CHUNK] for part in parts for at in range(0, len(part.x), CHUNK))
        facts["missing"] = sum(int(np.isnan(chunk).sum()) for chunk in chunks)
    if answers.task in ("binary", "multiclass", "anomaly"):
        named = [part.split for part in parts] if len(parts) > 1 else []
        counts = [np.bincount(targets, minlength=len(answers.labels)) for targets in answers.targets]
        facts["classes"] = [
            {
                "class": label,
                "samples": int(sum(count[at] for count in counts)),
                **{name: int(count[at]) for name, count in zip(named, counts, strict=False)},
            }
            for at, label in enumerate(answers.labels)
        ]
    elif answers.task == "regression":
        values = np.concatenate(answers.targets)
        facts["targets"] = [
            {"name": name, **_range(column[np.isfinite(column)])}
            for name, column in zip(answers.labels, values.T, strict=True)
        ]
    return facts


def _range(values: np.ndarray) -> dict[str, float | None]:
    """Smallest, mean and largest of finite numbers; None where there are none."""
    if not values.size:
        return {"min": None, "mean": None, "max": None}
    return {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}


def _raw(
    kind: Kind,
    parts: Sequence[Part],
    answers: Answers,
    columns: tuple[str, ...],
    groups: np.ndarray | None,
    config: DataConfig,
) -> Raw:
    samples = [_pixels(part.x, config) if kind == "image" else _numbers(part.x, kind) for part in parts]
    tested = [at for at, part in enumerate(parts) if part.split == "test"]
    others = [at for at in range(len(parts)) if at not in tested]
    given = any(parts[at].split == "validation" for at in others)
    marks = [
        np.full(len(parts[at].x), PARTS.index("validation") if parts[at].split == "validation" else 0, np.int8)
        for at in others
    ]
    width = parts[0].x.shape[-1]
    named = columns if len(columns) == width else tuple(f"column {at + 1}" for at in range(width))
    return Raw(
        samples=samples[0] if len(others) == 1 else np.concatenate([samples[at] for at in others]),
        targets=np.concatenate([answers.targets[at] for at in others]),
        kind=kind,
        task=answers.task,
        labels=answers.labels,
        columns=() if kind == "image" else named,
        schema=tuple({"name": name, "type": "number"} for name in named) if kind == "table" else (),
        test_samples=samples[tested[0]] if tested else None,
        test_targets=answers.targets[tested[0]] if tested else None,
        parts=np.concatenate(marks) if given else None,
        groups=groups,
        hop=parts[0].x.shape[1] if kind == "series" else 0,
        target_transform="standard" if config.target_transform == "auto" else config.target_transform,
    )


def _numbers(values: np.ndarray, kind: Kind) -> np.ndarray:
    """Rows as they lie there; series in single precision, as recordings are read."""
    return values.astype(np.float32, copy=False) if kind == "series" else values


def _pixels(images: np.ndarray, config: DataConfig) -> np.ndarray:
    """uint8 pixels of the wanted size and channels; as they lie there where nothing is to be done."""
    channels = images.shape[3] if images.ndim == 4 else 1
    wanted = config.image_channels or (1 if channels < 3 else 3)
    height, width = (config.image_size or size for size in images.shape[1:3])
    if images.dtype == np.uint8 and wanted == channels and images.shape[1:3] == (height, width):
        return images
    step = {"step": "image", "height": height, "width": width, "channels": wanted}
    made = np.empty((len(images), height, width, wanted), np.uint8)
    for start in range(0, len(images), CHUNK):
        # A chunk of dark float images could be taken for scaled ones: whole numbers are.
        chunk = np.rint(images[start : start + CHUNK]).astype(np.uint8)
        made[start : start + CHUNK] = preprocessing.image(chunk, step)
    return made
