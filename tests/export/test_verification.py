"""How a replay ends, on runtimes that are played here by small programs; tests/device has the true ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import export
from export.child import Child
from export.refusals import is_refusal
from export.verification import RUNTIMES, verify, verify_all
from zoo import cli, runs
from zoo.errors import UsageError
from zoo.micro_runtime import ANOTHER, explain

Play = Callable[[str, str], None]
Damage = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def bundle(image_run: runs.Run, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    return export.export_model(
        image_run, quantize="float16", out=tmp_path_factory.mktemp("verification") / "a bundle", child=child
    )


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Makes a runtime whose Python is a shell script."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "a home"))

    def make(runtime: str, script: str) -> None:
        python = tmp_path / "a home" / "runtimes" / runtime / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)

    return make


def saying(answer: object, code: int = 0) -> str:
    return f"cat <<'END'\n{json.dumps(answer)}\nEND\nexit {code}"


FLOAT16 = "m.tflite is refused by tflite-micro: tflite-micro has no float16 weights (Node DEQUANTIZE (number 0) failed)"


def test_a_runtime_that_is_not_here_is_unavailable_and_names_the_command(bundle: export.Bundle, play: Play) -> None:
    for runtime in RUNTIMES[1:]:
        found = verify(bundle, runtime)
        assert (found.ok, found.status, found.max_error) == (False, "unavailable", None)
        assert found.problem == f"runtime {runtime!r} is not installed; run: zoo doctor --install {runtime}"
    with pytest.raises(UsageError, match="choose one of litert, tflite-runtime, tflite-micro, arm"):
        verify(bundle, "onnx")


def test_what_a_runtime_is_known_not_to_run_is_refused(bundle: export.Bundle, play: Play) -> None:
    play("tflite-micro", saying({"error": FLOAT16, "exit_code": 4}, 4))
    found = verify(bundle, "tflite-micro")
    assert (found.ok, found.status, found.problem) == (False, "refused", FLOAT16)


def test_the_words_alone_and_the_rule_alone_are_no_refusal(bundle: export.Bundle) -> None:
    manifest = {"quantize": "float16", "ops": {"CONV_2D": 1}}
    assert is_refusal("tflite-micro", manifest, FLOAT16)
    assert not is_refusal("tflite-micro", {**manifest, "quantize": "int8"}, FLOAT16)
    assert not is_refusal("litert", manifest, FLOAT16)
    assert not is_refusal("tflite-micro", manifest, "answers otherwise: error 3, allowed 1")
    old = "Didn't find op for builtin opcode '{}' version '12'. An older version might be supported"
    assert is_refusal("tflite-runtime", manifest, old.format("CONV_2D"))
    assert not is_refusal("tflite-runtime", manifest, old.format("SOFTMAX")), "the file has no such operator"


@pytest.mark.parametrize(("runtime", "refused"), [("tflite-runtime", True), ("arm", True), ("litert", False)])
def test_a_transposed_convolution_of_int8_weights_is_younger_than_tflite_runtime(runtime: str, refused: bool) -> None:
    said = "weights->type != input->type (INT8 != FLOAT32)Node number 9 (TRANSPOSE_CONV) failed to prepare."
    assert is_refusal(runtime, {"quantize": "dynamic", "ops": {"TRANSPOSE_CONV": 2}}, said) is refused
    assert not is_refusal(runtime, {"quantize": "int8", "ops": {"TRANSPOSE_CONV": 2}}, said)


@pytest.mark.parametrize(
    ("said", "kernel"),
    [
        (("Type 'INT16' is not supported by gather.", "Node GATHER (number 0) failed to prepare"), "gather"),
        (
            ("Output type is 7, requires float or int8.", "Node RESIZE_BILINEAR (number 9) failed to invoke"),
            "RESIZE_BILINEAR",
        ),
    ],
)
def test_a_kernel_that_has_not_the_type_of_int16x8_is_a_refusal_told_in_one_line(
    said: tuple[str, str], kernel: str
) -> None:
    reason = explain(said, RuntimeError("no tensors"))
    assert reason == f"tflite-micro has no {kernel} of INT16 ({said[1]}); {ANOTHER}"
    manifest = {"quantize": "int16x8", "ops": {kernel.upper(): 1}}
    assert is_refusal("tflite-micro", manifest, reason)
    assert not is_refusal("tflite-micro", {**manifest, "quantize": "int8"}, reason)
    assert not is_refusal("tflite-micro", {**manifest, "ops": {"CONV_2D": 1}}, reason), "the file has none"


@pytest.mark.parametrize(
    "script", [saying({"ok": False, "max_error": 0.5, "error": "error 0.5, allowed 0.1"}, 7), "kill -SEGV $$"]
)
def test_where_a_runtime_is_known_to_go_wrong_its_answer_is_a_refusal_and_a_right_one_passes(
    bundle: export.Bundle, play: Play, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr("export.verification.goes_wrong", lambda runtime, _model: f"{runtime} goes wrong with it")
    play("tflite-micro", script)
    found = verify(bundle, "tflite-micro")
    assert (found.ok, found.status, found.problem) == (False, "refused", "tflite-micro goes wrong with it")
    play("arm", saying({"ok": True, "max_error": 0.0}))
    assert verify(bundle, "arm").status == "pass"


def test_a_runtime_that_answers_otherwise_fails(bundle: export.Bundle, play: Play) -> None:
    play("tflite-micro", saying({"ok": False, "max_error": 0.5, "error": "error 0.5, allowed 0.1"}, 7))
    found = verify(bundle, "tflite-micro")
    assert (found.status, found.max_error, found.problem) == ("fail", 0.5, "error 0.5, allowed 0.1")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -SEGV $$", "on arm (SIGSEGV)"),
        ("echo Aborted >&2; kill -ABRT $$", "on arm (SIGABRT: Aborted)"),
        ("echo no such module >&2; exit 3", "on arm (exit code 3: no such module)"),
    ],
)
def test_a_runtime_that_dies_is_told_how(bundle: export.Bundle, play: Play, script: str, words: str) -> None:
    play("arm", script)
    found = verify(bundle, "arm")
    assert (found.ok, found.status) == (False, "fail")
    assert f"a bundle: its self-test ends without an answer {words}; export it in another mode" in found.problem


def test_a_runtime_that_hangs_is_stopped(bundle: export.Bundle, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.verification.SECONDS", {"tflite-micro": 0.5})
    play("tflite-micro", "exec sleep 60")
    found = verify(bundle, "tflite-micro")
    assert (found.ok, found.status) == (False, "fail")
    assert "a bundle: its self-test takes over 0.5 s on tflite-micro; export it in another mode" in found.problem


def test_every_runtime_is_asked_by_its_own_name_and_without_our_packages(
    bundle: export.Bundle, play: Play, tmp_path: Path
) -> None:
    play("arm", f'printf "%s\\n" "$@" > "{tmp_path}/words"\n' + saying({"ok": True, "max_error": 0.0}))
    assert verify(bundle, "arm").status == "pass"
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:3] == ["-E", "-s", str(bundle.path / "predict.py")]
    assert words[words.index("--runtime") + 1] == "tflite-runtime", "what the emulated board has"


def test_all_runtimes_are_listed_and_those_that_are_not_here_do_not_count(bundle: export.Bundle, play: Play) -> None:
    play("tflite-micro", saying({"error": FLOAT16, "exit_code": 4}, 4))
    found = {result.runtime: result.status for result in verify_all(bundle)}
    assert found == {
        "litert": "pass",
        "tflite-runtime": "unavailable",
        "tflite-micro": "refused",
        "arm": "unavailable",
    }


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [
        (saying({"ok": True, "max_error": 0.25}), 0, "pass"),
        (saying({"error": FLOAT16, "exit_code": 4}, 4), 4, "refused"),
        (saying({"ok": False, "error": "otherwise", "max_error": 1.0}, 7), 7, "fail"),
    ],
)
def test_the_command_says_how_it_ended(
    bundle: export.Bundle, play: Play, capsys: pytest.CaptureFixture[str], script: str, code: int, status: str
) -> None:
    play("tflite-micro", script)
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", str(bundle.path), "--runtime", "tflite-micro", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert (ended.value.code, answer["status"], answer["runtime"]) == (code, status, "tflite-micro")
    assert answer["ok"] is (status == "pass")
    assert answer.get("exit_code", 0) == code


def test_the_command_for_all_has_a_line_each_and_fails_with_one(
    bundle: export.Bundle, play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    play("tflite-micro", saying({"error": FLOAT16, "exit_code": 4}, 4))
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", str(bundle.path), "--runtime", "all"])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert [line.split()[:2] for line in lines] == [
        ["pass", "litert"], ["unavailable", "tflite-runtime"], ["refused", "tflite-micro"], ["unavailable", "arm"],
    ]  # fmt: skip
    play("arm", "kill -SEGV $$")
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", str(bundle.path), "--runtime", "all", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert (ended.value.code, answer["ok"], answer["status"], answer["exit_code"]) == (7, False, "fail", 7)
    assert [entry["status"] for entry in answer["results"]] == ["pass", "unavailable", "refused", "fail"]
    assert "SIGSEGV" in answer["error"]


@pytest.mark.parametrize("damage", [lambda content: content[:-40], lambda content: b"\xff" + content])
def test_a_damaged_contract_fails_on_all_runtimes_as_on_one(
    bundle: export.Bundle, play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Damage
) -> None:
    copied = shutil.copytree(bundle.path, tmp_path / "a damaged bundle")
    (copied / "bundle.json").write_bytes(damage((copied / "bundle.json").read_bytes()))
    (found,) = verify_all(copied)
    assert found == verify(copied)
    assert (found.status, found.max_error) == ("fail", None)
    for runtime in ("all", "litert"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["verify", str(copied), "--runtime", runtime])
        assert ended.value.code == 7
        assert "a damaged bundle: bundle.json " in capsys.readouterr().err


def test_names_shapes_and_types_are_compared_with_the_contract(bundle: export.Bundle, tmp_path: Path) -> None:
    copied = shutil.copytree(bundle.path, tmp_path / "another bundle")
    contract = json.loads((copied / "bundle.json").read_text())
    contract["input"]["shape"][0] += 1
    contract["output"]["dtype"] = "int8"
    (copied / "bundle.json").write_text(json.dumps(contract))
    files = sorted(path for path in copied.iterdir() if path.name != "SHA256SUMS")
    (copied / "SHA256SUMS").write_text("".join(f"{runs.sha256(path)}  {path.name}\n" for path in files))
    found = verify(copied)
    assert found.status == "fail"
    assert "the contract says (" in found.problem
    assert "float32, the contract says int8" in found.problem
