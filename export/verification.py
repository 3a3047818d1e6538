"""Replays a bundle's golden samples in a fresh process, with the runtime asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.bundle import Bundle
from zoo import device, runner, runs, settings
from zoo.errors import ModelError, UsageError
from zoo.interpreters import RUNTIMES as KNOWN

RUNTIMES = tuple(KNOWN)
SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a replay found.

    Attributes:
        ok: Every byte is as written, and the answers are as recorded within the bundle's own tolerance.
        runtime: What ran it: "litert", "tflite-runtime" or "tensorflow".
        max_error: Largest absolute difference from the recorded outputs; None where nothing ran.
        problem: Why it is not ok; empty where it is.
    """

    ok: bool
    runtime: str
    max_error: float | None
    problem: str = ""


def verify(bundle: Bundle | Path | str, runtime: str = "litert", *, root: Path | str = "runs") -> Verification:
    """Checks a bundle's checksums, then replays it by its own predict.py in a child process.

    The child runs the code that lies in the bundle: verify bundles of people you trust. A SavedModel bundle is run by
    TensorFlow instead, whatever the runtime.

    Args:
        bundle: A bundle, its folder, or the TOML file of a run that has one bundle.
        runtime: "litert", with this environment's Python, or "tflite-runtime", with the one that
            `zoo doctor --install tflite-runtime` makes.
        root: Where the runs of a TOML file are looked up.

    Raises:
        UsageError: No such folder, an unknown runtime, or one that is not installed.
        ModelError: Not a bundle.
    """
    path = bundle.path if isinstance(bundle, Bundle) else Path(bundle).absolute()
    if path.suffix == ".toml":
        path = _only_bundle(runs.find_run(path, Path(root)))
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime {runtime!r} is unknown; choose one of {', '.join(RUNTIMES)}")
    if not path.is_dir():
        raise UsageError(f"{path} is no folder; give a bundle, such as runs/NAME/ID/export/tflite-int8")
    if problems := runner.check_sums(path):
        return _not_ok(path, runtime, "; ".join(problems))
    opened = Bundle(path)
    return _replay_saved_model(opened) if opened.format == "saved_model" else _replay_tflite(opened, runtime)


def _only_bundle(run: runs.Run) -> Path:
    """The bundle of a run that has one."""
    found = [file.parent for file in sorted((run.path / runs.EXPORT).glob(f"*/{runs.BUNDLE_MANIFEST}"))]
    if len(found) != 1:
        listed = ", ".join(str(path) for path in found) or "make one with: zoo export"
        raise UsageError(f"{run.path} has {len(found)} bundles; give one: {listed}")
    return found[0]


def _not_ok(path: Path, runtime: str, problem: str) -> Verification:
    return Verification(ok=False, runtime=runtime, max_error=None, problem=f"{path}: {problem}; export it again")


def interpreter_of(runtime: str) -> str:
    """The Python that has a runtime.

    Raises:
        UsageError: It was not installed.
    """
    if runtime == "litert":
        return sys.executable
    python = settings.home() / "runtimes" / runtime / "bin" / "python"
    if not python.is_file():
        raise UsageError(f"runtime {runtime!r} is not installed; run: zoo doctor --install {runtime}")
    return str(python)


def _replay_tflite(bundle: Bundle, runtime: str) -> Verification:
    program = str(bundle.path / runs.PREDICT)
    command = [interpreter_of(runtime), program, "--self-test", "--json", "--runtime", runtime]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _not_ok(bundle.path, runtime, f"its self-test takes over {SECONDS:g} s")
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        words = " ".join(child.stderr.split())[-200:]
        return _not_ok(bundle.path, runtime, f"its self-test ended without an answer ({how}: {words})")
    return Verification(
        ok=bool(answer.get("ok")),
        runtime=runtime,
        max_error=answer.get("max_error"),
        problem=answer.get("error", ""),
    )


def _replay_saved_model(bundle: Bundle) -> Verification:
    from export.child import Child, Limits
    from export.worker import load_arrays, save_arrays

    given, recorded = device.golden_parts(bundle.manifest, runs.read_npz(bundle.path / runs.GOLDEN))
    named = given if isinstance(given, Mapping) else {bundle.manifest["input"]["name"]: given}
    with Child(Limits(seconds=SECONDS)) as child, tempfile.TemporaryDirectory(prefix="zoo-verify-") as scratch:
        inputs, outputs = save_arrays(Path(scratch) / "inputs", named), Path(scratch) / "outputs"
        arguments = {"model": str(bundle.path), "samples": str(inputs), "out": str(outputs)}
        try:
            child.ask("run_saved_model", f"running {bundle.path}", **arguments)
        except ModelError as error:
            return _not_ok(bundle.path, "tensorflow", str(error))
        largest, problems = device.differences(bundle.manifest, recorded, load_arrays(outputs))
    problem = f"{bundle.path} answers otherwise here: {'; '.join(problems)}" if problems else ""
    return Verification(ok=not problems, runtime="tensorflow", max_error=largest, problem=problem)
