import json
import math
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from zoo.errors import DataError, LockedError, ResourceError, UsageError
from zoo.runs import (
    Manifest,
    Run,
    atomic_folder,
    atomic_path,
    find_run,
    find_unfinished,
    locked,
    read_npz,
    safe_name,
    sha256,
    to_json,
    write_npz,
    write_text,
)


def make(root, name="mnist-cnn", status="finished", digest="a"):
    return Run.create(
        root, Manifest(name=name, builder="convnet", seed=0, status=status, data={"sha256": digest, "name": digest})
    )


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half of the new")
            raise RuntimeError("cut")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "bundle"
    for content in ("one", "two"):
        with atomic_folder(folder) as temporary:
            (temporary / content).write_text(content)
    assert [entry.name for entry in folder.iterdir()] == ["two"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_what_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match=r"cannot be written: .*pass --out"):
        write_text(tmp_path / "file" / "below.txt", "text")


def test_npz_bytes_depend_on_the_arrays_alone(tmp_path):
    arrays = {"a": np.arange(5), "scalar": np.float32(3)}
    write_npz(tmp_path / "one.npz", **arrays)
    time.sleep(2.1)  # the resolution of a zip file's times is two seconds
    write_npz(tmp_path / "two.npz", **arrays)
    assert sha256(tmp_path / "one.npz") == sha256(tmp_path / "two.npz")
    again = read_npz(tmp_path / "one.npz")
    assert again["scalar"].shape == ()
    assert again["a"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip file"])
def test_a_damaged_npz_is_named(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz is not a readable"):
        read_npz(tmp_path / "x.npz")


def test_json_says_null_for_what_it_cannot_say(tmp_path):
    value = {
        "nan": math.nan,
        "inf": np.float32(np.inf),
        "array": np.array([1, 2]),
        "path": tmp_path,
        "tuple": (True, None),
    }
    assert json.loads(to_json(value)) == {
        "nan": None,
        "inf": None,
        "array": [1, 2],
        "path": str(tmp_path),
        "tuple": [True, None],
    }


def test_a_manifest_is_read_back_as_written(tmp_path):
    run = make(tmp_path)
    run.update(status="finished", metrics={"test": {"accuracy": 0.5}})
    again = Run(run.path)
    assert again.manifest == run.manifest
    assert again.metrics["test"]["accuracy"] == 0.5


def test_a_run_of_another_schema_is_refused(tmp_path):
    run = make(tmp_path)
    content = json.loads((run.path / "run.json").read_text())
    write_text(run.path / "run.json", json.dumps(content | {"schema_version": 99}))
    with pytest.raises(DataError, match="schema version 1"):
        Run(run.path)


def test_a_name_stands_for_its_latest_finished_run(tmp_path):
    made = [make(tmp_path) for _ in range(20)]
    make(tmp_path, status="interrupted")
    assert find_run("mnist-cnn", tmp_path).path == made[-1].path
    assert find_run(made[0].path, tmp_path).path == made[0].path


def test_folders_are_named_after_the_time_they_were_made_at(tmp_path):
    paths = [make(tmp_path).path for _ in range(20)]
    assert sorted(paths) == paths
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{4}", paths[0].name)


@pytest.mark.parametrize("status", ["running", "interrupted", "diverged", "failed"])
def test_a_name_stands_for_its_latest_unfinished_run_where_one_is_to_be_resumed(tmp_path, status):
    make(tmp_path, status=status)
    latest = make(tmp_path, status=status, digest="other data")
    finished = make(tmp_path)
    assert find_unfinished("mnist-cnn", tmp_path).path == latest.path
    assert find_unfinished(str(finished.path), tmp_path).path == finished.path


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        ("mnist-cnn", "'mnist-cnn' has 1 runs, none unfinished under .*; train one"),
        ("mnist-cn", "neither a run folder nor the name of one under .*did you mean mnist-cnn"),
        ("", "'' is neither a run folder"),
    ],
)
def test_a_name_with_nothing_to_resume_says_what_there_is(tmp_path, reference, match):
    make(tmp_path)
    with pytest.raises(UsageError, match=match):
        find_unfinished(reference, tmp_path)


