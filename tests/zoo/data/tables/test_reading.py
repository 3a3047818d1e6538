import csv
import json
import shlex
from dataclasses import replace

import numpy as np
import pytest

from zoo.data import dataset, load
from zoo.data.checking import check_data
from zoo.data.findings import errors
from zoo.data.options import data_config
from zoo.data.own import load_path, read_path
from zoo.data.preparing import prepare
from zoo.data.schema import Schema, with_options, write_schema
from zoo.data.tables import reading as tablefiles
from zoo.data.tables.advice import keep_option, option
from zoo.errors import DataError
from zoo.hyperparameters import split_names

ROWS = 90


def houses(count=ROWS):
    """Honest rows: a number, a category, a date, gaps, and targets that hang on them with noise."""
    generator = np.random.default_rng(0)
    rows = []
    for at in range(count):
        area, city = round(float(generator.normal(100, 30)), 1), "abc"[generator.integers(3)]
        noise = float(generator.normal(0, 20))
        price = round(area * 3 + 40 * (city == "a") + noise, 2)
        rows.append(
            {
                "area": area if at % 11 else "",
                "city": city,
                "sold": f"{2020 + at // 30}-{at % 12 + 1:02d}-{at % 28 + 1:02d}",
                "rooms": int(generator.integers(1, 6)),
                "price": price,
                "dear": "yes" if price > 300 else "no",
            }
        )
    return rows


def written(folder, rows, name="my houses.csv", **options):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)
    return path


def found(path, **options):
    return read_path(path, data_config(**with_options(str(path), options))).findings


def messages(path, **options):
    return " | ".join(finding.message for finding in found(path, **options))


@pytest.fixture
def table(tmp_path):
    return written(tmp_path / "a folder", houses())


def test_a_table_becomes_rows_of_raw_numbers_with_their_lines(table):
    raw = load_path(table, data_config(target="price", drop="dear"))
    assert (raw.task, raw.columns, raw.target_columns) == ("regression", ("area", "city", "sold", "rooms"), ("price",))
    assert raw.samples.shape == (ROWS, 4)
    assert np.isnan(raw.samples[:, 0]).sum() == 9
    assert set(raw.samples[:, 1]) == {0, 1, 2}
    assert raw.samples[0, 2] == 18262  # 2020-01-01
    assert raw.names[1] == "my houses.csv:3"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_read_the_same(table, tmp_path, delimiter):
    other = written(tmp_path, houses(), "other.txt", delimiter=delimiter)
    first, second = (load_path(path, data_config(target="price", drop="dear")) for path in (table, other))
    assert np.array_equal(first.samples, second.samples, equal_nan=True)


@pytest.mark.parametrize(
    ("target", "task", "labels"),
    [
        ("price", "regression", ("price",)),
        ("dear", "binary", ("no", "yes")),
        ("city", "multiclass", ("a", "b", "c")),
        ("rooms", "multiclass", ("1", "2", "3", "4", "5")),
        ("-1", "binary", ("no", "yes")),
        ("price,rooms", "regression", ("price", "rooms")),
    ],
)
def test_the_task_is_told_from_the_target(table, target, task, labels):
    raw = load_path(table, data_config(target=target, drop="dear,price" if "price" not in target else "dear"))
    assert (raw.task, raw.labels) == (task, labels)


def test_several_columns_of_0_and_1_are_labels(tmp_path):
    rows = [{**row, "wet": at % 2, "old": "true" if at % 3 else "false"} for at, row in enumerate(houses())]
    raw = load_path(written(tmp_path, rows), data_config(target="wet,old", columns="area,rooms"))
    assert (raw.task, raw.labels) == ("multilabel", ("wet", "old"))
    assert raw.targets[:4].tolist() == [[0, 0], [1, 1], [0, 1], [1, 0]]


def test_numbers_mean_the_same_class_however_they_are_written(tmp_path):
    rows = [{"x": at * 7 % 13, "y": ["2", "2.0", "10", "10.0"][at % 4]} for at in range(40)]
    raw = load_path(written(tmp_path, rows), data_config(target="y"))
    assert raw.labels == ("2", "10")
    assert raw.targets[:4].tolist() == [0, 0, 1, 1]


