"""The TFLite runtimes: which of them works here, and an interpreter of it; numpy aside, nothing else is needed.

This file is copied into every TFLite bundle, beside runner.py; Python 3.9 or later.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __package__:
    from .errors import DataError as DataError
    from .errors import GateError as GateError
    from .errors import ModelError as ModelError
    from .errors import UsageError as UsageError
    from .errors import ZooError as ZooError
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__

    class ZooError(Exception):  # type: ignore[no-redef]
        """A failure with a cause the user can act on, and the exit code it has in the toolkit."""

        exit_code = 1

    class UsageError(ZooError):  # type: ignore[no-redef]
        """An unknown option or value."""

        exit_code = 2

    class DataError(ZooError):  # type: ignore[no-redef]
        """Data that is missing, damaged or not what it should be."""

        exit_code = 3

    class ModelError(ZooError):  # type: ignore[no-redef]
        """A model or bundle that is refused."""

        exit_code = 4

    class GateError(ZooError):  # type: ignore[no-redef]
        """A bundle that does not answer here as it did when it was made."""

        exit_code = 7


RUNTIMES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "tflite-micro": "tflite_micro"}
"""Runtime to its package."""


def runtime_version(runtime: str) -> str:
    """Name and version of a runtime's distribution, such as "ai-edge-litert 2.3.0"."""
    from importlib import metadata

    distribution = RUNTIMES[runtime].replace("_", "-")
    return f"{distribution} {metadata.version(distribution)}"


def check_file(path: Path) -> None:
    """Refuses what is plainly no .tflite file, without handing it to a runtime.

    Raises:
        ModelError: Missing, or without the format's identifier.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; expected a .tflite file") from error
    if head[4:] != b"TFL3":
        raise ModelError(f"{path} is not a .tflite file (no TFL3 identifier); export it again")


def create(path: Path, threads: int, wanted: str | None) -> tuple[str, Any]:
    """An interpreter of the first runtime that works: an import alone says little, creating one says all."""
    if wanted is not None and wanted not in RUNTIMES:
        raise UsageError(f"runtime {wanted!r} is unknown; there are: {', '.join(RUNTIMES)}")
    reasons = []
    for name in [wanted] if wanted else list(RUNTIMES):
        said: list[str] = []
        try:
            with quiet(said):
                interpreter = _open(name, path, threads)
        except (ImportError, SystemError, AttributeError) as error:  # tflite-runtime beside numpy 2: SystemError
            reasons.append(f"{name}: {one_line(error)}")
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path} is refused by {name}: {_reason(name, said, error)}") from error
        else:
            return name, interpreter
    raise ModelError(f"no TFLite runtime works here ({'; '.join(reasons)}); try: pip install ai-edge-litert numpy")


def import_runtime() -> None:
    """Imports the first runtime that is here, as `create` would: its own memory is not a file's."""
    for package in RUNTIMES.values():
        if importlib.util.find_spec(package):
            importlib.import_module(package if package == RUNTIMES["tflite-micro"] else package + ".interpreter")
            return


def _open(name: str, path: Path, threads: int) -> Any:
    """An interpreter of this runtime, its tensors allocated; tflite-micro has one thread whatever was asked for."""
    if name == "tflite-micro":
        return _ours("micro_runtime").MicroInterpreter(path, importlib.import_module(RUNTIMES[name]).runtime)
    module = importlib.import_module(RUNTIMES[name] + ".interpreter")
    interpreter = module.Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def _ours(module: str) -> Any:
    """A module that stands beside this one and imports it, in the package as in a bundle."""
    return importlib.import_module(f"{__package__}.{module}" if __package__ else module)


def _reason(name: str, said: Sequence[str], error: BaseException) -> str:
    """Why a runtime does not take a file, and what to do."""
    if name == "tflite-micro":
        return str(_ours("micro_runtime").explain(said, error))
    return f"{one_line(error)}; export it again"


@contextlib.contextmanager
def quiet(said: list[str]) -> Iterator[None]:
    """Holds back what the runtimes write to file descriptor 2 while they load.

    ai-edge-litert 2.3 and tflite-runtime 2.14 greet with "INFO: Created TensorFlow Lite XNNPACK delegate", and offer
    Python no switch. Everything else is passed on.

    Args:
        said: Gets the lines that are passed on; where the runtime fails they are kept for its error instead.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # a service without standard error has nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            rest = [line for line in caught.read().splitlines(True) if not line.startswith(b"INFO: ")]
            said += [line.decode("utf-8", "replace") for line in rest]
            if not failed:
                os.write(2, b"".join(rest))


def one_line(error: BaseException) -> str:
    """The message of another library's error, cut to one line and without the colours that some of them add."""
    plain = re.sub("\x1b\\[[0-9;]*m", "", str(error))
    return " ".join(plain.split())[:300] or type(error).__name__
