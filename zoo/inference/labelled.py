"""Files with answers that a model is measured on: every row, columns and labels read as the model's contract says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from zoo import rows
from zoo.data.anomalies import is_anomaly
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
from zoo.hyperparameters import split_names
from zoo.inference.contract import Contract
from zoo.inference.job import Job
from zoo.inference.predictor import Predictor
from zoo.inference.readers import Inputs
from zoo.inputs import encoding, open_table
from zoo.registry import suggest

FILES: Mapping[str, FileKind] = {"images": IMAGES, "audio": SOUNDS}
"""Forms of data that are a file for each sample."""
SEPARATOR = "|"
ADVICE = "correct them, or take them out"
_SAID = {
    **dict.fromkeys(("0", "0.0", "false", "no", "f", "n"), 0.0),
    **dict.fromkeys(("1", "1.0", "true", "yes", "t", "y"), 1.0),
}
OnEvent = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """Answers beside what they should have been.

    Attributes:
        targets: As `zoo.metrics.evaluate` takes them: (n,) classes, else (n, answers).
        outputs: (n, outputs) float32.
        without: Rows that have no target and were left out.
        notes: What a user should know of the rows, a line each.
    """

    targets: np.ndarray
    outputs: np.ndarray
    without: int = 0
    notes: tuple[str, ...] = ()


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
    return _gather(job, path, _read(job, path), rows.missing_words(extra), _decimals(contract, reader.delimiter))


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

    return _gather(job, path, read(), rows.missing_words(split_names(config.missing_values)))


def _unreadable(files: Inputs, most: int) -> list[str]:
    """What is wrong with the first images that cannot be decoded, one more than `most` at the most."""
    return list(islice((cause for chunk in files for cause in chunk.problems.values()), max(most, 0) + 1))


@dataclass
class _Reading:
    """Targets of a file as they are with one decimal mark; what is wrong, and where; and how many are."""

    decimal: str
    targets: list[np.ndarray] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)
    wrong: int = 0

    def add(self, placed: Sequence[tuple[str, Sequence[str]]], contract: Contract) -> None:
        values, wrong = read_targets([row for _, row in placed], contract, self.decimal)
        for cause, places in _places(wrong, [name for name, _ in placed]).items():
            self.problems.setdefault(cause, []).extend(places)
        self.targets.append(values)
        self.wrong += len(wrong)


def _gather(
    job: Job,
    path: Path,
    answered: Iterator[tuple[Sequence[str], Sequence[Sequence[str]], np.ndarray]],
    missing: frozenset[str],
    decimals: Sequence[str] = (".",),
) -> Measured:
    """All answers with a target, read with the decimal mark that makes sense of most; others are named at once."""
    readings = [_Reading(decimal) for decimal in decimals]
    outputs: list[np.ndarray] = []
    without = 0
    for names, texts, found in answered:
        known = np.array([not any(text.strip().lower() in missing for text in row) for row in texts], bool)
        without += int((~known).sum())
        kept = [(name, row) for name, row, there in zip(names, texts, known, strict=True) if there]
        for reading in readings:
            reading.add(kept, job.contract)
        outputs.append(found[known])
    best = min(readings, key=lambda reading: reading.wrong)
    _refuse(best.problems, path)
    notes = [f"{without:,} rows have no target and were left out"] if without else []
    for what, counts in (("unseen categories", job.summary.unseen), ("missing cells, filled", job.summary.imputed)):
        if counts:
            notes.append(f"{what}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")
    joined = np.concatenate(best.targets)
    if not len(joined):
        raise DataError(f"{path}: no row has a target; give a file with the right answers, see --target")
    return Measured(joined, np.concatenate(outputs), without, tuple(notes))


def _places(wrong: Mapping[int, str], names: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong to the names of the samples that it is wrong with, from positions."""
    problems: dict[str, list[str]] = {}
    for at, cause in wrong.items():
        problems.setdefault(cause, []).append(names[at])
    return problems


def _refuse(problems: Mapping[str, Sequence[str]], path: Path) -> None:
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
        return _classes([row[0].strip() for row in texts], contract)
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


def _classes(texts: Sequence[str], contract: Contract) -> tuple[np.ndarray, dict[int, str]]:
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


def _measure_arrays(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    contract = predictor.contract
    raw = load_path(path, config, on_event=on_event)
    if raw.task != contract.task or raw.kind != contract.kind:
        raise DataError(
            f"{path} holds {raw.task} {raw.kind} samples; the model takes {contract.task} {contract.kind} ones"
        )
    targets = raw.targets
    if raw.task in ("binary", "multiclass", "anomaly"):
        known, wrong = _classes(raw.labels, contract if contract.labels else replace(contract, labels=raw.labels))
        _refuse({cause: [str(path)] for cause in wrong.values()}, path)
        targets = known[targets.astype(np.int64)]
    return Measured(targets, predictor.predict(raw.samples))


def _measure_series(predictor: Predictor, path: Path, config: DataConfig, on_event: OnEvent | None) -> Measured:
    """Every window of recordings, cut as the training data were."""
    contract = predictor.contract
    config = replace(config, window=contract.shape[0], hop=contract.hop or contract.shape[0])
    if contract.horizon:
        return _measure_forecast(predictor, path, config)
    samples, texts, names, columns = read_windows(path, config, on_event or (lambda _text: None))
    if contract.columns and sorted(columns) != sorted(contract.columns):
        raise DataError(f"{path} has channels {', '.join(columns)}; the model takes {', '.join(contract.columns)}")
    if contract.columns:
        samples = samples[..., [columns.index(name) for name in contract.columns]]
    targets, wrong = _classes(texts, contract)
    _refuse(_places(wrong, names), path)
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
    _refuse(_places(wrong, names), path)
    return Measured(targets, predictor.predict(np.array(texts, object)))


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
