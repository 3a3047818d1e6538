import json
import shutil

import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError, ModelError, UsageError
from zoo.inference import Inputs, Job, Predictor, find_artifact
from zoo.runs import sha256, write_json

from .conftest import IMAGES, LABELS, PIXELS, ROWS, TABLE


def bundle_of(folder, source, content):
    """A TFLite bundle as far as reading one goes."""
    folder.mkdir()
    shutil.copy(source, folder / "model.tflite")
    write_json(folder / "bundle.json", content)
    sums = "".join(f"{sha256(folder / name)}  {name}\n" for name in ("bundle.json", "model.tflite"))
    (folder / "SHA256SUMS").write_text(sums)
    return folder


@pytest.mark.parametrize("file", ["model.keras", "saved", "model.tflite"])
def test_every_format_answers_what_the_keras_model_does(image_model, file):
    predictor = Predictor.open(image_model[file])
    np.testing.assert_allclose(predictor.predict(PIXELS, batch_size=2), image_model.expected, atol=1e-5)
    assert "raw pixels" in predictor.notes[0]
    assert predictor.contract.task == "multiclass"


def test_a_run_standardises_columns_and_answers_in_target_units(table_run, table_model):
    predictor = Predictor.open("ages", runs=table_run.path.parent.parent)
    assert predictor.artifact.path == table_run.path
    assert predictor.contract.columns == ("length", "width, in cm", "mass")
    np.testing.assert_allclose(predictor.predict(ROWS), table_model.expected, rtol=1e-4)


def test_the_contract_of_the_run_serves_its_exports(table_run, table_model):
    export = table_run.path / "export" / "by hand"
    shutil.copytree(table_model["saved"], export)
    shutil.copy(table_model["model.tflite"], export / "other.tflite")
    for path in (export, export / "other.tflite"):
        predictor = Predictor.open(path)
        assert predictor.artifact.run == table_run.path
        np.testing.assert_allclose(predictor.predict(ROWS), table_model.expected, rtol=1e-4)


def test_a_contract_beside_the_file_names_the_labels(image_folder):
    predictor = Predictor.open(image_folder / "model.tflite")
    assert predictor.contract.labels == tuple(LABELS)
    assert predictor.notes == ()


def test_images_of_any_size_are_resized_and_keep_their_order(image_folder, image_model, tmp_path):
    predictor = Predictor.open(image_folder / "model.tflite")
    for size, pixels in enumerate(PIXELS, start=1):
        Image.fromarray(np.kron(pixels, np.ones((size, size), np.uint8))).save(tmp_path / f"{size}.png")
    batches = list(Job(predictor, Inputs([tmp_path / f"{size}.png" for size in (1, 2, 3, 4, 5)], predictor.contract)))
    assert [name for batch in batches for name in batch.names] == [
        str(tmp_path / f"{size}.png") for size in range(1, 6)
    ]
    answers = np.concatenate([batch.outputs for batch in batches])
    np.testing.assert_allclose(answers, image_model.expected, atol=0.02)  # growing and shrinking blurs a little


def test_a_bundle_is_checked_before_it_runs(tmp_path, table_model):
    bundle = bundle_of(tmp_path / "b", table_model["model.tflite"], TABLE)
    np.testing.assert_allclose(Predictor.open(bundle).predict(ROWS), table_model.expected, rtol=1e-4)
    content = bytearray((bundle / "model.tflite").read_bytes())
    content[-9] ^= 1
    (bundle / "model.tflite").write_bytes(content)
    for path in (bundle, bundle / "model.tflite"):
        with pytest.raises(ModelError, match=r"model\.tflite was changed"):
            Predictor.open(path)


def test_a_table_model_without_contract_is_refused(table_model):
    for file in ("model.tflite", "saved", "model.keras"):
        with pytest.raises(ModelError, match=r"nothing beside it says how to prepare"):
            Predictor.open(table_model[file])


def test_a_damaged_tflite_file_is_an_error_and_not_a_crash(image_model, tmp_path):
    whole = image_model["model.tflite"].read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        Predictor.open(tmp_path / "cut.tflite")


@pytest.mark.parametrize("name", ["cut.keras", "saved_model.pb"])
def test_a_damaged_model_is_one_clear_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a model at all")
    with pytest.raises(ModelError, match="does not load as a"):
        Predictor.open(tmp_path / name)


def test_a_contract_of_another_model_is_refused(image_folder):
    (image_folder / "preprocessing.json").write_text(json.dumps(TABLE))
    with pytest.raises(ModelError, match="do not belong together"):
        Predictor.open(image_folder / "model.tflite")
    other = {**IMAGES, "output": {"task": "multiclass", "labels": ["a", "b"]}}
    (image_folder / "preprocessing.json").write_text(json.dumps(other))
    with pytest.raises(ModelError, match="answers with 3 numbers"):
        Predictor.open(image_folder / "model.tflite")


@pytest.mark.parametrize("content", [{}, [], {"schema_version": 9}, {**IMAGES, "output": {"task": "poetry"}}])
def test_a_contract_that_is_none_is_refused(image_folder, content):
    (image_folder / "preprocessing.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"preprocessing\.json"):
        Predictor.open(image_folder / "model.tflite")


def test_samples_of_another_width_are_refused(table_run):
    with pytest.raises(DataError, match="2 columns"):
        Predictor.open(table_run.path).predict(np.zeros((4, 2)))


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_a_file_of_an_earlier_keras_is_opened_like_a_keras_file(image_model, tmp_path, suffix):
    import keras

    path = tmp_path / f"old model{suffix}"
    keras.models.load_model(image_model["model.keras"]).save(path)
    found = Predictor.open(path).predict(PIXELS)
    np.testing.assert_allclose(found, image_model.expected, atol=1e-5)
    unnamed = path.rename(tmp_path / "old model.bin")
    with pytest.raises(UsageError, match=r"is an HDF5 file; if Keras saved it, call it old model\.h5"):
        find_artifact(unnamed)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.tflite", "does not exist"),
        ("some/where", "does not exist"),
        ("no-such-run", "neither a run folder"),
        (".", "neither a run, a SavedModel nor a bundle"),
    ],
)
def test_what_is_no_artefact_is_a_usage_error(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        find_artifact(name)


def test_a_folder_of_runs_is_its_latest_finished_run(table_run):
    assert find_artifact(table_run.path.parent).run == table_run.path


def test_a_toml_file_is_the_latest_run_of_its_name(table_run, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(f'name = "{table_run.path.parent.name}"')
    assert find_artifact(file, table_run.path.parent.parent).run == table_run.path