def test_without_a_target_the_rest_is_described(table):
    reading = read_path(table, data_config())
    assert len(errors(reading.findings)) == 1
    assert "--target dear;" in errors(reading.findings)[0]
    assert [column["name"] for column in reading.facts["columns"]] == list(houses(1)[0])
    assert reading.task is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "prise"}, "column 'prise', given by --target.*did you mean price"),
        ({"target": "9"}, "column '9', given by --target"),
        ({"target": "price", "drop": "dare"}, "given by --drop.*did you mean dear"),
        ({"target": "price", "columns": "aera"}, "given by --columns.*did you mean area"),
        ({"target": "price", "keep": "citi"}, "given by --set keep.*did you mean city"),
        ({"target": "price", "split": "time:solt"}, "given by --split.*did you mean sold"),
        ({"target": "price", "split": "time:city"}, "is text, no date and no number"),
        ({"target": "price", "split": "halves"}, "--split halves is not known"),
        ({"target": "sold"}, "is a date"),
        ({"target": "city", "task": "regression"}, "is text; a regression needs numbers"),
        ({"target": "city", "task": "binary"}, "3 classes; a binary task has 2"),
        ({"target": "city,dear", "task": "multiclass"}, "several targets; a multiclass task has one"),
        ({"target": "price,rooms", "task": "multilabel"}, "more than 0 and 1"),
        ({"target": "city", "drop": "dear", "target_transform": "log1p"}, "is for a regression"),
        ({"target": "price", "drop": "area,city,sold,rooms,dear"}, "no column is left"),
        ({"target": "price", "test_data": "nowhere.csv"}, "nowhere.csv, given by --test, is no file"),
    ],
)
def test_options_that_do_not_fit_are_findings(table, options, words):
    import re

    assert re.search(words, " | ".join(errors(found(table, **options))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"area": "inf"}, "column 'area': an infinite number: line 22 'inf'"),
        ({"area": "big"}, "column 'area': text in a number column: line 22 'big'.*--missing-values big"),
        ({"sold": "soon"}, "column 'sold': no date of the column's form: line 22 'soon'"),
        ({"price": "high"}, "column 'price': text in a number column: line 22 'high'"),
    ],
)
def test_cells_that_mean_nothing_are_named_with_their_line(tmp_path, change, words):
    import re

    rows = houses()
    rows[20].update(change)
    assert re.search(words, " | ".join(errors(found(written(tmp_path, rows), target="price", drop="dear"))))


def test_advice_can_be_pasted_into_a_shell(tmp_path):
    rows = [{"a b": at * 7 % 13, "it's, so": at % 9 / 2, "copy, of y": at % 2 + 1, "y": at % 2} for at in range(60)]
    rows[3]["a b"], rows[4]["a b"], rows[5]["it's, so"] = "-", "x, y", "1e300"
    path = written(tmp_path, rows)
    told = errors(found(path, target="y", missing_values="?"))
    advised = [shlex.split(text.partition(": --missing-values")[2]) for text in told if "missing-values" in text]
    assert [split_names(words[0].removeprefix("=")) for words in advised] == [("?", "-", "x, y"), ("?", "1e300")]
    (leak,) = [shlex.split(text.split("out with ")[1].split(", or")[0]) for text in told if "gives the target" in text]
    assert leak == ["--drop", '"copy, of y"']
    assert "a number beyond 1e+30: line 7 '1e300'" in " | ".join(told)
    assert option("--missing-values", "-999") == "--missing-values=-999"
    assert keep_option(["a b", "c,d"]) == """--set 'keep=a b,"c,d"'"""


def test_many_different_wrong_cells_are_another_type(tmp_path):
    rows = [{"x": at if at < 90 else f"big{at}", "y": at % 3} for at in range(100)]
    told = messages(written(tmp_path, rows), target="y")
    assert "line 92 'big90', line 93 'big91', line 94 'big92' and 7 more" in told
    assert "its type in a data.toml" in told
    assert "--missing-values" not in told


def test_huge_numbers_are_told_with_their_line_and_without_a_warning_of_numpy(tmp_path):
    rows = [{"x": at % 7 / 2, "y": at % 2} for at in range(40)]
    for at, cell in ((3, "1e308"), (4, "1e308"), (5, "-1e308")):
        rows[at]["x"] = cell
    checked = check_data(written(tmp_path, rows), target="y")
    assert "a number beyond 1e+30: line 5 '1e308', line 6 '1e308', line 7 '-1e308'" in str(checked.findings)
    assert not checked.ok


