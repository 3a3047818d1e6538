"""Finds the smallest tensor arena in which tflite-micro runs a file, by trying: standard library, numpy and the wheel.

Runs in the runtime's own Python, never imported by the toolkit: `python arena_probe.py MODEL` writes one JSON value.
Each try is a fork: too small an arena makes some kernels write through a null pointer.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

STEP = 16
"""The allocator aligns to 16 bytes."""
FIRST, MOST = 1 << 20, 1 << 29
_ASIDE = "Input index"  # told when `feed` asks beyond the last input


def feed(interpreter: Any) -> None:
    """Random values of the right type in every input; there are at most as many as answer."""
    generator = np.random.default_rng(0)
    for index in range(64):
        try:
            details = interpreter.get_input_details(index)
        except (IndexError, RuntimeError, ValueError):
            return
        if not details:
            return
        shape, dtype = tuple(details["shape"]), np.dtype(details["dtype"])
        if dtype.kind == "f":
            values = generator.normal(0, 1, shape).astype(dtype)
        else:
            limits = np.iinfo(dtype)
            values = generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
        interpreter.set_input(values, index)


def attempt(model: bytes, size: int) -> str:
    """The answers of a file in an arena of that size, as hex digits."""
    runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=size)
    feed(interpreter)
    interpreter.invoke()
    answer = np.asarray(interpreter.get_output(0)).tobytes().hex()
    interpreter.print_allocations()
    return answer


def forked(model: bytes, size: int) -> tuple[str | None, str]:
    """The answers, None where it failed or crashed, and what was written to standard error."""
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as messages:
        child = os.fork()
        if child == 0:
            os.dup2(messages.fileno(), 2)
            status = 1
            try:
                answers.write(attempt(model, size).encode())
                answers.flush()
                status = 0
            except Exception as error:  # noqa: BLE001 - the wheel raises RuntimeError and pybind's own kinds
                os.write(2, f"\n{error}\n".encode())
            os._exit(status)
        _, status = os.waitpid(child, 0)
        answers.seek(0)
        messages.seek(0)
        told = messages.read().decode(errors="replace")
        return (answers.read().decode() if status == 0 else None), told


def recorded(messages: str, what: str) -> int | None:
    """A figure of the allocator's own account, such as "head"."""
    found = re.search(rf"Arena allocation {what} (\d+) bytes", messages)
    return int(found[1]) if found else None


def measure(model: bytes) -> dict[str, Any]:
    """The smallest arena; or "error", the runtime's reason why no arena is large enough."""
    size = FIRST
    answer, messages = forked(model, size)
    while answer is None and size < MOST:
        size *= 8
        answer, messages = forked(model, size)
    if answer is None:
        lines = [" ".join(line.split()) for line in messages.splitlines() if line.strip() and line[:11] != _ASIDE]
        return {"error": "; ".join(lines[:3])[:400] or "it crashes"}
    account = {name: recorded(messages, name) for name in ("head", "tail")}
    low, high = 0, size // STEP  # in steps: too small, large enough
    guess = (sum(value or 0 for value in account.values())) // STEP
    tries = 1
    while high - low > 1:
        middle = guess if low < guess < high else (low + high) // 2
        fits = forked(model, middle * STEP)[0] == answer
        low, high = (low, middle) if fits else (middle, high)
        # The account is a little too low or exact: look close by first, in doubling strides.
        guess = middle - tries if fits else middle + tries
        tries *= 2
    return {"bytes": high * STEP, **account}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]).read_bytes())))
