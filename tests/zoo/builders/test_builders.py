import numpy as np
import pytest

import zoo
from zoo.builders import BUILDERS, get_builder
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError, UsageError

SHAPES = {"table": (5,), "series": (12, 3), "image": (16, 16, 1), "audio": (20, 8), "text": (12,)}
OUTPUTS = {
    "binary": OutputSpec(task="binary", shape=(1,)),
    "multiclass": OutputSpec(task="multiclass", shape=(4,)),
    "multilabel": OutputSpec(task="multilabel", shape=(3,)),
    "regression": OutputSpec(task="regression", shape=(2,), channels=(0,)),
    "anomaly": OutputSpec(task="anomaly", shape=(1,)),
    "segmentation": OutputSpec(task="segmentation", shape=(16, 16, 3)),
    "detection": OutputSpec(task="detection", shape=(4, 4, 7)),
}
OUTSIDE = ("hub", "application")  # of networks made by others, which have tests of their own
CASES = [
    (name, kind, task)
    for name in BUILDERS
    if name not in OUTSIDE
    for kind in BUILDERS.get(name).card.kinds
    for task in BUILDERS.get(name).card.tasks
]


def inputs_of(kind):
    if kind == "text":
        return InputSpec(shape=SHAPES[kind], kind=kind, dtype="int32", vocabulary=30)
    return InputSpec(shape=SHAPES[kind], kind=kind, scale=1 / 255 if kind == "image" else 1.0)


@pytest.mark.parametrize(("name", "kind", "task"), CASES)
def test_every_builder_does_every_task_on_every_kind_its_card_names(name, kind, task):
    model = get_builder(name)(inputs_of(kind), OUTPUTS[task])
    found = model.predict(np.random.default_rng(0).random((3, *SHAPES[kind])).astype("float32"), verbose=0)
    assert found.shape == (3, *OUTPUTS[task].shape)
    if task in ("multiclass", "segmentation"):
        np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-5)
    elif task not in ("regression", "anomaly"):
        assert ((found > 0) & (found < 1)).all()


def some_output(name):
    """Four classes where the builder does classes."""
    tasks = BUILDERS.get(name).card.tasks
    return OUTPUTS["multiclass" if "multiclass" in tasks else tasks[0]]


def count(model, kind):
    import keras

    return sum(isinstance(layer, getattr(keras.layers, kind)) for layer in model.layers)


@pytest.mark.parametrize(
    ("name", "hyperparameters", "layer", "number"),
    [
        ("mlp", {"layers": 3, "dropout": 0.5}, "Dropout", 3),
        ("mlp", {"layers": 0}, "Dense", 1),
        ("mlp", {"batch_norm": True}, "BatchNormalization", 2),
        ("convnet", {"blocks": 3, "stem_stride": 1}, "MaxPooling2D", 3),
        ("convnet", {"pooling": "average"}, "AveragePooling2D", 2),
        ("convnet", {"convolutions": 2}, "Conv2D", 5),
        ("convnet", {"head": "flatten"}, "Flatten", 1),
        ("convnet", {"units": 8, "batch_norm": False}, "Dense", 2),
        ("recurrent", {"cell": "gru", "layers": 2}, "GRU", 2),
        ("recurrent", {"bidirectional": True}, "Bidirectional", 1),
        ("recurrent", {"convolution": 8, "stride": 2}, "Conv1D", 1),
        ("recurrent", {"attention": True}, "Softmax", 1),
        ("lenet5", {"batch_norm": True}, "BatchNormalization", 4),
        ("lenet5", {"pooling": "max"}, "MaxPooling2D", 2),
        ("resnet", {"blocks": 1}, "Conv2D", 9),
        ("resnet", {"blocks": 3}, "Add", 9),
        ("mobilenet", {"version": "1"}, "DepthwiseConv2D", 13),
        ("mobilenet", {"version": "2"}, "DepthwiseConv2D", 17),
        ("mobilenet", {"version": "2", "stages": 3, "width": 1.0}, "Add", 3),
        ("dscnn", {"blocks": 3}, "DepthwiseConv2D", 3),
        ("conv1d", {"blocks": 2, "pool": 1}, "Conv1D", 2),
        ("conv1d", {"dilated": True, "blocks": 2, "growth": 1.0}, "Add", 2),
        ("conv1d", {"head": "max"}, "GlobalMaxPooling1D", 1),
        ("autoencoder", {"layers": 3}, "UpSampling2D", 3),
        ("autoencoder", {"network": "dense", "layers": 3}, "Dense", 8),
        ("text", {"encoder": "lstm"}, "LSTM", 1),
        ("text", {"encoder": "mean"}, "GlobalAveragePooling1D", 1),
        ("text", {"encoder": "gru", "bidirectional": True}, "Bidirectional", 1),
        ("text", {"encoder": "conv1d", "kernels": 3}, "Conv1D", 3),
        ("text", {"word_dropout": 0.0}, "SpatialDropout1D", 0),
        ("detector", {"depth": 3}, "Add", 4),
    ],
)
def test_a_hyperparameter_changes_the_model(name, hyperparameters, layer, number):
    inputs = InputSpec(shape=SHAPES["image"], kind="image", scale=1 / 255) if name != "text" else inputs_of("text")
    assert count(zoo.build(name, inputs=inputs, outputs=some_output(name), **hyperparameters), layer) == number