def test_all_problems_are_told_at_once(tmp_path):
    rows = houses()
    rows[3]["area"], rows[5]["rooms"] = "inf", "many"
    path = written(tmp_path, rows)
    path.write_text(path.read_text().replace("area,city,sold", "area,city,city") + "1,2\n1,2,3,4,5,6,7\n")
    with pytest.raises(DataError) as caught:
        load_path(path, data_config(target="price", drop="nothing"))
    told = " | ".join(caught.value.problems)
    for words in (
        "line 1: the header has 'city' in cells 2 and 3",
        "line 92: 2 cells, the header has 6",
        "line 93: 7 cells",
        "line 5 'inf'",
        "line 7 'many'",
        "'nothing', given by --drop",
    ):
        assert words in told


def test_missing_targets_drop_their_rows_and_missing_words_can_be_added(tmp_path):
    rows = houses()
    rows[0]["price"], rows[1]["price"], rows[2]["area"] = "", "?", "?"
    path = written(tmp_path, rows)
    options = {"target": "price", "drop": "dear", "missing_values": "?"}
    raw = load_path(path, data_config(**options))
    assert len(raw.samples) == ROWS - 2
    assert raw.names[0] == "my houses.csv:4"
    assert np.isnan(raw.samples[0, 0])
    assert "2 rows have no target" in messages(path, **options)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1"] * 40, "has one value, '1', in every row"),
        (["01", "1"] * 20, "has one value, the number 1, written '01', '1' (give the column type = \"category\""),
        ([""] * 40, "is empty in every row"),
        (["a", "b", *["c"] * 38], "classes 'a' (1), 'b' (1) with fewer than 3 rows"),
        (["a"] * 20 + ["b"] * 18 + ["?"] * 2, "class '?' (2) with fewer than 3 rows"),
        ([f"name {at}" for at in range(1100)], "more than 1,000 different values"),
    ],
)
def test_targets_that_cannot_be_learnt_are_refused(tmp_path, values, words):
    rows = [{"x": at * 7 % 13, "y": value} for at, value in enumerate(values)]
    assert words in messages(written(tmp_path, rows), target="y")


def test_a_header_alone_is_refused(tmp_path):
    path = tmp_path / "only.csv"
    path.write_text("a,b\n")
    assert errors(found(path, target="b")) == [f"{path} has a header (line 1) and no rows; give it rows"]


def test_a_file_without_a_header_is_recognised(tmp_path):
    path = tmp_path / "iris.data"
    lines = [f"{at % 7}.5,{at % 3}.2,{'setosa' if at % 2 else 'virginica'}" for at in range(40)]
    path.write_text("\n".join(lines))
    raw = load_path(path, data_config(target="2"))
    assert (len(raw.samples), raw.columns, raw.labels) == (40, ("column 1", "column 2"), ("setosa", "virginica"))
    assert "has no header" in messages(path, target="2")
    assert "header = true in a data.toml" in messages(path, target="2")


