"""Dense layers over the steps of a series, which tflite-runtime 2.14 answers in part with int16 and a scale a row."""

import numpy as np
import pytest

import export
from export.dense import half_answered


@pytest.fixture(scope="module")
def files(keras, child, tmp_path_factory):
    """A dense layer on rows, and one on every step of a series, in int16x8."""
    folder, made = tmp_path_factory.mktemp("dense"), {}
    for shape in ((8,), (5, 8)):
        model = keras.Sequential([keras.Input(shape), keras.layers.Dense(6)])
        samples = np.random.default_rng(3).normal(size=(60, *shape)).astype(np.float32)
        made[shape] = export.to_tflite(
            model, "int16x8", representative=samples, out=folder / str(len(shape)), child=child
        )
    return made


def scales(model):
    from ai_edge_litert import schema_py_generated as schema

    read = schema.Model.GetRootAs(model, 0)
    graph = read.Subgraphs(0)
    weights = [graph.Tensors(at) for at in range(graph.TensorsLength())]
    return {tensor.Quantization().ScaleLength() for tensor in weights if tensor.Type() == schema.TensorType.INT8}


def test_weights_share_a_scale_where_the_answer_has_steps_and_have_one_a_row_elsewhere(files):
    assert scales(files[5, 8].model.read_bytes()) == {1}
    assert scales(files[8,].model.read_bytes()) == {6}
    assert not any(half_answered(bundle.model.read_bytes()) for bundle in files.values())
    assert all(bundle.parity["max_error"] < 0.02 for bundle in files.values())
