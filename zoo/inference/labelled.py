"""Files with answers that a model is measured on: every row, columns and labels read as the model's contract says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from zoo import rows
from zoo.data.audio.reading import SOUNDS
from zoo.data.boxes.reading import collect_scenes, to_targets
from zoo.data.files.collecting import list_files
from zoo.data.files.listing import FileKind
from zoo.data.findings import SHOWN, errors, fail
from zoo.data.images.headers import read_headers
from zoo.data.images.reading import IMAGES
from zoo.data.options import DataConfig
from zoo.data.own import form_of, load_path
from zoo.data.series.forecasting import read_lags
from zoo.data.series.reading import read_windows
from zoo.data.series.recordings import table_header
from zoo.data.text.reading import read_texts
from zoo.errors import DataError, UsageError
from zoo.hyperparameters import join_names, split_names
from zoo.inference.contract import Contract
from zoo.inference.gathering import Measured, gather
from zoo.inference.job import Job
from zoo.inference.predictor import Predictor
from zoo.inference.readers import Inputs
from zoo.inference.targets import by_cause, classes, read_targets, refuse
from zoo.registry import suggest
from zoo.tabular import encoding, open_table

FILES: Mapping[str, FileKind] = {"images": IMAGES, "audio": SOUNDS}
"""Forms of data that are a file for each sample."""
ADVICE = "correct them, or take them out"
OnEvent = Callable[[str], None]
Reader = Callable[[Predictor, Path, DataConfig, "OnEvent | None"], Measured]


def measure_files(predictor: Predictor, path: Path, config: DataConfig, *, on_event: OnEvent | None = None) -> Measured:
    """Answers for every row or image of a file or folder that holds the right ones too.

    Args:
        predictor: Its contract says how columns, categories and labels are read.
        path: A table, a folder of images, a list of them, or `.npz` arrays.
        config: `target`, `normal`, `missing_values` and `label_from`; the rest is the contract's.
        on_event: Told of progress and of columns that are not used.

    Raises:
        UsageError: Nobody says which column is the target, or which labels are normal.
        DataError: A file that cannot be used, or labels the model does not know; all problems at once.
    """
    if predictor.contract.task == "anomaly":
        config = replace(config, task="anomaly")
        predictor = _knowing_normal(predictor, config, path)
    elif config.normal:
        raise UsageError(f"normal: no option of a {predictor.contract.task} task; leave it out")
    form = "series" if predictor.contract.horizon else form_of(path, config)
    form = "series" if form == "table" and predictor.contract.kind == "series" else form
    form = "text" if form == "table" and predictor.contract.kind == "text" else form
    _check_objects(predictor.contract, path, form)
    kinds = {
        "images": "image",
        "boxes": "image",
        "masks": "masks",
        "table": "table",
        "series": "series",
        "audio": "audio",
        "text": "text",
    }
    if kinds.get(form, predictor.contract.kind) != predictor.contract.kind:
        what = {"table": "a table", "series": "recordings", "audio": "sounds", "text": "texts", "masks": "masks"}.get(
            form, "images"
        )
        raise DataError(f"{path} holds {what}; the model takes {predictor.contract.kind} samples")
    readers: Mapping[str, Reader] = {
        **{name: partial(_measure_each, kind=kind) for name, kind in FILES.items()},
        "boxes": _measure_boxes,
        "table": _measure_table,
        "arrays": _measure_arrays,
        "series": _measure_series,
        "text": _measure_text,
    }
    measure = readers[form]
    measured = measure(predictor, path, config, on_event)
    if predictor.contract.task != "anomaly" or not len(measured.targets) or (measured.targets == 0).any():
        return measured
    normal = ", ".join(map(str, predictor.contract.alarm["normal"]))
    note = f"no sample is normal ({normal}): if others are, name their labels with --normal"
    return replace(measured, notes=(*measured.notes, note))


def _knowing_normal(predictor: Predictor, config: DataConfig, path: Path) -> Predictor:
    """The same with a contract that says which labels are normal: those given, else those of the training."""
    given = split_names(config.normal) or tuple(predictor.contract.alarm.get("normal") or ())
    if not given:
        raise UsageError(
            f"{predictor.contract.source} does not say which labels of {path} are normal; add --normal LABEL"
        )
    known = copy(predictor)
    known.contract = replace(predictor.contract, alarm={**predictor.contract.alarm, "normal": list(given)})
    return known


def _check_objects(contract: Contract, path: Path, form: str) -> None:
    """Raises DataError where boxes meet a model that finds none, or a detector no boxes."""
    if (contract.task == "detection") == (form == "boxes"):
        return
    if form == "boxes":
        raise DataError(f"{path} holds boxes; the model answers {contract.task}: give images with labels")
    raise DataError(
        f"{path} is read as {form}; the model finds objects: give a table of paths, labels, x_min, y_min, x_max and "
        "y_max, or folders images and labels"
    )


def _measure_boxes(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    """Every image of a table of boxes, or of YOLO's folders."""
    found = collect_scenes(path, config)
    headers = read_headers([scene.file for scene in found.scenes])
    targets, wrong = to_targets(found.scenes, headers, predictor.contract.labels)
    fail(errors([*found.findings, *wrong]), path)
    files = Inputs([scene.file for scene in found.scenes], predictor.contract)
    job = Job(predictor, files, advice=ADVICE, on_event=on_event)
    return Measured(targets, np.concatenate([batch.outputs for batch in job]))


