"""Replays a bundle's golden samples in a fresh process, with the runtime asked for, and says how it ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.bundle import Bundle
from export.refusals import goes_wrong, is_refusal
from zoo import device, doctor, runner, runs
from zoo.doctor.runtimes import python_of
from zoo.errors import ModelError, UsageError

RUNTIMES = tuple(doctor.RUNTIMES)
ALL = "all"
SECONDS: Mapping[str, float] = {"arm": 600.0, "tflite-micro": 60.0}
"""Limit of a replay: on an emulated processor it takes a multiple."""
LIMIT = 120.0
ELSEWHERE = "export it in another mode, or use another runtime"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a replay found.

    Attributes:
        ok: Every byte is as written, names, shapes and types are those of the contract, and the answers are as recorded
            within the bundle's own tolerance.
        runtime: What ran it: one of RUNTIMES, or "tensorflow".
        max_error: Largest absolute difference from the recorded outputs; None where nothing ran.
        problem: Why it is not ok; empty where it is.
        status: "pass"; "refused", where the runtime is known not to run such a file and said so; "unavailable", where
            the runtime is not installed; "fail" for all else.
    """

    ok: bool
    runtime: str
    max_error: float | None
    problem: str = ""
    status: str = "fail"


def verify(bundle: Bundle | Path | str, runtime: str = "litert", *, root: Path | str = "runs") -> Verification:
    """Checks a bundle's checksums, then replays it by its own predict.py in a child process.

    The child runs the code that lies in the bundle: verify bundles of people you trust. A SavedModel bundle is run by
    TensorFlow instead, whatever the runtime.

    Args:
        bundle: A bundle, its folder, or the TOML file of a run that has one bundle.
        runtime: "litert", with this environment's Python; or "tflite-runtime", "tflite-micro" or "arm", each with the
            one that `zoo doctor --install NAME` makes.
        root: Where the runs of a TOML file are looked up.

    Raises:
        UsageError: No such folder, or an unknown runtime.
        ModelError: Not a bundle.
    """
    path = _folder(bundle, Path(root))
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime {runtime!r} is unknown; choose one of {', '.join(RUNTIMES)}")
    if problems := runner.check_sums(path):
        return _not_ok(path, runtime, "; ".join(problems))
    opened = Bundle(path)
    return _replay_saved_model(opened) if opened.format == "saved_model" else _replay_tflite(opened, runtime)


def verify_all(bundle: Bundle | Path | str, *, root: Path | str = "runs") -> Iterator[Verification]:
    """Verifies a bundle on every runtime, those that are not installed as "unavailable"; a SavedModel on TensorFlow.

    Args:
        bundle: As in `verify`.
        root: Likewise.

    Yields:
        A verification as soon as it is known; of a bundle with a byte that differs one that fails, and no other.

    Raises:
        UsageError: No such folder.
        ModelError: Not a bundle: it has no list of sums.
    """
    path = _folder(bundle, Path(root))
    if problems := runner.check_sums(path):  # before the bundle is opened: what is damaged may be its contract
        yield _not_ok(path, RUNTIMES[0], "; ".join(problems))
        return
    runtimes = RUNTIMES[:1] if Bundle(path).format == "saved_model" else RUNTIMES
    for runtime in runtimes:
        yield verify(path, runtime)


def _folder(bundle: Bundle | Path | str, root: Path) -> Path:
    path = bundle.path if isinstance(bundle, Bundle) else Path(bundle).absolute()
    if path.suffix == ".toml":
        path = _only_bundle(runs.find_run(path, root))
    if not path.is_dir():
        raise UsageError(f"{path} is no folder; give a bundle, such as runs/NAME/ID/export/tflite-int8")
    return path


def _only_bundle(run: runs.Run) -> Path:
    """The bundle of a run that has one."""
    found = [file.parent for file in sorted((run.path / runs.EXPORT).glob(f"*/{runs.BUNDLE_MANIFEST}"))]
    if len(found) != 1:
        listed = ", ".join(str(path) for path in found) or "make one with: zoo export"
        raise UsageError(f"{run.path} has {len(found)} bundles; give one: {listed}")
    return found[0]


