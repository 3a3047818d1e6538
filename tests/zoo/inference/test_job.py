import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo import runs
from zoo.errors import DataError, ModelError, ResourceError, UsageError
from zoo.inference import Artifact, Inputs, Job, Predictor, job, write_csv
from zoo.inference.contract import from_mapping
from zoo.inference.predictor import Loaded
from zoo.preprocessing import feature_names

COLUMNS = [
    {"name": "age", "type": "number", "fill": 30.0, "indicator": False},
    {"name": "sex", "type": "category", "values": ["f", "m"], "indicator": False},
    {"name": "sold", "type": "date", "formats": ["iso"], "fill": 0.0, "parts": ["days"], "indicator": False},
]
ENCODE = {"step": "encode", "columns": COLUMNS, "missing": ["?"]}
FEATURES = feature_names(ENCODE)
HEADER = "age,sex,sold\n"


def predictor(task="regression", labels=("price",), outputs=None, kind="table", **output):
    """Answers with the first features themselves, so that a test can say what is right."""
    width = len(FEATURES) if kind == "table" else None
    outputs = outputs or (1 if task in ("binary", "regression") else len(labels))
    steps = [ENCODE, {"step": "standardise", "scale": [1.0] * 4, "offset": [0.0] * 4}]
    if kind == "image":
        steps = [{"step": "image", "height": 4, "width": 4, "channels": 1}]
    contract = from_mapping(
        {
            "schema_version": 1,
            "input": {
                "kind": kind,
                "shape": [width] if width else [4, 4, 1],
                "columns": [column["name"] for column in COLUMNS] if width else [],
            },
            "steps": steps,
            "output": {"task": task, "labels": list(labels), **output},
        },
        Path("contract"),
    )

    def forward(samples):
        flat = samples.reshape(len(samples), -1)
        return flat[:, :outputs].astype(np.float32)

    loaded = Loaded(forward=forward, shape=contract.shape, outputs=outputs)
    return Predictor(Artifact(format="tflite", model=Path("model.tflite")), contract, loaded)


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def make(model, paths, keep=(), told=None, **options):
    inputs = Inputs(paths if isinstance(paths, list) else [paths], model.contract, keep=keep, on_event=told)
    return Job(model, inputs, keep=keep, on_event=told, **options)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


ROWS = HEADER + "40,m,2020-01-01\n?,x,\n,f,1970-01-02\n"


def test_what_is_missing_or_unseen_has_its_trained_default_and_is_counted(tmp_path):
    found = make(predictor(), write(tmp_path / "rows.csv", ROWS))
    outputs = np.concatenate([batch.outputs for batch in found])
    np.testing.assert_array_equal(outputs[:, 0], [40, 30, 30])
    summary = found.summary
    assert (summary.rows, summary.answered, summary.skipped, summary.null) == (3, 3, 0, 0)
    assert summary.unseen == {"sex": 1}
    assert summary.imputed == {"age": 2, "sold": 1}


def test_rows_keep_their_order_over_many_chunks_and_files(tmp_path):
    text = HEADER + "".join(f"{at},m,2020-01-01\n" for at in range(5000))
    paths = [write(tmp_path / name, text) for name in ("a.csv", "b.csv")]
    found = make(predictor(), paths)
    batches = list(found)
    np.testing.assert_array_equal(np.concatenate([batch.outputs for batch in batches])[:, 0], [*range(5000)] * 2)
    assert batches[-1].names[-1] == f"{paths[1]}:5000"
    assert found.summary.rows == 10_000


def test_kept_columns_stand_before_the_answers_as_they_were(tmp_path):
    text = 'id,age,sex,sold,price\n007,40,m,2020-01-01,1\n"a, ""b""",41,f,2020-01-02,2\n'
    told = []
    path = write(tmp_path / "rows.csv", text)
    found = make(predictor(target=["price"]), path, keep=("price", "id"), told=told.append)
    summary = write_csv(found, tmp_path / "new folder" / "out.csv")
    assert table(tmp_path / "new folder" / "out.csv") == [
        ["price", "id", "prediction_price"],
        ["1", "007", "40"],
        ["2", 'a, "b"', "41"],
    ]
    assert found.renamed == ["prediction_price"]
    assert (summary.extra, told) == ((), [])


