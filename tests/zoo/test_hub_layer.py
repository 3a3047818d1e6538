import shutil
import zipfile

import numpy as np
import pytest

from tests.zoo.made_by_others import FEATURES, save_hub_module, save_with_signature
from zoo.errors import ModelError
from zoo.modules import Module, read_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_hub_module(tmp_path_factory.mktemp("of others") / "a module")


def network(module, fine_tune):
    import keras

    from zoo.hub_layer import HubLayer

    start = keras.Input((8, 8, 3))
    features = HubLayer((FEATURES,), fine_tune=fine_tune, module=module, name="module")(start)
    model = keras.Model(start, keras.layers.Dense(2)(features))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    return model


IMAGES = np.random.default_rng(0).random((32, 8, 8, 3)).astype("float32")
TARGETS = np.random.default_rng(1).random((32, 2)).astype("float32")


@pytest.mark.parametrize("fine_tune", [False, True])
def test_training_moves_the_module_only_where_it_is_fine_tuned(folder, fine_tune):
    model = network(read_folder(folder), fine_tune)
    layer = model.get_layer("module")
    before = [np.array(weights) for weights in layer.get_weights()]
    model.fit(IMAGES, TARGETS, epochs=2, verbose=0)
    moved = [bool(np.any(was != now)) for was, now in zip(before, layer.get_weights(), strict=True)]
    assert moved == [fine_tune, fine_tune]  # the kernel, and what the module counts in training
    assert len(model.trainable_weights) == 2 + fine_tune
    expected = [pytest.approx(0.01 * float(np.sum(layer.get_weights()[0] ** 2)), rel=1e-5)] if fine_tune else []
    assert [float(term) for term in model.losses] == expected


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_keras_file_carries_the_module_along(folder, tmp_path, fine_tune):
    from zoo.hub_layer import load_model

    copy = shutil.copytree(folder, tmp_path / "module")
    model = network(read_folder(copy), fine_tune)
    model.fit(IMAGES, TARGETS, verbose=0)
    model.save(tmp_path / "a model.keras")
    shutil.rmtree(copy)
    again = load_model(tmp_path / "a model.keras")
    np.testing.assert_array_equal(again.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    again.save(tmp_path / "again.keras")
    third = load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(third.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    assert len(third.trainable_weights) == len(model.trainable_weights)


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras's own words before it gives the reason
def test_a_keras_file_with_another_module_inside_is_refused(folder, tmp_path):
    from zoo.hub_layer import load_model

    network(read_folder(folder), fine_tune=False).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as old, zipfile.ZipFile(tmp_path / "evil.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"\0" if name.endswith("fingerprint.pb") else b""))
    with pytest.raises(ValueError, match=r"damaged or was changed"):
        load_model(tmp_path / "evil.keras")


def test_a_module_without_trainable_variables_is_not_fine_tuned(tmp_path):
    module = read_folder(save_hub_module(tmp_path / "frozen", trainable=False))
    with pytest.raises(ModelError, match="no trainable variables"):
        network(module, fine_tune=True)
    assert network(module, fine_tune=False).count_params() == 3 * 3 * 3 * FEATURES + 1 + 2 * FEATURES + 2


def test_a_serving_signature_can_be_called_and_fine_tuned(tmp_path):
    from zoo.saved_models import load_saved_model

    loaded = load_saved_model(read_folder(save_with_signature(tmp_path / "served")))
    assert (loaded.shape, loaded.dtype, len(loaded.trainable)) == ((5,), "float32", 1)
    assert loaded.function(np.ones((2, 5), np.float32), False).shape == (2, 3)


def test_one_of_several_outputs_is_chosen_by_name(tmp_path):
    from zoo.saved_models import load_saved_model

    module = read_folder(save_with_signature(tmp_path / "served", outputs=("logits", "embedding")))
    rows = np.ones((2, 5), np.float32)
    assert load_saved_model(module, "embedding").function(rows, False).shape == (2, 3)
    for output in ("", "other"):
        with pytest.raises(ModelError, match="--set output=NAME: embedding, logits"):
            load_saved_model(module, output).function(rows, False)


def test_a_damaged_graph_is_refused(folder):
    from zoo.saved_models import load_saved_model

    files = read_folder(folder).files
    for content, said in ((files["saved_model.pb"][:-7], "damaged"), (b"", "does not load")):
        with pytest.raises(ModelError, match=said):
            load_saved_model(Module({**files, "saved_model.pb": content}))
    with pytest.raises(ModelError, match="does not load"):
        load_saved_model(Module({name: content for name, content in files.items() if "variables" not in name}))


def test_a_graph_that_touches_files_is_refused_before_it_runs(tmp_path):
    import tensorflow as tf

    from zoo.saved_models import load_saved_model

    class Spy(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 5))])
        def __call__(self, rows):
            tf.io.write_file(str(tmp_path / "written"), "here")
            return rows

    tf.saved_model.save(Spy(), str(tmp_path / "spy"))
    with pytest.raises(ModelError, match=r"touch files or run Python \(WriteFile\)"):
        load_saved_model(read_folder(tmp_path / "spy"))
    assert not (tmp_path / "written").exists()
