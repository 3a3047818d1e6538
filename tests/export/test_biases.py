"""Int8 dense operators without a bias; tests/device runs them where they crashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import export
from export.biases import add_biases
from export.child import Child
from export.flatbuffer_head import ALIGNMENT
from tests.zoo.tflite_files import dense_file
from zoo.runner import TFLiteModel


@pytest.fixture(scope="module")
def model(keras: Any) -> Any:
    """Dense operators with two outputs, with three values, with several rows; and one that needs no bias."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Dense(8, use_bias=False, activation="relu"),
            layers.Flatten(),
            layers.Dense(16, use_bias=False, activation="relu"),
            layers.Dense(2, use_bias=False),
        ]
    )


@pytest.fixture(scope="module")
def bundle(model: Any, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    samples = np.random.default_rng(1).normal(size=(60, 4, 3)).astype(np.float32)
    out = tmp_path_factory.mktemp("biases") / "a bundle"
    return export.to_tflite(model, "int8", representative=samples, out=out, child=child)


def dense_operators(file: Path) -> list[Any]:
    graph = schema.Model.GetRootAs(file.read_bytes(), 0).Subgraphs(0)
    operators = [graph.Operators(at) for at in range(graph.OperatorsLength())]
    return [operator for operator in operators if operator.BuiltinOptionsType() == 8]


def test_operators_that_need_a_bias_have_one_and_the_others_are_left(bundle: export.Bundle) -> None:
    biased = [operator.InputsLength() == 3 and operator.Inputs(2) >= 0 for operator in dense_operators(bundle.model)]
    assert biased == [True, False, True]
    assert bundle.ops["FULLY_CONNECTED"] == 3


def test_a_bias_is_zero_and_scaled_as_the_products_are(bundle: export.Bundle) -> None:
    root = schema.Model.GetRootAs(bundle.model.read_bytes(), 0)
    graph, last = root.Subgraphs(0), dense_operators(bundle.model)[-1]
    given, weights, bias = (graph.Tensors(at) for at in last.InputsAsNumpy())
    assert (bias.Type(), bias.ShapeAsNumpy().tolist()) == (schema.TensorType.INT32, [2])
    assert root.Buffers(bias.Buffer()).DataAsNumpy().tolist() == [0] * 8
    expected = given.Quantization().Scale(0) * weights.Quantization().ScaleAsNumpy()
    np.testing.assert_allclose(bias.Quantization().ScaleAsNumpy(), expected, rtol=1e-6)


def without_bias(path: Path) -> bytes:
    """A hand-written file of one dense operator with two outputs, a scale for each, and no bias."""
    scales = {"input": (0.5, 3), "weights": (0.25, 0), "output": (0.125, -7)}
    content = dense_file(path, np.arange(10).reshape(2, 5), quantization=scales).read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    weights = model.subgraphs[0].tensors[1].quantization
    weights.scale, weights.zeroPoint = [0.25, 0.125], [0, 0]
    model.subgraphs[0].operators[0].inputs = [0, 1]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path.read_bytes()


def test_what_stands_already_is_not_moved_and_answers_as_before(tmp_path: Path) -> None:
    before = tmp_path / "before.tflite"
    content = without_bias(before)
    after = tmp_path / "after.tflite"
    after.write_bytes(add_biases(content))
    assert after.read_bytes().endswith(content)
    assert (after.stat().st_size - len(content)) % ALIGNMENT == 0
    given = {"x": np.array([[4, 5, 3, 2, 6]], np.int8)}
    answers = [TFLiteModel(file).invoke(given)["y"].tolist() for file in (before, after)]
    assert answers == [[[4, 11]]] * 2
    assert add_biases(after.read_bytes()) == after.read_bytes(), "every operator has what it needs"


@pytest.mark.parametrize("scales", [None, {"input": (0.5, 3), "weights": (0.25, 0), "output": (0.125, -7)}])
def test_float_files_and_those_with_one_scale_are_left(tmp_path: Path, scales: Any) -> None:
    content = dense_file(tmp_path / "a file.tflite", np.ones((2, 3)), quantization=scales).read_bytes()
    assert add_biases(content) == content
