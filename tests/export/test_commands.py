"""zoo export, verify and bench as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export.child import Child
from tests.export.conftest import MakeRun
from tests.zoo.tflite_files import dense_file
from zoo import cli, runs


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any, str]:
    """Exit code, the JSON value on standard output, and standard error."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1, "one JSON value, alone on its line"
    return int(ended.value.code or 0), json.loads(captured.out), captured.err


@pytest.fixture(scope="module")
def bundle(image_run: runs.Run, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    return export.export_model(image_run, quantize="int8", out=tmp_path_factory.mktemp("b") / "a bundle", child=child)


@pytest.mark.slow
def test_export_verify_and_bench_one_after_the_other(
    table_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = table_run("multiclass", tmp_path)
    code, made, told = call(
        capsys, "export", "multiclass-mlp", "--runs", tmp_path, "--quantize", "int8", "--max-drop", 3, "--json"
    )
    assert code == 0
    assert made["bundle"] == str(run.path / "export/tflite-int8")
    assert made["bytes"] == Path(made["bundle"], "model.tflite").stat().st_size
    assert made["ops"]["FULLY_CONNECTED"] == 2
    assert {"max_error", "agreement", "metric_before", "metric_after", "samples", "split"} <= made["parity"].keys()
    assert "comparing with Keras on 80 validation samples" in told
    code, verified, _ = call(capsys, "verify", made["bundle"], "--json")
    assert (code, verified) == (0, {"ok": True, "runtime": "litert", "max_error": 0.0, "status": "pass"})
    code, measured, _ = call(capsys, "bench", made["bundle"], "--json")
    assert code == 0
    assert measured["results"][0]["artifact"] == made["bundle"]
    assert {"runtime", "threads", "p50_us", "p99_us", "bytes", "memory_bytes"} <= measured["results"][0].keys()
    recipe = tmp_path / "mine.toml"
    recipe.write_text('name = "multiclass-mlp"')
    code, verified, _ = call(capsys, "verify", recipe, "--runs", tmp_path, "--json")
    assert (code, verified["ok"]) == (0, True)
    code, again, _ = call(capsys, "export", recipe, "--runs", tmp_path, "--json")
    assert again["bundle"] == str(run.path / "export/tflite-float32")
    code, refused, _ = call(capsys, "verify", recipe, "--runs", tmp_path, "--json")
    assert code == 2
    assert "has 2 bundles; give one" in refused["error"]


def test_a_damaged_bundle_exits_7_and_says_so_in_json(
    bundle: export.Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = bundle.path / "labels.txt"
    content = labels.read_bytes()
    try:
        labels.write_bytes(content.replace(b"nw", b"wn"))
        code, answer, told = call(capsys, "verify", bundle.path, "--json")
    finally:
        labels.write_bytes(content)
    assert (code, answer["ok"], answer["exit_code"]) == (7, False, 7)
    assert "labels.txt was changed" in answer["error"]
    assert told == f"zoo: {answer['error']}\n"


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("verify", "/nowhere"), 2, "is no folder"),
        (("bench", "/nowhere.tflite"), 4, "is missing"),
        (("export", "no-such-run"), 2, "neither a run folder nor the name of one"),
        (("export", "model.tflite"), 2, "neither a run folder"),
        (("export", "x", "--quantize", "int4"), 2, "'dynamic', 'int8', 'int16x8', 'auto'"),
        (("bench",), 2, "Missing argument"),
    ],
)
def test_errors_are_one_line_with_the_designs_exit_codes(
    words: tuple[str, ...], code: int, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, answer, told = call(capsys, *words, "--json")
    assert found == answer["exit_code"] == code
    assert part in answer["error"]
    assert told.rstrip("\n").splitlines()[-1] == f"zoo: {answer['error']}"


def test_tflite_runtime_without_its_environment_names_the_command(
    bundle: export.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    code, answer, _ = call(capsys, "verify", bundle.path, "--runtime", "tflite-runtime", "--json")
    assert code == 2
    assert "zoo doctor --install tflite-runtime" in answer["error"]


def test_the_table_is_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [dense_file(tmp_path / name, np.ones((size, 8))) for name, size in (("a.tflite", 4), ("bb.tflite", 3000))]
    with pytest.raises(SystemExit):
        cli.main(["bench", *map(str, files)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["p50", "us", "p99", "us", "bytes", "memory", "kB", "runtime", "artifact"]
    assert [line.index("litert") for line in lines[1:]] == [lines[0].index("runtime")] * 2
    assert [line.split()[-1] for line in lines[1:]] == [str(file) for file in files]


@pytest.mark.parametrize("command", ["bench", "verify"])
def test_small_commands_start_fast_and_without_heavy_imports(bundle: export.Bundle, command: str) -> None:
    program = (
        "import sys\nfrom zoo.cli import main\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'sklearn', 'matplotlib'}\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, command, str(bundle.path)], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert seconds < 3, "a second on a quiet machine"


@pytest.mark.parametrize("command", ["export", "verify", "bench"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"zoo {command} " in capsys.readouterr().out.split("Example:")[1]
