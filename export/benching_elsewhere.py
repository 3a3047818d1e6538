"""Latency of bundles and .tflite files on a runtime that lives in an environment of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.verification import interpreter_of, package_of
from zoo import runner, runs
from zoo.errors import ModelError, UsageError

LIMIT = 120.0
"""Seconds for loading one file and timing it."""
RUNTIMES = ("litert", "tflite-runtime", "tflite-micro")
# What predict.py --bench does, for a file without one; the modules are those that a bundle has beside it.
_PROGRAM = """
import json, sys
folder, path, runtime, threads = sys.argv[1:]
sys.path.insert(0, folder)
import device, numpy, runner
from interpreters import ZooError
try:
    model = runner.TFLiteModel(path, threads=int(threads), runtime=runtime)
    times = device.time_calls(model)
    low, high = (float(numpy.percentile(times, part)) for part in (50, 99))
    print(json.dumps({"p50_us": low, "p99_us": high, "calls": len(times)}))
except ZooError as error:
    print(json.dumps({"error": str(error)}))
"""


def check_runtime(runtime: str) -> None:
    """Refuses what cannot be measured.

    Raises:
        UsageError: An unknown runtime, one that is not installed, or the emulated board.
    """
    if runtime == "arm":
        raise UsageError(
            "arm is an emulated processor, whose times are no board's; run predict.py --bench on the board"
        )
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime {runtime!r} is unknown; choose one of {', '.join(RUNTIMES)}")
    interpreter_of(runtime)


def time_there(artifact: Path, model: Any, runtime: str, threads: int) -> dict[str, Any]:
    """Times one file by its bundle's predict.py, or by the toolkit's where it stands alone.

    Args:
        artifact: The bundle, or the file.
        model: The .tflite file.
        runtime: Other than "litert" and the emulated board.
        threads: Of the interpreter; tflite-micro has one.

    Returns:
        "p50_us", "p99_us", "calls", and "memory_bytes" (None where the system does not tell).

    Raises:
        UsageError: No .tflite file.
        ModelError: The runtime refuses the file, or ends without an answer.
    """
    if not (isinstance(model, Path) and model.suffix == ".tflite"):
        raise UsageError(f"{artifact} is no bundle or .tflite file, which is what {runtime} runs; leave --runtime out")
    python, name = interpreter_of(runtime), package_of(runtime)
    if (artifact / runs.BUNDLE_MANIFEST).is_file():
        program = [str(artifact / runs.PREDICT), "--bench", "--json", "--runtime", name, "--threads", str(threads)]
    else:
        program = ["-c", _PROGRAM, str(Path(runner.__file__).parent), str(model), name, str(threads)]
    answer = _answer([*python, *program], artifact, runtime)
    probed = _answer([*python, str(runner.__file__), "--probe", str(model)], artifact, runtime)
    return {**answer, "memory_bytes": probed["memory_bytes"]}


def _answer(command: Sequence[str], artifact: Path, runtime: str) -> dict[str, Any]:
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{artifact} takes over {LIMIT:g} s on {runtime}; take a smaller model") from error
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        ended = child.returncode
        how = signal.Signals(-ended).name if ended < 0 else f"exit code {ended}"
        words = " ".join(child.stderr.split())[-200:]
        raise ModelError(
            f"{artifact} ends {runtime} without an answer ({how}: {words}); use another runtime"
        ) from error
    if "error" in answer:
        raise ModelError(str(answer["error"]))
    return answer
