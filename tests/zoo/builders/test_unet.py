import pytest

import zoo
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError


def build(size=(32, 32), channels=1, classes=2, **knobs):
    inputs = InputSpec(shape=(*size, channels), kind="image", dtype="uint8", scale=1 / 255)
    labels = tuple(map(str, range(classes)))
    return zoo.build(
        "unet", inputs=inputs, outputs=OutputSpec(task="segmentation", shape=(*size, classes), labels=labels), **knobs
    )


def test_parameters_are_those_of_the_paper():
    model = build(filters=64, depth=4, batch_norm=False)
    # 23 convolutions as in figure 1 of arXiv:1505.04597, each with its biases
    levels = [64, 128, 256, 512, 1024]
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in zip([1, *levels], levels, strict=False))
    up = sum(4 * 2 * c * c + c + 9 * 2 * c * c + c + 9 * c * c + c for c in levels[:-1])
    assert model.count_params() == down + up + 64 * 2 + 2 == 31_030_658


@pytest.mark.parametrize("size", [(32, 32), (30, 45), (33, 16)])
@pytest.mark.parametrize("stem_stride", [1, 2])
def test_every_size_is_answered_pixel_by_pixel(size, stem_stride):
    model = build(size, channels=3, classes=4, filters=4, depth=2, stem_stride=stem_stride)
    assert model.output_shape == (None, *size, 4)


@pytest.mark.parametrize("upsampling", ["transpose", "nearest", "bilinear"])
def test_the_way_back_has_the_layers_asked_for(upsampling):
    names = [type(layer).__name__ for layer in build(filters=4, depth=2, upsampling=upsampling).layers]
    assert names.count("Conv2DTranspose") == (2 if upsampling == "transpose" else 0)
    assert names.count("UpSampling2D") == (0 if upsampling == "transpose" else 2)


def test_a_depth_that_leaves_no_pixel_is_refused():
    with pytest.raises(ModelError, match="take a smaller depth"):
        build((12, 40), filters=4, depth=4)


def test_other_builders_refuse_masks_and_the_unet_classes():
    inputs = InputSpec(shape=(32, 32, 1), kind="image")
    with pytest.raises(ModelError, match="not segmentation"):
        zoo.build("convnet", inputs=inputs, outputs=OutputSpec(task="segmentation", shape=(32, 32, 2)))
    with pytest.raises(ModelError, match="not multiclass"):
        zoo.build("unet", inputs=inputs, outputs=OutputSpec(task="multiclass", shape=(3,)))
