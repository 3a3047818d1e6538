import json

import pytest

from zoo import doctor
from zoo.cli import main
from zoo.doctor import Check, Installed
from zoo.errors import ResourceError

FINE = Check(name="python", ok=True, detail="3.11.7")
OPTIONAL = Check(name="data: mnist", ok=False, needed=False, detail="not here", fix="zoo data fetch mnist")
BROKEN = Check(name="tensorflow", ok=False, detail="crashes with SIGILL", fix="use another machine")


def run(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *arguments])
    return ended.value.code, capsys.readouterr().out


def examined(monkeypatch, *checks):
    monkeypatch.setattr(doctor, "examine", lambda on_event: iter(checks))


def test_what_is_only_optional_does_not_fail(monkeypatch, capsys):
    examined(monkeypatch, FINE, OPTIONAL)
    code, out = run([], capsys)
    assert code == 0
    assert "get it: zoo data fetch mnist" in out
    assert out.endswith("everything that is needed works\n")


def test_a_problem_exits_4_and_prints_the_fix(monkeypatch, capsys):
    examined(monkeypatch, FINE, BROKEN)
    code, out = run([], capsys)
    assert code == 4
    assert "PROBLEM  tensorflow" in out
    assert "fix: use another machine" in out


def test_json_is_one_value_with_every_check(monkeypatch, capsys):
    examined(monkeypatch, FINE, OPTIONAL, BROKEN)
    code, out = run(["--json"], capsys)
    value = json.loads(out)
    assert (code, value["ok"]) == (4, False)
    assert [check["name"] for check in value["checks"]] == ["python", "data: mnist", "tensorflow"]


def test_install_says_where_and_fails_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "install", lambda name, on_event: Installed(name, tmp_path / "python", True))
    assert run(["--install", "litert"], capsys) == (0, f"litert is installed: {tmp_path}/python\n")

    def fail(name, on_event):
        raise ResourceError("pip cannot install it: no network")

    monkeypatch.setattr(doctor, "install", fail)
    code, out = run(["--install", "litert", "--json"], capsys)
    assert (code, json.loads(out)["error"]) == (6, "pip cannot install it: no network")


@pytest.mark.slow
def test_the_whole_examination_passes_here(capsys):
    code, out = run(["--json"], capsys)
    assert code == 0
    assert "answers as Keras does" in out
