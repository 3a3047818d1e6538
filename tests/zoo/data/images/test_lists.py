import numpy as np
import pytest

from tests.zoo.data.pictures import folder, save
from zoo.data import load
from zoo.data.options import data_config
from zoo.data.own import form_of, load_path, read_path
from zoo.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def cache_elsewhere(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))


def listed(where, rows, header="file,kind", name="index.csv", count=12):
    """A list beside a folder of images named 0.png and so on."""
    for at in range(count):
        save(where / "my images" / f"{at}.png", at)
    path = where / name
    path.write_text("\n".join([header, *rows] if header else rows) + "\n", encoding="utf-8")
    return path


def plain(count=12, kinds=("cat", "dog"), extra=""):
    return [f"my images/{at}.png,{kinds[at % len(kinds)]}{extra.format(at=at)}" for at in range(count)]


def read(path, **options):
    return read_path(path, data_config(**options))


def said(reading, severity):
    return [finding.message for finding in reading.findings if finding.severity == severity]


def test_a_list_of_paths_and_labels_is_read_as_images(tmp_path):
    reading = read(listed(tmp_path, plain()))
    raw = reading.load()
    assert (reading.form, reading.task, raw.labels) == ("images", "binary", ("cat", "dog"))
    assert raw.names[:2] == ("my images/0.png", "my images/1.png")
    assert raw.targets.tolist() == [0, 1] * 6


def test_a_table_that_only_mentions_images_is_a_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("file,width\na.png,3\nb.png,4\n")
    assert form_of(path, data_config()) == "table"
    (tmp_path / "wide.csv").write_bytes("file,x\n".encode("utf-16"))
    assert form_of(tmp_path / "wide.csv", data_config()) == "table"


def test_a_list_may_have_no_header_and_backslashes(tmp_path):
    rows = [row.replace("/", "\\") for row in plain()]
    reading = read(listed(tmp_path, rows, header=""))
    assert len(reading.load().samples) == 12
    assert any("has no header" in text for text in said(reading, "note"))


@pytest.mark.parametrize(
    ("kinds", "options", "task"),
    [
        (("1.5", "2"), {}, "regression"),
        (("1", "2", "3"), {}, "multiclass"),
        (("1", "2", "3"), {"task": "regression"}, "regression"),
        (("red|round", "red", "round"), {"task": "multilabel"}, "multilabel"),
        (("yes", "no"), {"task": "multiclass"}, "multiclass"),
    ],
)
def test_the_task_is_that_of_the_labels(tmp_path, kinds, options, task):
    reading = read(listed(tmp_path, plain(kinds=kinds)), **options)
    assert (reading.task, said(reading, "error")) == (task, [])


def test_bars_separate_the_labels_of_one_image(tmp_path):
    rows = plain(kinds=("red|round", "red", "round"))
    raw = read(listed(tmp_path, rows), task="multilabel").load()
    assert raw.labels == ("red", "round")
    assert raw.targets[:3].tolist() == [[1, 1], [1, 0], [0, 1]]


def test_many_whole_numbers_are_predicted_as_numbers(tmp_path):
    rows = [f"my images/{at}.png,{at * 3}" for at in range(24)]
    raw = read(listed(tmp_path, rows, count=24)).load()
    assert (raw.task, raw.targets[2].tolist()) == ("regression", [6.0])


def test_several_columns_are_several_answers(tmp_path):
    path = listed(tmp_path, [f"my images/{at}.png,{at / 2},{-at}" for at in range(12)], header="file,x,y")
    raw = read(path, target="x,y").load()
    assert (raw.labels, raw.targets[3].tolist()) == (("x", "y"), [1.5, -3.0])


def test_splits_groups_and_times_come_from_columns(tmp_path):
    path = listed(tmp_path, plain(count=40, extra=",p{at}0,2024-01-01"), header="file,kind,plant,day", count=40)
    grouped = read(path, split="group:plant", target="kind").load()
    assert len(np.unique(grouped.groups)) == 40
    assert read(path, split="time:day", target="kind").load().times.tolist() == [19723.0] * 40
    parts = [f"{row},{('train', 'train', 'VAL', 'test')[at // 2 % 4]}" for at, row in enumerate(plain())]
    path = listed(tmp_path, parts, header="file,kind,part")
    assert load(str(path), seed=0, split="column:part").identity.samples == {"train": 8, "validation": 2, "test": 2}


