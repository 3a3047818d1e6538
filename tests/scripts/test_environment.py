"""The set-up, on a checkout as small as can be; no network."""

import json
import shutil
import signal
import time

import pytest


@pytest.mark.slow
def test_a_fresh_checkout_is_set_up_once_and_then_costs_nothing(checkout, tmp_path):
    link = tmp_path / "tool"
    link.symlink_to(checkout.root / "scripts" / "zoo")
    code, out, err = checkout.run("two words", "--json", command=link, cwd=tmp_path)
    assert code == 0, err
    assert json.loads(out) == ["1.0", str(tmp_path), "two words", "--json"]
    assert "2.7 GB on disk" in err
    assert "the environment is ready" in err

    began = time.monotonic()
    code, out, err = checkout.run("again")
    assert (code, err) == (0, "")
    assert json.loads(out)[2:] == ["again"]
    assert time.monotonic() - began < 2

    checkout.need("2.0")
    code, out, err = checkout.run()
    assert json.loads(out)[0] == "2.0"
    assert "up to date" in err

    moved = checkout.root.rename(tmp_path / "moved here")
    checkout.root = moved
    code, out, err = checkout.run()
    assert (code, json.loads(out)[0]) == (0, "2.0")
    assert "made anew" in err


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["lib", "bin/python"])
def test_a_damaged_environment_is_made_anew(checkout, lost):
    assert checkout.run()[0] == 0
    shutil.rmtree(checkout.root / ".venv" / lost) if lost == "lib" else (checkout.root / ".venv" / lost).unlink()
    code, out, err = checkout.run()
    assert (code, json.loads(out)[0]) == (0, "1.0")
    assert "made anew" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted; run the same command again"), (signal.SIGKILL, -9, "")],
)
def test_a_set_up_that_is_stopped_goes_well_the_next_time(checkout, number, code, said):
    ended, err = checkout.stop_in_the_middle(number)
    assert ended == code
    assert said in err
    ended, out, err = checkout.run()
    assert ended == 0, err
    assert json.loads(out)[0] == "1.0"


@pytest.mark.slow
def test_two_at_once_make_one_environment(checkout):
    (checkout.root / "hold").touch()
    first = checkout.start("first")
    while not (checkout.root / "building").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    second = checkout.start("second")
    time.sleep(0.5)
    (checkout.root / "hold").unlink()
    out, _ = first.communicate(timeout=60)
    other_out, other_err = second.communicate(timeout=60)
    assert json.loads(out)[2:] == ["first"]
    assert json.loads(other_out)[2:] == ["second"]
    assert other_err == "zoo: another set-up is running; waiting for it\n"


@pytest.mark.slow
def test_no_network_is_one_clear_line(checkout):
    (checkout.wheels / "needed-1.0-py3-none-any.whl").unlink()
    code, out, err = checkout.run(
        PIP_NO_INDEX="0", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_CONFIG_FILE="/dev/null"
    )
    assert (code, out) == (1, "")
    assert "set-up stopped: the package index cannot be reached" in err.splitlines()[-1]


def test_an_environment_of_somebody_else_is_left_alone(checkout):
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    code, _, err = checkout.run()
    assert code == 1
    assert "was not made by this script; move it away" in err
    assert (checkout.root / ".venv" / "pyvenv.cfg").exists()


def test_a_python_that_does_not_do_is_named(checkout):
    code, _, err = checkout.run(ZOO_PYTHON="/bin/false")
    assert (code, err.count("\n")) == (1, 1)
    assert "ZOO_PYTHON=/bin/false does not run as Python 3.11, 3.12 or 3.13" in err