@pytest.mark.parametrize(
    "name",
    [name for name in BUILDERS.names() if name not in OUTSIDE and "multiclass" in BUILDERS.get(name).card.tasks],
)
def test_l1_and_l2_put_a_penalty_on_the_weights(name):
    inputs = inputs_of(BUILDERS.get(name).card.kinds[0])
    model = zoo.build(name, inputs=inputs, outputs=some_output(name), l1=0.01, l2=0.1)
    assert sum(float(loss) for loss in model.losses) > 0
    assert not zoo.build(name, inputs=inputs, outputs=some_output(name)).losses


@pytest.mark.parametrize(("height", "width", "cells"), [(96, 96, (24, 24)), (30, 45, (8, 12)), (200, 64, (25, 8))])
def test_a_detector_answers_with_a_map_of_its_images_of_any_size(height, width, cells):
    model = zoo.build("detector", input_shape=(height, width, 3), num_classes=2, filters=2, depth=1)
    assert model.output_shape == (None, *cells, 6)


def test_a_detector_refuses_a_map_that_is_no_halving_of_its_image():
    outputs = OutputSpec(task="detection", shape=(5, 4, 7))
    with pytest.raises(ModelError, match=r"16x16 pixels up to four times; 5x4 cells are none"):
        zoo.build("detector", inputs=inputs_of("image"), outputs=outputs)
    with pytest.raises(UsageError, match=r"detection task; give input_shape = \(height"):
        zoo.build("detector", input_shape=(5,), num_classes=2)


def test_pixels_are_scaled_in_float32_also_under_bfloat16():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = zoo.build("convnet", input_shape=(16, 16, 1), num_classes=4)
    finally:
        keras.config.set_dtype_policy("float32")
    scale = model.get_layer("scale")
    assert scale.compute_dtype == "float32"
    assert float(scale(np.full((1, 1), 255.0))[0, 0]) == pytest.approx(1.0)
    assert model.get_layer("output").compute_dtype == "float32"


def test_recurrent_dropout_reaches_the_cell():
    model = zoo.build("recurrent", input_shape=(12, 3), num_classes=4, recurrent_dropout=0.3)
    assert model.get_layer(index=1).recurrent_dropout == 0.3


