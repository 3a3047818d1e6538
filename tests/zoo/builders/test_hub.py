import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.zoo.made_by_others import pack, save_hub_module, save_with_signature
from zoo.builders.hub import prepare
from zoo.cards import InputSpec
from zoo.errors import DataError, ModelError, UsageError
from zoo.modules import read_folder

MLPERF = Path(__file__).parents[4] / "shared/data/models/mlperf_tiny"
PHOTO = InputSpec(shape=(16, 16, 3), kind="image", dtype="uint8", scale=1 / 255)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return save_hub_module(tmp_path_factory.mktemp("of others") / "a module")


def images(count=120, size=16):
    """Two classes, told by where it is bright."""
    generator = np.random.default_rng(3)
    labels = np.arange(count) % 2
    pixels = generator.integers(0, 120, (count, size, size, 3)).astype(np.uint8)
    pixels[labels == 1, : size // 2] += 100
    return pixels, labels


def features_of(model, pixels):
    import keras

    return np.asarray(keras.Model(model.inputs[0], model.get_layer("module").output)(pixels.astype("float32")))


@pytest.mark.parametrize(("pixels", "scale", "offset"), [("unit", 1 / 255, 0), ("signed", 2 / 255, -1), ("raw", 1, 0)])
def test_pixels_reach_the_module_as_it_takes_them(module, pixels, scale, offset):
    from zoo.saved_models import load_saved_model

    raw, _ = images(4)
    model = zoo.build("hub", input_shape=(16, 16, 3), num_classes=2, module=str(module), pixels=pixels)
    wanted = load_saved_model(read_folder(module)).function((raw * scale + offset).astype("float32"), False)
    np.testing.assert_allclose(features_of(model, raw), wanted, rtol=2e-4, atol=1e-6)


def test_grey_images_reach_a_module_of_colours(module):
    raw, _ = images(4)
    options = {"num_classes": 2, "module": str(module)}
    grey = zoo.build("hub", input_shape=(16, 16, 1), **options)
    colour = zoo.build("hub", input_shape=(16, 16, 3), **options)
    one = raw[..., :1]
    np.testing.assert_array_equal(features_of(grey, one), features_of(colour, np.repeat(one, 3, axis=-1)))


@pytest.mark.parametrize(
    ("outputs", "width"),
    [
        ({"task": "binary"}, 1),
        ({"task": "multiclass", "num_classes": 4}, 4),
        ({"task": "multilabel", "num_classes": 3}, 3),
        ({"task": "regression", "num_outputs": 2}, 2),
    ],
)
def test_rows_go_through_a_serving_signature_for_every_task(tmp_path, outputs, width):
    folder = save_with_signature(tmp_path / "served")
    model = zoo.build("hub", input_shape=(5,), module=str(folder), units=4, l2=0.1, **outputs)
    assert model.predict(np.ones((3, 5), np.float32), verbose=0).shape == (3, width)
    assert sum(float(term) for term in model.losses) > 0


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((32, 32, 3), "takes 32x32x3, the data give 16x16x3; .* --set image_size=32"),
        ((None, None, 4), "takes anyxanyx4, the data give 16x16x3; .* --set image_channels=4"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_the_option_that_helps(tmp_path, shape, said):
    folder = save_hub_module(tmp_path / "fixed", shape=shape)
    with pytest.raises(ModelError, match=said):
        zoo.build("hub", inputs=PHOTO, num_classes=2, module=str(folder))


def test_a_module_of_texts_is_refused_with_the_reason(tmp_path):
    folder = save_hub_module(tmp_path / "texts", text=True)
    with pytest.raises(ModelError, match="takes texts, for which TFLite has no operators"):
        zoo.build("hub", inputs=PHOTO, num_classes=2, module=str(folder))


def test_what_is_no_module_is_refused(tmp_path, module):
    (tmp_path / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    (tmp_path / "broken.h5").write_bytes(b"\x89HDF no more")
    shutil.copy(module / "saved_model.pb", tmp_path)
    for name, kind, said in (
        ("", UsageError, "hub needs a module"),
        ("nothing", UsageError, "does not exist"),
        ("model.tflite", ModelError, "is a converted model"),
        ("broken.h5", ModelError, "does not load as a Keras model"),
        ("saved_model.pb", ModelError, "without its variables; give the folder"),
    ):
        with pytest.raises(kind, match=said):
            zoo.build("hub", inputs=PHOTO, num_classes=2, module=name and str(tmp_path / name))


def test_a_module_is_pinned_in_the_configuration_and_another_refused(module, tmp_path, monkeypatch):
    monkeypatch.chdir(module.parent)
    told = []
    knobs = {"module": module.name, "sha256": ""}
    pinned = prepare(PHOTO, knobs, told.append)
    assert pinned == {"module": str(module), "sha256": read_folder(module).sha256}
    assert told[0].startswith("WARNING")
    assert pinned["sha256"] in told[0]
    assert prepare(PHOTO, pinned, told.append) == pinned
    assert len(told) == 1
    archive = pack(module, tmp_path / "a module.tar.gz")
    assert prepare(PHOTO, {"module": str(archive), "sha256": ""}, told.append)["sha256"] != pinned["sha256"]
    with pytest.raises(DataError, match="is not what is pinned"):
        prepare(PHOTO, {"module": str(archive), "sha256": pinned["sha256"]}, told.append)


def test_a_keras_file_gives_its_features_up_to_the_last_dense_layer(tmp_path):
    import keras

    whole = zoo.build("convnet", input_shape=(16, 16, 3), num_classes=7, blocks=1, filters=4)
    whole.save(tmp_path / "of others.keras")
    model = zoo.build("hub", inputs=PHOTO, num_classes=2, module=str(tmp_path / "of others.keras"), fine_tune=True)
    raw = images(3)[0].astype("float32")
    wanted = keras.Model(whole.inputs[0], whole.layers[-1].input)(raw, training=False)
    backbone = model.get_layer("backbone")
    np.testing.assert_allclose(backbone(raw), wanted, rtol=1e-4, atol=1e-6)  # it scales pixels itself
    assert backbone.trainable_weights
    frozen = zoo.build("hub", inputs=PHOTO, num_classes=2, module=str(tmp_path / "of others.keras"))
    assert not frozen.get_layer("backbone").trainable_weights
    with pytest.raises(ModelError, match=r"no layer 'conv9'; its last ones are .*output"):
        zoo.build("hub", inputs=PHOTO, num_classes=2, module=str(tmp_path / "of others.keras"), output="conv9")


@pytest.fixture(scope="module")
def trained(module, tmp_path_factory):
    """A run on a module that is gone, in a folder that was moved."""
    place = tmp_path_factory.mktemp("own data")
    pixels, labels = images(600)
    np.savez(place / "bright.npz", x=pixels, y=labels)
    archive = pack(module, place / "a module.tar.gz")
    told = []
    run = zoo.train(
        "hub",
        data=str(place / "bright.npz"),
        out=place / "runs",
        module=str(archive),
        fine_tune=True,
        units=256,  # of fewer weights "dynamic" keeps all in float, and says so
        epochs=6,
        on_event=told.append,
    )
    archive.unlink()
    moved = shutil.move(run.path, place / "moved run")
    return Path(moved), [event.text for event in told if hasattr(event, "text")]


def test_a_run_on_a_module_learns_and_says_what_to_pin(trained):
    run, told = trained
    assert json.loads((run / "run.json").read_text())["metrics"]["test"]["accuracy"] > 0.9
    assert any("to pin it: --set sha256=" in line for line in told)
    assert 'sha256 = ""' not in (run / "config.toml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "float16", "dynamic", "int8"])
def test_a_run_on_a_module_that_is_gone_is_exported_in_every_mode(trained, tmp_path, mode):
    run, _ = trained
    bundle = zoo.export.to_tflite(zoo.Run(run), quantize=mode, out=tmp_path / "a bundle")
    done = subprocess.run(
        [sys.executable, "predict.py", "--self-test"], cwd=bundle.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert bundle.manifest["parity"]["agreement"] > 0.97


def test_a_run_on_a_module_that_is_gone_predicts(trained):
    from zoo.inference import Predictor

    pixels, labels = images(40)
    answers = Predictor.open(trained[0]).predict(pixels)
    assert np.mean((answers[:, 0] > 0.5) == labels) > 0.9


@pytest.mark.slow
def test_a_run_on_a_module_that_is_gone_is_exported_as_a_saved_model(trained, tmp_path):
    from export import to_saved_model
    from zoo.inference import Predictor

    pixels, _ = images(40)
    answers = Predictor.open(trained[0]).predict(pixels)
    served = to_saved_model(zoo.Run(trained[0]), out=tmp_path / "a saved model")
    np.testing.assert_allclose(Predictor.open(served.path).predict(pixels), answers, atol=1e-5)


def test_the_same_run_cannot_be_repeated_without_its_module(trained):
    run, _ = trained
    with pytest.raises(UsageError, match="does not exist"):
        zoo.train(str(run / "config.toml"), out=run.parent / "again")


@pytest.mark.skipif(not MLPERF.is_dir(), reason="the reference models are not in ../shared/data")
def test_reference_models_of_others_are_taken_as_modules():
    resnet = MLPERF / "image_classification" / "trained_models" / "pretrainedResnet.h5"
    model = zoo.build("hub", input_shape=(32, 32, 3), num_classes=5, module=str(resnet), pixels="raw")
    assert model.get_layer("backbone").output_shape == (None, 64)
    words = MLPERF / "keyword_spotting" / "trained_models" / "kws_ref_model"
    spec = InputSpec(shape=(49, 10), kind="audio")
    model = zoo.build("hub", inputs=spec, num_classes=3, module=str(words), fine_tune=True)
    assert model.get_layer("module").output.shape == (None, 12)
    assert len(model.get_layer("module").trainable_weights) == 38
    assert model.losses
