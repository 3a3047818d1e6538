"""TensorBoard's HParams plugin: an event file for the search and one for each trial, written without TensorFlow."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.books import TENSORBOARD, TRIAL, Books
from tuning.reporting.rows import rows_of
from tuning.trial import MEASURED, Trial
from zoo.hyperparameters import Value
from zoo.runs import write_bytes

EVENTS = "events.out.tfevents.0000000000.search"
"""TensorBoard takes for a log whatever has "tfevents" in its name; a trial that is written again replaces its own."""

FILE_VERSION = "brain.Event:2"
SCORE = "score"


def write_hparams(books: Books, trials: Sequence[Trial]) -> Path:
    """Fills `tensorboard/` of a search: `tensorboard --logdir <search>/tensorboard`, tab HPARAMS.

    Of each trial that has ended its values, its metrics ("validation/accuracy") and costs ("cost/bytes") at the last
    epoch, and whether it was completed; of the search the knobs and which metrics there are.

    Args:
        books: Of the search.
        trials: Those to write; the knobs and metrics of the search are those of all of these.

    Returns:
        The folder.

    Raises:
        ResourceError: The folder cannot be written.
    """
    folder = books.path / TENSORBOARD
    ended = [trial for trial in trials if trial.ended is not None]
    tags = dict.fromkeys(tag for trial in ended for tag in scalars(trial))
    kinds = _kinds(ended)
    _write(folder / EVENTS, 0.0, [_experiment(books, ended, list(tags), kinds)])
    for trial in ended:
        record = books.folder(trial) / TRIAL
        end = record.stat().st_mtime if record.is_file() else 0.0
        measured = [_scalar(tag, value) for tag, value in scalars(trial).items()]
        _write(
            folder / trial.id / EVENTS, end, [_start(trial, end, kinds), *measured, _end(trial, end)], step=trial.done
        )
    return folder


def scalars(trial: Trial) -> dict[str, float]:
    """Tag to value of what was measured of a trial; what is not finite is left out."""
    found: dict[str, float | None] = {SCORE: trial.score}
    found |= {f"{split}/{name}": value for split, values in trial.metrics.items() for name, value in values.items()}
    found |= {f"cost/{name}": getattr(trial.figures, name) for name in MEASURED}
    return {tag: float(value) for tag, value in found.items() if value is not None and math.isfinite(value)}


def _experiment(books: Books, trials: Sequence[Trial], tags: Sequence[str], kinds: Mapping[str, str]) -> Any:
    """Knobs with what they range over, and the metrics, the score first."""
    from google.protobuf.struct_pb2 import ListValue
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    words = {row.knob: row.words for row in rows_of(books.plan)}
    knobs = []
    for name, kind in kinds.items():
        domain = ListValue()
        if kind != "FLOAT64":  # the plugin filters by these
            domain.extend(sorted({_plain(trial.values[name], kind) for trial in trials if name in trial.values}))
        knobs.append(
            api_pb2.HParamInfo(
                name=name,
                description=words.get(name, ""),
                type=api_pb2.DataType.Value(f"DATA_TYPE_{kind}"),
                domain_discrete=domain if kind != "FLOAT64" else None,
            )
        )
    measured = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=tag) for tag in tags]
    experiment = api_pb2.Experiment(
        name=", ".join(books.plan.names),
        description=f"score is {books.plan.objective}",
        hparam_infos=knobs,
        metric_infos=measured,
    )
    return _plugin_value(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment))


def _start(trial: Trial, end: float, kinds: Mapping[str, str]) -> Any:
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    info = plugin_data_pb2.SessionStartInfo(group_name=trial.id, start_time_secs=max(end - trial.seconds, 0.0))
    fields = {"BOOL": "bool_value", "FLOAT64": "number_value", "STRING": "string_value"}
    for name, value in trial.values.items():
        setattr(info.hparams[name], fields[kinds[name]], _plain(value, kinds[name]))
    content = plugin_data_pb2.HParamsPluginData(session_start_info=info)
    return _plugin_value(metadata.SESSION_START_INFO_TAG, content)


def _end(trial: Trial, end: float) -> Any:
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if trial.status == "completed" else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end)
    return _plugin_value(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=info))


def _kinds(trials: Sequence[Trial]) -> dict[str, str]:
    """Knob to the plugin's type: BOOL, FLOAT64, or STRING where there are words among the values."""
    found: dict[str, set[type]] = {}
    for trial in trials:
        for name, value in trial.values.items():
            found.setdefault(name, set()).add(type(value))
    return {
        name: "BOOL" if types == {bool} else "FLOAT64" if types <= {int, float} else "STRING"
        for name, types in found.items()
    }


def _plain(value: Value, kind: str) -> bool | float | str:
    return str(value) if kind == "STRING" else value


def _scalar(tag: str, value: float) -> Any:
    """A scalar in the form that TensorBoard itself migrates to."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    return scalar_pb(tag, value).value[0]


def _plugin_value(tag: str, content: Any) -> Any:
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import metadata

    about = metadata.create_summary_metadata(content)
    return summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)


def _write(path: Path, when: float, values: Sequence[Any], *, step: int = 0) -> None:
    """An event file of these values, whole or not at all."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    writer.write(event_pb2.Event(wall_time=when, file_version=FILE_VERSION).SerializeToString())
    for value in values:
        summary = summary_pb2.Summary(value=[value])
        writer.write(event_pb2.Event(wall_time=when, step=step, summary=summary).SerializeToString())
    write_bytes(path, stream.getvalue())
