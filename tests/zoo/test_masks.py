import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError, ModelError
from zoo.masks import MaskFolder, boxes, mask_name, nearest, segment, shares


def contract(shape=(16, 16, 1), tiles=True, **output):
    step = {"step": "image", "height": shape[0], "width": shape[1], "channels": shape[2]}
    return {
        "input": {"kind": "image", "shape": list(shape), "tiles": tiles},
        "steps": [step],
        "output": {"task": "segmentation", "labels": ["dark", "bright"], "values": [0, 255], **output},
    }


def bright(tiles):
    """A model that tells bright pixels from dark ones."""
    share = tiles[..., :1].astype(np.float32) / 255
    return np.concatenate([1 - share, share], axis=-1)


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (64, 33), (100, 16)])
def test_every_pixel_belongs_to_one_tile(size):
    owned = np.zeros(size, int)
    for box in boxes(*size, (16, 16)):
        top, bottom, left, right = box.kept
        assert 0 <= top < bottom <= 16
        assert 0 <= left < right <= 16
        owned[box.top + top : box.top + bottom, box.left + left : box.left + right] += 1
    assert (owned == 1).all()


def test_pixels_inside_of_an_image_are_answered_with_an_eighth_of_a_tile_around_them():
    for box in boxes(64, 64, (16, 16)):
        top, bottom, left, right = box.kept
        assert top >= 2 or box.top == 0
        assert bottom <= 14 or box.top == 48
        assert left >= 2 or box.left == 0
        assert right <= 14 or box.left == 48


@pytest.mark.parametrize("size", [(16, 16), (50, 37), (9, 40), (5, 6)])
@pytest.mark.parametrize("channels", [0, 1, 3])
def test_an_image_of_any_size_is_answered_pixel_by_pixel(size, channels):
    image = np.random.default_rng(0).integers(0, 2, size).astype(np.uint8) * 255
    given = image if not channels else np.repeat(image[..., np.newaxis], channels, axis=-1)
    assert np.array_equal(segment(given, contract(), bright), image // 255)


def test_a_model_of_whole_images_answers_in_the_size_of_the_image():
    image = np.zeros((32, 48), np.uint8)
    image[:, 24:] = 255
    found = segment(image, contract(tiles=False), bright)
    assert found.shape == (32, 48)
    assert np.array_equal(found, image // 255)


def test_a_model_that_answers_nan_is_refused():
    with pytest.raises(ModelError, match="NaN"):
        segment(np.zeros((16, 16), np.uint8), contract(), lambda tiles: np.full((len(tiles), 16, 16, 2), np.nan))


def test_pixels_that_are_none_are_refused():
    with pytest.raises(DataError, match="outside 0 to 255"):
        segment(np.full((16, 16), 300.0), contract(), bright)


def test_shares_are_those_of_the_pixels():
    assert shares(np.array([[0, 2], [2, 2]], np.uint8), 4).tolist() == [0.25, 0, 0.75, 0]


def test_nearest_neither_mixes_nor_moves_classes():
    classes = np.array([[0, 3], [7, 1]], np.uint8)
    assert np.array_equal(nearest(nearest(classes, 6, 8), 2, 2), classes)


def test_masks_are_written_with_the_values_trained_on(tmp_path):
    classes = np.array([[0, 1], [1, 1]], np.uint8)
    with MaskFolder(tmp_path / "my masks", contract()) as masks:
        masks.write("a.jpg", classes)
        assert not (tmp_path / "my masks" / "a.png").exists()
    found = Image.open(tmp_path / "my masks" / "a.png")
    assert found.mode == "L"
    assert np.array_equal(np.asarray(found), classes * 255)


def test_masks_keep_the_palette_trained_on(tmp_path):
    with MaskFolder(tmp_path, contract(values=[0, 1], palette=[[0, 0, 0], [128, 0, 0]])) as masks:
        masks.write("a.jpg", np.array([[0, 1]], np.uint8))
    found = Image.open(tmp_path / "a.png")
    assert found.mode == "P"
    assert np.asarray(found.convert("RGB"))[0].tolist() == [[0, 0, 0], [128, 0, 0]]


def write_all(folder, *names):
    """Masks of these images; "bad" fails."""
    with MaskFolder(folder, contract()) as masks:
        for name in names:
            if name == "bad":
                raise DataError("a bad image")
            masks.write(name, np.zeros((2, 2), np.uint8))


def test_nothing_is_written_where_something_fails(tmp_path):
    with pytest.raises(DataError, match="a bad image"):
        write_all(tmp_path / "masks", "a.jpg", "bad")
    assert list((tmp_path / "masks").iterdir()) == []


def test_two_images_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"b/a.jpg and /x/a.jpg would both be written as a.png"):
        write_all(tmp_path, "/x/a.jpg", "/b/a.jpg")


@pytest.mark.parametrize(
    ("name", "file"),
    [("a.jpg", "a.png"), ("sub/a.tif", "sub/a.png"), ("/x/y/a.b.png", "a.b.png"), ("x/all.npy:3", "x/all-3.png")],
)
def test_a_mask_has_the_name_of_its_image(name, file):
    assert mask_name(name) == file
