"""Any single flipped byte in a bundle is detected, and so is what else happens to a folder of files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import export
from export.child import Child
from tests.export.conftest import MakeRun
from zoo import runner
from zoo.errors import ModelError

SMALL, SAMPLED = 2500, 40
FLIPS = (0x01, 0x20, 0x80)
"""In turn: the lowest bit, the one between upper and lower case, and one that leaves UTF-8."""


@pytest.fixture(scope="module")
def originals(table_run: MakeRun, child: Child, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, run = tmp_path_factory.mktemp("a folder"), table_run("multiclass")
    tflite = export.export_model(run, quantize="int8", max_drop=50, out=folder / "tflite int8", child=child)
    saved_model = export.export_model(run, format="saved_model", out=folder / "saved model", child=child)
    return {"tflite": tflite.path, "saved_model": saved_model.path}


@pytest.fixture
def bundle(originals: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals["tflite"], tmp_path / "a bundle"))


def detects(folder: Path) -> bool:
    try:
        return bool(runner.check_sums(folder))
    except ModelError:  # a list that is no text any more
        return True


def positions(size: int) -> Iterator[int]:
    """Every byte of a small file; of a large one a seeded sample and both ends, the last of which is a ZIP's."""
    if size <= SMALL:
        yield from range(size)
        return
    yield from {*range(8), *range(size - 8, size), *np.random.default_rng(size).integers(0, size, SAMPLED).tolist()}


@pytest.mark.parametrize("kind", ["tflite", "saved_model"])
def test_every_flipped_byte_is_detected(originals: dict[str, Path], tmp_path: Path, kind: str) -> None:
    bundle = Path(shutil.copytree(originals[kind], tmp_path / "a bundle"))
    assert runner.check_sums(bundle) == []
    names = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    own = {"model.tflite", "predict.py"} if kind == "tflite" else {"saved_model.pb", "variables/variables.index"}
    assert {"SHA256SUMS", "bundle.json", "golden.npz", "labels.txt"} | own <= names
    for name in sorted(names):
        whole = (bundle / name).read_bytes()
        for position in positions(len(whole)):
            flipped = whole[position] ^ FLIPS[position % len(FLIPS)]
            (bundle / name).write_bytes(whole[:position] + bytes([flipped]) + whole[position + 1 :])
            assert detects(bundle), f"{name}, byte {position}, made {flipped:#x}"
        (bundle / name).write_bytes(whole)
    assert runner.check_sums(bundle) == []


def test_every_value_of_a_byte_in_a_listed_name_is_detected(bundle: Path) -> None:
    """A name that becomes a path elsewhere, one that no system takes, or the same in other letters."""
    sums = bundle / "SHA256SUMS"
    whole = sums.read_bytes()
    start = whole.index(b"bundle.json")
    for position in (start - 2, start - 1, start, start + 6, start + 11):
        for value in set(range(256)) - {whole[position]}:
            sums.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
            assert detects(bundle), f"byte {position} made {value:#x}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("  labels.txt\n", "  Labels.txt\n"), "labels.txt is not in SHA256SUMS"),
        (lambda text: text.replace("  labels.txt\n", "  labels.txt \n"), "labels.txt is not in SHA256SUMS"),
        (lambda text: text.replace("  labels.txt\n", "  ./labels.txt\n"), "./labels.txt is missing"),
        (lambda text: text.upper(), "bundle.json is not in SHA256SUMS"),
        (lambda text: text[:64].upper() + text[64:], "was changed"),
        (lambda text: text + "\n", "a line that names no file"),
        (lambda text: text + " ", "a line that names no file"),
        (lambda text: text.replace("\n", "\r\n"), r"'labels.txt\r' is missing"),
        (lambda text: "".join(text.splitlines(True)[:-1]), "is not in SHA256SUMS"),
        (
            lambda text: "".join(line for line in text.splitlines(True) if "bundle.json" not in line),
            "bundle.json is not",
        ),
        (lambda text: text + text.splitlines(True)[0], "lists a file twice"),
        (lambda text: "", "is not in SHA256SUMS"),
    ],
)
def test_a_changed_list_is_told(bundle: Path, change: Callable[[str], str], told: str) -> None:
    sums = bundle / "SHA256SUMS"
    sums.write_bytes(change(sums.read_text(encoding="utf-8")).encode())
    problems = runner.check_sums(bundle)
    assert told in "; ".join(problems)
    assert not any("\n" in problem or "\r" in problem for problem in problems)


def test_each_missing_line_is_told_by_name(bundle: Path) -> None:
    sums = bundle / "SHA256SUMS"
    lines = sums.read_text(encoding="utf-8").splitlines(keepends=True)
    for left_out in lines:
        sums.write_text("".join(line for line in lines if line != left_out), encoding="utf-8")
        name = left_out.split("  ")[1].strip()
        assert f"{name} is not in SHA256SUMS" in runner.check_sums(bundle)


def test_a_file_beside_a_saved_models_weights_is_told(originals: dict[str, Path], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(originals["saved_model"], tmp_path / "a bundle"))
    (bundle / "variables" / "more").write_bytes(b"")
    assert runner.check_sums(bundle) == ["variables/more is not in SHA256SUMS"]


def test_code_that_was_put_beside_the_program_is_told_and_answers_written_there_are_not(bundle: Path) -> None:
    (bundle / "answers.csv").write_text("input,label\n")
    (bundle / ".DS_Store").write_bytes(b"")
    (bundle / "__pycache__").mkdir()
    (bundle / "__pycache__" / "runner.cpython-311.pyc").write_bytes(b"")
    assert runner.check_sums(bundle) == []
    (bundle / "numpy.py").write_text("")
    assert runner.check_sums(bundle) == ["numpy.py is not in SHA256SUMS"]


@pytest.mark.parametrize("name", ["numpy/__init__.py", "numpy.so", "deep/er/csv.pyc"])
def test_what_python_would_import_from_a_bundle_is_told_however_deep(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_bytes(b"")
    assert any(name in problem for problem in runner.check_sums(bundle))


def test_the_bundles_own_program_refuses_a_flipped_byte_behind_the_model(bundle: Path) -> None:
    model = bundle / "model.tflite"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    command = [sys.executable, str(bundle / "predict.py"), "--self-test"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=bundle.parent)
    assert done.returncode == 7
    assert "model.tflite was changed; export it again" in done.stderr
    with pytest.raises(ModelError, match=r"model\.tflite was changed"):
        export.Bundle(bundle).check()
