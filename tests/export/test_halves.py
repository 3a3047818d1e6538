"""Constants of float16 files with loops, which tflite-runtime must not read where XNNPACK has freed them."""

import numpy as np
import pytest

import export
from export.halves import PACKING, widen_constants

DEQUANTIZE = 6


def code(model, operator):
    found = model.OperatorCodes(operator.OpcodeIndex())
    return max(found.BuiltinCode(), found.DeprecatedBuiltinCode())


def widened_for(content):
    """What uses the result of each DEQUANTIZE, a set of operators' codes by subgraph."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for at in range(model.SubgraphsLength()):
        graph = model.Subgraphs(at)
        operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
        wide = {operator.Outputs(0) for operator in operators if code(model, operator) == DEQUANTIZE}
        yield {code(model, user) for user in operators if wide & set(user.InputsAsNumpy().tolist())}


def export_as(keras, child, out, mode, layers):
    model = keras.Sequential(layers)
    samples = np.random.default_rng(2).normal(size=(60, *model.input_shape[1:])).astype(np.float32)
    return export.to_tflite(model, mode, representative=samples, out=out, child=child)


@pytest.fixture(scope="module")
def loop(keras, child, tmp_path_factory):
    """A GRU with a product in front of its loop and a difference inside it."""
    layers = keras.layers
    built = [keras.Input((5, 3)), layers.Rescaling(0.1, 0.5), layers.GRU(8), layers.Dense(2)]
    return export_as(keras, child, tmp_path_factory.mktemp("a loop") / "half", "float16", built)


def test_only_dense_operators_read_widened_constants_beside_a_loop(loop):
    assert loop.manifest["form"] == "loop"
    found = list(widened_for(loop.model.read_bytes()))
    assert len(found) == 3
    assert set.union(*found) <= set(PACKING)
    assert found[0], "the dense layer's weights are still in half precision"


def test_the_file_answers_as_keras_does_and_stays_half_the_size(loop, keras, child, tmp_path):
    assert loop.parity["max_error"] < 1e-3
    layers = keras.layers
    built = [keras.Input((5, 3)), layers.Rescaling(0.1, 0.5), layers.GRU(64), layers.Dense(2)]
    sizes = {mode: export_as(keras, child, tmp_path / mode, mode, built).bytes for mode in ("float32", "float16")}
    assert sizes["float16"] < sizes["float32"] - 20_000


def test_once_is_enough(loop):
    content = loop.model.read_bytes()
    assert widen_constants(content) is content


def test_a_file_without_a_loop_is_left_as_it_is(keras, child, tmp_path):
    layers = keras.layers
    built = [keras.Input((4,)), layers.Dense(2, activation="tanh"), layers.Rescaling(0.1, 0.5)]
    content = export_as(keras, child, tmp_path / "dense", "float16", built).model.read_bytes()
    (users,) = widened_for(content)
    assert users - set(PACKING), "a product with a widened constant, which one subgraph keeps alive"
    assert widen_constants(content) is content
