"""keras-tuner's own messages between chief and workers, and what of ours travels inside them."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tuning.roles import Progress
from tuning.trial import Trial
from zoo.errors import DataError, ModelError
from zoo.runs import to_json

TOKEN, FOLDER = "zoo/token", "zoo/folder"
"""Fixed hyperparameters of GetSpace: a random word in the chief's folder, and where that is on its machine."""
RECORD = "zoo/trial"
"""Fixed hyperparameter of a trial: our whole record of it as JSON, for the protocol has no place for a cause."""
WORKER, SESSION, ATTEMPT, DOING, EPOCHS = "zoo-worker", "zoo-session", "zoo-attempt", "zoo-doing-bin", "zoo-epochs"
"""Metadata of a call: who calls, which process of that name, which attempt; and what the metrics cannot say."""
OPTIONS = (
    ("grpc.so_reuseport", 0),  # or two chiefs share a port, each getting some of the calls
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
_MESSAGES = "keras_tuner.src.protos.v4"


@cache
def messages() -> ModuleType:
    """keras-tuner's generated modules: `.keras_tuner_pb2`, `.service_pb2`, `.service_pb2_grpc`.

    Loaded without the packages above them, which import TensorFlow: a worker that cannot reach its chief says so in a
    fraction of a second. The package finds them loaded when it is imported later.

    Raises:
        ModelError: keras-tuner is missing or has its messages elsewhere.
    """
    if _MESSAGES in sys.modules:
        return importlib.import_module(_MESSAGES)
    package = importlib.util.find_spec("keras_tuner")
    folders = package.submodule_search_locations if package else None
    folder = Path(folders[0]) / "src" / "protos" / "v4" if folders else Path()
    found = importlib.util.spec_from_file_location(
        _MESSAGES, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if not (folder / "service_pb2.py").is_file() or found is None:
        raise ModelError("keras-tuner's messages were not found; install it anew: pip install 'keras-tuner<1.5'")
    module = importlib.util.module_from_spec(found)
    sys.modules[_MESSAGES] = module
    for name in ("keras_tuner_pb2", "service_pb2", "service_pb2_grpc"):  # in this order: an import from within meets
        importlib.import_module(f"{_MESSAGES}.{name}")  # what is loaded, and asks for no package above
    return module


@dataclass(frozen=True)
class Caller:
    """Who makes a call; from a plain keras-tuner worker all but the name it may give is empty."""

    worker: str = ""
    session: str = ""
    attempt: int = 0

    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """As a call carries it."""
        return (WORKER, self.worker), (SESSION, self.session), (ATTEMPT, str(self.attempt))

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Caller:
        """The inverse of `metadata`."""
        return cls(metadata.get(WORKER, ""), metadata.get(SESSION, ""), int(metadata.get(ATTEMPT, 0)))


def value_message(value: Any) -> Any:
    """One value as a `Value`; what is no number, truth or text is told as text."""
    pb = messages().keras_tuner_pb2
    if isinstance(value, bool):
        return pb.Value(boolean_value=value)
    if isinstance(value, int):
        return pb.Value(int_value=value)
    return pb.Value(float_value=value) if isinstance(value, float) else pb.Value(string_value=str(value))


def space_message(entries: Mapping[str, Any]) -> Any:
    """`HyperParameters` in which every entry is fixed."""
    pb = messages().keras_tuner_pb2
    values = {name: value_message(value) for name, value in entries.items()}
    fixed = [pb.Fixed(name=name, value=value) for name, value in values.items()]
    return pb.HyperParameters(
        space=pb.HyperParameters.Space(fixed_space=fixed), values=pb.HyperParameters.Values(values=values)
    )


def fixed_text(hyperparameters: Any, name: str) -> str | None:
    """The text of a fixed entry; None where there is none."""
    found = [entry.value.string_value for entry in hyperparameters.space.fixed_space if entry.name == name]
    return found[0] if found else None


def trial_message(trial: Trial, status: str, *, whole: bool) -> Any:
    """A trial as keras-tuner's `Trial`.

    Args:
        trial: Any.
        status: A name of `TrialStatus`.
        whole: With our record inside; a plain keras-tuner worker would take it for a hyperparameter.
    """
    pb = messages().keras_tuner_pb2
    entries = {**trial.proposed, **({RECORD: to_json(trial.to_json())} if whole else {})}
    score = None
    if trial.score is not None and math.isfinite(trial.score):
        score = pb.Trial.Score(value=trial.score, step=trial.best)
    return pb.Trial(
        hyperparameters=space_message(entries),
        trial_id=trial.id,
        status=pb.TrialStatus.Value(status),
        score=score,
    )


def empty_message(status: str) -> Any:
    """A `Trial` that says only what is: IDLE, STOPPED."""
    pb = messages().keras_tuner_pb2
    return pb.Trial(status=pb.TrialStatus.Value(status))


def record_in(message: Any) -> Trial | None:
    """Our record in keras-tuner's `Trial`; None in that of a plain keras-tuner worker.

    Raises:
        DataError: It is damaged.
    """
    text = fixed_text(message.hyperparameters, RECORD)
    if text is None:
        return None
    where = f"the message about trial {message.trial_id}"
    try:
        trial = Trial.from_json(json.loads(text), where)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}") from error
    if trial.id != message.trial_id:
        raise DataError(f"{where} holds the record of trial {trial.id}")
    return trial


def status_of(message: Any) -> str:
    """Name of a `Trial`'s status."""
    name: str = messages().keras_tuner_pb2.TrialStatus.Name(message.status)
    return name


def progress_request(progress: Progress, objective: str) -> Any:
    """A sign of life as an `UpdateTrialRequest`: the objective after so many epochs."""
    metrics = {objective: progress.score} if progress.score is not None else {}
    return messages().service_pb2.UpdateTrialRequest(trial_id=progress.id, metrics=metrics, step=progress.epoch)


def progress_in(request: Any, metadata: Mapping[str, Any], objective: str) -> Progress:
    """The inverse of `progress_request`, with what the metadata add."""
    score = request.metrics.get(objective)
    doing = metadata.get(DOING, b"").decode(errors="replace")
    epochs = int(metadata.get(EPOCHS, 0))
    return Progress(id=request.trial_id, doing=doing, epoch=request.step, epochs=epochs, score=score)
