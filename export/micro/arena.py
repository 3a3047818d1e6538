"""The tensor arena that a model needs, found by trying on tflite-micro's host interpreter."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from zoo.doctor.runtimes import python_of
from zoo.errors import ModelError, ResourceError

RUNTIME = "tflite-micro"
SECONDS = 300.0
"""A graph of a thousand operators takes 10 s; beyond this, something hangs."""


@dataclass(frozen=True, kw_only=True)
class Arena:
    """What a model takes of memory on the host; a board's kernels and pointers differ.

    Attributes:
        bytes: The smallest arena, to 16 bytes, in which the model is allotted its tensors and answers as it does in
            a large one.
        head: Of it activations and scratch buffers, by the allocator's own account; None where it gives none.
        tail: Likewise what stays for as long as the model is loaded.
    """

    bytes: int
    head: int | None
    tail: int | None


def runtime_python() -> Path:
    """A Python that has tflite-micro: the one that runs now, else that of the runtime's own environment.

    Raises:
        ModelError: It is not installed.
    """
    if importlib.util.find_spec("tflite_micro") is not None:
        return Path(sys.executable)
    python = python_of(RUNTIME)
    if not python.is_file():
        raise ModelError(
            f"--target micro measures memory on {RUNTIME}, which is not installed here; run: zoo doctor --install "
            f"{RUNTIME}"
        )
    return python


def measure_arena(model: Path, *, python: Path | None = None, seconds: float = SECONDS) -> Arena:
    """Finds the smallest arena by bisection; each try runs in a process of its own.

    Args:
        model: The .tflite file.
        python: With tflite-micro; by default `runtime_python()`.
        seconds: Until it counts as hanging.

    Raises:
        ModelError: tflite-micro refuses the file, with its reason; or it is not installed.
        ResourceError: It took too long.
    """
    program = Path(__file__).with_name("arena_probe.py")
    command = [str(python or runtime_python()), "-I", str(program), str(model)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise ResourceError(
            f"{model.name}: its arena was not found in {seconds:g} s on {RUNTIME}; use a smaller model"
        ) from error
    except OSError as error:
        raise ModelError(f"{command[0]} does not run: {error.strerror}; run: zoo doctor --install {RUNTIME}") from error
    try:
        answer = json.loads(child.stdout)
    except ValueError as error:
        words = " ".join(child.stderr.split())[-200:] or f"exit code {child.returncode}"
        raise ModelError(f"{RUNTIME} gave no answer ({words}); run: zoo doctor --install {RUNTIME}") from error
    if "error" in answer:
        raise ModelError(f"{model.name} is refused by {RUNTIME}: {answer['error']}; use --quantize int8 or float32")
    return Arena(bytes=answer["bytes"], head=answer["head"], tail=answer["tail"])
