import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError
from zoo.inference.contract import from_mapping
from zoo.inference.readers import Inputs

from .conftest import IMAGES, PIXELS, TABLE

PLAIN = {"step": "standardise", "scale": [1.0] * 3, "offset": [0.0] * 3}
TABLE_CONTRACT = from_mapping({**TABLE, "steps": [PLAIN]}, "here")
IMAGE_CONTRACT = from_mapping(IMAGES, "here")
HEADER = 'length,"width, in cm",mass\n'


def rows(path, contract=TABLE_CONTRACT, told=None):
    chunks = list(Inputs([path], contract, on_event=told))
    for problem in [problem for chunk in chunks for problem in chunk.problems.values()]:
        raise DataError(problem)
    return [name for chunk in chunks for name in chunk.names], np.concatenate([chunk.samples for chunk in chunks])


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "1,2,3\n4,5,6\n",
        "\ufeff" + HEADER + "1,2,3\n\n4,5,6",
        'mass,note,"width, in cm",length\r\n3,"a, b\nc",2,1\r\n"6",,5,4\r\n',
        "length;width, in cm;mass\n1;2;3\n4;5;6\n",
        "length\twidth, in cm\tmass\n1\t2\t3\n4\t 5\t6e0\n",
    ],
)
def test_columns_are_found_by_name_in_any_order_and_dialect(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode())
    names, raw = rows(path)
    np.testing.assert_array_equal(raw, [[1, 2, 3], [4, 5, 6]])
    assert names == [f"{path}:1", f"{path}:2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("length,mass\n1,2\n", r"lacks column 'width, in cm'; it has 'length', 'mass'"),
        ("1,2,3\n4,5,6\n", "add a header"),
        (HEADER + "1,,3\n", r"line 2, column 'width, in cm': the value is missing"),
        (HEADER + '1,2,3\n\n"4\n",NA,6\n', r"line 4, column 'width, in cm': the value is missing"),
        (HEADER + "1,2,tall\n", r"line 2, column 'mass': 'tall' is no finite number"),
        (HEADER + "1,2,inf\n", r"line 2, column 'mass': 'inf' is no finite number"),
        (HEADER + "1,2\n", "line 2: 2 cells, the header has 3"),
        (HEADER + '1,"2,3\n', "line 2: .*quotes"),
        (HEADER, "no rows"),
        ("", "is empty"),
        ('length,mass,mass,"width, in cm"\n1,2,3,4\n', "'mass' more than once"),
    ],
)
def test_what_is_wrong_with_a_table_is_named_with_its_place(tmp_path, text, message):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        rows(path)


def test_text_in_another_encoding_is_said(tmp_path):
    (tmp_path / "rows.csv").write_bytes(HEADER.encode() + b"1,2,\xe9\n")
    with pytest.raises(DataError, match="not UTF-8"):
        rows(tmp_path / "rows.csv")


def test_columns_not_used_are_reported_once(tmp_path):
    path, told = tmp_path / "rows.csv", []
    path.write_text("mass,species," + HEADER.rsplit(",", 1)[0] + "\n" + "3,x,1,2\n" * 3000)
    names, raw = rows(path, told=told.append)
    assert raw.shape == (3000, 3)
    assert names[-1] == f"{path}:3000"
    assert told == [f"{path}: columns not used: species"]


def test_a_model_without_column_names_takes_tables_by_position(tmp_path):
    nameless = from_mapping({**TABLE, "steps": [PLAIN], "input": {**TABLE["input"], "columns": []}}, "here")
    (tmp_path / "rows.csv").write_text("1,2,3\n4,5,6\n")
    np.testing.assert_array_equal(rows(tmp_path / "rows.csv", nameless)[1], [[1, 2, 3], [4, 5, 6]])
    (tmp_path / "rows.csv").write_text("a,b,c\n4,5,6\n")
    np.testing.assert_array_equal(rows(tmp_path / "rows.csv", nameless)[1], [[4, 5, 6]])


@pytest.mark.parametrize(
    ("array", "contract", "count"),
    [
        (PIXELS, IMAGE_CONTRACT, 5),
        (PIXELS[..., None], IMAGE_CONTRACT, 5),
        (PIXELS[0], IMAGE_CONTRACT, 1),
        (PIXELS[0, ..., None], IMAGE_CONTRACT, 1),
        (np.zeros((9, 11, 3), np.uint8), IMAGE_CONTRACT, 1),
        (np.zeros((2500, 3)), TABLE_CONTRACT, 2500),
        (np.zeros(3), TABLE_CONTRACT, 1),
    ],
)
def test_an_array_is_a_sample_or_a_batch(tmp_path, array, contract, count):
    np.save(tmp_path / "x.npy", array)
    names, raw = rows(tmp_path / "x.npy", contract)
    assert len(names) == len(raw) == count


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4)), np.array(["a"]), np.float64(3)])
def test_an_array_of_another_form_is_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=r"x\.npy"):
        rows(tmp_path / "x.npy")


def test_a_cut_array_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((50, 3)))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:300])
    with pytest.raises(DataError, match="not a readable"):
        rows(tmp_path / "x.npy")


def test_a_folder_gives_its_images_in_order_and_says_what_it_left_out(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.png", "sub/c.png"):
        Image.fromarray(PIXELS[0]).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("hello")
    told = []
    names, raw = rows(tmp_path, IMAGE_CONTRACT, told.append)
    assert names == ["a.png", "b.png", "sub/c.png"]
    assert raw.shape == (3, 6, 6, 1)
    assert told == [f"{tmp_path}: 1 files are no images and were left out"]


def test_links_in_a_folder_are_followed_but_not_in_circles(tmp_path):
    folder, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    Image.fromarray(PIXELS[0]).save(elsewhere / "c.png")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(folder)
    names, _ = rows(folder, IMAGE_CONTRACT)
    assert names == ["linked/c.png"]


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_damaged_image_is_named(tmp_path, content):
    path = tmp_path / "photo.png"
    Image.fromarray(PIXELS[0]).resize((200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:-3000] if content is None else content)
    with pytest.raises(DataError, match=r"photo\.png"):
        rows(path, IMAGE_CONTRACT)


@pytest.mark.parametrize(
    ("name", "contract", "message"),
    [
        ("absent.png", IMAGE_CONTRACT, "does not exist"),
        ("x.docx", IMAGE_CONTRACT, "no known kind"),
        ("x.csv", IMAGE_CONTRACT, "is a table; the model takes image samples"),
        ("x.png", TABLE_CONTRACT, "is an image; the model takes length"),
        ("empty", IMAGE_CONTRACT, "holds no images"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(tmp_path, name, contract, message):
    (tmp_path / "empty").mkdir()
    for file in ("x.docx", "x.csv", "x.png"):
        (tmp_path / file).write_bytes(b"0")
    with pytest.raises(DataError, match=message):
        list(Inputs([tmp_path / name], contract))


def test_names_are_checked_before_anything_is_read(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"damaged")
    with pytest.raises(DataError, match="does not exist"):
        Inputs([tmp_path / "x.npy", tmp_path / "absent.npy"], TABLE_CONTRACT)
