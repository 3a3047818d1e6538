from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import export
from export import lowering
from export.attempts import Attempts
from export.child import Child
from export.forms import StepModel, plan_forms
from export.sensitivity import LayerLoss, Loss, find_layers
from export.signature import describe
from export.worker import save_arrays
from zoo.errors import GateError, ModelError, UsageError
from zoo.runner import TFLiteModel


@pytest.fixture(scope="module")
def lowered(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Lowers a model beside its calibration samples."""

    def lower(model: Any, samples: np.ndarray) -> Path:
        folder = tmp_path_factory.mktemp("a lowered model")
        signature = describe(model, samples[:1])
        lowering.lower(model, signature, folder / "saved", batch=1)
        save_arrays(folder / "samples", {signature.inputs[0].name: samples})
        return folder

    return lower


@pytest.fixture(scope="module")
def outlier(keras: Any, lowered: Any) -> tuple[Any, np.ndarray, Path]:
    """A model that int8 destroys: one channel is 2,000 times as wide as the others, and the next layer undoes it."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="tanh", name="start"),
            layers.Dense(8, name="stretch"),
            layers.Dense(8, activation="tanh", name="shrink"),
            layers.Dense(3, activation="softmax", name="answer"),
        ],
        name="outlier",
    )
    generator = np.random.default_rng(1)
    for layer in model.layers:
        kernel, bias = layer.get_weights()
        layer.set_weights([generator.normal(0, 0.7, kernel.shape), bias])
    (stretch, bias), (shrink, _) = (model.get_layer(name).get_weights() for name in ("stretch", "shrink"))
    stretch[:, 0] *= 2000
    shrink[0] /= 2000
    model.get_layer("stretch").set_weights([stretch, bias])
    model.get_layer("shrink").set_weights([shrink, bias])
    samples = generator.normal(size=(80, 6)).astype(np.float32)
    return model, samples, lowered(model, samples)


def convert(child: Child, folder: Path, **options: Any) -> tuple[dict[str, int], TFLiteModel]:
    paths = {"saved_model": str(folder / "saved"), "representative": str(folder / "samples")}
    file = folder / "model.tflite"
    return child.ask("convert", "the model", mode="int8", out=str(file), **paths, **options)["ops"], TFLiteModel(file)


def agreement(model: Any, file: TFLiteModel, samples: np.ndarray) -> float:
    expected = model.predict(samples, verbose=0)
    return float(np.mean(file.predict(samples).argmax(axis=1) == expected.argmax(axis=1)))


def test_the_layers_that_lose_most_come_first(outlier: tuple[Any, np.ndarray, Path], child: Child) -> None:
    _, _, folder = outlier
    loss = find_layers(child, "outlier", folder / "saved", folder / "samples")
    assert {layer.layer for layer in loss.layers[:2]} == {"stretch", "shrink"}
    assert {layer.layer for layer in loss.layers} == {"start", "stretch", "shrink", "answer"}
    assert [layer.snr_db for layer in loss.layers] == sorted(layer.snr_db for layer in loss.layers)
    assert sum(layer.share for layer in loss.layers) == pytest.approx(1)
    assert sum(layer.share for layer in loss.layers[:2]) > 0.99
    assert loss.snr_db < 10 < 25 < loss.layers[2].snr_db


@pytest.mark.parametrize("io", ["int8", "float"])
def test_what_is_kept_in_float_brings_the_answers_back(
    outlier: tuple[Any, np.ndarray, Path], child: Child, io: str
) -> None:
    model, samples, folder = outlier
    loss = find_layers(child, "outlier", folder / "saved", folder / "samples")
    ops, whole = convert(child, folder, io=io)
    before = agreement(model, whole, samples)
    kept_ops, partly = convert(child, folder, io=io, keep_float=loss.to_keep())
    assert before < 0.8
    assert agreement(model, partly, samples) >= 0.95
    assert {"QUANTIZE", "DEQUANTIZE"} <= set(kept_ops) <= {*ops, "QUANTIZE", "DEQUANTIZE"}
    assert (partly.input.dtype, partly.output.dtype) == (whole.input.dtype, whole.output.dtype)


def test_unknown_layers_are_refused_with_those_there_are(outlier: tuple[Any, np.ndarray, Path], child: Child) -> None:
    _, _, folder = outlier
    with pytest.raises(
        UsageError, match="from 'shrnk'; the layers to keep in float are start, stretch, shrink, answer"
    ):
        convert(child, folder, keep_float=["stretch", "shrnk"])
    paths = {"saved_model": str(folder / "saved"), "representative": str(folder / "samples"), "out": "never"}
    with pytest.raises(UsageError, match="in int8 only, not in int16x8; leave stretch out"):
        child.ask("convert", "the model", mode="int16x8", keep_float=["stretch"], **paths)


def test_layers_have_the_names_that_keras_has_for_them(keras: Any, lowered: Any, child: Child) -> None:
    """Of numbered layers, merged ones, a model in a model, and two outputs; each can be kept by that name."""
    layers = keras.layers
    entry = keras.Input((8, 8, 1))
    first = layers.Conv2D(4, 3, padding="same", name="conv2d")(entry)
    second = layers.ReLU(name="re_lu")(layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv2d_1")(first))
    encoder = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(2, 3), layers.Flatten()], name="encoder")
    encoder.layers[0].name = "conv2d_2"
    encoded = encoder(layers.Add(name="add")([first, second]))
    answers = {
        "kind": layers.Dense(3, activation="softmax", name="a")(encoded),
        "size": layers.Dense(1, name="b")(encoded),
    }
    model = keras.Model(entry, answers, name="net")
    folder = lowered(model, np.random.default_rng(0).uniform(0, 1, (16, 8, 8, 1)).astype(np.float32))
    loss = find_layers(child, "net", folder / "saved", folder / "samples")
    names = {layer.layer for layer in loss.layers}
    assert (
        {"conv2d", "conv2d_1", "add", "encoder/conv2d_2", "a", "b"}
        <= names
        <= {model.layers[0].name, "encoder/flatten", *names}
    )
    plain, _ = convert(child, folder)
    for kept in ("re_lu", "encoder", "encoder/conv2d_2", "conv2d_2", "b"):
        ops, _ = convert(child, folder, keep_float=[kept])
        assert set(ops) - set(plain) >= {"DEQUANTIZE"}, kept


