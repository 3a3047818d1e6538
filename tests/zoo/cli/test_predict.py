import csv
import json
import shutil
import warnings

import numpy as np
import pytest

from zoo.cli import main
from zoo.runs import PREPROCESSING, write_json

from .lean import run_lean

LABELS = ["cat", "dog", "owl"]
CONTRACT = {
    "schema_version": 1,
    "input": {"kind": "table", "shape": [2], "dtype": "float32", "columns": ["left", "right"]},
    "steps": [{"step": "standardise", "scale": [1.0, 1.0], "offset": [0.0, 0.0]}],
    "output": {"task": "multiclass", "labels": LABELS},
}


@pytest.fixture(scope="session")
def tflite_file(tmp_path_factory):
    """softmax(left, right, 0) as a .tflite file with its contract beside it."""
    import keras
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("predict")
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    model.set_weights([np.array([[1, 0, 0], [0, 1, 0]], np.float32), np.zeros(3, np.float32)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter, not ours
        model.export(folder / "saved", verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    shutil.rmtree(folder / "saved")
    (folder / "model.tflite").write_bytes(content)
    write_json(folder / PREPROCESSING, CONTRACT)
    return folder / "model.tflite"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("right,note,left\n0,a,9\n9,b,0\n-9,c,-9\n")
    return path


def run(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_a_table_of_answers_in_the_order_of_the_rows(tflite_file, table, capsys):
    code, out, err = run([tflite_file, table], capsys)
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert rows[0] == ["input", "label", "probability"]
    assert [row[1] for row in rows[1:]] == LABELS
    assert float(rows[1][2]) == pytest.approx(np.exp(9) / (np.exp(9) + 2), abs=1e-4)
    assert "columns not used: note" in err


def test_json_gives_the_n_best(tflite_file, table, capsys):
    code, out, _ = run([tflite_file, table, "--top", "2", "--json"], capsys)
    value = json.loads(out)
    assert code == 0
    assert value["samples"] == 3
    assert value["predictions"][1]["label"] == "dog"
    assert [entry["label"] for entry in value["predictions"][1]["top"]] == ["dog", "cat"]


def test_out_is_a_csv_file_of_all_the_answers(tflite_file, table, capsys, tmp_path):
    code, out, _ = run([tflite_file, table, table, "--out", tmp_path / "answers.csv", "--top", "3", "--json"], capsys)
    rows = list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))
    assert (code, json.loads(out)["samples"]) == (0, 6)
    assert [row["label"] for row in rows] == LABELS * 2
    assert rows[0]["input"] == f"{table}:1"
    assert {"label_3", "probability_3"} < set(rows[0])


def test_a_bad_value_exits_3_and_leaves_the_old_answers(tflite_file, table, capsys, tmp_path):
    table.write_text("left,right\n" + "1,2\n" * 2000 + "1,\n")
    (tmp_path / "answers.csv").write_text("old")
    code, _, err = run([tflite_file, table, "--out", tmp_path / "answers.csv"], capsys)
    assert code == 3
    assert "line 2002, column 'right': the value is missing" in err
    assert (tmp_path / "answers.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "rows.csv"]


MIXED = {
    **CONTRACT,
    "input": {**CONTRACT["input"], "columns": ["size", "side"]},
    "steps": [
        {
            "step": "encode",
            "columns": [
                {"name": "size", "type": "number", "fill": -9.0, "indicator": False},
                {"name": "side", "type": "category", "values": ["up"], "indicator": False},
            ],
            "missing": [],
        },
        {"step": "standardise", "scale": [1.0, 9.0], "offset": [0.0, -1.0]},
    ],
    "output": {**CONTRACT["output"], "target": ["animal"]},
}
ROWS = "id,side,size,animal\na,up,20,dog\nb,down,3,\nc,up,wide,cat\nd,up\ne,,,\n"


@pytest.fixture
def mixed(tflite_file, tmp_path):
    """The same file for a number and a category, and five rows of which two are bad."""
    folder = tmp_path / "a model"
    folder.mkdir()
    shutil.copy(tflite_file, folder / "model.tflite")
    write_json(folder / PREPROCESSING, MIXED)
    (tmp_path / "new rows.csv").write_text(ROWS)
    return folder / "model.tflite", tmp_path / "new rows.csv", tmp_path / "answers.csv"


def read(path):
    with path.open(newline="") as file:
        return [*csv.reader(file)]


def test_a_job_accounts_for_every_row(mixed, capsys):
    model, rows, out = mixed
    arguments = [model, rows, "--out", out, "--keep", "id, side", "--on-bad-row", "null", "--json"]
    code, printed, err = run(arguments, capsys)
    value = json.loads(printed)
    assert code == 0
    assert {key: value[key] for key in ("rows", "answered", "skipped", "null", "samples")} == {
        "rows": 5,
        "answered": 3,
        "skipped": 0,
        "null": 2,
        "samples": 5,
    }
    assert (value["unseen"], value["imputed"], value["extra"]) == ({"side": 1}, {"size": 1, "side": 1}, [])
    assert value["out"] == str(out)
    assert "predictions" not in value
    table = read(out)
    assert table[0] == ["id", "side", "label", "probability"]
    assert [row[0] for row in table[1:]] == list("abcde")
    assert [row[2] for row in table[1:]] == ["cat", "cat", "", "", "owl"]
    assert "line 4, column 'size': 'wide' is no finite number" in err
    assert "line 5: 2 cells, the header has 4" in err
    assert "cells with a category that training did not see: side 1" in err


def test_bad_rows_are_refused_together_by_default(mixed, capsys):
    model, rows, out = mixed
    code, printed, err = run([model, rows, "--out", out, "--json"], capsys)
    value = json.loads(printed)
    assert (code, value["exit_code"], len(value["problems"])) == (3, 3, 2)
    assert "--on-bad-row skip or null" in value["error"]
    assert "line 5: 2 cells" in err
    assert not out.exists()


def test_bad_rows_can_be_left_out(mixed, capsys):
    model, rows, out = mixed
    code, printed, err = run([model, rows, "--out", out, "--on-bad-row", "skip"], capsys)
    assert (code, printed) == (0, f"3 answers in {out}\n")
    assert [row[0] for row in read(out)[1:]] == [f"{rows}:{at}" for at in (1, 2, 5)]
    assert "2 of 5 rows are left out:" in err


def test_json_without_a_file_has_the_kept_columns_too(mixed, capsys):
    model, rows, _ = mixed
    value = json.loads(run([model, rows, "--keep", "id", "--on-bad-row", "null", "--json"], capsys)[1])
    assert [entry["keep"] for entry in value["predictions"]] == [{"id": name} for name in "abcde"]
    assert [entry["label"] for entry in value["predictions"]] == ["cat", "cat", None, None, "owl"]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--keep", "ID"], 3, "has no column 'ID' to keep"),
        (["--on-bad-row", "ignore"], 2, "on-bad-row"),
        (["--top", "0"], 2, "top"),
    ],
)
def test_options_that_do_not_fit_are_refused(mixed, capsys, more, code, words):
    found, _, err = run([*mixed[:2], *more], capsys)
    assert found == code
    assert words in err


def test_answers_do_not_replace_what_was_asked(mixed, capsys):
    model, rows, _ = mixed
    code, _, err = run([model, rows, "--out", rows], capsys)
    assert (code, rows.read_text()) == (2, ROWS)
    assert "is an input too" in err


def test_a_column_that_is_not_there_is_named(mixed, capsys):
    model, rows, out = mixed
    rows.write_text("id,side\na,up\n")
    code, _, err = run([model, rows, "--out", out], capsys)
    assert code == 3
    assert "lacks column 'size'" in err


def test_a_job_needs_no_heavy_library(mixed):
    model, rows, out = mixed
    child = run_lean("predict", model, rows, "--out", out, "--on-bad-row", "skip")
    assert child.returncode == 0, child.stderr
    child = run_lean("evaluate", model, "--data", write_answers(rows), "--json")
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout)["metrics"]["accuracy"] == 0.5


def write_answers(rows):
    rows.write_text("side,size,animal\nup,20,dog\nup,99,cat\ndown,3,\n")
    return rows


def test_no_input_is_a_usage_error(tflite_file, capsys):
    assert run([tflite_file], capsys)[0] == 2


def test_no_heavy_library_is_imported_for_a_tflite_file(tflite_file, table):
    child = run_lean("predict", tflite_file, table)
    assert (child.returncode, child.stderr) == (0, f"{table}: columns not used: note\n")
