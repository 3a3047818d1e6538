import hashlib

import numpy as np
import pytest

import zoo
from zoo.builders import application as applications
from zoo.builders.application import FAMILIES, prepare
from zoo.builders.weights import load_weights
from zoo.cards import InputSpec
from zoo.data.known.downloads import OfflineError
from zoo.errors import DataError, ModelError, UsageError

PHOTO = InputSpec(shape=(32, 32, 3), kind="image", dtype="uint8", scale=1 / 255)
SMALL = {"inputs": PHOTO, "num_classes": 3, "backbone": "mobilenet", "alpha": 0.25}
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")


def mobilenet(**options):
    import keras

    return keras.applications.MobileNet(input_shape=(32, 32, 3), alpha=0.25, weights=None, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network as others have trained it, and its weights in every form that is met; one of another network."""
    import h5py
    import keras

    place = tmp_path_factory.mktemp("weights of others")
    network = mobilenet(include_top=False)
    generator = np.random.default_rng(5)
    network.set_weights([weights + generator.random(weights.shape) * 0.1 for weights in network.get_weights()])
    network.save_weights(place / "keras 3.weights.h5")
    network.save(place / "keras 2.h5")  # Keras 3 writes a .h5 as Keras 2 did
    with h5py.File(place / "keras 2.h5") as whole, h5py.File(place / "notop.h5", "w") as bare:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", bare)
        bare.attrs["layer_names"] = whole["model_weights"].attrs["layer_names"]
    start = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(network(start, training=False))
    keras.Model(start, keras.layers.Dense(7, name="own")(pooled)).save(place / "classifier.keras")
    keras.Model(start, keras.layers.Dense(7, name="own")(pooled)).save(place / "classifier.h5")
    return place, network


def inner(model):
    return next(layer for layer in model.layers if hasattr(layer, "layers"))


@pytest.mark.parametrize(
    "name",
    [
        "keras 3.weights.h5",
        "notop.h5",
        "classifier.h5",
        pytest.param("keras 2.h5", marks=pytest.mark.slow),
        pytest.param("classifier.keras", marks=pytest.mark.slow),
    ],
)
def test_weights_of_others_load_in_every_form(trained, name):
    place, wanted = trained
    network = mobilenet(include_top=False)
    load_weights(network, place / name)
    for found, expected in zip(network.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_of_another_network_are_refused_with_the_first_layer_that_differs(trained, tmp_path):
    import keras

    place, _ = trained
    other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, name="own")])
    other.save(tmp_path / "other.keras")
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "broken.h5").write_bytes((place / "notop.h5").read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"has weights for 0 of the 54 layers of mobilenet_0\.25_32 \(conv1 is the"):
        load_weights(mobilenet(include_top=False), tmp_path / "other.keras")
    for name in ("other.weights.h5", "broken.h5"):
        with pytest.raises(ModelError, match="does not load as weights of mobilenet_0"):
            load_weights(mobilenet(include_top=False), tmp_path / name)


def test_the_backbone_sees_the_pixels_that_its_weights_were_trained_on(trained):
    import keras

    place, wanted = trained
    model = zoo.build("application", weights=str(place / "notop.h5"), **SMALL)
    prepared = keras.applications.mobilenet.preprocess_input(PIXELS.copy())
    features = np.asarray(wanted(prepared, training=False)).mean(axis=(1, 2))
    pool = keras.Model(model.inputs[0], model.get_layer("pool").output)
    np.testing.assert_allclose(pool(PIXELS, training=True), features, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "module"), [("resnet50", "resnet"), ("densenet121", "densenet"), ("mobilenet_v2", "mobilenet_v2")]
)
def test_the_scale_of_each_colour_is_that_of_the_library(backbone, module):
    import keras

    from zoo.builders.features import pixels_input

    family = FAMILIES[backbone]
    start, x = pixels_input(PHOTO, family.pixels)
    model = keras.Model(start, applications._per_colour(x, family))
    wanted = getattr(keras.applications, module).preprocess_input(PIXELS.copy())
    np.testing.assert_allclose(model(PIXELS), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("fine_tune", "trained_layers"),
    [pytest.param(0, 0, marks=pytest.mark.slow), (3, 1), pytest.param("all", 27, marks=pytest.mark.slow)],
)
def test_as_many_of_the_last_layers_are_trained_as_asked(trained, fine_tune, trained_layers):
    """Of the last three with weights two are normalisation, which stays as it was trained."""
    place, _ = trained
    model = zoo.build("application", weights=str(place / "notop.h5"), fine_tune=fine_tune, **SMALL)
    assert sum(bool(layer.trainable_weights) for layer in inner(model).layers) == trained_layers


def test_random_weights_are_trained_as_a_whole_or_refused():
    with pytest.raises(UsageError, match=r"leaves mobilenet random .* --set fine_tune=all"):
        zoo.build("application", weights="none", **SMALL)
    model = zoo.build("application", weights="none", fine_tune="all", l2=0.1, **SMALL)
    assert sum(bool(layer.trainable_weights) for layer in inner(model).layers) == 54
    assert sum(float(term) for term in model.losses) > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"backbone": "resnet50", "alpha": 0.5}, "ResNet50 has one width"),
        ({"input_shape": (16, 16, 3)}, r"32x32 pixels and more, the data give 16x16; .* --set image_size=32"),
        ({"input_shape": (32, 32, 2)}, r"takes anyxanyx3, the data give 32x32x2"),
    ],
)
def test_what_a_backbone_does_not_do_is_refused(options, said):
    given = {"input_shape": (32, 32, 3), "num_classes": 3, "weights": "none", "fine_tune": "all", **options}
    with pytest.raises(ModelError, match=said):
        zoo.build("application", **given)


def test_without_a_network_it_says_which_file_to_put_where(monkeypatch, tmp_path):
    from keras.src.applications import mobilenet

    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "a home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(mobilenet, "BASE_WEIGHT_PATH", "http://127.0.0.1:1/")
    knobs = {"backbone": "mobilenet", "weights": "imagenet", "weights_sha256": "", "alpha": 0.25}
    with pytest.raises(OfflineError, match=r"no network .* --set weights=PATH, or put it there as") as raised:
        prepare(PHOTO, knobs, print)
    assert str(raised.value).endswith("/mobilenet_2_5_224_tf_no_top.h5")


def test_a_file_of_weights_is_pinned_and_another_refused(trained):
    place, _ = trained
    told = []
    file = place / "notop.h5"
    knobs = {"weights": str(file), "weights_sha256": ""}
    found = prepare(PHOTO, knobs, told.append)
    assert found == {"weights": str(file), "weights_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert "to pin it: --set weights_sha256=" in told[0]
    with pytest.raises(DataError, match="is not what is pinned"):
        zoo.build("application", weights=str(file), weights_sha256="0" * 64, **SMALL)
    with pytest.raises(ModelError, match="no file of weights"):
        prepare(PHOTO, {"weights": str(place), "weights_sha256": ""}, told.append)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_a_run_on_weights_that_are_gone_is_exported(trained, tmp_path, mode):
    place, _ = trained
    generator = np.random.default_rng(3)
    labels = np.arange(500) % 2
    pixels = generator.integers(0, 120, (500, 32, 32, 3)).astype(np.uint8)
    pixels[labels == 1, :16] += 100
    np.savez(tmp_path / "bright.npz", x=pixels, y=labels)
    weights = tmp_path / "weights.h5"
    weights.write_bytes((place / "notop.h5").read_bytes())
    run = zoo.train(
        "application",
        data=str(tmp_path / "bright.npz"),
        out=tmp_path / "runs",
        weights=str(weights),
        backbone="mobilenet",
        alpha=0.25,
        epochs=3,
    )
    weights.unlink()
    bundle = zoo.export.to_tflite(run, quantize=mode)
    assert bundle.manifest["parity"]["agreement"] > 0.95
