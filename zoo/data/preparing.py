"""From raw arrays to splits with their preprocessing, fitted on the training split alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zoo import boxes, preprocessing
from zoo.cards import DataIdentity, InputSpec, OutputSpec
from zoo.data.anomalies import placed, sort_out, tested_with
from zoo.data.checks import check, check_classes, class_count, imbalance, look_alikes, straddlers, unseen_objects
from zoo.data.dataset import PARTS, Dataset, Raw, Selection, Split
from zoo.data.findings import Finding
from zoo.data.identity import digest, row_digests
from zoo.data.masks.arrays import Masks
from zoo.data.options import DataConfig, data_config
from zoo.data.splits import divide, divide_by_group, divide_by_time, subset

_TEST_STREAM, _VALIDATION_STREAM, _SUBSET_STREAM = 1, 2, 3  # so that one draw does not mirror another
FIT_SOUNDS = 2_000
"""Training sounds that the bands' means and deviations are fitted on at most, drawn by chance."""
FIT_ROWS = 500_000
"""Training rows that the steps of a table are fitted on at most, drawn by chance."""


def prepare(
    raw: Raw,
    name: str,
    *,
    seed: int,
    draw: int = 0,
    on_event: Callable[[str], None] | None = None,
    config: DataConfig | None = None,
    **options: object,
) -> Dataset:
    """Checks, splits and fits raw arrays; arguments and errors as for `load`."""
    config = config or data_config(**options)
    raw, alarm = sort_out(raw, config, name)
    check(raw, name)
    train, held_out, tested, test_split = _split(raw, seed, draw, config)
    whole = Split(raw.samples, raw.targets)
    classes = class_count(raw)
    digests = row_digests(raw.samples) if raw.digests is None else raw.digests
    test_digests = _test_digests(raw, digests, tested)
    findings = (
        *raw.findings,
        *imbalance(raw),
        *look_alikes(raw, digests),
        *straddlers(test_digests, digests[np.concatenate([train, held_out])]),
        *(placed(raw, test_split.targets) if alarm else ()),
    )
    splits = _measurable({"train": whole.take(train), "validation": whole.take(held_out), "test": test_split})
    if classes:
        check_classes(raw, name, splits)
    if raw.task == "detection":
        findings = (*findings, *unseen_objects(raw, splits["train"]))
    if config.train_samples:
        splits["train"] = subset(
            splits["train"], config.train_samples, seed=_stream(seed, _SUBSET_STREAM), classes=classes
        )
    steps = _fit_steps(raw, splits["train"], seed, config)
    if raw.schema:
        splits, found = _learnt_values(raw, splits, steps[0])
        findings = (*findings, *found)
    if on_event:
        for finding in findings:
            on_event(f"{'WARNING' if finding.severity == 'warning' else 'note'}: {finding.message}")
    identity = DataIdentity(
        name=name,
        sha256=raw.sha256 or digest(raw.samples, raw.targets, raw.test_samples, raw.test_targets),
        samples={key: len(split) for key, split in splits.items()},
        class_counts=_class_counts(raw, splits) if classes or alarm or raw.task == "detection" else {},
        stand_in=bool(raw.stand_in),
        duplicates=int(np.isin(test_digests, digests[np.concatenate([train, held_out])]).sum()),
        note=raw.stand_in,
        findings=tuple(f"{finding.severity}: {finding.message}" for finding in findings),
    )
    return Dataset(
        input=_input_spec(raw, steps),
        output=_output_spec(raw),
        **splits,
        identity=identity,
        steps=steps,
        target_transform=_target_transform(raw, splits["train"], steps) if raw.task == "regression" else {},
        target_columns=raw.target_columns,
        findings=findings,
        hop=raw.hop,
        source=raw.source,
        forecast=raw.forecast.take(tested) if raw.forecast and tested is not None else None,
        alarm=alarm,
        tiles=raw.tiles,
        masks=raw.masks,
    )


def _measurable(splits: Mapping[str, Split]) -> dict[str, Split]:
    """The splits; where tiles overlap, a pixel is trained on in each and measured in one."""
    return {
        key: replace(split, targets=split.targets.measured())
        if key != "train" and isinstance(split.targets, Masks)
        else split
        for key, split in splits.items()
    }


def _test_digests(raw: Raw, digests: np.ndarray, tested: np.ndarray | None) -> np.ndarray:
    if tested is not None:
        return np.asarray(digests[tested])
    if raw.test_digests is not None:
        return raw.test_digests
    return row_digests(np.asarray(raw.test_samples))


