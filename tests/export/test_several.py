"""One's own models in memory: several named inputs and outputs, layers of a notebook, files of one's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
import zoo
from export.child import Child
from tests.export.test_commands import call
from zoo import runner, runs
from zoo.errors import DataError, GateError, ModelError, UsageError
from zoo.inference import Predictor

MODES = ("float32", "float16", "dynamic", "int8")
COUNT = 120


@pytest.fixture(scope="module")
def samples() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(4)
    pictures = generator.integers(0, 240, (COUNT, 6, 6, 1)).astype(np.uint8)
    return {"picture": pictures, "words": generator.integers(0, 12, (COUNT, 5)).astype(np.int32)}


@pytest.fixture(scope="module")
def targets(samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    bright = samples["picture"].mean(axis=(1, 2, 3), dtype=np.float64)
    return {"kind": samples["words"][:, 0] % 3, "size": (bright / 100)[:, None]}


@pytest.fixture(scope="module")
def model(keras: Any, samples: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> Any:
    """Pixels and word ids to a class and a number, with a layer that cannot be saved."""

    class Squash(keras.layers.Layer):
        def __init__(self, factor: Any) -> None:
            super().__init__()
            self.factor = factor

        def call(self, inputs: Any) -> Any:
            return keras.ops.tanh(inputs) * self.factor

    layers = keras.layers
    picture = keras.Input((6, 6, 1), name="picture")
    words = keras.Input((5,), name="words", dtype="int32")
    seen = layers.Flatten()(layers.Conv2D(3, 3, activation="relu")(layers.Rescaling(1 / 255)(picture)))
    read = layers.Flatten()(layers.Embedding(12, 4)(words))
    both = Squash(0.9)(layers.Dense(16)(layers.Concatenate()([seen, read])))
    outputs = {"kind": layers.Dense(3, activation="softmax")(both), "size": layers.Dense(1)(both)}
    built = keras.Model({"picture": picture, "words": words}, outputs, name="notebook")
    built.compile(keras.optimizers.Adam(0.02), {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    built.fit(samples, targets, epochs=25, batch_size=24, verbose=0)
    return built


@pytest.fixture(scope="module")
def bundles(
    model: Any,
    samples: dict[str, np.ndarray],
    targets: dict[str, np.ndarray],
    child: Child,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, export.Bundle]:
    folder = tmp_path_factory.mktemp("several of them")
    given: dict[str, Any] = {"evaluate": (samples, targets), "child": child}
    made = {
        mode: zoo.export.to_tflite(
            model, mode, representative=samples, max_drop=15, out=folder / mode, keep_failed=True, **given
        )
        for mode in MODES
    }
    return {**made, "saved_model": zoo.export.to_saved_model(model, out=folder / "saved model", **given)}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_answers_by_name_as_keras_does(
    bundles: dict[str, export.Bundle], model: Any, samples: dict[str, np.ndarray], mode: str
) -> None:
    loaded = runner.TFLiteModel(bundles[mode].model)
    given = {"words": samples["words"], "picture": samples["picture"]}  # in another order than the file's
    answers, expected = loaded.predict(given), model.predict(samples, verbose=0)
    assert set(answers) == {"kind", "size"}
    allowed = {"float32": 1e-5, "float16": 5e-3, "dynamic": 5e-2, "int8": 0.2}[mode]
    for name in answers:
        np.testing.assert_allclose(answers[name], expected[name], atol=allowed)
    assert np.mean(answers["kind"].argmax(axis=1) == expected["kind"].argmax(axis=1)) > 0.95


def test_bundle_json_describes_every_input_and_output(bundles: dict[str, export.Bundle]) -> None:
    manifest = bundles["int8"].manifest
    assert not {"input", "output", "task"} & manifest.keys()
    picture, words = manifest["inputs"]
    assert (picture["name"], picture["shape"], picture["dtype"]) == ("picture", [6, 6, 1], "int8")
    assert picture["quantization"] == {"scale": 1.0, "zero_point": -128}, "a raw pixel is a step"
    assert (words["name"], words["shape"], words["dtype"], words["quantization"]) == ("words", [5], "int32", None)
    kind, size = manifest["outputs"]
    assert (kind["name"], kind["task"], kind["dtype"]) == ("kind", "multiclass", "int8")
    assert (size["name"], size["task"], size["meaning"]) == ("size", "regression", "value in target units")
    assert manifest["golden"]["outputs"]["size"]["tolerance"] == 8 * size["quantization"]["scale"]
    parity = manifest["parity"]
    each = parity["outputs"]
    assert (each["kind"]["metric"], each["size"]["metric"]) == ("accuracy", "r2")
    assert each["kind"]["metric_before"] > 0.8
    assert parity["max_error"] == max(figures["max_error"] for figures in each.values())
    assert parity["agreement"] == min(figures["agreement"] for figures in each.values())


def test_golden_samples_are_kept_by_name(bundles: dict[str, export.Bundle], model: Any) -> None:
    golden = runs.read_npz(bundles["float32"].path / "golden.npz")
    assert sorted(golden) == [
        "keras.kind", "keras.size", "outputs.kind", "outputs.size", "samples.picture", "samples.words",
    ]  # fmt: skip
    answers = model({"picture": golden["samples.picture"], "words": golden["samples.words"]})
    np.testing.assert_allclose(answers["kind"], golden["keras.kind"], atol=1e-5)
    assert {len(array) for array in golden.values()} == {32}


@pytest.mark.parametrize("mode", [*MODES, "saved_model"])
def test_each_bundle_verifies_and_is_measured(bundles: dict[str, export.Bundle], mode: str) -> None:
    found = zoo.export.verify(bundles[mode])
    assert found.ok, found.problem
    (result,) = zoo.export.bench(bundles[mode])
    assert result.p50_us > 0
    assert result.bytes == bundles[mode].bytes


def test_a_changed_answer_is_found_and_its_output_named(bundles: dict[str, export.Bundle], tmp_path: Path) -> None:
    for name in ("float32", "saved_model"):
        copy = Path(shutil.copytree(bundles[name].path, tmp_path / name))
        golden = runs.read_npz(copy / "golden.npz")
        golden["outputs.size"] += 0.5
        runs.write_npz(copy / "golden.npz", **golden)
        sums = (copy / "SHA256SUMS").read_text().splitlines()
        kept = [line for line in sums if not line.endswith("  golden.npz")]
        kept.append(f"{runs.sha256(copy / 'golden.npz')}  golden.npz")
        (copy / "SHA256SUMS").write_text("".join(f"{line}\n" for line in kept))
        found = zoo.export.verify(copy)
        assert not found.ok
        assert "output 'size': error 0.5, allowed" in found.problem
        assert "'kind'" not in found.problem


def test_the_bundles_program_tests_and_measures_itself_and_refuses_files(bundles: dict[str, export.Bundle]) -> None:
    def program(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(bundles["int8"].path / "predict.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    tested = json.loads(program("--self-test", "--json").stdout)
    assert (tested["ok"], tested["samples"], tested["max_error"]) == (True, 32, 0.0)
    assert json.loads(program("--bench", "--json").stdout)["p50_us"] > 0
    refused = program("rows.csv")
    assert refused.returncode == 4
    assert refused.stderr.count("\n") == 1
    shown = "runner.TFLiteModel('model.tflite').predict({'picture': ..., 'words': ...})"
    assert shown in refused.stderr
    script = f"import numpy as np, runner\nprint({shown})".replace("'model.tflite'", f"{str(bundles['int8'].model)!r}")
    script = script.replace("'picture': ...", "'picture': np.zeros((1, 6, 6, 1))")
    script = script.replace("'words': ...", "'words': np.zeros((1, 5))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=bundles["int8"].path)
    assert done.stdout.startswith("{'kind': array("), done.stderr


def test_files_are_refused_by_the_toolkit_too(bundles: dict[str, export.Bundle]) -> None:
    with pytest.raises(ModelError, match=r"several inputs or outputs \(inputs picture, words; outputs kind, size\)"):
        Predictor.open(bundles["int8"].path)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_two_exports_are_equal_byte_for_byte(
    bundles: dict[str, export.Bundle],
    model: Any,
    samples: dict[str, np.ndarray],
    targets: dict[str, np.ndarray],
    child: Child,
    tmp_path: Path,
    mode: str,
) -> None:
    given: dict[str, Any] = {"representative": samples, "evaluate": (samples, targets), "out": tmp_path / "again"}
    # a process of its own gives the same bytes too
    again = zoo.export.to_tflite(model, mode, max_drop=15, child=child if mode == "float32" else None, **given)
    assert (again.path / "SHA256SUMS").read_text() == (bundles[mode].path / "SHA256SUMS").read_text()


def test_every_gate_is_judged_and_names_its_output(keras: Any, child: Child, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    fine = keras.initializers.RandomNormal(stddev=1e-3, seed=1)  # answers closer than a step of int8
    outputs = [
        keras.layers.Dense(4, activation="softmax", kernel_initializer=fine, name=name)(b)
        for name in ("first", "second")
    ]
    model = keras.Model([a, b], [*outputs, keras.layers.Dense(1, name="good")(a)], name="close")
    given = {name: generator.normal(size=(80, 3)) for name in ("a", "b")}
    with pytest.raises(GateError, match=r"output 'first': .*; output 'second': ") as caught:
        zoo.export.to_tflite(model, "int8", representative=given, out=tmp_path / "int8", child=child)
    assert "'good'" not in str(caught.value)
    report = json.loads((tmp_path / "int8.failed.json").read_text())
    assert [line.split(":")[0] for line in report["failed"]] == ["output 'first'", "output 'second'"]
    assert set(report["parity"]["outputs"]) == {"first", "second", "good"}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda x: {"picture": x["picture"], "word": x["words"]}, DataError, "no input words and word is not known"),
        (lambda x: (x["words"], x["picture"]), DataError, r"input 'picture' have shape \(5,\); expected \(6, 6, 1\)"),
        (lambda x: {**x, "words": x["words"] + 0.5}, DataError, "input 'words' are fractions; it takes int32"),
        (lambda x: {**x, "words": x["words"] + 99}, ModelError, "does not run on the samples given: .*not in"),
        (lambda x: {**x, "picture": x["picture"] * np.nan}, DataError, "input 'picture' holds NaN"),
        (lambda x: None, UsageError, r"int32 values of unknown range \(input 'words'\)"),
    ],
    ids=["names", "order", "fractions", "beyond-the-embedding", "nan", "nothing"],
)
def test_samples_that_the_model_cannot_take_are_refused_in_a_line(
    model: Any, samples: dict[str, np.ndarray], child: Child, tmp_path: Path, change: Any, kind: Any, words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        zoo.export.to_tflite(model, representative=change(samples), out=tmp_path / "never", child=child)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: {**y, "kind": y["kind"] + 1}, "output 'kind' are not all classes from 0 to 2"),
        (lambda y: {**y, "size": np.zeros((COUNT, 2))}, r"output 'size' have shape \(2,\) a sample"),
    ],
)
def test_targets_that_the_model_cannot_have_are_refused(
    model: Any,
    samples: dict[str, np.ndarray],
    targets: dict[str, np.ndarray],
    child: Child,
    tmp_path: Path,
    change: Any,
    words: str,
) -> None:
    with pytest.raises(DataError, match=words):
        zoo.export.to_tflite(model, evaluate=(samples, change(targets)), out=tmp_path / "never", child=child)


def test_preprocessing_is_for_one_input(
    model: Any, samples: dict[str, np.ndarray], keras: Any, child: Child, tmp_path: Path
) -> None:
    steps = [{"step": "standardise", "scale": [2.0, 2.0], "offset": [1.0, 1.0]}]
    with pytest.raises(UsageError, match="preprocessing is for one input, model 'notebook' has 2"):
        zoo.export.to_tflite(model, representative=samples, preprocessing=steps, out=tmp_path / "never", child=child)
    start = keras.Input((2,), name="start")
    forked = keras.Model(start, [keras.layers.Dense(1)(start), start])
    raw = np.random.default_rng(0).normal(size=(20, 2))
    bundle = zoo.export.to_tflite(forked, representative=raw, preprocessing=steps, out=tmp_path / "one", child=child)
    golden = runs.read_npz(bundle.path / "golden.npz")
    np.testing.assert_allclose(golden["outputs.start"], golden["samples.start"] * 2 + 1, rtol=1e-6)
    assert zoo.export.verify(bundle).ok


def test_a_subclassed_model_with_ids_keeps_them_integers(keras: Any, child: Child, tmp_path: Path) -> None:
    class Reader(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.dense = keras.layers.Embedding(9, 3), keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            words, numbers = inputs
            return self.dense(keras.ops.mean(self.embed(words), axis=1)), numbers * 2.0

    generator = np.random.default_rng(0)
    given = (generator.integers(0, 9, (40, 5)), generator.normal(size=(40, 2)))
    model = Reader()
    model(given)
    bundle = zoo.export.to_tflite(model, "int8", representative=given, out=tmp_path / "reader", child=child)
    assert [entry["dtype"] for entry in bundle.manifest["inputs"]] == ["int32", "int8"]
    assert [entry["name"] for entry in bundle.manifest["outputs"]] == ["output_1", "output_2"]
    assert zoo.export.verify(bundle).ok


@pytest.mark.slow
def test_a_keras_file_with_two_inputs_goes_through_the_commands(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = keras.Input((3,), name="left"), keras.Input((4,), name="right")
    model = keras.Model([a, b], [keras.layers.Dense(2, name="which")(a), keras.layers.Dense(1)(b)])
    file = tmp_path / "my two.keras"
    model.save(file)
    code, made, told = call(capsys, "export", file, "--json")
    assert code == 0
    assert set(made["parity"]["outputs"]) == {"which", "output_2"}
    assert "random inputs" in told
    assert call(capsys, "verify", made["bundle"], "--json")[:2] == (
        0,
        {"ok": True, "runtime": "litert", "max_error": 0.0, "status": "pass"},
    )
    code, measured, _ = call(capsys, "bench", made["bundle"], file, "--json")
    assert (code, [result["runtime"] for result in measured["results"]]) == (0, ["litert", "tensorflow"])
    code, answer, _ = call(capsys, "export", file, "--data", "iris", "--json")
    assert code == 3
    assert "has 2 inputs and 2 outputs, iris feeds one of each" in answer["error"]


@pytest.mark.slow
def test_a_keras_file_takes_its_samples_from_data(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import zoo.data

    data = zoo.data.load("iris", seed=0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    model.fit(data.inputs(data.train), data.model_targets(data.train), epochs=20, verbose=0)
    for name in ("flowers.keras", "flowers.h5"):
        model.save(tmp_path / name)
        words = ("--data", "iris", "--quantize", "int8", "--out", tmp_path / f"{name} bundle", "--json")
        code, made, told = call(capsys, "export", tmp_path / name, *words)
        assert (code, made["parity"]["split"], made["parity"]["samples"]) == (0, "validation", len(data.validation))
        assert made["parity"]["metric_before"] > 0.7
        assert "is fed iris as zoo train prepares it: encode, standardise" in told
    manifest = json.loads((tmp_path / "flowers.keras bundle/bundle.json").read_text())
    assert manifest["output"]["labels"] == list(data.output.labels)
    assert manifest["source"]["data"]["sha256"] == data.identity.sha256
    assert call(capsys, "verify", tmp_path / "flowers.h5 bundle", "--json")[0] == 0


@pytest.mark.parametrize(
    ("shape", "width", "words", "code", "part"),
    [
        ((5,), 3, ("--data", "iris"), 3, "iris gives samples of shape (4,)"),
        ((4,), 2, ("--data", "iris"), 3, "answers with 2 numbers, iris asks for 3 (multiclass)"),
        ((4,), 3, ("--target-column", "kind"), 2, "target: these say how data are read; name the data with --data"),
        ((4,), 3, ("--data", "irsi"), 2, "irsi"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    keras: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    shape: tuple[int, ...],
    width: int,
    words: tuple[str, ...],
    code: int,
    part: str,
) -> None:
    keras.Sequential([keras.Input(shape), keras.layers.Dense(width)]).save(tmp_path / "own.keras")
    found, answer, _ = call(capsys, "export", tmp_path / "own.keras", *words, "--json")
    assert (found, part in answer["error"]) == (code, True), answer


def test_data_are_for_files_alone(table_run: Any, child: Child, tmp_path: Path) -> None:
    run = table_run("binary", tmp_path)
    with pytest.raises(
        UsageError, match=r"data \(iris\) go with a \.keras file; binary-mlp is exported with its own samples"
    ):
        export.export_model(run, data="iris", child=child)


def test_a_model_no_better_than_one_answer_is_told(keras: Any, child: Child, tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")]
    )
    told: list[str] = []
    evaluate = (np.ones((10, 2)), np.array([1] * 6 + [0] * 4))
    zoo.export.to_tflite(model, evaluate=evaluate, out=tmp_path / "constant", child=child, on_event=told.append)
    assert any("WARNING: Keras itself reaches accuracy 0.4000" in line for line in told)


def test_a_bundle_names_data_of_ones_own_without_their_folder(table_run: Any, child: Child, tmp_path: Path) -> None:
    run = table_run("binary", tmp_path)
    run.update(data={**run.manifest.data, "name": "/home/someone/rows.csv"})
    bundle = export.export_model(runs.Run(run.path), child=child)
    assert bundle.manifest["source"]["data"]["name"] == "rows.csv"