def test_a_run_that_cannot_be_read_hides_no_other(tmp_path):
    good, damaged = make(tmp_path), make(tmp_path)
    (damaged.path / "run.json").write_text('{"half')
    assert find_run("mnist-cnn", tmp_path).path == good.path
    shutil.rmtree(good.path)
    with pytest.raises(UsageError, match=r"has no readable run under") as caught:
        find_run("mnist-cnn", tmp_path)
    assert str(damaged.path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["[]", '{"schema_version": 1}', '{"schema_version": 1, "data": 3}', '"run"'])
def test_a_damaged_manifest_is_one_line_that_says_what_to_do(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json.*train (it|the run) again"):
        Run(tmp_path)


@pytest.mark.parametrize("path", ["", "empty", "file.txt", "nowhere", "file.txt/below"])
def test_what_is_no_run_folder_says_what_one_is(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(UsageError, match=r"is not a run folder; expected one with a run\.json, such as runs/NAME/ID"):
        Run(path)


def test_checksums_leave_out_what_a_killed_write_left(tmp_path):
    run = make(tmp_path)
    write_text(run.path / "plots" / "loss.png", "kept")
    write_text(run.path / ".model.1a2b3c4d.keras", "half")
    write_text(run.path / "samples" / ".calibration.1a2b3c4d.npz", "half")
    write_text(run.path / "export" / "tflite-int8" / "bundle.json", "{}")
    assert list(run.checksums()) == ["plots/loss.png"]


def test_a_name_that_covers_other_data_lists_the_runs(tmp_path):
    first, second = make(tmp_path, digest="a"), make(tmp_path, digest="b")
    with pytest.raises(UsageError, match="different data") as caught:
        find_run("mnist-cnn", tmp_path)
    assert str(first.path) in str(caught.value)
    assert str(second.path) in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "match"), [("mnist-cn", "did you mean mnist-cnn"), ("unfinished", "has 1 runs, none finished")]
)
def test_a_name_without_a_finished_run_says_what_there_is(tmp_path, reference, match):
    make(tmp_path)
    make(tmp_path, name="unfinished", status="failed")
    with pytest.raises(UsageError, match=match):
        find_run(reference, tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"), [("a b/c", "a-b-c"), ("../x", "x"), ("...", "run"), ("häuser.v2", "häuser.v2")]
)
def test_a_name_cannot_leave_its_folder(name, expected):
    assert safe_name(name) == expected


def test_a_folder_is_locked_against_another_process_and_freed_when_it_dies(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from zoo.runs import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="in use"), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with locked(tmp_path):
            pass


@pytest.mark.parametrize(("text", "name"), [('name = "my net"', "my-net"), ('builder = "mlp"', "wine")])
def test_a_toml_file_stands_for_the_latest_run_of_its_name_whatever_the_data_were(tmp_path, text, name):
    root = tmp_path / "runs"
    make(root, name=name, digest="a")
    latest = make(root, name=name, digest="b")
    make(root, name=name, status="interrupted")
    file = tmp_path / "wine.toml"
    file.write_text(text)
    assert find_run(file, root).path == latest.path


def test_a_runs_own_configuration_stands_for_that_run(tmp_path):
    first = make(tmp_path)
    make(tmp_path)
    (first.path / "config.toml").write_text('name = "mnist-cnn"')
    assert find_run(first.path / "config.toml", tmp_path).path == first.path


@pytest.mark.parametrize(("content", "match"), [(None, "cannot be read"), (b"= 1", "not TOML"), (b"a = 1", "neither")])
def test_a_toml_file_that_stands_for_no_run_says_why(tmp_path, content, match):
    file = tmp_path / "wine.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=match):
        find_run(file, tmp_path / "runs")