def _stream(seed: int, purpose: int, draw: int = 0) -> int:
    """An own seed for each purpose, and for each drawing after the first."""
    return int(np.random.SeedSequence([seed, purpose, *([draw] if draw else [])]).generate_state(1)[0])


def _split(
    raw: Raw, seed: int, draw: int, config: DataConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, Split]:
    """Positions of train, validation and test (None where the test split stands apart), and the test split."""
    everything = np.arange(len(raw.samples)) if raw.task != "anomaly" else np.flatnonzero(raw.targets == 0)
    if raw.test_samples is not None and raw.test_targets is not None:
        rest, tested = everything, None
    else:
        rest, tested = _hold_out(raw, everything, config.test, seed=_stream(seed, _TEST_STREAM), what="test")
    drawn = _stream(seed, _VALIDATION_STREAM, draw)
    train, held_out = _hold_out(raw, rest, config.validation, seed=drawn, what="validation")
    if tested is not None:
        if raw.task == "anomaly":
            tested = tested_with(raw, np.concatenate([train, held_out]), tested)
        return train, held_out, tested, Split(raw.samples, raw.targets).take(tested)
    return train, held_out, None, Split(np.asarray(raw.test_samples), np.asarray(raw.test_targets))


def _hold_out(raw: Raw, rows: np.ndarray, fraction: float, *, seed: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions kept and held out, as the data say it, else by time, by group, or by chance."""
    if raw.parts is not None and (raw.parts[rows] == PARTS.index(what)).any():
        chosen = raw.parts[rows] == PARTS.index(what)
        return rows[~chosen], rows[chosen]
    # Validation samples of the data's own stay out of the test split.
    free = rows if raw.parts is None else rows[raw.parts[rows] < PARTS.index("validation")]
    others = np.setdiff1d(rows, free)
    if raw.times is not None:
        kept, held = divide_by_time(raw.times[rows], fraction, what=what)
    elif raw.groups is not None:
        kept, held = divide_by_group(
            raw.groups[free], fraction, seed=seed, what=what, targets=raw.targets[free] if class_count(raw) else None
        )
        return np.sort(np.concatenate([free[kept], others])), free[held]
    else:
        kept, held = divide(
            raw.targets[free], fraction, seed=seed, classes=class_count(raw), labels=raw.labels, what=what
        )
        return np.sort(np.concatenate([free[kept], others])), free[held]
    return rows[kept], rows[held]


def _class_counts(raw: Raw, splits: Mapping[str, Split]) -> dict[str, dict[str, int]]:
    """Samples of each class, or objects where there are such."""
    counted = {}
    for key, split in splits.items():
        found = split.targets if raw.task != "detection" else split.targets[..., 0][split.targets[..., 0] >= 0]
        counts = np.bincount(found.astype(np.int64), minlength=len(raw.labels))
        counted[key] = {label: int(count) for label, count in zip(raw.labels, counts, strict=True)}
    return counted


def _input_spec(raw: Raw, steps: tuple[Mapping[str, Any], ...]) -> InputSpec:
    if raw.kind == "series":
        return InputSpec(shape=tuple(raw.samples.shape[1:]), kind="series", columns=raw.columns)
    if raw.kind == "text":
        (step,) = steps
        known = len(step["vocabulary"]) + preprocessing.UNKNOWN + 1
        return InputSpec(shape=(step["length"],), kind="text", dtype="int32", columns=raw.columns, vocabulary=known)
    if raw.kind == "audio":
        return InputSpec(shape=preprocessing.log_mel_shape(raw.steps[0]), kind="audio")
    if raw.kind != "image":
        return InputSpec(shape=(len(steps[-1]["scale"]),), kind=raw.kind, columns=raw.columns)
    height, width, channels = (*raw.samples.shape[1:], 1)[:3]
    return InputSpec(shape=(height, width, channels), kind="image", dtype="uint8", scale=1 / 255)


def _output_spec(raw: Raw) -> OutputSpec:
    if raw.task == "segmentation":
        return OutputSpec(task=raw.task, shape=(*raw.targets.shape[1:], len(raw.labels)), labels=raw.labels)
    if raw.task == "detection":
        cells = boxes.grid_of(*raw.samples.shape[1:3])
        return OutputSpec(task=raw.task, shape=(*cells, len(raw.labels) + boxes.BOX), labels=raw.labels)
    width = {"binary": 1, "anomaly": 1, "multiclass": len(raw.labels)}.get(raw.task) or raw.targets.reshape(
        len(raw.targets), -1
    ).shape[1]
    channels, season = (raw.forecast.channels, raw.forecast.season) if raw.forecast else ((), 0)
    return OutputSpec(task=raw.task, shape=(width,), labels=raw.labels, channels=channels, season=season)


def _fit_steps(raw: Raw, train: Split, seed: int, config: DataConfig) -> tuple[Mapping[str, Any], ...]:
    if raw.kind == "image":
        height, width, channels = (*raw.samples.shape[1:], 1)[:3]
        return ({"step": "image", "height": height, "width": width, "channels": channels},)
    if raw.forecast:
        return raw.steps
    if raw.kind == "series":
        return _series_steps(np.asarray(train.samples))
    if raw.kind == "text":
        return (
            preprocessing.fit_tokenise(np.asarray(train.samples).tolist(), length=config.words, most=config.vocabulary),
        )
    if raw.kind == "audio":
        chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:FIT_SOUNDS])
        features = preprocessing.apply(raw.steps, np.asarray(train.samples[chosen]))
        return (*raw.steps, preprocessing.fit_standardise(features, clip=True))
    chosen = np.arange(len(train))
    if len(train) > FIT_ROWS:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:FIT_ROWS])
    rows = np.asarray(train.samples[chosen])
    schema = raw.schema or tuple({"name": name, "type": "number"} for name in raw.columns)
    own = bool(raw.schema)
    encode = preprocessing.fit_encode(schema, rows, raw.missing, adapt=own)
    features = preprocessing.encode(preprocessing.recode(rows, preprocessing.recoding(schema, encode)), encode)
    return (encode, preprocessing.fit_standardise(features, _zero_one(features), clip=own))


def _series_steps(samples: np.ndarray) -> tuple[Mapping[str, Any], ...]:
    """Channels of a series have different units: each is standardised by itself; what is not there is the mean."""
    step = preprocessing.fit_standardise(samples, clip=True)
    return (step, {"step": "fill", "value": 0.0}) if np.isnan(samples).any() else (step,)


def _learnt_values(
    raw: Raw, splits: Mapping[str, Split], encode: Mapping[str, Any]
) -> tuple[dict[str, Split], list[Finding]]:
    """The splits with the categories' codes of the step: what the training split hardly holds is unseen."""
    tables = preprocessing.recoding(raw.schema, encode)

    def change(rows: np.ndarray) -> np.ndarray:
        return preprocessing.recode(rows, tables)

    changed = {}
    for key, split in splits.items():
        samples = split.samples
        if isinstance(samples, np.memmap):
            samples = Selection(samples, np.arange(len(samples)))
        samples = samples.changed(change) if isinstance(samples, Selection) else change(samples)
        changed[key] = Split(samples, split.targets)
    findings = []
    for column, fitted in zip(raw.schema, encode["columns"], strict=True):
        count, kept = len(column.get("values", ())), len(fitted.get("values", ()))
        if kept < count:
            text = f"column {column['name']!r}: {kept} of {count} values are frequent enough in the training split"
            findings.append(Finding("note", f"{text} to be learnt; the others count as unseen"))
    return changed, findings


def _zero_one(features: np.ndarray) -> list[int]:
    """Features that are 0 or 1 in every row."""
    return np.flatnonzero(((features == 0) | (features == 1)).all(axis=0)).tolist()


def _target_transform(raw: Raw, train: Split, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How targets are scaled: on the training split, or where they continue channels of the input, as those are."""
    if raw.forecast is None:
        return _fit_target(train, raw.target_transform)
    repeats = len(raw.labels) // len(raw.forecast.channels)
    values = {
        key: [steps[-1][key][at] for at in raw.forecast.channels for _ in range(repeats)] for key in ("scale", "offset")
    }
    return {**values, **({"transform": "log1p"} if raw.target_transform == "log1p" else {})}


def _fit_target(train: Split, transform: str) -> dict[str, Any]:
    targets = np.asarray(train.targets, np.float64).reshape(len(train), -1)
    if transform == "none":
        return {}
    logarithm = {"transform": "log1p"} if transform == "log1p" else {}
    step = preprocessing.fit_standardise(np.log1p(targets) if logarithm else targets)
    return {"scale": step["scale"], "offset": step["offset"], **logarithm}