def test_the_layout_of_a_file_without_a_header_is_recorded(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("\n".join(f"{at % 7}.5,{at % 3}.2,{at * at % 11}.1,{1000 + at}" for at in range(40)))
    data = load(str(path), seed=0, config=data_config(target="0"))
    kept = [(column["name"], column["width"], column["targets"]) for column in data.steps[0]["columns"]]
    assert kept == [("column 2", 4, [0]), ("column 3", 4, [0])]
    narrow = tmp_path / "narrow.csv"
    narrow.write_text("0.5,1.2\n" * 40)
    assert "has no header and 2 columns" in messages(path, target="0", test_data=str(narrow))


def test_what_a_data_toml_says_of_columns_counts(table, tmp_path):
    file = tmp_path / "data.toml"
    reading = read_path(table, data_config(target="price", drop="dear"))
    schema = replace(reading.schema, columns={**reading.schema.columns, "rooms": {"type": "category"}})
    write_schema(file, schema)
    raw = load_path(file, data_config(**with_options(str(file), {})))
    assert raw.schema[3] == {"name": "rooms", "type": "category", "values": ["1", "2", "3", "4", "5"]}
    write_schema(file, replace(reading.schema, columns={"sold": {"type": "ignore"}}))
    assert load_path(file, data_config(**with_options(str(file), {}))).columns == ("area", "city", "rooms")


def test_a_data_toml_that_names_no_column_of_the_table_is_refused(table, tmp_path):
    file = tmp_path / "data.toml"
    reading = read_path(table, data_config(target="price", drop="dear"))
    write_schema(file, replace(reading.schema, columns={"romos": {"type": "number"}}))
    assert "[columns.romos] of the data.toml is not in" in messages(file)
    assert "did you mean rooms?" in messages(file)


def test_a_target_declared_a_category_tells_01_from_1(tmp_path):
    rows = [{"x": at * 7 % 13, "y": ["1", "01"][at % 2]} for at in range(40)]
    file, path = tmp_path / "data.toml", written(tmp_path, rows)
    write_schema(file, Schema(path=path, options={"target": "y"}, columns={"y": {"type": "category"}}))
    checked = check_data(file)
    assert checked.ok
    assert checked.facts["target"]["classes"] == {"01": 20, "1": 20}
    assert checked.facts["columns"][1]["distinct"] == 2


def test_classes_that_differ_only_in_case_are_told(tmp_path):
    rows = [{"x": at * 7 % 13, "y": ["TRUE", "true", "no"][at % 3]} for at in range(60)]
    assert "classes 'TRUE', 'true' differ only in case" in messages(written(tmp_path, rows), target="y")


def test_labels_of_a_data_toml_are_the_classes(table, tmp_path):
    file = tmp_path / "data.toml"
    reading = read_path(table, data_config(target="city", drop="dear"))
    write_schema(file, replace(reading.schema, labels=("c", "b", "a")))
    assert load_path(file, data_config(**with_options(str(file), {}))).labels == ("c", "b", "a")
    write_schema(file, replace(reading.schema, labels=("a", "b")))
    assert "labels that are no class" in messages(file)
    write_schema(file, replace(reading.schema, labels=("a", "b", "c", "d")))
    assert "class 'd' has no row" in messages(file)


def test_a_test_file_is_read_as_the_training_file(table, tmp_path):
    tests = written(tmp_path, houses(40), "test.csv")
    raw = load_path(table, data_config(target="dear", drop="price", test_data=str(tests)))
    assert raw.test_samples.shape == (40, 4)
    assert np.array_equal(raw.test_samples, raw.samples[:40], equal_nan=True)


def test_what_is_wrong_with_a_test_file_is_told(table, tmp_path):
    rows = houses(40)
    rows[7]["dear"] = "perhaps"
    tests = written(tmp_path, rows, "test.csv")
    options = {"target": "dear", "drop": "price", "test_data": str(tests)}
    assert "column 'dear' has labels that are no class: line 9 'perhaps'" in messages(table, **options)
    lacking = written(tmp_path, [{"area": 1, "dear": "yes"}], "lacking.csv")
    assert "lacks column 'city', 'sold', 'rooms'" in messages(table, **{**options, "test_data": str(lacking)})
    assert "both say what is tested on" in messages(table, split="time:sold", **options)


def test_splits_by_time_group_and_column(tmp_path):
    rows = [
        {**row, "agent": at % 9, "part": ["train", "train", "val", "Test", ""][at % 5]}
        for at, row in enumerate(houses())
    ]
    path = written(tmp_path, rows)
    options = {"target": "price", "drop": "dear,part"}
    by_time = load_path(path, data_config(**options, split="time:sold"))
    assert "sold" in by_time.columns
    split = prepare(by_time, "x", seed=0, split="time:sold")
    assert max(split.train.samples[:, 2]) < min(split.validation.samples[:, 2]) < min(split.test.samples[:, 2])
    assert "days" not in split.steps[0]["columns"][2]["parts"]
    by_group = load_path(path, data_config(**options, split="group:agent"))
    assert by_group.groups.tolist() == [at % 9 for at in range(ROWS)]
    assert "agent" not in by_group.columns
    by_column = load_path(path, data_config(target="price", drop="dear", split="column:part"))
    assert by_column.parts[:5].tolist() == [0, 0, 1, 2, -1]
    rows[4]["part"] = "holdout"
    told = messages(written(tmp_path, rows), target="price", drop="dear", split="column:part")
    assert "17 rows have an empty cell in column 'part', so no split; they are trained on" in told
    assert "line 6: 'holdout' is no split; expected train" in told


def test_rows_without_a_group_are_one_group(tmp_path):
    rows = [{**row, "agent": ["", "NA", *"abcdefg"][at % 9]} for at, row in enumerate(houses())]
    options = {"target": "price", "drop": "dear", "split": "group:agent"}
    path = written(tmp_path, rows)
    assert load_path(path, data_config(**options)).groups[:4].tolist() == [0, 0, 1, 2]
    assert "20 rows have an empty cell in column 'agent', so no group; they count as one group" in messages(
        path, **options
    )


def test_a_date_without_a_split_by_time_is_a_warning(table):
    assert "--split time:sold" in messages(table, target="price", drop="dear")
    assert "--split time:sold" not in messages(table, target="price", drop="dear", split="time:sold")


def test_values_that_the_training_split_hardly_holds_are_unseen(tmp_path):
    rows = [{**row, "part": "train" if at < 70 else "test"} for at, row in enumerate(houses())]
    for at in range(70, 90):
        rows[at]["city"] = "only in the test"
    options = {"target": "price", "drop": "dear", "split": "column:part"}
    data = load(str(written(tmp_path, rows)), seed=0, config=data_config(**options))
    column = data.steps[0]["columns"][1]
    assert column["values"] == ["a", "b", "c"]
    assert set(np.asarray(data.test.samples)[:, 1]) == {-1}
    assert set(np.asarray(data.train.samples)[:, 1]) == {0, 1, 2}
    assert any("3 of 4 values" in finding.message for finding in data.findings)


def test_a_large_table_stays_on_disk_and_is_found_there_again(table, home, monkeypatch):
    config = data_config(target="price", drop="dear")
    small = load(str(table), seed=0, config=config)
    monkeypatch.setattr(tablefiles, "IN_MEMORY_BYTES", 100)
    raw = load_path(table, config)
    assert isinstance(raw.samples, np.memmap)
    large = prepare(raw, str(table), seed=0, config=config)
    small_inputs = {split: small.inputs(getattr(small, split)) for split in ("train", "validation", "test")}
    monkeypatch.setattr(dataset, "CHUNK", 16)
    for split in ("train", "validation", "test"):
        first, second = getattr(small, split), getattr(large, split)
        assert np.array_equal(np.asarray(first.samples), np.asarray(second.samples), equal_nan=True)
        assert np.array_equal(small_inputs[split], large.inputs(second))
    monkeypatch.setattr(tablefiles, "read_rows", None)
    again = load_path(table, config)
    assert np.array_equal(again.samples, raw.samples, equal_nan=True)
    assert list(again.names) == list(raw.names)


def test_wrong_cells_of_a_large_table_are_told_the_second_time_too(tmp_path, home, monkeypatch):
    rows = houses()
    rows[3]["area"] = "inf"
    path = written(tmp_path, rows)
    monkeypatch.setattr(tablefiles, "IN_MEMORY_BYTES", 100)
    first, again = (messages(path, target="price", drop="dear") for _ in range(2))
    assert "line 5 'inf'" in first
    assert first == again


def test_the_facts_are_plain_json(table):
    checked = check_data(table, target="price", drop="dear")
    facts = json.loads(json.dumps(checked.facts))
    assert checked.ok
    assert (facts["rows"], facts["delimiter"], facts["header"]) == (ROWS, "comma", True)
    assert facts["target"]["name"] == "price"
    assert {column["name"]: column["role"] for column in facts["columns"]}["dear"] == "left out: dropped"


def test_a_logarithm_needs_targets_above_minus_1(tmp_path):
    rows = houses()
    options = {"target": "price", "drop": "dear", "target_transform": "log1p"}
    assert load_path(written(tmp_path, rows), data_config(**options)).target_transform == "log1p"
    rows[4]["price"] = -1
    assert "line 6 has a target of -1; log1p takes targets above -1" in messages(written(tmp_path, rows), **options)
