from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.micro import write_micro
from tests.export.micro.building import (
    CODES,
    HERE,
    Edge,
    build,
    contract,
    make_program,
    needs_compiler,
    plain_file,
    run,
)
from zoo import preprocessing
from zoo.runner import Port

pytestmark = needs_compiler
OUT: Edge = ("y", (1, 3), "int8", (1 / 256, -128))
DRIVE = str(HERE / "harness" / "drive.cpp")
STEP = {"step": "standardise", "scale": [2.0, 0.5], "offset": [1.0, 0.0]}


def port(edge: Edge) -> Port:
    name, shape, dtype, quantization = edge
    return Port(name, {"index": 0, "shape": shape, "dtype": dtype, "quantization": quantization or (0, 0)})


def script(folder: Path, inputs: Sequence[Edge], outputs: Sequence[Edge], answers: Sequence[bytes]) -> dict[str, str]:
    """What the fake interpreter is told, and where it notes what happened."""
    lines = []
    for way, edges in (("in", inputs), ("out", outputs)):
        for _, shape, dtype, _ in edges:
            lines.append(f"tensor {way} {CODES[dtype]} {int(np.prod(shape)) * np.dtype(dtype).itemsize}")
    lines += [f"answer {answer.hex()}" for answer in answers]
    (folder / "script").write_text("\n".join(lines) + "\n")
    return {"FAKE_SCRIPT": str(folder / "script"), "FAKE_LOG": str(folder / "log")}