def test_a_target_in_the_file_is_no_extra_column_and_others_are_told_once(tmp_path):
    told = []
    paths = [write(tmp_path / f"{name}.csv", "price,age,id,sex,sold\n1,40,7,m,2020-01-01\n") for name in "ab"]
    found = make(predictor(target=["price"]), paths, told=told.append)
    list(found)
    assert found.summary.extra == ("id",)
    assert told == [f"{paths[0]}: columns not used: id"]


BAD = HEADER + "1,m,2020-01-01\nold,m,2020-01-01\n3,f\n4,f,someday\ninf,m,2020-01-01\n6,m,2020-01-01\n"
CAUSES = [
    "line 3, column 'age': 'old' is no finite number",
    "line 4: 2 cells, the header has 3",
    "line 5, column 'sold': 'someday' is no date of the known form",
    "line 6, column 'age': 'inf' is no finite number",
]


def test_bad_rows_are_named_all_at_once_and_nothing_is_written(tmp_path):
    path = write(tmp_path / "rows.csv", BAD)
    with pytest.raises(DataError, match=r"4 rows cannot be used; correct them, or pass --on-bad-row") as caught:
        write_csv(make(predictor(), path), tmp_path / "out.csv")
    assert len(caught.value.problems) == 4
    for problem, cause in zip(caught.value.problems, CAUSES, strict=True):
        assert cause in problem
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.csv"]


def test_a_single_bad_row_is_one_line(tmp_path):
    path = write(tmp_path / "rows.csv", HEADER + "x,m,2020-01-01\n")
    with pytest.raises(
        DataError, match=r"rows\.csv, line 2, column 'age': 'x' is no finite number; correct it"
    ) as caught:
        list(make(predictor(), path))
    assert caught.value.problems == ()


def test_of_many_bad_rows_twenty_are_named(tmp_path):
    text = HEADER + "1,m,2020-01-01\n" * 3000 + "x,m,2020-01-01\n" * 50
    with pytest.raises(DataError, match="at least 20 rows") as caught:
        list(make(predictor(), write(tmp_path / "rows.csv", text)))
    assert len(caught.value.problems) == 20
    assert "line 3002" in caught.value.problems[0]


def test_bad_rows_are_left_out(tmp_path):
    found = make(predictor(), write(tmp_path / "rows.csv", BAD), keep=("age",), on_bad_row="skip")
    summary = write_csv(found, tmp_path / "out.csv")
    assert table(tmp_path / "out.csv") == [["age", "price"], ["1", "1"], ["6", "6"]]
    assert (summary.rows, summary.answered, summary.skipped, summary.null) == (6, 2, 4, 0)
    assert len(summary.problems) == 4


def test_bad_rows_are_kept_without_an_answer(tmp_path):
    found = make(predictor(), write(tmp_path / "rows.csv", BAD), keep=("age",), on_bad_row="null")
    summary = write_csv(found, tmp_path / "out.csv")
    assert [row[0] for row in table(tmp_path / "out.csv")[1:]] == ["1", "old", "3", "4", "inf", "6"]
    assert [row[1] for row in table(tmp_path / "out.csv")[1:]] == ["1", "", "", "", "", "6"]
    assert (summary.answered, summary.skipped, summary.null) == (2, 0, 4)


