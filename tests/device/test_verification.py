"""Tiny models of each kind in each mode, replayed by `verify` on each runtime."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import export
from export.child import Child
from tests.device.conftest import REFUSED, package
from zoo.doctor import Installed

pytestmark = pytest.mark.device

CASES = [
    *((kind, mode) for kind in ("dense", "conv") for mode in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *(("lstm", mode) for mode in ("float32", "float16", "int8")),
    *(("gru", mode) for mode in ("float32", "float16", "int8", "int16x8")),
    *(("two inputs", mode) for mode in ("float32", "int8")),
]
FORMS = {("lstm", "int8"): "fused", ("gru", "float32"): "loop", ("gru", "int8"): "step", ("gru", "int16x8"): "step"}


def build(keras: Any, kind: str) -> Any:
    layers = keras.layers
    if kind == "two inputs":
        first, second = keras.Input((4,), name="z_first"), keras.Input((3,), name="a_second")
        outputs = {"y_first": layers.Dense(2)(first), "b_second": layers.Dense(3)(second)}
        return keras.Model({"z_first": first, "a_second": second}, outputs)
    inner = {
        "dense": [keras.Input((40,)), layers.Dense(64, activation="relu")],
        "conv": [keras.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(16)],
        "lstm": [keras.Input((3, 3)), layers.LSTM(8)],
        "gru": [keras.Input((5, 3)), layers.GRU(8)],
    }[kind]
    return keras.Sequential([*inner, layers.Dense(2)])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, keras: Any, child: Child) -> Callable[[str, str], export.Bundle]:
    """(kind, mode) to a bundle; made when first asked for."""
    folder, made = tmp_path_factory.mktemp("tiny bundles"), {}
    keras.utils.set_random_seed(7)  # nobody trained these weights, and some draws of them agree too little in int8
    models = {kind: build(keras, kind) for kind in dict.fromkeys(kind for kind, _ in CASES)}

    def get(kind: str, mode: str) -> export.Bundle:
        if (kind, mode) not in made:
            model, generator = models[kind], np.random.default_rng(0)
            given = {tensor.name: generator.uniform(-1, 1, (400, *tensor.shape[1:])) for tensor in model.inputs}
            samples = given if len(given) > 1 else next(iter(given.values()))
            out = folder / f"{kind} {mode}"
            made[kind, mode] = export.to_tflite(model, mode, representative=samples, out=out, child=child)
        return made[kind, mode]

    return get


@pytest.mark.parametrize(("kind", "mode"), CASES)
def test_a_bundle_passes_there_or_is_refused_for_what_the_runtime_lacks(
    runtime: Installed, bundles: Callable[[str, str], export.Bundle], kind: str, mode: str
) -> None:
    bundle = bundles(kind, mode)
    assert bundle.manifest["form"] == FORMS.get((kind, mode), bundle.manifest["form"])
    found = export.verify(bundle, runtime.name)
    if (runtime.name, mode) in REFUSED:
        assert (found.status, found.ok, found.max_error) == ("refused", False, None)
        assert "tflite-micro has no " in found.problem
        return
    assert (found.status, found.ok) == ("pass", True), found.problem
    assert found.max_error is not None


SEQUENCES = """
import json, sys
import numpy
from runner import TFLiteModel
model = TFLiteModel("model.tflite", runtime=sys.argv[1])
samples = numpy.random.default_rng(3).normal(size=(6, 3, 3)).astype(numpy.float32)
forwards, backwards = model.predict(samples), model.predict(samples[::-1])[::-1]
interpreter = model._interpreter
def carried(sample):  # what a caller gets who forgets to reset
    interpreter.set_tensor(model.input.index, sample[None])
    interpreter.invoke()
    return interpreter.get_tensor(model.output.index)[0]
interpreter.reset_all_variables()
on = numpy.stack([carried(sample) for sample in samples])
print(json.dumps({"order": float(abs(forwards - backwards).max()), "carried": abs(on - forwards).max(axis=1).tolist()}))
"""


def test_a_sequence_is_answered_alike_whatever_came_before(
    runtime: Installed, bundles: Callable[[str, str], export.Bundle]
) -> None:
    """The fused LSTM keeps its state in the interpreter: the runner resets it, and the runtime must really do so."""
    bundle = bundles("lstm", "float32")
    assert bundle.manifest["form"] == "fused"
    command = [str(runtime.python), "-c", SEQUENCES, package(runtime)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=bundle.path).stdout)
    assert found["order"] == 0.0
    assert found["carried"][0] < 1e-6
    assert min(found["carried"][1:]) > 1e-4, "this file does keep its state, so the reset is what made them alike"
