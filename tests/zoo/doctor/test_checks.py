import shutil
from collections import namedtuple

import pytest

from zoo.doctor import checks, fixes, toolchain
from zoo.doctor.toolchain import Outcome


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Every check but the one that imports TensorFlow."""
    monkeypatch.setattr(toolchain, "run", lambda: iter([Outcome("tensorflow", True, "2.21.0")]))
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ZOO_DATA_PATH", raising=False)


def by_name():
    return {check.name: check for check in checks.examine()}


def test_what_is_needed_works_here(quick):
    found = by_name()
    assert [check for check in found.values() if check.needed and not check.ok] == []
    assert "creates an interpreter" in found["litert"].detail


def test_data_and_runtimes_that_are_not_here_come_with_the_command_that_gets_them(quick):
    found = by_name()
    assert found["data: mnist"].fix == "zoo data fetch mnist"
    for runtime in ("litert", "tflite-runtime", "tflite-micro", "arm"):
        assert found[f"runtime: {runtime}"].fix == f"zoo doctor --install {runtime}"
    assert not found["data: mnist"].needed


def test_data_on_the_search_path_are_found(quick, monkeypatch, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.npz").write_bytes(b"")
    monkeypatch.setenv("ZOO_DATA_PATH", str(tmp_path))
    assert by_name()["data: mnist"].detail == str(tmp_path / "mnist" / "mnist.npz")


def test_a_package_of_another_version_is_named_with_its_fix(quick, monkeypatch):
    monkeypatch.setattr(checks, "_version", lambda name: "0.1" if name == "keras" else fixes.metadata.version(name))
    found = by_name()["keras"]
    assert not found.ok
    assert found.detail.startswith("0.1; needed: keras")
    assert found.fix


def test_a_full_disk_is_a_problem(quick, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 0))
    found = by_name()["disk of ZOO_HOME"]
    assert (found.ok, found.needed) == (False, True)
    assert "free 1 GB" in found.fix


def test_a_broken_interpreter_is_a_problem(quick, monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nkill -SEGV $$\n")
    broken.chmod(0o755)
    monkeypatch.setattr(checks.sys, "executable", str(broken))
    assert by_name()["litert"].detail == "crashes with SIGSEGV"


def test_the_fix_outside_a_checkout_is_a_pip_command(monkeypatch):
    monkeypatch.setattr(fixes, "checkout", lambda: None)
    assert fixes.reinstall("tensorflow").endswith("-m pip install --force-reinstall 'tensorflow<2.22,>=2.21'")


def test_the_fix_in_a_checkout_is_to_set_it_up_again(monkeypatch, tmp_path):
    monkeypatch.setattr(fixes, "checkout", lambda: tmp_path / "a place")
    assert fixes.reinstall("tensorflow") == (
        f"rm -rf '{tmp_path}/a place/.venv' && '{tmp_path}/a place/scripts/zoo' doctor"
    )


PROGRAM = """
import json, os, sys, time
def end(stage, ok=True):
    print("a library's chatter")
    print(json.dumps({"stage": stage, "ok": ok, "detail": "x"}), flush=True)
end("tensorflow")
"""


@pytest.mark.parametrize(
    ("rest", "death"),
    [
        ("os.kill(os.getpid(), 11)", "crashes with SIGSEGV"),
        ("sys.exit('no such instruction')", "ends the process with exit code 1: no such instruction"),
        ("time.sleep(60)", "hangs: no answer in 3 s"),
    ],
)
def test_a_stage_that_takes_its_process_down_is_named_and_the_rest_not_tried(tmp_path, rest, death):
    (tmp_path / "child.py").write_text(PROGRAM + rest)
    outcomes = {outcome.stage: outcome for outcome in toolchain.run(tmp_path / "child.py", limit=3)}
    assert outcomes["tensorflow"].ok
    assert outcomes["keras"].detail == death
    assert outcomes["conversion"].detail == "not tried, because keras does not work"
    assert list(outcomes) == list(toolchain.STAGES)


def test_a_stage_that_fails_does_not_stop_the_others(tmp_path):
    (tmp_path / "child.py").write_text(PROGRAM + "end('keras', False); end('conversion'); end('tensorflow-hub')")
    outcomes = {outcome.stage: outcome.ok for outcome in toolchain.run(tmp_path / "child.py", limit=30)}
    assert outcomes == {
        "tensorflow": True,
        "keras": False,
        "conversion": True,
        "tensorflow-hub": True,
        "keras-tuner": False,
    }