def test_build_is_shorthand_for_the_specs():
    assert zoo.build("mlp", input_shape=(5,)).output_shape == (None, 1)
    assert zoo.build("mlp", input_shape=(5,), num_classes=2, task="binary").output_shape == (None, 1)
    assert zoo.build("mlp", input_shape=(5,), labels=("a", "b", "c")).output_shape == (None, 3)
    model = zoo.build("mlp", inputs=inputs_of("series"), outputs=OUTPUTS["regression"])
    assert model.output_shape == (None, 2)
    assert not model.compiled
    assert zoo.build("autoencoder", input_shape=(5,)).output_shape == (None, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"builder": "mpl", "input_shape": (5,)}, UsageError, "did you mean mlp"),
        ({"builder": "mlp"}, UsageError, "input_shape"),
        ({"builder": "mlp", "input_shape": (5,), "num_classes": 1}, UsageError, "2 or more"),
        ({"builder": "mlp", "input_shape": (5,), "unit": 3}, UsageError, "did you mean units"),
        ({"builder": "mlp", "input_shape": (5,), "num_classes": 3, "labels": ("a",)}, UsageError, "1 labels"),
        ({"builder": "convnet", "input_shape": (5,)}, ModelError, "takes image input, not table"),
        ({"builder": "convnet", "input_shape": (8, 8, 1), "blocks": 5}, ModelError, "blocks = 2 or fewer"),
        ({"builder": "recurrent", "input_shape": (8, 2), "stride": 2}, ModelError, "convolution = 32"),
    ],
)
def test_what_cannot_be_built_says_what_to_do(arguments, error, match):
    with pytest.raises(error, match=match):
        zoo.build(**arguments)


def plain(inputs, outputs, *, units=8, rate=0.5, wide=False):
    """One hidden layer of my own."""
    import keras

    start = keras.Input(inputs.shape)
    x = keras.layers.Dense(units * (2 if wide else 1))(start)
    return keras.Model(start, keras.layers.Dense(outputs.shape[-1], outputs.activation)(x))


def wrong(inputs, outputs):
    import keras

    start = keras.Input(inputs.shape)
    return keras.Model(start, keras.layers.Dense(7)(start))


def wrong_input(inputs, outputs):
    import keras

    start = keras.Input((9,))
    return keras.Model(start, keras.layers.Dense(outputs.shape[-1])(start))


def two_inputs(inputs, outputs):
    import keras

    starts = [keras.Input(inputs.shape), keras.Input(inputs.shape)]
    return keras.Model(starts, keras.layers.Dense(outputs.shape[-1])(keras.layers.add(starts)))


def unbuilt(inputs, outputs):
    import keras

    return keras.Sequential([keras.layers.Dense(outputs.shape[-1])])


def subclassed(inputs, outputs):
    import keras

    class Mine(keras.Model):
        def call(self, x):
            return x

    return Mine()


def a_layer(inputs, outputs):
    import keras

    return keras.layers.Dense(outputs.shape[-1])


def returns_nothing(inputs, outputs):
    return None


def fails(inputs, outputs):
    return inputs.shape[7]


def fails_in_keras(inputs, outputs):
    import keras

    return keras.layers.Dense(-1)


def runs_out_of_memory(inputs, outputs):
    raise MemoryError


def is_interrupted(inputs, outputs):
    raise KeyboardInterrupt


def one_argument(inputs):
    return inputs


def without_default(inputs, outputs, *, units):
    return inputs, outputs, units


def test_a_users_own_function_is_a_builder_with_its_keywords_as_hyperparameters():
    model = zoo.build(f"{__name__}:plain", input_shape=(5,), num_classes=3, units="4", wide=True)
    assert model.layers[1].units == 8
    card = get_builder(f"{__name__}:plain").card
    assert [(knob.name, knob.type, knob.default) for knob in card.hyperparameters] == [
        ("units", "int", 8),
        ("rate", "float", 0.5),
        ("wide", "bool", False),
    ]
    assert card.summary == "One hidden layer of my own."


