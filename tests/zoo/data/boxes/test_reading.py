import numpy as np
import pytest
from PIL import Image

from zoo.data import load
from zoo.data.checking import check_data
from zoo.data.options import data_config
from zoo.data.own import form_of, load_path, read_path
from zoo.errors import DataError, UsageError

HEADER = "image,label,x_min,y_min,x_max,y_max"
ROWS = ["a b.png,cat,4,6,20,18", "a b.png,dog,30,2,38,28", "c.png,,,,,", "d.png,cat,0,0,8,8"]


@pytest.fixture(autouse=True)
def cache_elsewhere(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))


def picture(path, width=40, height=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.name))
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def table(where, rows=ROWS, header=HEADER, name="boxes.csv"):
    for image in ("a b.png", "c.png", "d.png"):
        picture(where / "my images" / image)
    path = where / "my images" / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def read(path, **options):
    return read_path(path, data_config(**options))


def said(reading, severity):
    return [finding.message for finding in reading.findings if finding.severity == severity]


def test_a_table_of_boxes_is_read_as_shares_of_its_images(tmp_path):
    reading = read(table(tmp_path))
    raw = reading.load()
    assert (reading.form, reading.kind, reading.task, raw.labels) == ("boxes", "image", "detection", ("cat", "dog"))
    assert raw.samples.shape == (3, 30, 40, 3)
    assert raw.targets.shape == (3, 2, 5)
    np.testing.assert_allclose(raw.targets[0], [[0, 0.1, 0.2, 0.5, 0.6], [1, 0.75, 2 / 30, 0.95, 28 / 30]], rtol=1e-6)
    assert raw.targets[:, :, 0].tolist() == [[0, 1], [-1, -1], [0, -1]]
    assert reading.facts["without_objects"] == 1
    assert reading.facts["classes"][0] == {"class": "cat", "objects": 2, "images": 2}


@pytest.mark.parametrize(
    "header",
    [
        "filename,class,xmin,ymin,xmax,ymax",
        "path,name,Left,Top,Right,Bottom",
        "file,category,x1,y1,x2,y2",
        "file,label,X-Min,Y-Min,X-Max,Y-Max",
    ],
)
def test_columns_are_known_by_many_names(tmp_path, header):
    assert form_of(table(tmp_path, header=header), data_config()) == "boxes"
    assert len(read(table(tmp_path, header=header)).load().targets) == 3


def test_edges_may_come_in_any_order_and_beside_other_columns(tmp_path):
    rows = ["4,40,a b.png,20,6,18,cat", "0,40,d.png,8,0,8,dog"]
    raw = read(table(tmp_path, rows, "xmin,width,file,xmax,ymin,ymax,kind"), target="kind").load()
    np.testing.assert_allclose(raw.targets[0, 0], [0, 0.1, 0.2, 0.5, 0.6], rtol=1e-6)