@pytest.mark.parametrize("on_bad_row", ["skip", "null"])
def test_a_file_of_bad_rows_alone_still_has_a_header(tmp_path, on_bad_row):
    found = make(predictor("multiclass", "ab"), write(tmp_path / "rows.csv", HEADER + "x,m,\n"), on_bad_row=on_bad_row)
    write_csv(found, tmp_path / "out.csv")
    assert table(tmp_path / "out.csv")[0] == ["input", "label", "probability"]
    assert len(table(tmp_path / "out.csv")) == (1 if on_bad_row == "skip" else 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,sold\n1,2020-01-01\n", r"lacks column 'sex'"),
        (HEADER, "a header and no rows"),
        ("", "is empty"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (HEADER.encode() + b"1,\xe9,2020-01-01\n", "not UTF-8"),
        (HEADER + "1,m,2020-01-01\n" + '2,"' + "x" * 200_000 + '",\n', r"line 3: field larger"),
        (HEADER + '1,"m,2020-01-01\n', "quotes"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_clear_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(make(predictor(), write(tmp_path / "rows.csv", text), on_bad_row="skip"))


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    found = make(predictor(), write(tmp_path / "rows.csv", "\ufeff" + ROWS))
    assert sum(len(batch.names) for batch in found) == 3


@pytest.mark.parametrize(("keep", "message"), [("ages", "no column 'ages' to keep.*age"), ("sex", "more than once")])
def test_columns_that_cannot_be_kept_are_refused(tmp_path, keep, message):
    path = write(tmp_path / "rows.csv", "age,sex,sold,note,note\n")
    with pytest.raises(DataError, match=message):
        make(predictor(), path, keep=(keep if keep != "sex" else "note",))


def test_keeping_is_for_tables(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(UsageError, match="--keep copies columns of a table"):
        make(predictor(), tmp_path / "x.npy", keep=("age",))


def test_an_array_has_raw_numbers_as_a_table_has_them(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 0, 3], [np.nan, -1, 3], [np.inf, 1, 3]]))
    found = make(predictor(), tmp_path / "x.npy", on_bad_row="null")
    outputs = np.concatenate([batch.outputs for batch in found])[:, 0]
    np.testing.assert_array_equal(outputs, [1, 30, np.nan])
    assert "x.npy:3 holds NaN or infinite values" in found.summary.problems[0]


@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 2), (0, 3)])
def test_an_array_of_another_shape_is_refused(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(DataError, match=r"x\.npy"):
        list(make(predictor(), tmp_path / "x.npy"))


@pytest.mark.parametrize(
    ("task", "labels", "header", "row"),
    [
        ("binary", ("no", "yes"), ["label", "probability", "probability_yes"], ["no", "0.750000", "0.250000"]),
        ("multiclass", ("a", "b", "c"), ["label", "probability"], ["b", "0.500000"]),
        ("multilabel", ("a", "b", "c"), ["a", "b", "c"], ["0.250000", "0.500000", "0.125000"]),
        ("regression", ("w", "h"), ["w", "h"], ["0.25", "0.5"]),
    ],
)
def test_each_task_has_its_columns(tmp_path, task, labels, header, row):
    np.save(tmp_path / "x.npy", np.zeros((1, 3)))
    found = make(predictor(task, labels, outputs=len(labels) if task != "binary" else 1), tmp_path / "x.npy")
    outputs = np.array([[0.25, 0.5, 0.125]], np.float32)[:, : found._predictor.outputs]
    assert found.header == ["input", *header]
    assert [*found.rows(job.Batch(["x"], (), outputs))[0]] == ["x", *row]


def test_the_best_labels_are_numbered(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 3)))
    found = make(predictor("multiclass", ("a", "b", "c")), tmp_path / "x.npy", top=9)
    assert found.header == ["input", "label", "probability", "label_2", "probability_2", "label_3", "probability_3"]
    values = found.values(job.Batch(["x", "y"], (), np.array([[0.25, 0.5, 0.125], [np.nan] * 3], np.float32)))
    assert [entry["label"] for entry in values[0]["top"]] == ["b", "a", "c"]
    assert values[1] == {"input": "y", "label": None, "probability": None, "top": None}


def test_a_logarithmic_target_is_answered_in_its_units(tmp_path):
    path = write(tmp_path / "rows.csv", HEADER + "1,m,2020-01-01\n")
    found = make(predictor(scale=[2.0], offset=[-3.0], transform="log1p"), path)
    (batch,) = list(found)
    assert batch.outputs[0, 0] == pytest.approx(np.expm1((1 + 3) / 2))


def test_a_model_that_answers_nan_is_not_believed(tmp_path):
    model = predictor()
    model._forward = lambda samples: np.full((len(samples), 1), np.nan, np.float32)
    with pytest.raises(ModelError, match=r"NaN or infinite values even for zeros"):
        list(make(model, write(tmp_path / "rows.csv", ROWS), on_bad_row="skip"))


HUGE = HEADER + "1,m,2020-01-01\n1e300,m,2020-01-01\n300,m,2020-01-01\n2,m,2020-01-01\n"
"""Line 3 is beyond float32 before the model, line 4 after it where the target was taken by its logarithm."""


def test_numbers_too_large_for_the_model_are_bad_rows_with_their_line(tmp_path):
    path = write(tmp_path / "rows.csv", HUGE)
    model = predictor(scale=[1.0], offset=[0.0], transform="log1p")
    found = make(model, path, on_bad_row="null")
    (batch,) = list(found)
    np.testing.assert_allclose(batch.outputs[:, 0], [np.expm1(1), np.nan, np.nan, np.expm1(2)], rtol=1e-6)
    assert (found.summary.answered, found.summary.null) == (2, 2)
    assert found.summary.problems == (
        f"{path}, line 3, column 'age': 1e+300 is too large for the model",
        f"{path}, line 4: the model answers NaN or infinite values; its numbers are too far from those of the training",
    )
    left = make(model, path, on_bad_row="skip")
    assert [batch.names for batch in left] == [[f"{path}:1", f"{path}:4"]]
    with pytest.raises(DataError, match="line 3, column 'age'"):
        list(make(model, path))
    write(path, HUGE.replace("1e300", "1"))
    with pytest.raises(DataError, match="line 4: the model answers NaN"):
        list(make(model, path))


