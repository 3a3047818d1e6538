import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.zoo.data.pictures import folder, picture, save
from zoo import preprocessing
from zoo.data import load
from zoo.data.options import data_config
from zoo.data.own import load_path, read_path
from zoo.data.schema import with_options
from zoo.errors import DataError, UsageError
from zoo.images import read_image


@pytest.fixture(autouse=True)
def cache_elsewhere(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))


def read(path, **options):
    return read_path(path, data_config(**with_options(str(path), options)))


def said(reading, severity):
    return [finding.message for finding in reading.findings if finding.severity == severity]


def test_class_folders_give_labels_pixels_and_names(tmp_path):
    root = folder(tmp_path / "my photos")
    save(root / "cat" / "deeper" / "x.png", 99)
    reading = read(root)
    raw = reading.load()
    assert (reading.form, reading.kind, reading.task, raw.labels) == ("images", "image", "binary", ("cat", "dog"))
    assert raw.samples.shape == (13, 10, 12, 3)  # all of one small size: they keep it
    assert raw.targets.tolist() == [0] * 7 + [1] * 6
    at = raw.names.index("cat/deeper/x.png")
    assert (raw.samples[at] == np.asarray(picture(99))).all()
    assert reading.facts["classes"] == [{"class": "cat", "images": 7}, {"class": "dog", "images": 6}]


@pytest.mark.parametrize(
    ("sizes", "options", "shape"),
    [
        ([(12, 10)], {}, (10, 12, 3)),
        ([(12, 10), (10, 12)], {}, (96, 96, 3)),
        ([(200, 130)], {}, (96, 96, 3)),
        ([(12, 10)], {"image_size": 8}, (8, 8, 3)),
        ([(12, 10)], {"image_channels": 1}, (10, 12, 1)),
    ],
)
def test_the_size_is_the_images_own_or_a_fitting_one(tmp_path, sizes, options, shape):
    for at in range(6):
        save(tmp_path / "ab"[at % 2] / f"{at}.png", at, sizes[at % len(sizes)])
    assert read(tmp_path, **options).load().samples.shape == (6, *shape)


def test_pixels_are_those_of_the_decoder_and_resizer_of_the_device(tmp_path):
    paths = [save(tmp_path / "ab"[at % 2] / f"{at}.jpg", at, (300 + at, 200), quality=90) for at in range(6)]
    raw = read(tmp_path).load()
    step = {"step": "image", "height": 96, "width": 96, "channels": 3}
    for path in paths:
        at = raw.names.index(path.relative_to(tmp_path).as_posix())
        assert (raw.samples[at] == preprocessing.image(read_image(path)[np.newaxis], step)[0]).all()


def test_every_format_and_mode_is_read(tmp_path):
    for at, name in enumerate(["a.JPG", "b.jpeg", "c.png", "d.bmp", "e.gif", "f.webp", "g.tiff", "h.TIF"]):
        save(tmp_path / "one" / name, at, (30, 20))
    for at, mode in enumerate(["1", "L", "LA", "P", "RGBA"]):
        save(tmp_path / "two" / f"{mode}.png", 10 + at, (30, 20), mode)
    save(tmp_path / "two" / "cmyk.jpg", 20, (30, 20), "CMYK")
    deep = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "two" / "deep.png")
    reading = read(tmp_path)
    raw = reading.load()
    assert said(reading, "error") == []
    assert len(raw.samples) == 15
    at = raw.names.index("two/deep.png")
    assert (raw.samples[at, ..., 0] == np.rint(deep / 257)).all()
    assert set(reading.facts["formats"]) == {"JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"}


def test_grey_images_have_one_channel(tmp_path):
    for at in range(6):
        save(tmp_path / "ab"[at % 2] / f"{at}.png", at, mode="L")
    assert read(tmp_path).load().samples.shape == (6, 10, 12, 1)


def test_exif_turns_an_image_and_its_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    for at in range(6):
        save(tmp_path / "ab"[at % 2] / f"{at}.jpg", at, (16, 8), exif=exif, quality=95)
    reading = read(tmp_path)
    assert reading.load().samples.shape == (6, 16, 8, 3)
    assert reading.facts["width"]["max"] == 8


def test_split_folders_are_kept(tmp_path):
    root = folder(tmp_path, parts=("Train", "val", "test"), count=3)
    (root / "notes").mkdir()
    reading = read(root)
    dataset = load(str(root), seed=0)
    assert dataset.identity.samples == {"train": 6, "validation": 6, "test": 6}
    assert reading.facts["classes"][0] == {"class": "cat", "images": 9, "train": 3, "validation": 3, "test": 3}
    assert any("notes" in text for text in said(reading, "warning"))


