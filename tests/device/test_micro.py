"""tflite-micro's own answers: operators, arenas, and the C program run with its kernels."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.exporting import export_model
from export.micro import check_operators, measure_arena, unsupported, write_micro
from export.micro.operators import METHODS
from tests.device.conftest import installed
from tests.export.conftest import mixed_run
from tests.export.micro.building import CODES, CPP11, FAKE, HERE, build, needs_compiler
from zoo import runner, runs
from zoo.errors import ModelError

__all__ = ["mixed_run"]
pytestmark = pytest.mark.device
RESOURCES = {"ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE"}


@pytest.fixture(scope="module")
def python() -> Path:
    return installed("tflite-micro").python


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fake tflm") / "fake.o"
    source = FAKE / "tensorflow" / "lite" / "micro" / "fake.cc"
    subprocess.run([*CPP11, f"-I{FAKE}", "-c", str(source), "-o", str(made)], check=True)
    return made


@pytest.fixture(scope="module")
def series_run(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> Callable[[str], runs.Run]:
    """Makes a run of a recurrent model on a series of 12 steps and 3 channels of unlike units: which is largest."""
    from tests.export.conftest import contract, write_run
    from zoo import preprocessing

    def make(cell: str) -> runs.Run:
        generator = np.random.default_rng(8)
        targets = generator.integers(0, 3, 240)
        raw = generator.normal(0, 1, (240, 12, 3)) + np.eye(3)[targets][:, None] * 1.5
        raw = raw * [1.0, 100.0, 0.01] + [0.0, 500.0, 1.0]
        step = preprocessing.fit_standardise(raw, clip=True)
        layers = keras.layers
        recurrent = {"lstm": layers.LSTM, "gru": layers.GRU}[cell](8)
        model = keras.Sequential([keras.Input((12, 3)), recurrent, layers.Dense(3, activation="softmax")])
        if cell == "lstm":  # remembers for long: state that is left over from the sequence before is seen
            kernel, inner, bias = recurrent.get_weights()
            bias[8:16] = 6.0
            recurrent.set_weights([kernel, inner, bias])
        model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
        model.fit(preprocessing.apply([step], raw), targets, batch_size=32, epochs=6, verbose=0)
        content = contract((12, 3), "multiclass", ["a", "b", "c"], [step])
        return write_run(tmp_path_factory.mktemp(cell), f"which-{cell}", model, content, raw, targets)

    return make


def test_the_table_of_operators_is_what_the_wheel_has(python: Path) -> None:
    program = HERE / "harness" / "ask_operators.py"
    told = subprocess.run([str(python), str(program)], capture_output=True, text=True, check=True, timeout=120)
    assert set(METHODS) == set(json.loads(told.stdout)) - RESOURCES - {"CUSTOM"}


def runs_in(python: Path, model: Path, size: int) -> bool:
    code = "from arena_probe import *; sys.exit(forked(Path(sys.argv[1]).read_bytes(), int(sys.argv[2]))[0] is None)"
    probe = Path(measure_arena.__code__.co_filename).parent
    environment = {**os.environ, "PYTHONPATH": str(probe), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), "-c", code, str(model), str(size)]
    return subprocess.run(command, env=environment, check=False, capture_output=True, timeout=60).returncode == 0


def test_the_arena_is_exact_and_other_modes_are_refused(tmp_path, python, image_run, child):
    bundles = {
        mode: export_model(image_run, quantize=mode, out=tmp_path / mode, child=child)
        for mode in ("int8", "float32", "float16")
    }
    for mode in ("int8", "float32"):
        model = bundles[mode].model
        arena = measure_arena(model, python=python)
        assert arena.bytes % 16 == 0
        assert runs_in(python, model, arena.bytes)
        assert not runs_in(python, model, arena.bytes - 16)
        assert measure_arena(model, python=python) == arena
    assert unsupported(bundles["float16"].model) == ["DEQUANTIZE of float16"]
    with pytest.raises(ModelError, match="quarters is refused for --target micro"):
        check_operators(bundles["float16"].model, "quarters")
    with pytest.raises(ModelError, match=r"is refused by tflite-micro: .*DEQUANTIZE"):
        measure_arena(bundles["float16"].model, python=python)


def selftest(bundle: Path, python: Path, fake: Path, folder: Path) -> str:
    """Runs the program's self-test with the kernels of tflite-micro behind the declared interpreter."""
    model = bundle / runs.BUNDLE_MODEL
    contract = runner.read_contract(bundle)
    micro = folder / "micro"
    write_micro(micro, model, contract, runs.read_npz(bundle / runs.GOLDEN), measure_arena(model, python=python))
    program = build(micro, str(micro / "zoo_selftest.cpp"), fake=fake, whole=True)
    pipes = {"FAKE_BRIDGE": folder / "requests", "FAKE_ANSWERS": folder / "answers"}
    for pipe in pipes.values():
        os.mkfifo(pipe)
    (folder / "script").write_text(described(model))
    environment = {
        **os.environ,
        "FAKE_SCRIPT": str(folder / "script"),
        **{name: str(pipe) for name, pipe in pipes.items()},
    }
    command = [str(python), str(HERE / "harness" / "bridge.py"), str(model), *map(str, pipes.values())]
    with subprocess.Popen(command) as bridge:
        done = subprocess.run([str(program)], env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert bridge.wait(timeout=60) == 0
    assert done.returncode == 0, done.stdout
    return done.stdout


def described(model: Path) -> str:
    from export.micro.graph import read_graph

    graph = read_graph(model)
    edges = (("in", graph.input_tensors), ("out", graph.output_tensors))
    return "".join(
        f"tensor {way} {CODES[tensor.dtype.lower()]} {tensor.bytes}\n" for way, tensors in edges for tensor in tensors
    )


@needs_compiler
@pytest.mark.parametrize(
    ("mode", "io"), [("int8", None), ("int8", "uint8"), ("int8", "float"), ("int16x8", None), ("float32", None)]
)
def test_pixels_go_through_the_program_and_the_kernels_to_the_golden_answers(
    tmp_path, python, fake, image_run, child, mode, io
):
    bundle = export_model(image_run, quantize=mode, io=io, out=tmp_path / "b", child=child)
    assert "4 of 4 golden samples agree" in selftest(bundle.path, python, fake, tmp_path)


@needs_compiler
@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel", "regression"])
@pytest.mark.parametrize("mode", ["int8", "float32"])
def test_rows_go_through_the_program_and_the_kernels(tmp_path, python, fake, table_run, child, mode, task):
    bundle = export_model(table_run(task), quantize=mode, out=tmp_path / "b", max_drop=100.0, child=child)
    assert "4 of 4 golden samples agree" in selftest(bundle.path, python, fake, tmp_path)


@needs_compiler
@pytest.mark.parametrize(
    ("cell", "mode", "streaming"),
    [
        ("lstm", "int8", False),
        ("lstm", "float32", False),
        ("gru", "float32", False),
        ("gru", "int8", False),
        ("gru", "int16x8", False),
        ("gru", "int8", True),
        ("lstm", "int8", True),
    ],
)
def test_sequences_go_through_the_program_and_the_kernels(
    tmp_path, python, fake, series_run, child, cell, mode, streaming
):
    bundle = export_model(
        series_run(cell), quantize=mode, streaming=streaming, out=tmp_path / "b", max_drop=100.0, child=child
    )
    assert "4 of 4 golden samples agree" in selftest(bundle.path, python, fake, tmp_path)


@needs_compiler
@pytest.mark.parametrize("mode", ["int8", "float32"])
def test_the_self_test_finds_state_that_was_not_cleared(tmp_path, python, fake, series_run, child, monkeypatch, mode):
    bundle = export_model(series_run("lstm"), quantize=mode, max_drop=100.0, out=tmp_path / "b", child=child)
    assert bundle.manifest["form"] == "fused"
    read = runner.read_contract
    monkeypatch.setattr(runner, "read_contract", lambda folder: {**read(folder), "state": "none"})
    with pytest.raises(AssertionError, match=r"[0-2] of 4 golden samples agree"):
        selftest(bundle.path, python, fake, tmp_path)


@needs_compiler
def test_rows_of_an_image_are_the_samples_of_a_step_model(tmp_path, python, fake, keras, child):
    from tests.export.conftest import contract, write_run

    generator = np.random.default_rng(5)
    targets = generator.integers(0, 2, 300)
    raw = generator.integers(0, 120, (300, 8, 8)).astype(np.uint8)
    raw[targets == 1, 4:] += 100
    layers = keras.layers
    inside = [layers.Rescaling(1 / 255), layers.Reshape((8, 8)), layers.GRU(8), layers.Dense(2, activation="softmax")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *inside])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(raw[..., None], targets, epochs=3, verbose=0)
    content = contract((8, 8, 1), "multiclass", ["a", "b"], [{"step": "image", "height": 8, "width": 8, "channels": 1}])
    run = write_run(tmp_path / "runs", "rows-gru", model, content, raw, targets)
    bundle = export_model(run, quantize="int8", max_drop=100.0, out=tmp_path / "b", child=child)
    assert bundle.manifest["form"] == "step"
    assert "4 of 4 golden samples agree" in selftest(bundle.path, python, fake, tmp_path)
    assert "A sample is 8 bytes of 0 to 255, the pixels of one row" in (tmp_path / "micro" / "README.md").read_text()


def test_a_step_without_c_ends_the_export_in_a_line(tmp_path, python, mixed_run, child):
    with pytest.raises(
        ModelError, match="'encode' of the date column 'sold' has no C and is refused for --target micro"
    ):
        export_model(mixed_run, quantize="int8", target="micro", max_drop=100.0, out=tmp_path / "b", child=child)
    assert not (tmp_path / "b").exists()
