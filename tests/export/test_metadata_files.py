"""Metadata in files of real converters, TensorFlow's of today and of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.metadata import read_metadata, write_metadata
from export.operators import count_operators
from tests.export.test_metadata import contract, with_metadata
from zoo import runner, runs

MLPERF = Path(__file__).parents[3] / "shared/data/models/mlperf_tiny"


@pytest.fixture(scope="module")
def converted(keras: Any, image_run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The stock converter's files of a small image classifier, float and int8."""
    import tensorflow as tf

    model = keras.models.load_model(image_run.path / runs.MODEL)
    samples = runs.read_npz(image_run.path / runs.SAMPLES / runs.VALIDATION)["samples"].astype(np.float32)
    folder = tmp_path_factory.mktemp("saved model")
    model.export(folder, format="tf_saved_model", verbose=False)
    files = {}
    for mode in ("float32", "int8"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        if mode == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([samples[index : index + 1, ..., None]] for index in range(50))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        files[mode] = converter.convert()
    return files


@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_a_converted_classifier_answers_the_same_with_metadata(
    converted: dict[str, bytes], image_run: runs.Run, tmp_path: Path, mode: str
) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(converted[mode])
    content = runs.read_json(image_run.path / runs.PREPROCESSING)
    path = with_metadata(plain, content)
    samples = runs.read_npz(image_run.path / runs.SAMPLES / runs.VALIDATION)["samples"][..., None]
    models = [runner.TFLiteModel(file) for file in (plain, path)]
    assert list(models[0].inputs) == list(models[1].inputs), "the signature's names"
    np.testing.assert_array_equal(*(model.predict(samples) for model in models))
    found = read_metadata(path)
    assert found["inputs"][0]["name"] == models[1].input.name
    assert (found["inputs"][0]["color_space"], found["outputs"][0]["labels"]) == ("grayscale", ["nw", "ne", "sw", "se"])


def buffer_places(content: bytes) -> list[int]:
    """Where the weights stand in a file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    return [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()]


@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_weights_keep_their_alignment(converted: dict[str, bytes], mode: str) -> None:
    """To what a file is aligned is the converter's choice: TensorFlow 2.21 packs in Python, which keeps 4 bytes."""
    before = buffer_places(converted[mode])
    after = buffer_places(write_metadata(converted[mode], contract("image"), name="aligned"))
    assert len(before) > 3
    (moved,) = {new - old for new, old in zip(after[:-1], before, strict=True)}
    assert (moved % 16, after[-1] % 16) == (0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "image_classification/trained_models/pretrainedResnet_quant.tflite",
        "keyword_spotting/trained_models/kws_ref_model.tflite",
    ],
)
def test_files_of_older_converters_take_metadata(tmp_path: Path, name: str) -> None:
    if not (MLPERF / name).is_file():
        pytest.skip(f"{MLPERF / name} is not here")
    plain = tmp_path / "plain.tflite"
    plain.write_bytes((MLPERF / name).read_bytes())
    path = with_metadata(plain, contract())
    assert count_operators(path) == count_operators(plain)
    models = [runner.TFLiteModel(file) for file in (plain, path)]
    samples = np.random.default_rng(4).uniform(-100, 100, (3, *models[0].input.shape)).astype(np.float32)
    np.testing.assert_array_equal(*(model.predict(samples) for model in models))
    assert read_metadata(path)["name"] == "wand-lstm"


def test_several_tensors_stand_in_the_order_of_the_graph_under_the_names_of_the_signature(
    keras: Any, tmp_path: Path
) -> None:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    sizes = {"zebra": 3, "apple": 5, "mango": 2}
    inputs = {name: keras.Input((size,), name=name) for name, size in sizes.items()}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    outputs = {"size": keras.layers.Dense(4)(joined), "kind": keras.layers.Dense(2, activation="softmax")(joined)}
    keras.Model(inputs, outputs).export(tmp_path / "saved model", format="tf_saved_model", verbose=False)
    model = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved model")).convert()
    answers = {
        "size": {"task": "regression", "labels": list("abcd")},
        "kind": {"task": "multiclass", "labels": ["n", "y"]},
    }
    path = tmp_path / "several.tflite"
    path.write_bytes(write_metadata(model, {"steps": [], "outputs": answers}, name="several"))
    found, interpreter = read_metadata(path), Interpreter(str(path))
    order = [sizes[entry["name"]] for entry in found["inputs"]]
    assert order == [int(entry["shape"][1]) for entry in interpreter.get_input_details()]
    labels = {entry["name"]: entry["labels"] for entry in found["outputs"]}
    assert labels == {"size": list("abcd"), "kind": ["n", "y"]}
    order = [len(labels[entry["name"]]) for entry in found["outputs"]]
    assert order == [int(entry["shape"][1]) for entry in interpreter.get_output_details()]
