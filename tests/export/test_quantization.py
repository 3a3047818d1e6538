from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import export
from export import lowering
from export.child import Child
from export.quantization import PRESETS, choose_edges, find_preset
from export.representative import calibration_inputs, draw, moved_steps
from export.signature import describe
from export.sources import from_model
from export.worker import save_arrays
from tests.export.conftest import MakeRun
from zoo import runs
from zoo.device import differences
from zoo.errors import UsageError
from zoo.runner import TFLiteModel


def convert(
    model: Any, samples: np.ndarray, child: Child, folder: Path, mode: str, **options: Any
) -> tuple[dict[str, Any], TFLiteModel]:
    """Operators and the loaded file of a small model with one input."""
    folder.mkdir(exist_ok=True)
    signature = describe(model)
    name = signature.inputs[0].name
    if not (folder / "saved").exists():
        lowering.lower(model, signature, folder / "saved", batch=1)
        save_arrays(folder / "samples", {name: calibration_inputs(samples, signature.inputs[0].dtype)})
    file = folder / f"{mode}.tflite"
    arguments = {"representative": str(folder / "samples"), **options} if PRESETS[mode].representative else options
    answer = child.ask("convert", mode, saved_model=str(folder / "saved"), mode=mode, out=str(file), **arguments)
    return answer["ops"], TFLiteModel(file)


