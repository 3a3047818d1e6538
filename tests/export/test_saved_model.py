"""SavedModel bundles where there is TensorFlow and numpy, and neither the toolkit nor Keras."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export.child import Child
from tests.export.conftest import MakeRun, contract, write_run
from zoo import runs

HIDDEN = ["keras", "tf_keras", "keras_tuner", "zoo", "export", "tuning", "ai_edge_litert", "pandas", "sklearn", "click"]

PROGRAM = """
import importlib.util, json, pathlib, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

hidden = sys.argv[1].split(",")

class Clean(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path = [BuiltinImporter, FrozenImporter, Clean]
import numpy
import tensorflow

def specs(tensors):
    return {name: [tensor.shape.as_list(), tensor.dtype.name] for name, tensor in tensors.items()}

def prepared(step, samples):
    if step["step"] == "image":
        return samples.reshape(-1, step["height"], step["width"], step["channels"])
    return samples * step["scale"] + step["offset"]

def examine(folder):
    contract = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    golden = dict(numpy.load(folder / "golden.npz"))
    loaded = tensorflow.saved_model.load(str(folder))
    serve = loaded.signatures["serving_default"]
    taken = serve.structured_input_signature[1]
    raw = {name: golden["samples" if "samples" in golden else "samples." + name] for name in taken}
    for step in contract["steps"]:
        raw = {name: prepared(step, samples) for name, samples in raw.items()}
    batches = {}
    for count in (None, 0, 1, 3):
        given = {
            name: tensorflow.constant(raw[name][:count].astype(spec.dtype.as_numpy_dtype))
            for name, spec in taken.items()
        }
        batches[str(count)] = {name: answer.numpy() for name, answer in serve(**given).items()}
    whole = batches["None"]
    expected = {name: golden["keras" if "keras" in golden else "keras." + name] for name in whole}
    return {
        "signatures": sorted(loaded.signatures),
        "inputs": specs(taken),
        "outputs": specs(serve.structured_outputs),
        "errors": {name: float(abs(whole[name] - expected[name]).max()) for name in whole},
        "spread": {name: float(numpy.ptp(whole[name])) for name in whole},
        "counts": {count: [len(part) for part in answers.values()] for count, answers in batches.items()},
        "alike": all(
            numpy.allclose(answers[name], whole[name][: int(count)], atol=1e-5)
            for count, answers in batches.items()
            if count != "None"
            for name in whole
        ),
    }

found = {folder: examine(pathlib.Path(folder)) for folder in sys.argv[2:]}
reachable = [name for name in hidden if name in sys.modules or importlib.util.find_spec(name)]
print(json.dumps({"found": found, "reachable": reachable}))
"""


def sequence_run(keras: Any, root: Path, name: str) -> runs.Run:
    layers = keras.layers
    wrapped = {
        "lstm": lambda: layers.LSTM(5),
        "gru": lambda: layers.GRU(5),
        "bidirectional": lambda: layers.Bidirectional(layers.LSTM(3)),
    }
    model = keras.Sequential([keras.Input((12, 3)), wrapped[name](), layers.Dense(4, activation="softmax")])
    generator = np.random.default_rng(1)
    raw = generator.normal(size=(60, 12, 3)).astype(np.float32)
    content = contract((12, 3), "multiclass", ["n", "e", "s", "w"], [])
    return write_run(root, name, model, content, raw, generator.integers(0, 4, 60))


def several(keras: Any, child: Child, out: Path) -> export.Bundle:
    layers = keras.layers
    picture, words = keras.Input((6, 6, 1), name="picture"), keras.Input((5,), name="words", dtype="int32")
    seen = layers.Flatten()(layers.Rescaling(1 / 255)(picture))
    read = layers.Flatten()(layers.Embedding(12, 2)(words))
    both = layers.Concatenate()([seen, read])
    outputs = {"kind": layers.Dense(3, activation="softmax")(both), "size": layers.Dense(1)(both)}
    model = keras.Model({"picture": picture, "words": words}, outputs, name="several")
    generator = np.random.default_rng(4)
    samples = {
        "picture": generator.integers(0, 256, (40, 6, 6, 1)).astype(np.uint8),
        "words": generator.integers(0, 12, (40, 5)).astype(np.int32),
    }
    targets = {"kind": generator.integers(0, 3, 40), "size": generator.normal(size=(40, 1))}
    return export.to_saved_model(model, evaluate=(samples, targets), out=out, child=child)


@pytest.fixture(scope="module")
def bundles(
    keras: Any, child: Child, table_run: MakeRun, image_run: runs.Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("saved models")
    sources = {"mlp": table_run("multiclass"), "convnet": image_run}
    sources |= {name: sequence_run(keras, folder, name) for name in ("lstm", "gru", "bidirectional")}
    made = {
        name: export.export_model(run, format="saved_model", out=folder / f"a {name}", child=child).path
        for name, run in sources.items()
    }
    return {**made, "several": several(keras, child, folder / "a several").path}


@pytest.fixture(scope="module")
def examined(bundles: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """What a process without the toolkit finds in each bundle."""
    command = [sys.executable, "-I", "-c", PROGRAM, ",".join(HIDDEN), *map(str, bundles.values())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["reachable"] == []
    return {name: answer["found"][str(path)] for name, path in bundles.items()}


INPUTS = {
    "mlp": {"input": [[None, 4], "float32"]},
    "convnet": {"input": [[None, 8, 8, 1], "float32"]},
    "lstm": {"input": [[None, 12, 3], "float32"]},
    "gru": {"input": [[None, 12, 3], "float32"]},
    "bidirectional": {"input": [[None, 12, 3], "float32"]},
    "several": {"picture": [[None, 6, 6, 1], "float32"], "words": [[None, 5], "int32"]},
}
OUTPUTS = {
    "mlp": {"output": [[None, 3], "float32"]},
    "several": {"kind": [[None, 3], "float32"], "size": [[None, 1], "float32"]},
}


@pytest.mark.parametrize("name", list(INPUTS))
def test_signatures_name_inputs_and_outputs_and_leave_the_batch_free(
    examined: dict[str, dict[str, Any]], bundles: dict[str, Path], name: str
) -> None:
    found = examined[name]
    assert found["signatures"] == ["serve", "serving_default"]
    assert found["inputs"] == INPUTS[name]
    assert found["outputs"] == OUTPUTS.get(name, {"output": [[None, 4], "float32"]})
    manifest = runs.read_json(bundles[name] / runs.BUNDLE_MANIFEST)
    for side in ("input", "output"):
        entries = manifest.get(f"{side}s") or [manifest[side]]
        told = {entry["name"]: [[None, *entry["shape"]], entry["dtype"]] for entry in entries}
        assert told == found[f"{side}s"], "bundle.json says what the signature says"


@pytest.mark.parametrize("name", list(INPUTS))
def test_answers_are_those_of_keras_at_any_batch(examined: dict[str, dict[str, Any]], name: str) -> None:
    found = examined[name]
    assert all(spread > 1e-3 for spread in found["spread"].values()), "an answer that is always the same shows nothing"
    assert max(found["errors"].values()) < 1e-5
    assert found["alike"], "whatever else is in the batch"
    for count in ("0", "1", "3"):
        assert set(found["counts"][count]) == {int(count)}


def test_labels_stand_beside_the_model(bundles: dict[str, Path]) -> None:
    assert (bundles["convnet"] / runs.LABELS).read_text(encoding="utf-8").split() == ["nw", "ne", "sw", "se"]
    assert runs.read_json(bundles["lstm"] / runs.BUNDLE_MANIFEST)["output"]["labels"] == ["n", "e", "s", "w"]
