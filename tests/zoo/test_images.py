import numpy as np
import pytest
from PIL import Image

from zoo.data.images.headers import LARGEST_PIXELS
from zoo.errors import DataError
from zoo.images import MOST_PIXELS, read_image


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_of_image_becomes_plain_pixels(tmp_path, mode):
    image = Image.new("L", (8, 4), 255).convert(mode) if mode != "I;16" else Image.new("I;16", (8, 4), 65535)
    image.save(tmp_path / "white.tiff")
    pixels = read_image(tmp_path / "white.tiff")
    assert pixels.dtype == np.uint8
    assert pixels.shape[:2] == (4, 8)
    assert pixels.min() == 255


def test_a_photograph_is_turned_as_the_camera_was(tmp_path):
    image = Image.fromarray(np.array([[255, 255, 255], [0, 0, 0]], np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), [[0, 255]] * 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("side", "pixels"), [(9_500, "9,500 x 9,500"), (20_000, "more than 178,956,970")])
def test_an_image_too_large_to_train_on_is_too_large_to_predict(tmp_path, side, pixels):
    path = tmp_path / "photo.png"
    path.write_bytes(f"P5 {side} {side} 255\n".encode())  # the header is all that is looked at
    with pytest.raises(DataError, match=rf"photo\.png is too large, {pixels} pixels; expected at most 89,478,485"):
        read_image(path)
    assert MOST_PIXELS == LARGEST_PIXELS