def test_images_resized_keep_their_boxes_in_place(tmp_path):
    raw = read(table(tmp_path), image_size=64, image_channels=1).load()
    assert raw.samples.shape == (3, 64, 64, 1)
    np.testing.assert_allclose(raw.targets[0, 0, 1:], [0.1, 0.2, 0.5, 0.6], rtol=1e-6)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a b.png,cat,4,6,4,18",
            r"boxes\.csv, line 6: the box \(4, 6, 4, 18\) has no area; expected x_max above x_min",
        ),
        ("a b.png,cat,20,18,4,6", r"line 6: the box \(20, 18, 4, 6\) has no area"),
        ("a b.png,cat,4,6,48,18", r"line 6: the box \(4, 6, 48, 18\) is outside of a b\.png, 40x30; correct it"),
        ("a b.png,cat,-3,6,8,18", r"line 6: the box \(-3, 6, 8, 18\) is outside"),
        ("a b.png,cat,x,6,8,18", r"line 6: x_min is 'x'; expected a number of pixels"),
        ("a b.png,cat,,6,8,18", r"line 6: x_min is ''; expected a number"),
        ("a b.png,,1,6,8,18", r"line 6: a box without a label"),
        ("e.png,cat,1,6,8,18", r"line 6: .*e\.png does not exist; correct the path"),
        ("a b.png,cat,1,6,8", r"line 6: 5 cells, expected 6; mend the line"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        load_path(table(tmp_path, [*ROWS, row]), data_config())


def test_all_wrong_rows_are_told_at_once(tmp_path):
    path = table(tmp_path, [*ROWS, "a b.png,cat,4,6,4,18", "gone.png,cat,1,1,2,2", "c.png,cat,1,1,99,2"])
    assert len(said(read(path), "error")) == 3
    checked = check_data(path)
    assert not checked.ok


def test_a_box_beside_its_image_by_a_rounding_is_cut(tmp_path):
    raw = read(table(tmp_path, ["a b.png,cat,-0.5,0,40.6,30", "d.png,dog,0,0,5,5"])).load()
    np.testing.assert_array_equal(raw.targets[0, 0, 1:], [0, 0, 1, 1])


def test_a_table_without_any_object_is_refused(tmp_path):
    with pytest.raises(DataError, match="images and not one object on them"):
        load_path(table(tmp_path, ["a b.png,,,,,", "c.png,,,,,"]), data_config())


def test_columns_say_splits_and_groups(tmp_path):
    rows = [f"{row},{part}" for row, part in zip(ROWS, ("train", "train", "val", "test"), strict=True)]
    raw = read(table(tmp_path, rows, HEADER + ",part"), split="column:part").load()
    assert raw.parts.tolist() == [0, 1, 2]
    raw = read(table(tmp_path, rows, HEADER + ",part"), split="group:part").load()
    assert raw.groups.tolist() == [1, 2, 0]
    torn = [*rows[:1], rows[1].replace("train", "test"), *rows[2:]]
    with pytest.raises(DataError, match=r"line 3: a b\.png is in another split or group above"):
        load_path(table(tmp_path, torn, HEADER + ",part"), data_config(split="column:part"))
    with pytest.raises(UsageError, match="split time:part is not known of boxes"):
        read(table(tmp_path, rows, HEADER + ",part"), split="time:part")


def test_a_test_table_is_a_test_split(tmp_path):
    other = table(tmp_path / "other", ["d.png,dog,1,1,9,9"])
    raw = read(table(tmp_path), test_data=str(other)).load()
    assert raw.parts.tolist() == [-1, -1, -1, 2]


def yolo(where, layout="{kind}/{name}"):
    lines = {"a": "0 0.3 0.4 0.4 0.4\n1 0.85 0.5 0.2 0.8\n", "c": "", "d": "0 0.1 0.1 0.2 0.2\n"}
    for name, text in lines.items():
        picture(where / (layout.format(kind="images", name=name) + ".png"))
        label = where / (layout.format(kind="labels", name=name) + ".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(text)
    return where


def test_folders_of_images_and_labels_are_read_as_yolo_means_them(tmp_path):
    folder = yolo(tmp_path / "my data")
    (folder / "classes.txt").write_text("cat\ndog\n")
    reading = read(folder)
    raw = reading.load()
    assert (reading.form, raw.labels) == ("boxes", ("cat", "dog"))
    np.testing.assert_allclose(raw.targets[0], [[0, 0.1, 0.2, 0.5, 0.6], [1, 0.75, 0.1, 0.95, 0.9]], rtol=1e-5)
    assert raw.targets[1, 0, 0] == -1


@pytest.mark.parametrize("layout", ["{kind}/train/{name}", "train/{kind}/{name}"])
def test_folders_say_the_split_above_or_below(tmp_path, layout):
    yolo(tmp_path, layout)
    yolo(tmp_path, layout.replace("train", "val"))
    raw = read(tmp_path).load()
    assert raw.labels == ("0", "1")
    assert sorted(raw.parts.tolist()) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2", r"labels/d\.txt, line 2: 4 numbers; expected 5: class x y width height"),
        ("cat 0.5 0.5 0.2 0.2", r"line 2: 'cat 0\.5 0\.5 0\.2 0\.2' are no numbers"),
        ("0 0.5 0.5 0 0.2", r"line 2: the box .* has no area"),
        ("0 0.9 0.5 0.5 0.2", r"line 2: the box .* is outside of images/d\.png"),
        ("7 0.5 0.5 0.2 0.2", r"line 2: class 7 has no name; expected 0 to 1"),
    ],
)
def test_a_wrong_line_of_a_label_file_is_named(tmp_path, line, message):
    folder = yolo(tmp_path)
    (folder / "classes.txt").write_text("cat\ndog\n")
    with (folder / "labels/d.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        load_path(folder, data_config())


def test_options_of_others_are_refused(tmp_path):
    with pytest.raises(UsageError, match="target: no option of folders images and labels"):
        read(yolo(tmp_path / "y"), target="x")
    with pytest.raises(UsageError, match="--label-from and --group-from are no options"):
        read(table(tmp_path), label_from="folder")
    for image in ("a.png", "b.png"):
        picture(tmp_path / "plain" / "cat" / image)
    with pytest.raises(UsageError, match="--task detection wants boxes"):
        read(tmp_path / "plain", task="detection")


def test_small_and_crowded_objects_are_told(tmp_path):
    rows = ["a b.png,cat,4,6,6,8", "d.png,cat,10,10,20,20", "d.png,cat,10,10,20,21"]
    warnings = said(read(table(tmp_path, rows)), "warning")
    assert any("1 box below 4 pixels at the model's 40x30; take a larger image_size" in text for text in warnings)
    assert any("1 object so close to another of its class" in text for text in warnings)


def test_a_class_that_is_never_trained_on_is_told(tmp_path):
    rows = [f"{row},{part}" for row, part in zip(ROWS, ("test", "test", "val", "train"), strict=True)]
    dataset = load(str(table(tmp_path, rows, HEADER + ",part")), seed=0, split="column:part")
    assert any("no object of 'dog' is in the training split" in finding.message for finding in dataset.findings)
    assert dataset.identity.class_counts["test"] == {"cat": 1, "dog": 1}
    assert dataset.output.shape == (8, 10, 6)
    assert dataset.contract()["output"]["score_threshold"] == 0.3
