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


def test_no_input_is_a_usage_error(tflite_file, capsys):
    assert run([tflite_file], capsys)[0] == 2


def test_no_heavy_library_is_imported_for_a_tflite_file(tflite_file, table):
    child = run_lean("predict", tflite_file, table)
    assert (child.returncode, child.stderr) == (0, f"{table}: columns not used: note\n")
