import json
import math
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
    make(tmp_path)
    time.sleep(1.1)  # folder names carry seconds
    latest = make(tmp_path)
    time.sleep(1.1)
    make(tmp_path, status="interrupted")
    assert find_run("mnist-cnn", tmp_path).path == latest.path
    assert find_run(latest.path, tmp_path).path == latest.path


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