def test_a_number_too_large_in_an_array_is_a_bad_row(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 0, 3], [1e300, 1, 3]]))
    found = make(predictor(), tmp_path / "x.npy", on_bad_row="skip")
    assert [batch.outputs.tolist() for batch in found] == [[[1.0]]]
    assert found.summary.problems == (f"{tmp_path / 'x.npy'}:2 holds numbers too large for the model",)


def test_an_answer_to_bad_rows_must_be_known(tmp_path):
    with pytest.raises(UsageError, match="choose one of fail, skip, null"):
        make(predictor(), write(tmp_path / "rows.csv", ROWS), on_bad_row="ignore")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
def test_what_stops_a_job_leaves_the_old_answers(tmp_path, monkeypatch, error):
    write(tmp_path / "out.csv", "old")
    found = make(predictor(), write(tmp_path / "rows.csv", ROWS))

    def stop(batch):
        raise error

    monkeypatch.setattr(found, "rows", stop)
    with pytest.raises(ResourceError if isinstance(error, OSError) else KeyboardInterrupt):
        write_csv(found, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.csv", "rows.csv"]


def test_long_jobs_tell_how_far_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PROGRESS_SECONDS", 0.0)
    told = []
    np.save(tmp_path / "x.npy", np.zeros((5000, 3)))
    list(make(predictor(), tmp_path / "x.npy", told=told.append))
    assert [line.partition(" rows")[0] for line in told] == ["2,048 of 5,000", "4,096 of 5,000", "5,000 of 5,000"]


def pixels(folder, count):
    folder.mkdir()
    for at in range(count):
        Image.fromarray(np.full((8, 8), at * 2, np.uint8)).save(folder / f"{at:03}.png")
    return folder


def test_a_folder_is_answered_in_order_a_few_images_at_a_time(tmp_path):
    folder = pixels(tmp_path / "my photos", 100)
    (folder / "deep").mkdir()
    (folder / "000.png").rename(folder / "deep" / "a.PNG")
    (folder / ".hidden.png").write_bytes(b"")
    found = make(predictor(kind="image"), folder)
    batches = list(found)
    names = [name for batch in batches for name in batch.names]
    assert names == [*(f"{at:03}.png" for at in range(1, 100)), os.path.join("deep", "a.PNG")]  # noqa: PTH118
    np.testing.assert_array_equal(np.concatenate([batch.outputs for batch in batches])[:, 0], [*range(2, 200, 2), 0])
    assert max(len(batch.names) for batch in batches) == 32


@pytest.mark.parametrize(("on_bad_row", "answered"), [("skip", 4), ("null", 5)])
def test_a_damaged_image_is_a_bad_row(tmp_path, on_bad_row, answered):
    folder = pixels(tmp_path / "photos", 5)
    (folder / "002.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(DataError, match=r"002\.png is not an image"):
        list(make(predictor(kind="image"), folder))
    found = make(predictor(kind="image"), folder, on_bad_row=on_bad_row)
    assert write_csv(found, tmp_path / "out.csv").problems[0].startswith(str(folder / "002.png"))
    rows = table(tmp_path / "out.csv")[1:]
    assert len(rows) == answered
    assert [row[0] for row in rows if row[1]] == ["000.png", "001.png", "003.png", "004.png"]


def test_a_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    def walk(folder, onerror, **_):
        onerror(PermissionError(errno.EACCES, "Permission denied", str(folder)))
        return []

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        make(predictor(kind="image"), tmp_path)


def test_a_model_with_several_inputs_is_refused_in_a_line():
    content = {"schema_version": 1, "inputs": [{"name": "a"}, {"name": "b"}], "outputs": [{"name": "y"}]}
    with pytest.raises(ModelError, match=r"several inputs or outputs \(inputs a, b; outputs y\).*TFLiteModel"):
        from_mapping(content, Path("folder") / runs.BUNDLE_MANIFEST)
