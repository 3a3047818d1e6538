"""TensorFlow, Keras and the converter, tried in a child process that may crash or hang without harm.

Run as a program this file is that child: one JSON line per stage on standard output, written as each one ends.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

LIMIT = 180.0
"""Seconds for all stages together; a slow disk needs a minute to read TensorFlow for the first time."""


class Outcome(NamedTuple):
    """How one stage ended."""

    stage: str
    ok: bool
    detail: str


def run(program: Path = Path(__file__), limit: float = LIMIT) -> Iterator[Outcome]:
    """Runs the stages in a child process.

    Yields:
        Every stage: the ones that ended with what they said, the one that took the child down with how it died, and
        those after it as not tried.
    """
    left = list(STAGES)
    with tempfile.TemporaryFile("w+", errors="replace") as noise:
        command = [sys.executable, "-P", str(program)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True) as child:
            overdue = threading.Event()
            watchdog = threading.Timer(limit, _stop, (child, overdue))
            watchdog.start()
            for line in child.stdout or ():
                outcome = _parse(line)
                if outcome is not None and outcome.stage in left:
                    left.remove(outcome.stage)
                    yield outcome
            code = child.wait()
            watchdog.cancel()
        if left:
            noise.seek(0)
            yield Outcome(left[0], False, _death(code, noise.read(), limit if overdue.is_set() else None))
    for stage in left[1:]:
        yield Outcome(stage, False, f"not tried, because {left[0]} does not work")


def _stop(child: subprocess.Popen[str], overdue: threading.Event) -> None:
    overdue.set()
    child.kill()


def _parse(line: str) -> Outcome | None:
    """A stage's line; libraries may print what they like between them."""
    try:
        found = json.loads(line)
        return Outcome(str(found["stage"]), bool(found["ok"]), str(found["detail"]))
    except (ValueError, TypeError, KeyError):
        return None


def _death(code: int, noise: str, overdue: float | None) -> str:
    if overdue is not None:
        return f"hangs: no answer in {overdue:g} s"
    words = " ".join(noise.split())[-200:]
    how = f"crashes with {signal.Signals(-code).name}" if code < 0 else f"ends the process with exit code {code}"
    return f"{how}{': ' + words if words else ''}"


def _tensorflow() -> str:
    began = time.monotonic()
    import tensorflow as tf

    devices = ", ".join(sorted({device.device_type for device in tf.config.list_physical_devices()}))
    return f"{tf.__version__}, imported in {time.monotonic() - began:.1f} s, sees {devices}"


def _keras() -> str:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"its backend is {keras.backend.backend()}; unset KERAS_BACKEND, or set it to tensorflow")
    return str(keras.__version__)


def _conversion() -> str:
    """Two layers through the converter, and the file's answer against the model's."""
    import keras
    import numpy as np
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    layers = [keras.layers.Input((4,), batch_size=1), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    with tempfile.TemporaryDirectory(prefix="zoo-doctor-") as folder:
        model.export(folder, verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    sample = np.ones((1, 4), np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    error = float(np.max(np.abs(answer - np.asarray(model(sample)))))
    if not error < 1e-5:
        raise RuntimeError(f"the converted model answers otherwise: error {error:.3g}")
    return f"a two-layer model converts ({len(content):,} bytes) and answers as Keras does"


def _tensorflow_hub() -> str:
    import tensorflow_hub as hub

    return str(hub.__version__)


def _keras_tuner() -> str:
    import keras_tuner

    return str(keras_tuner.__version__)


STAGES: Mapping[str, Callable[[], str]] = {
    "tensorflow": _tensorflow,
    "keras": _keras,
    "conversion": _conversion,
    "tensorflow-hub": _tensorflow_hub,
    "keras-tuner": _keras_tuner,
}


def main() -> None:
    """The child: every stage in order."""
    warnings.simplefilter("ignore")  # of the libraries; nobody reads them here
    for stage, function in STAGES.items():
        try:
            outcome = Outcome(stage, True, function())
        except Exception as error:  # noqa: BLE001  # whatever a broken library raises is the finding
            outcome = Outcome(stage, False, " ".join(f"{type(error).__name__}: {error}".split())[:300])
        sys.stdout.write(json.dumps(outcome._asdict()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