@pytest.mark.parametrize("form", ["fused", "step"])
def test_recurrent_layers_have_their_names_too(keras: Any, child: Child, tmp_path: Path, form: str) -> None:
    """The converter makes the fused operator anew, and a step is traced from the cell alone."""
    layers = keras.layers
    recurrent = layers.Bidirectional(layers.LSTM(4, name="gate"), name="both") if form == "fused" else layers.GRU(4)
    model = keras.Sequential([keras.Input((6, 3)), recurrent, layers.Dense(2, name="answer")], name="series")
    samples = np.random.default_rng(0).normal(size=(12, 6, 3)).astype(np.float32)
    signature = describe(model)
    plan = plan_forms(model, signature, "int8")
    if form == "step":
        step = StepModel(model, signature, plan.calls)
        lowering.lower_step(step, model, tmp_path / "saved")
        save_arrays(tmp_path / "samples", step.walk_through(samples))
        expected = {recurrent.name, "answer"}
    else:
        lowering.lower(model, signature, tmp_path / "saved", batch=1, form="fused", plan=plan)
        save_arrays(tmp_path / "samples", {signature.inputs[0].name: samples})
        expected = {"both/forward_gate", "both/backward_gate", "answer"}
    loss = find_layers(child, "series", tmp_path / "saved", tmp_path / "samples")
    assert expected <= {layer.layer for layer in loss.layers}
    plain, _ = convert(child, tmp_path)
    kept, _ = convert(child, tmp_path, keep_float=[recurrent.name])
    assert "DEQUANTIZE" not in plain
    assert kept["DEQUANTIZE"] >= 1


def test_the_fewest_layers_are_kept_and_none_where_int8_is_good() -> None:
    def layer(name: str, alone: float, kept: float | None) -> LayerLoss:
        return LayerLoss(layer=name, operators=("CONV_2D",), snr_db=alone, share=0.5, kept_snr_db=kept)

    bad = Loss(snr_db=2.0, layers=(layer("a", 3.0, 4.0), layer("b", 5.0, 33.0), layer("c", 40.0, 60.0)))
    assert bad.to_keep() == ("a", "b")
    assert bad.worst() == ("a (3.0 dB)", "b (5.0 dB)")
    good = Loss(snr_db=35.0, layers=(layer("a", 36.0, 40.0),))
    assert good.to_keep() == good.worst() == ()
    hopeless = Loss(snr_db=1.0, layers=(layer("a", 2.0, 3.0), layer("b", 4.0, None)))
    assert hopeless.to_keep() == ()


def test_an_export_that_int8_destroys_passes_with_those_layers_in_float(
    outlier: tuple[Any, np.ndarray, Path], child: Child, tmp_path: Path
) -> None:
    model, samples, folder = outlier
    targets = model.predict(samples, verbose=0).argmax(axis=1)
    given = {"representative": samples, "evaluate": (samples, targets), "child": child, "out": tmp_path / "a bundle"}
    with pytest.raises(GateError, match="a drop of"):
        export.to_tflite(model, "int8", **given)
    kept = find_layers(child, "outlier", folder / "saved", folder / "samples").to_keep()
    bundle = export.to_tflite(model, "int8", keep_float=kept, **given)
    assert bundle.manifest["keep_float"] == list(kept)
    assert bundle.parity["drop"] <= 1
    assert bundle.manifest["input"]["dtype"] == "int8"


def test_an_input_of_unlike_columns_is_told_and_float_edges_spare_it(keras: Any, lowered: Any, child: Child) -> None:
    """The normalisation is in the graph, behind an input with one scale for columns of thousands and of thousandths."""
    layers = keras.layers
    spread = np.array([1000.0, 0.01, 1.0, 0.1])
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Normalization(mean=np.zeros(4), variance=spread**2, name="scaling"),
            layers.Dense(8, activation="tanh", name="hidden"),
            layers.Dense(3, activation="softmax", name="answer"),
        ],
        name="unlike",
    )
    kernel, bias = model.get_layer("answer").get_weights()
    model.get_layer("answer").set_weights([kernel * 4, bias])
    samples = (np.random.default_rng(3).normal(size=(80, 4)) * spread).astype(np.float32)
    folder = lowered(model, samples)
    loss = find_layers(child, "unlike", folder / "saved", folder / "samples")
    assert loss.input_snr_db < 10
    assert loss.worst()[0].startswith("the int8 input itself (")
    assert loss.worst()[1].startswith("scaling (")
    _, destroyed = convert(child, folder, io="int8", keep_float=["scaling"])
    _, spared = convert(child, folder, io="float", keep_float=["scaling"])
    assert agreement(model, destroyed, samples) < 0.9
    assert agreement(model, spared, samples) >= 0.95


def test_layers_of_thousands_of_operators_are_not_followed_for_minutes():
    unrolled: Any = SimpleNamespace(form="unrolled", ops={"FULLY_CONNECTED": 1500, "ADD": 1501})
    attempts: Any = SimpleNamespace(_losses={})  # without a child to ask
    with pytest.raises(ModelError, match="3,001 operators, and the layers of at most 2,000 are followed"):
        Attempts.losses(attempts, unrolled)
