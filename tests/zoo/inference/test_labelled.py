import numpy as np
import pytest
from PIL import Image

from zoo.data.options import data_config
from zoo.errors import DataError, UsageError
from zoo.inference.labelled import measure_files

from .test_job import HEADER, predictor, write


def measure(model, path, **options):
    return measure_files(model, path, data_config(**options))


ROWS = "age,sex,sold,price\n40,m,2020-01-01,41.5\n,x,2020-01-01,\n20,f,2020-01-01,19\n"


def test_every_row_with_a_target_is_measured(tmp_path):
    found = measure(predictor(target=["price"]), write(tmp_path / "new rows.csv", ROWS))
    np.testing.assert_array_equal(found.targets, [[41.5], [19]])
    np.testing.assert_array_equal(found.outputs, [[40], [20]])
    assert found.without == 1
    assert found.notes == (
        "1 rows have no target and were left out",
        "unseen categories: sex 1",
        "missing cells, filled: age 1",
    )


@pytest.mark.parametrize("target", ["cost", "-1", "3"])
def test_the_target_may_have_another_name(tmp_path, target):
    path = write(tmp_path / "rows.csv", ROWS.replace("price", "cost"))
    assert len(measure(predictor(target=["price"]), path, target=target).targets) == 2
    with pytest.raises(DataError, match=r"no target column 'price'.*--target"):
        measure(predictor(target=["price"]), path)


def test_without_a_name_the_target_must_be_given(tmp_path):
    path = write(tmp_path / "rows.csv", HEADER.strip() + ",sick\n40,m,2020-01-01,no\n")
    model = predictor("binary", ("no", "yes"))
    with pytest.raises(UsageError, match=r"which column .* is the target; add --target"):
        measure(model, path)
    assert measure(model, path, target="sick").targets.tolist() == [0]


def test_every_target_that_makes_no_sense_is_named(tmp_path):
    cells = ("no", "maybe", "yes", "often", "maybe")
    text = HEADER.strip() + ",sick\n" + "".join(f"40,m,2020-01-01,{cell}\n" for cell in cells)
    path = write(tmp_path / "rows.csv", text)
    with pytest.raises(DataError, match=r"targets that the model does not answer.*--target") as caught:
        measure(predictor("binary", ("no", "yes"), target=["sick"]), path)
    unknown = "is unknown to the model, which answers 'no', 'yes'"
    assert list(caught.value.problems) == [
        f"{path}, line 3: label 'maybe' {unknown}; so in 2 rows",
        f"{path}, line 5: label 'often' {unknown}",
    ]


@pytest.mark.parametrize(
    ("cells", "expected"), [(("1.250", "1,5"), [1250, 1.5]), (("1.25", "2"), [1.25, 2]), (("1.250", "7"), [1.25, 7])]
)
def test_targets_are_read_with_their_own_decimal_mark(tmp_path, cells, expected):
    text = "age;sex;sold;price\n" + "".join(f"40;m;2020-01-01;{cell}\n" for cell in cells)
    found = measure(predictor(target=["price"]), write(tmp_path / "rows.csv", text))
    np.testing.assert_array_equal(found.targets[:, 0], expected)


def test_a_comma_is_no_decimal_mark_where_it_separates_cells(tmp_path):
    text = 'age,sex,sold,price\n40,m,2020-01-01,"1,250"\n'
    with pytest.raises(DataError, match=r"rows\.csv, line 2: target '1,250' is no finite number"):
        measure(predictor(target=["price"]), write(tmp_path / "rows.csv", text))


def test_a_file_without_any_target_is_refused(tmp_path):
    path = write(tmp_path / "rows.csv", "age,sex,sold,price\n40,m,2020-01-01,NA\n")
    with pytest.raises(DataError, match="no row has a target"):
        measure(predictor(target=["price"]), path)


def test_bad_rows_stop_a_measurement(tmp_path):
    path = write(tmp_path / "rows.csv", ROWS + "old,m,2020-01-01,1\n")
    with pytest.raises(DataError, match="line 5, column 'age': 'old' is no finite number; correct it, or take it out"):
        measure(predictor(target=["price"]), path)


def photos(folder, *names):
    for at, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((5, 5), at, np.uint8)).save(folder / name)
    return folder


def test_images_have_the_label_of_their_folder_as_the_model_knows_it(tmp_path):
    folder = photos(tmp_path / "my photos", "test/owl/1.png", "test/cat/2.png", "train/owl/3.png")
    found = measure(predictor("multiclass", ("cat", "dog", "owl"), kind="image"), folder)
    assert found.targets.tolist() == [0, 2, 2]
    assert sorted(found.outputs[:, 0]) == [0, 1, 2]


def test_a_list_of_images_brings_its_labels(tmp_path):
    folder = photos(tmp_path / "p", "1.png", "2.png")
    path = write(folder / "index.csv", "file,what\n1.png,owl\n2.png,cat\n")
    model = predictor("multiclass", ("cat", "owl"), kind="image")
    assert measure(model, path).targets.tolist() == [1, 0]
    assert measure(model, folder, label_from="index.csv").targets.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("names", "message"),
    [(["cow/1.png", "owl/2.png"], "label 'cow' is unknown to the model"), (["1.png", "2.png"], "label"), ([], "image")],
)
def test_images_without_a_label_that_the_model_knows_are_refused(tmp_path, names, message):
    (tmp_path / "p").mkdir()
    with pytest.raises(DataError, match=message):
        measure(predictor("multiclass", ("cat", "owl"), kind="image"), photos(tmp_path / "p", *names))


def test_every_image_that_cannot_be_used_is_named(tmp_path):
    folder = photos(tmp_path / "photos", "cat/a.png", "dog/b.png", "dog/c.png")
    for name in ("dog/b.png", "dog/c.png"):
        (folder / name).write_bytes(b"no image")
    (folder / "cat" / "gone.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(DataError, match="3 problems") as caught:
        measure(predictor("binary", ("cat", "dog"), kind="image"), folder)
    for problem, name in zip(caught.value.problems, ("gone.png", "b.png", "c.png"), strict=True):
        assert name in problem


def test_data_of_another_kind_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds images; the model takes table samples"):
        measure(predictor(), photos(tmp_path / "p", "a/1.png"))
    with pytest.raises(DataError, match="holds a table; the model takes image samples"):
        measure(predictor(kind="image"), write(tmp_path / "rows.csv", ROWS))
