from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.micro import write_micro
from tests.export.micro.building import CPP11, FAKE, Edge, build, contract, needs_compiler, plain_file
from tests.export.micro.test_program import STATES, port, script, step_contract

GIVEN: Edge = ("x", (1, 3, 2), "int8", (0.05, 3))
OUT: Edge = ("y", (1, 3), "int8", (1 / 256, -128))


def written(tmp_path: Path, content: dict[str, Any], model: Path, raw: np.ndarray, found: np.ndarray) -> Path:
    folder = tmp_path / "a bundle" / "micro"
    write_micro(folder, model, content, {"samples": raw, "outputs": port(OUT).dequantise(found)}, 4096)
    return folder


def replayed(folder: Path, fake: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program = build(folder, str(folder / "zoo_selftest.cpp"), fake=fake, whole=True)
    return subprocess.run([str(program)], capture_output=True, text=True, env=environment, check=False, timeout=30)


@needs_compiler
@pytest.mark.parametrize("wrong", [False, True])
def test_the_selftest_passes_on_the_recorded_answers_and_fails_on_others(
    tmp_path: Path, fake: Path, wrong: bool
) -> None:
    model = plain_file(tmp_path / "m.tflite", [GIVEN], [OUT])
    generator = np.random.default_rng(0)
    raw, found = generator.normal(0, 1, (4, 3, 2)), generator.integers(-128, 100, (4, 3)).astype(np.int8)
    content = contract("series", GIVEN, OUT, golden={"tolerance": 4 / 256})
    folder = written(tmp_path, content, model, raw, found)
    given = found + np.int8(4)  # the most that another runtime may be off
    given[2, 1] += 5 if wrong else 0
    done = replayed(folder, fake, script(tmp_path, [GIVEN], [OUT], [row.tobytes() for row in given]))
    assert done.returncode == int(wrong), done.stdout
    assert ("3 of 4" if wrong else "4 of 4") in done.stdout


@needs_compiler
def test_the_selftest_of_a_step_model_expects_each_of_its_answers(tmp_path: Path, fake: Path) -> None:
    into, out = STATES["same"]
    given: Edge = ("x", (1, 2), "int8", (0.05, 3))
    model = plain_file(tmp_path / "m.tflite", [given, into], [OUT, out])
    generator = np.random.default_rng(0)
    raw, found = generator.normal(0, 1, (2, 3, 2)), generator.integers(-128, 100, (2, 3, 3)).astype(np.int8)
    folder = written(tmp_path, step_contract(into, out, given, answer="each"), model, raw, found)
    answers = [row.tobytes() + bytes(4) for row in found.reshape(6, 3)]
    assert replayed(folder, fake, script(tmp_path, [given, into], [OUT, out], answers)).returncode == 0
    answers[1] = bytes(7)
    assert replayed(folder, fake, script(tmp_path, [given, into], [OUT, out], answers)).returncode == 1


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = plain_file(tmp_path / "m.tflite", [GIVEN], [OUT])
    golden = {"samples": np.ones((9, 3, 2)), "outputs": np.eye(9, 3, dtype=np.float32)}
    files = [write_micro(tmp_path / name, model, contract("series", GIVEN, OUT), golden, 4096) for name in ("a", "b")]
    names = [[file.name for file in made] for made in files]
    assert names[0] == names[1]
    assert names[0] == sorted(file.name for file in (tmp_path / "a").iterdir())
    assert all(first.read_bytes() == second.read_bytes() for first, second in zip(*files, strict=True))


def test_goldens_are_few_small_and_of_different_answers(tmp_path: Path) -> None:
    from export.micro.golden import choose

    outputs = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2, 0]]
    assert choose(np.zeros((7, 6), np.float32), outputs) == [0, 1, 3, 5]
    assert choose(np.zeros((7, 784), np.uint8), outputs) == [0, 1, 3, 5]
    assert choose(np.zeros((7, 4000), np.uint8), outputs) == [0, 3]
    assert choose(np.zeros((7, 96 * 96 * 3), np.uint8), outputs) == [0]
    infinite = np.zeros((7, 6), np.float32)
    infinite[0] = np.inf
    assert choose(infinite, outputs) == [1, 2, 3, 5]


