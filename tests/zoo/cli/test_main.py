"""The command line as a whole: help, errors, exit codes, and what it must not import."""

import json
import shlex
import signal
import subprocess
import sys
import time

import pytest

from zoo.cli import COMMANDS

HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "matplotlib", "ai_edge_litert")


def run(*words, code=None, **options):
    command = [sys.executable, "-P", "-c", code, *words] if code else [sys.executable, "-P", "-m", "zoo", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


@pytest.mark.parametrize(
    "words", [("--help",), ("list",), ("list", "mnist-*", "--json"), ("info", "mnist-cnn"), ("info", "mlp")]
)
def test_looking_around_imports_no_framework(words):
    code = f"""
import sys
import time
from zoo.cli import main
try:
    main(sys.argv[1:])
except SystemExit as done:
    loaded = [name for name in {HEAVY} if name in sys.modules]
    assert not loaded, loaded
    sys.exit(done.code)
"""
    done = run(*words, code=code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"zoo {name}" in done.stdout.split("Example:")[1]
    assert "\\b" not in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("trian",), 2, "did you mean train"),
        (("train", "mnist-cn"), 2, "did you mean mnist-cnn"),
        (("train",), 2, "give a recipe"),
        (("train", "iris-mlp", "--epoch", "3"), 2, "--epochs"),
        (("train", "iris-mlp", "--set", "units"), 2, "is not KEY=VALUE"),
        (("train", "iris-mlp", "--epochs", "3", "--set", "epochs=4"), 2, "given twice"),
        (("train", "iris-mlp", "--dropout", "2"), 2, "0 to 0.95"),
        (("train", "nowhere.toml"), 2, "does not exist"),
        (("info", "mnist-cn"), 2, "did you mean mnist-cnn"),
        (("evaluate", "no-such-run"), 2, "no-such-run"),
        (("export", "no-such-run"), 2, "no-such-run"),
        (("verify", "no-such-bundle"), 2, "no-such-bundle"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(words, code, message, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_an_error_is_json_for_scripts_and_a_line_for_people():
    done = run("train", "mnist-cn", "--json")
    assert json.loads(done.stdout) == {"error": done.stderr.strip().removeprefix("zoo: "), "exit_code": 2}
    assert len(done.stdout.splitlines()) == 1


def test_debug_adds_the_traceback_anywhere_on_the_line():
    assert "Traceback" in run("train", "mnist-cn", "--debug").stderr
    assert "Traceback" not in run("train", "mnist-cn").stderr


def test_list_json_has_the_keys_that_scripts_rely_on():
    cards = json.loads(run("list", "--json").stdout)
    assert len(cards) > 30
    assert all(card[key] for card in cards for key in ("name", "family", "task", "dataset"))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("iris*",), {"iris-mlp"}),
        (("--family", "lenet5"), {"mnist-lenet5"}),
        (("*-mlp", "--task", "regression"), {"california-mlp", "diabetes-mlp"}),
    ],
)
def test_list_filters(words, names):
    assert {card["name"] for card in json.loads(run("list", *words, "--json").stdout)} == names


def test_info_shows_every_knob_with_its_value_and_range():
    value = json.loads(run("info", "mnist-cnn", "--json").stdout)
    knobs = {knob["name"]: knob for knob in value["hyperparameters"] + value["training"]}
    assert knobs["filters"]["value"] == 16
    assert knobs["filters"]["default"] == 24
    assert knobs["dropout"]["range"] == "0 to 0.95"
    assert knobs["learning_rate"]["value"] == 0.01


@pytest.mark.slow
def test_a_users_own_builder_has_every_command(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def narrow(inputs, outputs, *, units=3):\n"
        '    """My own."""\n'
        "    import keras\n"
        "    start = keras.Input(inputs.shape)\n"
        "    x = keras.layers.Dense(units, 'relu')(start)\n"
        "    return keras.Model(start, keras.layers.Dense(outputs.shape[-1], outputs.activation)(x))\n"
    )
    assert "My own." in run("info", "mine:narrow", cwd=tmp_path).stdout
    done = run("train", "mine:narrow", "--data", "iris", "--epochs", "2", "--set", "units=4", "--json", cwd=tmp_path)
    value = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert value["run"].startswith(str(tmp_path / "runs" / "narrow-iris"))
    assert value["parameters"] == 4 * 4 + 4 + 4 * 3 + 3
    assert 0 <= value["metrics"]["test"]["accuracy"] <= 1
    assert value["seconds"] > 0


def test_a_file_that_shadows_a_package_of_ours_is_named(tmp_path):
    (tmp_path / "export.py").write_text("")
    done = run(code="import sys; sys.path.insert(0, '.'); import zoo; zoo.export", cwd=tmp_path)
    assert f"zoo.export is shadowed by {tmp_path / 'export.py'}" in done.stderr


def read_until(stream, start):
    """Reads lines up to one that starts so."""
    lines = []
    while not lines or not lines[-1].startswith(start):
        lines.append(stream.readline())
        assert lines[-1], "".join(lines)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_saves_the_run_and_exits_with_its_code(number, code, tmp_path):
    command = [sys.executable, "-P", "-m", "zoo", "train", "iris-mlp", "--epochs", "100000", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        read_until(child.stderr, "training ")
        time.sleep(1)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    assert json.loads(out)["exit_code"] == code
    (manifest,) = tmp_path.glob("runs/iris-mlp/*/run.json")
    assert json.loads(manifest.read_text())["status"] == "interrupted"
    assert (manifest.parent / "model.keras").stat().st_size > 0


@pytest.mark.parametrize("gap", [pytest.param(0.05, marks=pytest.mark.slow), 0.15])
def test_impatience_loses_nothing(gap, tmp_path):
    """Three signals in a row: the save of the first is not cut short by the others."""
    command = [sys.executable, "-P", "-m", "zoo", "train", "iris-mlp", "--epochs", "100000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        read_until(child.stderr, "epoch ")
        for _ in range(3):
            child.send_signal(signal.SIGINT)
            time.sleep(gap)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "--resume" in err
    assert list(tmp_path.glob("runs/iris-mlp/*/checkpoint/*.npz"))


@pytest.mark.slow
def test_a_reader_of_the_progress_that_goes_away_does_not_end_the_training(tmp_path):
    line = f"{shlex.quote(sys.executable)} -P -m zoo train iris-mlp --epochs 20 --json 2> >(head -n 1 >/dev/null)"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "finished"


@pytest.mark.slow
def test_an_unexpected_failure_is_a_line_and_json_too(tmp_path):
    (tmp_path / "mine.py").write_text("def build(inputs, outputs):\n    raise RuntimeError('my own fault')\n")
    done = run("train", "mine:build", "--data", "iris", "--json", cwd=tmp_path)
    assert done.returncode == 4
    assert "my own fault" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_zoo_alone_shows_its_help():
    done = run()
    assert done.returncode == 2
    assert "\n  train " in done.stderr