@pytest.fixture(scope="module")
def images(keras: Any) -> tuple[Any, np.ndarray]:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return model, np.random.default_rng(2).integers(10, 200, (20, 8, 8, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def table(keras: Any) -> tuple[Any, np.ndarray]:
    layers = keras.layers
    model = keras.Sequential([keras.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(2)])
    return model, np.random.default_rng(2).normal(size=(20, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("mode", "io", "edge", "inside"),
    [
        ("int8", None, "int8", set()),
        ("int8", "uint8", "uint8", {"QUANTIZE"}),
        ("int8", "float", "float32", {"QUANTIZE", "DEQUANTIZE"}),
        ("int16x8", None, "int16", set()),
        ("int16x8", "float", "float32", {"QUANTIZE", "DEQUANTIZE"}),
    ],
)
def test_a_file_takes_and_gives_what_was_asked_for(
    images: tuple[Any, np.ndarray], child: Child, tmp_path: Path, mode: str, io: str | None, edge: str, inside: set[str]
) -> None:
    model, pixels = images
    ops, file = convert(model, pixels, child, tmp_path / "a folder", mode, io=io)
    assert (file.input.dtype.name, file.output.dtype.name) == (edge, edge)
    assert {"QUANTIZE", "DEQUANTIZE"} & set(ops) == inside
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(file.predict(pixels), expected, atol=0.02 if mode == "int8" else 0.005)


def test_a_raw_pixel_is_the_quantized_value_of_a_uint8_file(
    images: tuple[Any, np.ndarray], child: Child, tmp_path: Path
) -> None:
    model, pixels = images  # of 10 to 199: the calibration has to say that others may come
    _, file = convert(model, pixels, child, tmp_path, "int8", io="uint8")
    assert file.input.quantization == (1.0, 0)
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(file.quantise(every.astype(np.float32)), every)


def test_int16_activations_are_nearer_to_keras_than_int8(
    table: tuple[Any, np.ndarray], child: Child, tmp_path: Path
) -> None:
    model, samples = table
    expected = model.predict(samples, verbose=0)
    errors = {
        mode: np.abs(convert(model, samples, child, tmp_path, mode)[1].predict(samples) - expected).max()
        for mode in ("int8", "int16x8")
    }
    assert errors["int16x8"] < errors["int8"]


def test_weights_of_dense_and_convolutional_layers_have_a_scale_for_each_channel(
    images: tuple[Any, np.ndarray], child: Child, tmp_path: Path
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model, pixels = images
    for mode in ("int8", "int16x8"):
        convert(model, pixels, child, tmp_path, mode)
        details = Interpreter(str(tmp_path / f"{mode}.tflite")).get_tensor_details()
        scales = {tuple(tensor["shape"]): len(tensor["quantization_parameters"]["scales"]) for tensor in details}
        assert (scales[4, 3, 3, 1], scales[3, 144]) == (4, 3), mode


def test_edges_that_do_not_fit_are_refused_with_those_that_do(
    table: tuple[Any, np.ndarray], child: Child, tmp_path: Path
) -> None:
    model, samples = table
    with pytest.raises(UsageError, match=r"uint8 is for images, input 'input' has shape \(5,\); use int8 or float"):
        convert(model, samples, child, tmp_path, "int8", io="uint8")
    with pytest.raises(UsageError, match="int16x8 has no 'int8' inputs and outputs; choose one of int16, float"):
        convert(model, samples, child, tmp_path, "int16x8", io="int8")


@pytest.mark.parametrize("mode", PRESETS)
def test_every_mode_has_edges_and_gates_of_its_own(mode: str) -> None:
    preset = PRESETS[mode]
    assert choose_edges(preset, None) == preset.edges[0]
    assert choose_edges(preset, "float") == "float"
    assert (preset.max_error is None) != (preset.max_drop is None)


def test_auto_is_no_mode_and_a_misspelt_one_is_told() -> None:
    with pytest.raises(UsageError, match=r"chooses a mode and is none; choose one of float32, .*int16x8"):
        find_preset("auto")
    with pytest.raises(UsageError, match="did you mean int16x8"):
        find_preset("int16x9")


@pytest.mark.parametrize("kind", ["images", "table"])
def test_int16x8_passes_its_gates_from_a_run(
    image_run: runs.Run, table_run: MakeRun, child: Child, tmp_path: Path, kind: str
) -> None:
    run = image_run if kind == "images" else table_run("regression", tmp_path)
    bundle = export.export_model(run, quantize="int16x8", out=tmp_path / "a bundle", child=child)
    assert bundle.manifest["input"]["dtype"] == bundle.manifest["output"]["dtype"] == "int16"
    assert bundle.parity["agreement"] >= 0.99
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(bundle.ops)


def test_samples_are_drawn_from_all_of_them_and_the_same_ones_each_time() -> None:
    sorted_by_class = {"x": np.repeat(np.arange(4), 100), "y": np.arange(400)}
    drawn = draw(sorted_by_class, 40)
    assert set(drawn["x"]) == {0, 1, 2, 3}
    assert len(drawn["x"]) == len(drawn["y"]) == 40
    assert np.array_equal(drawn["x"], sorted_by_class["x"][drawn["y"]]), "rows stay together"
    assert np.array_equal(draw(sorted_by_class, 40)["y"], drawn["y"])
    assert np.array_equal(draw(sorted_by_class, 400)["y"], np.arange(400))


def test_no_step_is_zero_in_all_sequences_that_calibrate() -> None:
    values = np.zeros((4, 3, 2), np.float32)
    values[2, 1] = [-5.0, 3.0]
    moved = moved_steps(values)
    assert moved[0].tolist() == [[-5.0, 0.0], [0.0, 0.0], [-5.0, 0.0]], "the second step moves by itself"
    assert np.array_equal(moved[1:], values[1:])
    assert moved_steps(moved) is moved


def test_an_unrolled_network_is_right_in_int16x8_where_sequences_begin_with_nothing(
    keras: Any, child: Child, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((5, 3)), layers.Bidirectional(layers.GRU(4)), layers.Dense(2)])
    model.layers[0].set_weights([weight + 0.1 for weight in model.layers[0].get_weights()])
    samples = np.random.default_rng(4).normal(size=(60, 5, 3)).astype(np.float32)
    samples[:, 0] = 0.0
    bundle = export.to_tflite(model, "int16x8", representative=samples, out=tmp_path / "unrolled", child=child)
    assert bundle.manifest["form"] == "unrolled"
    read = schema.Model.GetRootAs(bundle.model.read_bytes(), 0).Subgraphs(0)
    scales = [read.Tensors(at).Quantization().ScaleAsNumpy() for at in range(read.TensorsLength())]
    assert all(np.all(np.isfinite(each)) for each in scales)


def test_a_replay_is_compared_with_the_closer_of_two_sets_of_kernels() -> None:
    contract = {"output": {"name": "output"}, "golden": {"tolerance": 0.1}}
    recorded = {"output": np.array([[0.0], [0.5]], np.float32)}
    builtin = {"output": np.array([[0.4], [0.5]], np.float32)}
    as_builtin, neither = np.array([[0.4], [0.5]], np.float32), np.array([[0.2], [0.5]], np.float32)
    assert differences(contract, recorded, as_builtin, builtin) == (0.0, [])
    assert differences(contract, recorded, neither, builtin) == (pytest.approx(0.2), ["error 0.2, allowed 0.1"])
    nearer = {"output": np.array([[0.2], [0.9]], np.float32)}  # Keras; the recorded answers are 0.4 away at their worst
    assert differences(contract, recorded, neither, builtin, nearer) == (pytest.approx(0.1), [])
    farther = {"output": np.array([[-0.1], [0.6]], np.float32)}
    assert differences(contract, recorded, neither, builtin, farther)[1] == ["error 0.2, allowed 0.1"]
    assert differences(contract, recorded, as_builtin) == (pytest.approx(0.4), ["error 0.4, allowed 0.1"])


@pytest.mark.parametrize("mode", PRESETS)
def test_the_answers_of_the_built_in_kernels_are_golden_too_where_activations_are_rounded(
    keras: Any, child: Child, tmp_path: Path, mode: str
) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((40,)), layers.Dense(40, activation="tanh"), layers.Dense(2)])
    samples = np.random.default_rng(4).normal(size=(60, 40)).astype(np.float32)
    bundle = export.to_tflite(model, mode, representative=samples, out=tmp_path / mode, child=child)
    golden = runs.read_npz(bundle.path / "golden.npz")
    assert ("builtin" in golden) == (mode in ("dynamic", "int8", "int16x8"))
    if "builtin" in golden:
        assert golden["builtin"].shape == golden["outputs"].shape
        assert np.abs(golden["builtin"] - golden["outputs"]).max() < 0.1


def test_samples_of_a_model_in_memory_calibrate_from_all_classes_where_they_are_sorted(keras: Any) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    by_class = np.repeat(np.arange(3), 400)
    source = from_model(model, representative=np.stack([by_class, by_class], 1).astype(np.float32))
    assert source.calibration is not None
    counts = np.unique(source.calibration["input"][:, 0], return_counts=True)[1]
    assert len(counts) == 3
    assert counts.min() > 100


@pytest.mark.parametrize(
    ("io", "dtype", "scale"), [("uint8", "uint8", {"scale": 1.0, "zero_point": 0}), ("float", "float32", None)]
)
def test_a_bundle_has_the_edges_it_was_asked_for_and_passes_its_own_self_test(
    image_run: runs.Run, child: Child, tmp_path: Path, io: str, dtype: str, scale: Any
) -> None:
    bundle = export.export_model(image_run, quantize="int8", io=io, out=tmp_path / "a bundle", child=child)
    assert (bundle.manifest["io"], bundle.manifest["input"]["dtype"]) == (io, dtype)
    assert bundle.manifest["input"]["quantization"] == scale
    assert bundle.manifest["output"]["dtype"] == dtype
    command = [sys.executable, str(bundle.path / "predict.py"), "--self-test"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