@pytest.mark.parametrize(
    ("function", "error", "match"),
    [
        ("wrong", ModelError, r"expected a keras.Model with output \(None, 3\)"),
        ("wrong_input", ModelError, r"with input \(None, 9\); expected input \(None, 5\)"),
        ("two_inputs", ModelError, r"with input \[.*; expected input \(None, 5\)"),
        ("unbuilt", ModelError, r"Sequential, which does not know its shapes; begin it with keras.Input"),
        ("subclassed", ModelError, r"Mine, which does not know its shapes"),
        ("a_layer", ModelError, r"returned Dense, which is no keras.Model"),
        ("returns_nothing", ModelError, r"returned NoneType, which is no keras.Model"),
        ("fails", ModelError, r":fails' failed: .*test_builders\.py:\d+: IndexError: tuple index out of range$"),
        ("fails_in_keras", ModelError, r"failed: .*test_builders\.py:\d+: ValueError: .*-1"),
        ("one_argument", UsageError, r"takes \(inputs, outputs"),
        ("without_default", UsageError, "needs a default"),
        ("SHAPES", UsageError, "is a dict, not a builder"),
    ],
)
def test_what_is_no_builder_is_refused(function, error, match):
    with pytest.raises(error, match=match):
        zoo.build(f"{__name__}:{function}", input_shape=(5,), num_classes=3)


@pytest.mark.parametrize(
    ("function", "error"), [("runs_out_of_memory", MemoryError), ("is_interrupted", KeyboardInterrupt)]
)
def test_what_is_no_fault_of_a_builder_passes_through(function, error):
    with pytest.raises(error):
        zoo.build(f"{__name__}:{function}", input_shape=(5,), num_classes=3)


@pytest.mark.parametrize("target", ["math:hypot", "builtins:dict"])
def test_what_tells_no_parameters_is_no_builder(target):
    with pytest.raises(UsageError, match=r"a builder takes \(inputs, outputs, \*, \.\.\.\)"):
        zoo.build(target, input_shape=(5,), num_classes=3)


def test_a_failure_in_a_builder_of_ours_names_its_line():
    convnet = get_builder("convnet")
    with pytest.raises(ModelError, match=r"builder 'convnet' failed: .*convnet\.py:\d+: ValueError"):
        convnet(InputSpec(shape=(16, 16, "1"), kind="image"), OUTPUTS["multiclass"])


@pytest.mark.parametrize(("filters", "growth", "blocks"), [(1, 0.5, 4), (3, 0.5, 4), (1, 0.75, 3)])
def test_no_allowed_growth_leaves_a_block_without_filters(filters, growth, blocks):
    model = zoo.build(
        "convnet", input_shape=(16, 16, 1), num_classes=4, stem_stride=1, filters=filters, growth=growth, blocks=blocks
    )
    assert model.get_layer("output").input.shape[-1] == 1


@pytest.mark.parametrize(
    ("name", "shape", "classes", "hyperparameters", "parameters"),
    [
        ("lenet5", (28, 28, 1), 10, {}, 61_706),  # LeCun et al. 1998 with full connections and plain pooling
        ("resnet", (32, 32, 3), 10, {}, 77_850),  # 78 k in arXiv:2106.07597
        ("resnet", (32, 32, 3), 10, {"blocks": 3}, 270_000),  # 0.27 M in arXiv:1512.03385
        ("mobilenet", (96, 96, 3), 2, {"width": 0.25}, 213_000),  # 221 k with biases in arXiv:2106.07597
        ("mobilenet", (224, 224, 3), 1000, {"width": 1.0}, 4_230_000),  # 4.2 M in arXiv:1704.04861
        ("mobilenet", (224, 224, 3), 1000, {"width": 1.0, "version": "2"}, 3_500_000),  # 3.4 M in arXiv:1801.04381
        ("dscnn", (49, 10), 12, {}, 23_700),  # 24.9 k with biases in arXiv:2106.07597
    ],
)
def test_a_family_has_the_parameters_of_its_paper(name, shape, classes, hyperparameters, parameters):
    model = zoo.build(name, input_shape=shape, num_classes=classes, **hyperparameters)
    assert model.count_params() == pytest.approx(parameters, rel=0.03)


@pytest.mark.parametrize(
    ("name", "shape", "hyperparameters", "said"),
    [
        ("lenet5", (8, 8, 1), {}, "at least 12x12"),
        ("conv1d", (12, 2), {"blocks": 5}, "blocks = 3"),
    ],
)
def test_what_leaves_nothing_is_refused(name, shape, hyperparameters, said):
    with pytest.raises(ModelError, match=said):
        zoo.build(name, input_shape=shape, num_classes=2, **hyperparameters)