def test_a_test_folder_of_its_own_is_the_test_split(tmp_path):
    root, tests = folder(tmp_path / "a"), folder(tmp_path / "b", count=2, size=(20, 20))
    dataset = load(str(root), seed=0, test_data=str(tests))
    assert dataset.identity.samples["test"] == 4
    with pytest.raises(UsageError, match="a test split of its own"):
        read(folder(tmp_path / "c", parts=("train", "test")), test_data=str(tests))
    with pytest.raises(DataError, match=r"class 'dog' has no image in test"):
        load_path(root, data_config(test_data=str(folder(tmp_path / "d", classes=("cat",)))))


def test_what_is_no_image_is_left_out_and_counted(tmp_path):
    root = folder(tmp_path)
    for name in ("Thumbs.db", ".hidden.png", "cat/read me.txt", ".git/x.png", "__MACOSX/cat/y.png"):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"x")
    reading = read(root)
    assert len(reading.load().samples) == 12
    assert said(reading, "note") == ["3 files left out as no images: 1 .db, 1 .txt, 1 hidden"]


def big_header(width, height):
    """A PNG of a few bytes that says it is large."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (header, b"IDAT" + zlib.compress(b"\0"), b"IEND")
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_every_problem_is_named_at_once(tmp_path):
    root = folder(tmp_path / "my photos", classes=("cat", "dog", "empty one"))
    for file in (root / "empty one").iterdir():
        file.unlink()
    whole = save(root / "cat" / "whole.jpg", 50, (64, 64)).read_bytes()
    (root / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "cat" / "zero.png").write_bytes(b"")
    (root / "cat" / "text.png").write_text("not a picture\n")
    (root / "dog" / "giant.png").write_bytes(big_header(20_000, 6_000))
    (root / "dog" / "bomb.png").write_bytes(big_header(60_000, 60_000))
    (root / "dog" / "gone.png").symlink_to(root / "nowhere.png")
    save(root / "single" / "only.png", 60)
    with pytest.raises(DataError) as caught:
        load_path(root, data_config())
    for part in (
        "cut.jpg cannot be read: image file is truncated",
        "zero.png is empty (0 bytes)",
        "text.png is no image, whatever its name says (it is text)",
        "giant.png is too large, 20,000 x 6,000 pixels",
        "bomb.png is too large",
        "gone.png is a link to nothing",
        "class 'empty one' is empty",
        "class 'single' has 1 image; expected at least 3",
    ):
        assert sum(part in problem for problem in caught.value.problems) == 1, part
    assert len(caught.value.problems) == 8
    assert all("\n" not in problem for problem in caught.value.problems)


def test_a_name_with_another_suffix_is_read_as_what_it_is(tmp_path):
    root = folder(tmp_path)
    save(root / "cat" / "really.jpg", 70, format="PNG")
    reading = read(root)
    assert any("really.jpg (PNG)" in text for text in said(reading, "note"))
    assert len(reading.load().samples) == 13


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    root = folder(tmp_path)
    (root / "cat" / "0.png").chmod(0)
    assert any("0.png cannot be read: Permission denied" in text for text in said(read(root), "error"))


def test_images_without_class_folders_need_labels_from_somewhere(tmp_path):
    for at in range(8):
        save(tmp_path / f"{('cat', 'dog')[at % 2]}_{at}.png", at)
    assert "no class folders" in said(read(tmp_path), "error")[0]
    raw = read(tmp_path, label_from="([a-z]+)_[0-9]+").load()
    assert (raw.labels, np.bincount(raw.targets).tolist()) == (("cat", "dog"), [4, 4])


def test_a_single_class_and_an_empty_folder_are_refused(tmp_path):
    (tmp_path / "none").mkdir()
    assert "holds no image" in said(read(tmp_path / "none"), "error")[0]
    root = folder(tmp_path / "wrapped", classes=("photos",))
    assert any("a single class, 'photos'" in text for text in said(read(root), "error"))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"label_from": "("}, "no regular expression"),
        ({"label_from": "[a-z]+"}, "has no group"),
        ({"label_from": "column:kind"}, "a folder has none"),
        ({"label_from": "labels.csv"}, "does not exist"),
        ({"target": "kind"}, "is a folder and has none"),
        ({"split": "group:place"}, "is a folder and has none"),
        ({"columns": "a"}, "columns: an option of a table"),
        ({"columns": "a", "drop": "b"}, "columns, drop: options of a table"),
        ({"task": "binary"}, "3 classes, --task binary needs 2"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, part):
    with pytest.raises(UsageError, match=part):
        read(folder(tmp_path, classes=("a", "b", "c")), **options)


def test_files_that_an_expression_does_not_match_are_named(tmp_path):
    root = folder(tmp_path)
    save(root / "cat" / "odd.png", 90)
    assert said(read(root, label_from="(.+)/[0-9]+"), "error") == [
        f"{root}/cat/odd.png does not match --label-from '(.+)/[0-9]+'; change the expression or move the file"
    ]


def test_groups_from_deeper_folders_stay_together(tmp_path):
    for at in range(40):
        save(tmp_path / "ab"[at % 2] / f"plant{at // 4}" / f"{at}.png", at)
    dataset = load(str(tmp_path), seed=0, group_from="(plant[0-9]+)")
    raw = read(tmp_path, group_from="folder").load()
    assert len(np.unique(raw.groups)) == 20
    sizes = dataset.identity.samples
    assert all(size % 4 == 0 for size in sizes.values())  # 4 pictures of each plant


def test_equal_pictures_are_found(tmp_path):
    root = folder(tmp_path)
    save(root / "cat" / "again.png", 1)
    save(root / "dog" / "mixed.png", 2)  # as cat/1.png
    reading = read(root)
    assert said(reading, "note") == ["1 image equal to another one of the same label: cat/again.png = cat/0.png"]
    dataset = load(str(root), seed=0)
    assert any("cat/1.png (cat), dog/mixed.png (dog)" in finding.message for finding in dataset.findings)


def test_identity_hangs_on_names_bytes_and_labels_alone(tmp_path):
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")
    one = read(first).load().sha256
    assert one == read(second).load().sha256
    (second / "cat" / "0.png").rename(second / "dog" / "00.png")
    assert read(second).load().sha256 != one


def test_numbers_as_names_are_in_their_order_and_can_be_predicted(tmp_path):
    root = folder(tmp_path, classes=("2", "10", "1"))
    assert read(root).load().labels == ("1", "2", "10")
    raw = read(root, task="regression").load()
    assert (raw.task, sorted(set(raw.targets[:, 0]))) == ("regression", [1.0, 2.0, 10.0])


def test_circles_of_links_end(tmp_path):
    root = folder(tmp_path)
    (root / "cat" / "round").symlink_to(root)
    assert len(read(root).load().samples) == 12


@pytest.mark.parametrize(
    ("link", "target", "parts", "same"),
    [
        ("dogs", "dog", (), ("dogs", "dog")),
        ("a dog", "dog", (), ("dog", "a dog")),
        ("all", ".", (), ("all", ".")),
        ("validation/dog", "train/dog", ("train", "validation"), ("validation/dog", "train/dog")),
        ("validation", "train", ("train", "test"), ("validation", "train")),
    ],
)
def test_a_class_that_is_another_by_a_link_is_not_called_empty(tmp_path, link, target, parts, same):
    root = folder(tmp_path / "my photos", parts=parts) if parts else folder(tmp_path / "my photos")
    if (root / link).is_dir():
        shutil.rmtree(root / link)
    (root / link).symlink_to(root / target)
    texts = said(read(root), "error")
    assert f"{root / same[0]} is the same folder as {root / same[1]}, by a link; remove the link" in texts
    assert not any("is empty" in text for text in texts)


def test_classes_with_names_of_splits_are_told_how_they_were_read(tmp_path):
    root = folder(tmp_path / "my photos", classes=("train", "test"))
    (text,) = said(read(root), "error")
    assert text == (
        f"{root} holds 12 images, read as splits (test, train) by the names of its folders, with no class folders in "
        "them; put the images of each class into a folder of its own in every split; if they are the classes, rename "
        "them"
    )


def test_the_schema_written_reads_the_same(tmp_path):
    from zoo.data.schema import write_schema

    root = folder(tmp_path / "photos")
    reading = read(root, image_size=8)
    write_schema(tmp_path / "data.toml", reading.schema)
    again = read(tmp_path / "data.toml")
    assert again.load().samples.shape == (12, 8, 8, 3)
    assert again.load().sha256 == reading.load().sha256
    save(root / "new" / "0.png", 80)
    assert any("'new', none of cat, dog" in text for text in said(read(tmp_path / "data.toml"), "error"))