@needs_compiler
def test_the_whole_folder_builds_with_cmake(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed: CMakeLists.txt is not tried")
    model = plain_file(tmp_path / "m.tflite", [GIVEN], [OUT])
    folder = written(tmp_path, contract("series", GIVEN, OUT), model, np.ones((1, 3, 2)), np.ones((1, 3), np.int8))
    made = tmp_path / "a build"
    options = [f"-DTFLITE_MICRO_DIR={FAKE}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror", "-DCMAKE_C_FLAGS=-Wall -Werror"]
    for command in (["cmake", "-S", str(folder), "-B", str(made), *options], ["cmake", "--build", str(made)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    environment = script(tmp_path, [GIVEN], [OUT], [np.ones(3, np.int8).tobytes()])
    assert subprocess.run([str(made / "zoo_selftest")], env=environment, check=False, timeout=30).returncode == 0
    nowhere = ["cmake", "-S", str(folder), "-B", str(tmp_path / "none")]
    done = subprocess.run(nowhere, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "-DTFLITE_MICRO_DIR=TREE" in done.stderr


def test_the_folder_is_a_component_of_an_esp_project(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed: CMakeLists.txt is not tried")
    model = plain_file(tmp_path / "m.tflite", [GIVEN], [OUT])
    folder = written(tmp_path, contract("series", GIVEN, OUT), model, np.ones((1, 3, 2)), np.ones((1, 3), np.int8))
    script_file = tmp_path / "idf.cmake"
    script_file.write_text(
        "function(idf_component_register)\n"
        '  cmake_parse_arguments(given "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})\n'
        '  message("${given_SRCS} requires ${given_REQUIRES}")\n'
        f'endfunction()\nset(ESP_PLATFORM 1)\ninclude("{folder}/CMakeLists.txt")\n'
    )
    done = subprocess.run(["cmake", "-P", str(script_file)], capture_output=True, text=True, check=False, timeout=60)
    sources, _, required = done.stderr.strip().partition(" requires ")
    assert required == "esp-tflite-micro", done.stderr
    assert set(sources.split(";")) == {file.name for file in folder.iterdir() if file.suffix in (".c", ".cpp")}


@needs_compiler
def test_the_plain_c_is_c_plus_plus_too(tmp_path: Path) -> None:
    model = plain_file(tmp_path / "m.tflite", [GIVEN], [OUT])
    folder = written(tmp_path, contract("series", GIVEN, OUT), model, np.ones((1, 3, 2)), np.ones((1, 3), np.int8))
    for name in ("zoo_pre.c", "zoo_config.c"):
        command = [*CPP11, "-x", "c++", f"-I{folder}", "-c", str(folder / name), "-o", str(tmp_path / "made.o")]
        subprocess.run(command, check=True)


@needs_compiler
def test_the_program_compiles_without_its_own_main(tmp_path: Path) -> None:
    model = plain_file(tmp_path / "m.tflite", [GIVEN], [OUT])
    folder = written(tmp_path, contract("series", GIVEN, OUT), model, np.ones((1, 3, 2)), np.ones((1, 3), np.int8))
    object_file = tmp_path / "selftest.o"
    command = [*CPP11, f"-I{folder}", f"-I{FAKE}", "-DZOO_NO_MAIN", "-c", str(folder / "zoo_selftest.cpp")]
    subprocess.run([*command, "-o", str(object_file)], check=True)
    symbols = subprocess.run(["nm", str(object_file)], capture_output=True, text=True, check=True).stdout
    assert " T zoo_selftest" in symbols
    assert " T main" not in symbols