def drive(program: Path, words: str, environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """What the calls returned, and what the interpreter noted."""
    log = Path(environment["FAKE_LOG"])
    log.unlink(missing_ok=True)
    told = run(program, words.encode(), **environment).decode().splitlines()
    return told, log.read_text().splitlines() if log.exists() else []


def push(sample: Any) -> str:
    return "push " + " ".join(repr(float(value)) for value in np.ravel(sample)) + "\n"


def outputs(*values: Sequence[int]) -> list[bytes]:
    return [np.array(row, np.int8).tobytes() for row in values]


def test_a_table_row_is_pushed_run_and_answered_once(tmp_path: Path, fake: Path) -> None:
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    content = contract("table", given, OUT, [STEP], output={"labels": ["a", "b", "c"]})
    folder = make_program(tmp_path, content, plain_file(tmp_path / "m.tflite", [given], [OUT]))
    program = build(folder, DRIVE, fake=fake, whole=True)
    environment = script(tmp_path, [given], [OUT], outputs([-128, 64, 0], [127, 0, 0]))
    words = (
        f"ready run init init ready run {push([1, 2])} ready run ready run "
        f"{push([0.5, -1])} {push([np.nan, 1])} ready arena"
    )
    told, log = drive(program, words, environment)
    assert told == [
        *("ready 0", "run 1", "init 0", "init 0", "ready 0", "run 5", "push 0", "ready 1"),
        "run 0 1 0 0.75 0.5",
        *("ready 0", "run 5", "push 0", "push 4", "ready 0", "arena 4096"),
    ]
    fed = port(given).quantise(preprocessing.apply([STEP], np.array([[1.0, 2.0]])))
    assert log == ["invoke " + fed.tobytes().hex()]


def test_a_window_is_run_each_hop_and_a_reset_empties_it(tmp_path: Path, fake: Path) -> None:
    window, hop = 4, 2
    given: Edge = ("x", (1, window, 2), "int8", (0.05, 3))
    content = contract("series", given, OUT, [STEP], stream={"steps": window, "hop": hop, "sample_shape": [2]})
    folder = make_program(tmp_path, content, plain_file(tmp_path / "m.tflite", [given], [OUT]))
    program = build(folder, DRIVE, fake=fake, whole=True)
    environment = script(tmp_path, [given], [OUT], outputs(*[[at, 0, 0] for at in range(9)]))
    recording = np.random.default_rng(1).normal(0, 1, (11, 2)).astype(np.float32)
    words = "init " + "".join(f"{push(sample)} ready run " for sample in recording[:7])
    words += "reset " + "".join(f"{push(sample)} ready run " for sample in recording[7:])
    told, log = drive(program, words, environment)
    ready = [line == "ready 1" for line in told if line.startswith("ready")]
    assert ready == [False, False, False, True, False, True, False, *[False] * 3, True]
    fed = [recording[start : start + window] for start in (0, 2, 7)]
    wanted = port(given).quantise(preprocessing.apply([STEP], np.stack(fed)))
    assert log == ["invoke " + values.tobytes().hex() for values in wanted]


def test_state_inside_the_file_is_cleared_before_each_sequence(tmp_path: Path, fake: Path) -> None:
    given: Edge = ("x", (1, 2, 2), "int8", (0.05, 3))
    content = contract("series", given, OUT, state="reset per sequence")
    folder = make_program(tmp_path, content, plain_file(tmp_path / "m.tflite", [given], [OUT]))
    program = build(folder, DRIVE, fake=fake, whole=True)
    environment = script(tmp_path, [given], [OUT], outputs([1, 2, 3], [4, 5, 6], [7, 8, 9]))
    told, log = drive(program, "init " + f"{push([1, 2])} {push([3, 4])} run " * 3, environment)
    assert [line.split()[1] for line in told if line.startswith("run")] == ["0"] * 3
    kinds = [line.split()[0] for line in log]
    before = [at for at, kind in enumerate(kinds) if kind == "invoke"]
    assert len(before) == 3
    assert all(kinds[at - 1] == "reset" for at in before)


STATES: dict[str, tuple[Edge, Edge]] = {
    "requantised": (("h_in", (1, 4), "int8", (0.01, 5)), ("h_out", (1, 4), "int8", (0.0078125, -3))),
    "same": (("h_in", (1, 4), "int8", (0.01, 5)), ("h_out", (1, 4), "int8", (0.01, 5))),
    "float": (("h_in", (1, 4), "float32", None), ("h_out", (1, 4), "float32", None)),
    "int16": (("h_in", (1, 4), "int16", (1e-4, 0)), ("h_out", (1, 4), "int16", (2e-4, 0))),
}


def step_contract(into: Edge, out: Edge, given: Edge, **stream: Any) -> dict[str, Any]:
    described = [None if edge[3] is None else {"scale": edge[3][0], "zero_point": edge[3][1]} for edge in (into, out)]
    state = {"input": into[0], "output": out[0], "shape": [4], "dtype": into[2]}
    state["input_quantization"], state["output_quantization"] = described  # type: ignore[assignment]
    told = {"steps": 3, "answer": "last", "states": [state], "sample_shape": [2], "streaming": False, "reset_after": 3}
    return contract("series", given, OUT, [STEP], form="step", state="explicit", stream={**told, **stream})


@pytest.mark.parametrize("kind", STATES)
def test_a_state_goes_from_each_step_to_the_next_and_begins_anew_after_a_sequence(
    tmp_path: Path, fake: Path, kind: str
) -> None:
    into, out = STATES[kind]
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    # tflite-micro counts them in the file's order, here the state first
    model = plain_file(tmp_path / "m.tflite", [into, given], [out, OUT])
    folder = make_program(tmp_path, step_contract(into, out, given), model)
    program = build(folder, DRIVE, fake=fake, whole=True)
    generator = np.random.default_rng(7)
    if into[2] == "float32":
        left = generator.normal(0, 1, (5, 4)).astype(np.float32)
    else:
        limits = np.iinfo(out[2])
        left = generator.integers(limits.min, limits.max, (5, 4), endpoint=True).astype(out[2])
    answers = [state.tobytes() + bytes([at, 0, 0]) for at, state in enumerate(left)]
    environment = script(tmp_path, [into, given], [out, OUT], answers)
    samples = generator.normal(0, 1, (5, 2)).astype(np.float32)
    told, log = drive(program, "init " + "".join(f"{push(sample)} ready run " for sample in samples), environment)
    assert [line for line in told if line.startswith("ready")] == [f"ready {at}" for at in (0, 0, 1, 0, 0)]
    fed = port(given).quantise(preprocessing.apply([STEP], samples))
    zero = port(into).quantise(np.zeros((1, 4), np.float32))[0]
    same = into[3] == out[3]
    carried = [row if same else port(into).quantise(port(out).dequantise(row)) for row in left]
    before = [zero, carried[0], carried[1], zero, carried[3]]
    assert log == [
        "invoke " + state.tobytes().hex() + row.tobytes().hex() for state, row in zip(before, fed, strict=True)
    ]


def test_a_streaming_model_answers_each_sample_until_it_is_reset(tmp_path: Path, fake: Path) -> None:
    into, out = STATES["same"]
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    content = step_contract(into, out, given, streaming=True, reset_after=None)
    folder = make_program(tmp_path, content, plain_file(tmp_path / "m.tflite", [given, into], [OUT, out]))
    program = build(folder, DRIVE, fake=fake, whole=True)
    environment = script(tmp_path, [given, into], [OUT, out], [bytes([0, 0, 0, 9, 9, 9, 9])] * 6)
    told, log = drive(program, "init " + f"{push([1, 2])} ready run " * 5 + f"reset ready {push([1, 2])}", environment)
    assert [line for line in told if line.startswith("ready")] == ["ready 1"] * 5 + ["ready 0"]
    states = [re.sub("invoke ....", "", line) for line in log]
    assert states == ["05050505", *["09090909"] * 4, "05050505"]


def test_a_model_that_is_not_the_one_written_for_is_refused(tmp_path: Path, fake: Path) -> None:
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    folder = make_program(tmp_path, contract("table", given, OUT), plain_file(tmp_path / "m.tflite", [given], [OUT]))
    program = build(folder, DRIVE, fake=fake, whole=True)
    other: Edge = ("x", (1, 3), "int8", (0.05, 3))
    told, _ = drive(program, f"init {push([1, 2])} run", script(tmp_path, [other], [OUT], []))
    assert told == ["init 2", "push 1", "run 1"]


def test_an_arena_that_is_too_small_here_is_told(tmp_path: Path, fake: Path) -> None:
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    model = plain_file(tmp_path / "m.tflite", [given], [OUT])
    golden = {"samples": np.zeros((1, 2)), "outputs": np.zeros((1, 3), np.float32)}
    write_micro(tmp_path / "micro", model, contract("table", given, OUT), golden, 16)
    program = build(tmp_path / "micro", DRIVE, fake=fake, whole=True)
    told, _ = drive(program, "init arena", script(tmp_path, [given], [OUT], []))
    assert told == ["init 3", "arena 0"]


def test_an_operator_that_fails_is_told(tmp_path: Path, fake: Path) -> None:
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    folder = make_program(tmp_path, contract("table", given, OUT), plain_file(tmp_path / "m.tflite", [given], [OUT]))
    program = build(folder, DRIVE, fake=fake, whole=True)
    told, _ = drive(program, f"init {push([1, 2])} run ready", script(tmp_path, [given], [OUT], []))
    assert told == ["init 0", "push 0", "run 6", "ready 0"]
