import sys

import pytest

from zoo.doctor import runtimes
from zoo.errors import ResourceError, UsageError


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "a home"))
    return tmp_path / "a home"


def test_an_unknown_runtime_lists_those_there_are(home):
    with pytest.raises(UsageError, match="did you mean litert"):
        runtimes.install("litert2")


def test_a_failed_installation_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(runtimes, "_run", lambda command, what: (_ for _ in ()).throw(ResourceError("no network")))
    with pytest.raises(ResourceError):
        runtimes.install("litert")
    assert [path.name for path in (home / "runtimes").iterdir() if path.name != ".lock"] == []


def test_what_a_killed_installation_left_is_cleared_and_a_stamp_alone_does_not_count(home, monkeypatch):
    (home / "runtimes" / ".litert.abcd").mkdir(parents=True)
    (home / "runtimes" / "litert").mkdir()
    lock = runtimes.resources.files("export").joinpath("runtimes", "litert.txt").read_text()
    (home / "runtimes" / "litert" / runtimes.STAMP).write_text(lock)
    monkeypatch.setattr(runtimes, "_fill", lambda folder, *_: (folder / "bin").mkdir())
    assert runtimes.install("litert").new
    assert sorted(path.name for path in (home / "runtimes").iterdir()) == [".lock", "litert"]
    assert [path.name for path in (home / "runtimes" / "litert").iterdir()] == ["bin"]


def test_this_python_can_run_a_tiny_model():
    assert runtimes.try_out(sys.executable) == ""


def test_a_python_without_runtime_says_so(tmp_path):
    python = tmp_path / "python"
    python.symlink_to("/bin/false")
    assert runtimes.try_out(python) == "exit code 1 and no answer"
    assert "does not run" in runtimes.try_out(tmp_path / "absent")


def test_no_python_for_the_wheels_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match=r"wheels for Python 2\.7 only.*apt install python2\.7-venv"):
        runtimes.find_python(((2, 7),), "tflite-runtime")
    assert str(runtimes.find_python((sys.version_info[:2],), "litert")) == sys.executable