def _not_ok(path: Path, runtime: str, problem: str) -> Verification:
    return Verification(ok=False, runtime=runtime, max_error=None, problem=f"{path}: {problem}; export it again")


def interpreter_of(runtime: str) -> list[str]:
    """The command that starts the Python that has a runtime.

    Raises:
        UsageError: It was not installed.
    """
    if runtime == "litert":
        return [sys.executable]
    python = python_of(runtime)
    if not python.is_file():
        raise UsageError(f"runtime {runtime!r} is not installed; run: zoo doctor --install {runtime}")
    return [str(python), "-E", "-s"]


def package_of(runtime: str) -> str:
    """What predict.py calls it: the emulated board has tflite-runtime."""
    return doctor.RUNTIMES[runtime].lock


def _replay_tflite(bundle: Bundle, runtime: str) -> Verification:
    try:
        command = [*interpreter_of(runtime), str(bundle.path / runs.PREDICT), "--self-test", "--json"]
    except UsageError as error:
        return Verification(ok=False, runtime=runtime, max_error=None, problem=str(error), status="unavailable")
    limit = SECONDS.get(runtime, LIMIT)
    command += ["--runtime", package_of(runtime)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return _dead(bundle, runtime, f"its self-test takes over {limit:g} s on {runtime}")
    except OSError as error:
        problem = f"runtime {runtime!r} does not start: {error.strerror}; run: zoo doctor --install {runtime}"
        return Verification(ok=False, runtime=runtime, max_error=None, problem=problem)
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        return _dead(bundle, runtime, f"its self-test ends without an answer on {runtime} ({_death(child)})")
    return _judge(bundle, runtime, answer)


def _dead(bundle: Bundle, runtime: str, how: str) -> Verification:
    """A replay that came to no answer: refused where the runtime is known to go wrong with such a file."""
    known = goes_wrong(runtime, bundle.model)
    problem, status = known or f"{bundle.path}: {how}; {ELSEWHERE}", "refused" if known else "fail"
    return Verification(ok=False, runtime=runtime, max_error=None, problem=problem, status=status)


def _death(child: subprocess.CompletedProcess[str]) -> str:
    """How a child ended, and its last words."""
    ended = child.returncode
    how = signal.Signals(-ended).name if ended < 0 else f"exit code {ended}"
    words = " ".join(child.stderr.split())[-200:]
    return f"{how}: {words}" if words else how


def _judge(bundle: Bundle, runtime: str, answer: Mapping[str, Any]) -> Verification:
    problem, ok = str(answer.get("error", "")), bool(answer.get("ok"))
    known = "" if ok else goes_wrong(runtime, bundle.model)
    refused = not ok and (bool(known) or is_refusal(runtime, bundle.manifest, problem))
    status = "pass" if ok else "refused" if refused else "fail"
    error = answer.get("max_error")
    return Verification(ok=ok, runtime=runtime, max_error=error, problem=known or problem, status=status)


def _replay_saved_model(bundle: Bundle) -> Verification:
    from export.child import Child, Limits
    from export.worker import load_arrays, save_arrays

    given, recorded = device.golden_parts(bundle.manifest, runs.read_npz(bundle.path / runs.GOLDEN))
    named = given if isinstance(given, Mapping) else {bundle.manifest["input"]["name"]: given}
    with Child(Limits(seconds=LIMIT)) as child, tempfile.TemporaryDirectory(prefix="zoo-verify-") as scratch:
        inputs, outputs = save_arrays(Path(scratch) / "inputs", named), Path(scratch) / "outputs"
        arguments = {"model": str(bundle.path), "samples": str(inputs), "out": str(outputs)}
        try:
            child.ask("run_saved_model", f"running {bundle.path}", **arguments)
        except ModelError as error:
            return _not_ok(bundle.path, "tensorflow", str(error))
        largest, problems = device.differences(bundle.manifest, recorded, load_arrays(outputs))
    problem = f"{bundle.path} answers otherwise here: {'; '.join(problems)}" if problems else ""
    status = "fail" if problems else "pass"
    return Verification(ok=not problems, runtime="tensorflow", max_error=largest, problem=problem, status=status)