def _measure_table(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    contract = predictor.contract
    reader = open_table(path, contract.describe())
    names = _target_columns(contract, reader, config)
    inputs = Inputs([path], contract, keep=names, on_event=on_event)
    job = Job(predictor, inputs, keep=names, advice=ADVICE, on_event=on_event)
    extra = (*split_names(config.missing_values), *(encoding(contract.describe()).get("missing") or ()))
    return gather(job, path, _read(job, path), rows.missing_words(extra), _decimals(contract, reader.delimiter))


def _read(job: Job, path: Path) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]], np.ndarray]]:
    for batch in job:
        yield [f"{path}, line {line}" for line in batch.lines], batch.kept, batch.outputs


def _decimals(contract: Contract, delimiter: str) -> tuple[str, ...]:
    """The decimal marks that targets can have: that of the table trained on, where its columns tell."""
    columns = encoding(contract.describe()).get("columns") or ()
    if any(column.get("decimal") == "," for column in columns):
        return (",",)
    return (".", ",") if contract.task == "regression" and delimiter != "," else (".",)


def _target_columns(contract: Contract, reader: rows.TableReader, config: DataConfig) -> tuple[str, ...]:
    """Names of the columns that hold the right answers."""
    given = split_names(config.target)
    several = contract.task in ("regression", "multilabel")
    names = given or contract.target_columns or (contract.labels if several else ())
    if not names:
        raise UsageError(
            f"{contract.source} does not say which column of {reader.path} is the target; add --target COLUMN"
        )
    return tuple(_column(name, reader.header, reader.path) for name in names)


def _column(name: str, header: Sequence[str], path: Path) -> str:
    if name in header:
        return name
    number = int(name) if name.removeprefix("-").isdecimal() else None
    if number is not None and -len(header) <= number < len(header):
        return header[number]
    raise DataError(f"{path} has no target column {name!r}; add --target COLUMN{suggest(name, header)}")


def _measure_each(
    predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None, kind: FileKind
) -> Measured:
    """Files that are a sample each."""
    listing = list_files(path, config, kind)
    entries = listing.entries
    files = Inputs([entry.file for entry in entries], predictor.contract)
    found = errors(listing.findings)
    if found:
        fail([*found, *_unreadable(files, SHOWN - len(found))], path)
    if not entries:
        raise DataError(f"{path} holds no labelled {kind.noun}; expected a folder for each class, or see --label-from")
    job = Job(predictor, files, advice=ADVICE, on_event=on_event)

    def read() -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]], np.ndarray]]:
        at = 0
        for batch in job:
            here = entries[at : at + len(batch.names)]
            at += len(here)
            yield [f"{entry.where}{entry.name}" for entry in here], [entry.answers for entry in here], batch.outputs

    return gather(job, path, read(), rows.missing_words(split_names(config.missing_values)))


def _unreadable(files: Inputs, most: int) -> list[str]:
    """What is wrong with the first images that cannot be decoded, one more than `most` at the most."""
    return list(islice((cause for chunk in files for cause in chunk.problems.values()), max(most, 0) + 1))


def _measure_arrays(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    contract = predictor.contract
    raw = load_path(path, config, on_event=on_event)
    if raw.task != contract.task or raw.kind != contract.kind:
        raise DataError(
            f"{path} holds {raw.task} {raw.kind} samples; the model takes {contract.task} {contract.kind} ones"
        )
    targets = raw.targets
    if raw.task in ("binary", "multiclass", "anomaly"):
        known, wrong = classes(raw.labels, contract if contract.labels else replace(contract, labels=raw.labels))
        refuse({cause: [str(path)] for cause in wrong.values()}, path)
        targets = known[targets.astype(np.int64)]
    return Measured(targets, predictor.predict(raw.samples))


def _measure_series(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    """Every window of recordings, cut as the training data were."""
    contract = predictor.contract
    config = replace(config, window=contract.shape[0], hop=contract.hop or contract.shape[0])
    if contract.time.get("rate"):
        config = replace(config, time=contract.time["name"], rate=float(contract.time["rate"]))
    if contract.horizon:
        return _measure_forecast(predictor, path, config)
    # A column of times is a channel where the model was trained on it.
    config = replace(config, keep=join_names(list(contract.columns)))
    samples, texts, names, columns = read_windows(path, config, on_event or (lambda _text: None))
    if contract.columns and sorted(columns) != sorted(contract.columns):
        raise DataError(f"{path} has channels {', '.join(columns)}; the model takes {', '.join(contract.columns)}")
    if contract.columns:
        samples = samples[..., [columns.index(name) for name in contract.columns]]
    targets, wrong = classes(texts, contract)
    refuse(by_cause(wrong, names), path)
    return Measured(targets, predictor.predict(samples))


def _measure_forecast(predictor: Predictor, path: Path, config: DataConfig) -> Measured:
    """Every window of series that has steps after it."""
    contract = predictor.contract
    has_recording = contract.recording and path.is_file() and contract.recording in table_header(path)
    config = replace(config, horizon=contract.horizon, recording=contract.recording if has_recording else "")
    samples, targets, findings = read_lags(path, config, contract.columns, contract.target_columns)
    notes = tuple(finding.message for finding in findings)
    return Measured(targets, predictor.predict(samples), notes=notes)


def _measure_text(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    """Every text of a table or a folder."""
    del on_event
    contract = predictor.contract
    if contract.columns and not config.text and path.is_file():
        config = replace(config, text=contract.columns[0])
    texts, answers, names = read_texts(path, config)
    targets, wrong = read_targets([(answer,) for answer in answers], contract)
    refuse(by_cause(wrong, names), path)
    return Measured(targets, predictor.predict(np.array(texts, object)))
