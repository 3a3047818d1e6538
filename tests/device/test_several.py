"""A bundle with several inputs and outputs, on other runtimes."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import export
from tests.device.conftest import package

pytestmark = pytest.mark.device


@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_inputs_and_outputs_are_matched_by_name_there(runtime, keras, child, tmp_path, mode):
    layers, generator = keras.layers, np.random.default_rng(0)
    words, numbers = keras.Input((5,), dtype="int32", name="words"), keras.Input((3,), name="numbers")
    read = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4, embeddings_initializer="orthogonal")(words))
    outputs = {"z_first": layers.Dense(2)(read), "a_second": layers.Dense(3)(numbers)}
    samples = {"words": generator.integers(0, 9, (40, 5)), "numbers": generator.normal(size=(40, 3))}
    model = keras.Model({"words": words, "numbers": numbers}, outputs)
    compared = (samples, model.predict(samples, verbose=0))
    out = tmp_path / "made here"
    bundle = export.to_tflite(model, mode, representative=samples, evaluate=compared, out=out, child=child)
    copy = shutil.copytree(bundle.path, tmp_path / "a bundle")

    command = [str(runtime.python), "-E", "-s", str(copy / "predict.py"), "--self-test", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    tested = json.loads(done.stdout)
    assert (tested["ok"], tested["runtime"]) == (True, package(runtime))

    np.savez(tmp_path / "samples.npz", **samples)
    program = (
        "import sys, numpy, runner; given = dict(numpy.load(sys.argv[1]))\n"
        "answers = runner.TFLiteModel('model.tflite').predict(given)\n"
        "numpy.savez(sys.argv[2], **answers)"
    )
    files = [str(tmp_path / "samples.npz"), str(tmp_path / "answers.npz")]
    subprocess.run([str(runtime.python), "-c", program, *files], check=True, cwd=copy)
    expected = model.predict(samples, verbose=0)
    with np.load(tmp_path / "answers.npz") as answers:
        for name, values in expected.items():
            np.testing.assert_allclose(answers[name], values, atol=1e-5 if mode == "float32" else 0.1 * np.ptp(values))