def test_problems_are_named_with_their_lines_all_at_once(tmp_path):
    rows = plain()
    rows[3] = "my images/none.png,dog"
    rows[5] = "my images/5.png"
    rows[7] = ",dog"
    rows.append("my images/0.png,dog")
    path = listed(tmp_path, rows)
    texts = said(read(path), "error")
    for part in (
        f"line 5: {tmp_path}/my images/none.png does not exist",
        "line 7: 1 cell, expected 2",
        "line 9: no path",
        "line 14: my images/0.png stands here as 'dog', above 'cat'",
    ):
        assert sum(part in text for text in texts) == 1, (part, texts)


@pytest.mark.parametrize("target", ["", "kin"])
def test_a_label_that_is_not_known_hides_no_other_problem(tmp_path, target):
    rows = plain(extra=",1")
    rows[3] = "my images/none.png,dog,1"
    rows[5] = "my images/5.png"
    rows += ["my images/0.png,dog,2", "my images/1.png,dog,2"]  # the second is right if the label is "kind"
    path = listed(tmp_path, rows, header="file,kind,other")
    texts = said(read(path, target=target), "error")
    for part in (
        "no column 'kin'" if target else "2 columns that could be the label (kind, other); add --target COLUMN",
        "line 5: ",
        "line 7: 1 cell, expected 3",
        "line 14: my images/0.png stands here as 'dog|2', above 'cat|1'",
    ):
        assert sum(part in text for text in texts) == 1, (part, texts)
    assert len(texts) == 4
    assert (
        said(read(listed(tmp_path, plain(), name="b.csv"), test_data=str(path), target=target), "error")[-4:] == texts
    )


@pytest.mark.parametrize(
    ("again", "note"),
    [(1, "1 line names a file again and was left out"), (2, "2 lines name a file again and were left out")],
)
def test_lines_that_repeat_others_are_counted(tmp_path, again, note):
    assert said(read(listed(tmp_path, plain() + plain()[:again])), "note") == [note]


def test_rows_without_a_label_are_left_out_and_told(tmp_path):
    rows = plain()
    rows[0] = "my images/0.png,"
    rows[4] = "my images/4.png,NA"
    reading = read(listed(tmp_path, rows))
    assert len(reading.load().samples) == 10
    assert said(reading, "warning") == [
        f"{tmp_path}/index.csv, line 2: 2 rows without a label left out, this is the first"
    ]


def test_a_list_can_label_a_folder(tmp_path):
    root = folder(tmp_path / "photos", classes=("x",), count=12)
    rows = [f"x/{at}.png,{'ab'[at % 2]}" for at in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    reading = read(root, label_from=str(tmp_path / "labels.csv"))
    assert len(reading.load().samples) == 10
    assert any("2 images of" in text for text in said(reading, "note"))


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"target": "kin"}, DataError, "no column 'kin'.*did you mean kind"),
        ({}, DataError, "2 columns that could be the label \\(kind, other\\)"),
        ({"target": "kind", "split": "group:"}, UsageError, "--split group: is not known"),
        ({"target": "kind", "label_from": "column:kind"}, UsageError, "give one of them"),
        ({"target": "kind", "split": "group:other", "group_from": "(.)"}, UsageError, "both name groups"),
    ],
)
def test_columns_that_are_not_there_are_refused(tmp_path, options, error, part):
    path = listed(tmp_path, plain(extra=",1"), header="file,kind,other")
    with pytest.raises(error, match=part):
        load_path(path, data_config(**options))


def test_a_list_that_is_no_utf8_is_one_clear_line(tmp_path):
    file = tmp_path / "list.csv"
    file.write_bytes("path,label\nä.png,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"list\.csv.*is not UTF-8"):
        load(str(file), seed=0, target="label")
