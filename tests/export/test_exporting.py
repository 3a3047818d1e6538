from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export.child import Child
from tests.export.conftest import MakeRun
from zoo import runs
from zoo.errors import GateError, ModelError, ResourceError, UsageError

TASKS = ("binary", "multiclass", "multilabel", "regression")
MODES = ("float32", "float16", "dynamic", "int8")


@pytest.fixture(scope="module")
def runs_by_task(table_run: MakeRun) -> dict[str, runs.Run]:
    return {task: table_run(task) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_a_float32_bundle_answers_as_keras_does(runs_by_task: dict[str, runs.Run], child: Child, task: str) -> None:
    run = runs_by_task[task]
    bundle = export.export_model(run, child=child)
    assert bundle.path == run.path / "export/tflite-float32"
    assert bundle.parity["max_error"] < 1e-5
    assert bundle.parity["metric_before"] == pytest.approx(bundle.parity["metric_after"], abs=1e-6)
    assert (bundle.parity["split"], bundle.parity["samples"]) == ("validation", 80)
    assert bundle.bytes == (bundle.path / "model.tflite").stat().st_size
    assert bundle.ops["FULLY_CONNECTED"] == 2
    assert bundle.manifest["source"]["run"] == f"{task}-mlp/{run.path.name}"
    golden = runs.read_npz(bundle.path / "golden.npz")
    assert len(golden["samples"]) == 32
    inputs = golden["samples"] * bundle.manifest["input"]["scale"] + bundle.manifest["input"]["offset"]
    keras_answers = np.asarray(run.model(inputs.astype(np.float32)))
    np.testing.assert_allclose(golden["keras"], keras_answers, atol=1e-6)


@pytest.mark.parametrize("mode", ["float16", "int8", "int16x8"])
def test_quantized_convnets_keep_their_answers(image_run: runs.Run, child: Child, mode: str) -> None:
    bundle = export.export_model(image_run, quantize=mode, child=child)
    assert bundle.parity["agreement"] >= 0.98
    assert bundle.parity["metric_after"] >= bundle.parity["metric_before"] - 0.01
    assert bundle.parity["metric"] == "accuracy"
    assert not any(name.startswith("Flex") for name in bundle.ops)


def test_a_mode_that_changes_nothing_is_refused(image_run: runs.Run, child: Child) -> None:
    with pytest.raises(ModelError, match=r"quarters-cnn in dynamic is the float32 file unchanged.*float16 or int8"):
        export.export_model(image_run, quantize="dynamic", child=child)


def test_an_int8_bundle_is_int8_at_both_ends_and_takes_raw_pixels(image_run: runs.Run, child: Child) -> None:
    bundle = export.export_model(image_run, quantize="int8", child=child)
    entry, answer = bundle.manifest["input"], bundle.manifest["output"]
    assert (entry["dtype"], answer["dtype"]) == ("int8", "int8")
    assert entry["quantization"] == {"scale": 1.0, "zero_point": -128}  # though no sample is brighter than 239
    assert answer["quantization"] == {"scale": 1 / 256, "zero_point": -128}
    assert bundle.manifest["golden"] == {"tolerance": 8 / 256, "steps": 8}
    assert bundle.manifest["parameters"] == 4 * 9 + 4 * 4 + 36 * 4 + 4
    assert bundle.manifest["macs"] == 6 * 6 * 9 * 4 + 36 * 4


def test_a_regression_says_what_a_step_is_in_target_units(runs_by_task: dict[str, runs.Run], child: Child) -> None:
    bundle = export.export_model(runs_by_task["regression"], quantize="int8", max_drop=5, child=child)
    output = bundle.manifest["output"]
    assert output["step"] == [pytest.approx(output["quantization"]["scale"] / output["scale"][0])]
    assert output["labels"] == ["price"]
    assert bundle.parity["metric"] == "r2"


@pytest.mark.slow
def test_every_file_of_a_tflite_bundle_is_reproducible(
    runs_by_task: dict[str, runs.Run], child: Child, tmp_path: Path
) -> None:
    run = runs_by_task["multiclass"]
    for mode in ("float32", "int8"):
        first = export.export_model(run, quantize=mode, out=tmp_path / "one" / mode, child=child)
        with (
            Child() if mode == "int8" else contextlib.nullcontext(child) as other
        ):  # a fresh process gives the same bytes too
            second = export.export_model(run, quantize=mode, out=tmp_path / "the other" / mode, child=other)
        names = sorted(file.name for file in first.path.iterdir())
        assert names == [
            "SHA256SUMS", "answers.py", "arrays.py", "boxes.py", "bundle.json", "chunks.py", "edges.py", "golden.npz",
            "histories.py", "images.py", "inputs.py", "interpreters.py", "labels.txt", "masks.py", "micro_runtime.py",
            "model.tflite", "predict.py", "preprocessing.py", "recordings.py", "resampling.py", "rows.py", "runner.py",
            "sound.py", "streaming.py", "tabular.py", "texts.py", "tflite_file.py",
        ]  # fmt: skip
        for name in names:
            assert (first.path / name).read_bytes() == (second.path / name).read_bytes(), name
        assert str(run.path) not in (first.path / "bundle.json").read_text()


@pytest.mark.slow
def test_a_failed_gate_leaves_the_reasons_and_the_older_bundle(
    table_run: MakeRun, child: Child, tmp_path: Path
) -> None:
    run = table_run("regression", tmp_path)
    good = export.export_model(run, quantize="int8", max_drop=50, child=child)
    before = (good.path / "SHA256SUMS").read_bytes()
    with pytest.raises(GateError, match=r"r2 0\.\d+ -> 0\.\d+, a drop of .*--max-drop") as caught:
        export.export_model(run, quantize="int8", max_drop=0, child=child)
    report = json.loads((run.path / "export/tflite-int8.failed.json").read_text())
    assert len(report["failed"]) == 1
    assert report["failed"][0] in str(caught.value)
    assert report["parity"]["metric_after"] < report["parity"]["metric_before"]
    assert (good.path / "SHA256SUMS").read_bytes() == before
    assert not (run.path / "export/tflite-int8.failed").exists()
    with pytest.raises(GateError):
        export.export_model(run, quantize="int8", max_drop=0, keep_failed=True, child=child)
    kept = export.Bundle(run.path / "export/tflite-int8.failed")
    assert kept.manifest["failed"] == report["failed"]
    export.export_model(run, quantize="int8", max_drop=50, child=child)
    assert not (run.path / "export/tflite-int8.failed.json").exists()
    leftovers = [path.name for path in (run.path / "export").iterdir() if path.name.startswith(".")]
    assert leftovers == []


def test_a_saved_model_takes_any_batch_and_needs_no_toolkit(image_run: runs.Run, child: Child) -> None:
    bundle = export.export_model(image_run, format="saved_model", child=child)
    assert bundle.path.name == "saved_model-float32"
    assert bundle.parity["max_error"] < 1e-5
    assert not (bundle.path / "predict.py").exists()
    sizes = [bundle.path / "saved_model.pb", bundle.path / "fingerprint.pb", *(bundle.path / "variables").iterdir()]
    assert bundle.bytes == sum(file.stat().st_size for file in sizes)
    assert export.verify(bundle).ok
    import tensorflow as tf

    loaded = tf.saved_model.load(str(bundle.path))
    golden = runs.read_npz(bundle.path / "golden.npz")
    pixels = tf.constant(golden["samples"][:5, ..., None].astype(np.float32))
    for name in ("serve", "serving_default"):
        answers = loaded.signatures[name](input=pixels)["output"]
        np.testing.assert_allclose(answers, golden["keras"][:5], atol=1e-6)


def test_a_keras_file_alone_is_compared_on_random_inputs_and_says_so(
    image_run: runs.Run, child: Child, tmp_path: Path
) -> None:
    alone = tmp_path / "my model.keras"
    alone.write_bytes((image_run.path / "model.keras").read_bytes())
    told: list[str] = []
    bundle = export.export_model(alone, child=child, on_event=told.append)
    assert bundle.path == tmp_path / "export/my model/tflite-float32"
    assert bundle.parity["split"] == "random"
    assert bundle.parity["metric"] is None
    assert bundle.manifest["output"]["task"] == "multiclass"
    assert any("random inputs" in line for line in told)
    with pytest.raises(UsageError, match=r"int8 needs representative samples and my model\.keras has none"):
        export.export_model(alone, quantize="int8", child=child)
    with pytest.raises(UsageError, match="dynamic is judged on samples"):
        export.export_model(alone, quantize="dynamic", child=child)


@pytest.mark.parametrize("task", ["binary", "images"])
def test_a_run_without_samples_exports_in_float32_only(
    table_run: MakeRun, image_run: runs.Run, child: Child, tmp_path: Path, task: str
) -> None:
    run = image_run if task == "images" else table_run(task, tmp_path / "runs")
    bare = Path(shutil.copytree(run.path, tmp_path / "bare"))
    shutil.rmtree(bare / "samples")
    bundle = export.export_model(bare, child=child)
    assert (bundle.parity["split"], bundle.parity["metric"]) == ("random", None)
    assert bundle.parity["max_error"] < 1e-5
    assert bundle.parity["agreement"] == 1.0
    assert len(np.unique(runs.read_npz(bundle.path / "golden.npz")["keras"].round(3))) > 3
    with pytest.raises(UsageError, match="int8 needs representative samples"):
        export.export_model(bare, quantize="int8", child=child)


def test_a_full_disk_is_an_error_of_its_own(
    image_run: runs.Run, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ResourceError, match="No space left on device; free the disk"):
        export.export_model(image_run, out=tmp_path / "out", child=child)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_found_by_its_model_file_and_by_name(table_run: MakeRun, child: Child, tmp_path: Path) -> None:
    run = table_run("binary", tmp_path / "runs")
    for source in ("binary-mlp", run.path / "model.keras", run.path):
        bundle = export.export_model(source, root=tmp_path / "runs", child=child)
        assert bundle.path == run.path / "export/tflite-float32"
        assert bundle.parity["split"] == "validation"


def test_a_model_in_memory_with_a_layer_of_ones_own_goes_to_int8(keras: Any, child: Child, tmp_path: Path) -> None:
    class Squash(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return keras.ops.tanh(inputs) * 0.5

    generator = np.random.default_rng(0)
    samples = generator.normal(size=(300, 6)).astype(np.float32)
    targets = samples[:, :3].argmax(axis=1)
    layers = keras.layers
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16), Squash(), layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(samples, targets, epochs=8, verbose=0)
    bundle = export.to_tflite(
        model,
        quantize="int8",
        representative=samples[:100],
        evaluate=(samples, keras.utils.to_categorical(targets)),
        out=tmp_path / "mine",
        child=child,
    )
    assert bundle.parity["split"] == "given"
    assert bundle.parity["metric_before"] > 0.8
    assert bundle.parity["agreement"] > 0.95
    batches = keras.src.utils.module_utils.tensorflow.data.Dataset.from_tensor_slices((samples, targets)).batch(50)
    again = export.to_tflite(
        model, "int8", representative=[samples[:100]], evaluate=batches, out=tmp_path / "mine", child=child
    )
    assert again.parity == bundle.parity


def test_integer_inputs_stay_integers_in_int8(keras: Any, child: Child, tmp_path: Path) -> None:
    layers, generator = keras.layers, np.random.default_rng(0)
    spread = keras.initializers.RandomNormal(stddev=20, seed=1)  # answers that are not all a third
    pixels, tokens = generator.integers(0, 256, (60, 6, 6, 3)), generator.integers(0, 20, (60, 5))
    image = [keras.Input((6, 6, 3), dtype="uint8", name="pixels"), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)]
    text = [
        keras.Input((5,), dtype="int32", name="tokens"),
        layers.Embedding(20, 4, embeddings_initializer="orthogonal"),
    ]
    for entry, pool, samples in (
        (image, layers.GlobalAveragePooling2D(), pixels.astype(np.uint8)),
        (text, layers.GlobalAveragePooling1D(), tokens.astype(np.int32)),
    ):
        model = keras.Sequential([*entry, pool, layers.Dense(3, activation="softmax", kernel_initializer=spread)])
        bundle = export.to_tflite(model, "int8", representative=samples, out=tmp_path / entry[0].name, child=child)
        assert bundle.manifest["input"]["dtype"] == samples.dtype.name
        assert bundle.manifest["input"]["name"] == entry[0].name
        assert bundle.manifest["output"]["dtype"] == "int8"


@pytest.mark.parametrize("mode", MODES)
def test_operators_are_of_versions_that_tflite_runtime_2_14_knows(
    keras: Any, child: Child, tmp_path: Path, mode: str
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    layers = keras.layers
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(2)])
    samples = np.random.default_rng(0).uniform(-1, 1, size=(400, 64)).astype(np.float32)
    bundle = export.to_tflite(model, mode, representative=samples, out=tmp_path / mode, child=child)
    content = schema.Model.GetRootAs(bundle.model.read_bytes(), 0)
    codes = [content.OperatorCodes(index) for index in range(content.OperatorCodesLength())]
    (version,) = [code.Version() for code in codes if code.BuiltinCode() == schema.BuiltinOperator.FULLY_CONNECTED]
    assert version <= 11
    assert (bundle.bytes < 8_000) is (mode in ("dynamic", "int8")), "the weights are stored in a byte each"


def test_a_subclassed_model_takes_its_shape_from_the_samples(keras: Any, child: Child, tmp_path: Path) -> None:
    class Scorer(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    samples = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    bundle = export.to_tflite(Scorer(), representative=samples, out=tmp_path / "scorer", child=child)
    assert bundle.manifest["input"]["shape"] == [3]
    assert bundle.parity["max_error"] < 1e-5
    with pytest.raises(ModelError, match="no known input shape"):
        export.to_tflite(Scorer(), out=tmp_path / "unknown", child=child)


def test_mixed_precision_is_exported_in_float32(keras: Any, child: Child, tmp_path: Path) -> None:
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, dtype=policy), layers.Dense(1, activation="sigmoid", dtype=policy)]
    )
    bundle = export.to_tflite(model, out=tmp_path / "mixed", child=child)
    assert bundle.parity["max_error"] < 1e-5
    assert "CAST" not in bundle.ops


def test_a_target_whose_runtime_is_missing_is_refused_before_any_conversion(
    image_run: runs.Run, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "nothing here"))
    told: list[str] = []
    for target in ("tflite-runtime", "micro"):
        with pytest.raises(UsageError, match="is not installed; run: zoo doctor --install"):
            export.export_model(
                image_run, target=target, child=child, out=tmp_path / "never", on_event=told.append, quantize="int8"
            )
    assert not any("converting" in line for line in told)
    assert not (tmp_path / "never").exists()


def test_a_file_over_its_budget_leaves_a_report_and_what_may_be_done(
    image_run: runs.Run, child: Child, tmp_path: Path
) -> None:
    with pytest.raises(GateError, match=r"over budget: .* 1,024 bytes .* are allowed"):
        export.export_model(image_run, max_flash="1k", child=child, out=tmp_path / "small", keep_failed=True)
    assert "over budget" in runs.read_json(tmp_path / "small.failed.json")["failed"][0]
    assert (tmp_path / "small.failed" / "model.tflite").is_file()
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "onnx"}, "choose one of tflite, saved_model"),
        ({"format": "saved_model", "quantize": "int8"}, "a SavedModel is float32"),
        ({"quantize": "int9"}, "did you mean int8"),
        ({"max_drop": -1.0}, "points from 0 up"),
        ({"max_drop": float("nan")}, "points from 0 up"),
        ({"quantize": "int8", "tolerance": 0.1}, "a tolerance is for float32, int8 is judged by its metric"),
        ({"quantize": "int8", "io": "int16"}, "choose one of int8, uint8, float"),
        ({"quantize": "float16", "keep_float": ["dense"]}, "kept in float in int8, float16 was asked for"),
        ({"target": "esp32"}, "choose one of litert, tflite-runtime, micro"),
        ({"quantize": "dynamic", "target": "micro"}, "--target micro runs float32, int8, int16x8, not dynamic"),
        ({"max_arena": "32k"}, "the tensor arena is measured for micro-controllers only"),
        ({"max_flash": "much"}, "'much' is no size"),
        ({"format": "saved_model", "streaming": True}, "takes whole float sequences"),
    ],
)
def test_options_that_do_not_fit_are_refused_at_once(image_run: runs.Run, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        export.export_model(image_run, **options)


def test_a_folder_with_other_things_is_never_replaced(image_run: runs.Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="exists and is no bundle"):
        export.export_model(image_run, out=tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_models_that_cannot_be_exported_are_refused_in_a_line(keras: Any, child: Child, tmp_path: Path) -> None:
    layers = keras.layers
    open_axis = keras.Sequential([keras.Input((None, 3)), layers.GlobalMaxPooling1D()], name="open_axis")
    unbuilt = keras.Sequential([layers.Dense(1)], name="unbuilt")
    broken = keras.Sequential([keras.Input((2,)), layers.Dense(1)], name="broken")
    broken.set_weights([np.full((2, 1), np.nan), np.zeros(1)])
    for model, words in (
        (open_axis, "every axis fixed"),
        (unbuilt, "no known input shape"),
        (broken, "NaN or infinite values in Keras itself"),
    ):
        with pytest.raises(ModelError, match=words):
            export.to_tflite(model, out=tmp_path / "never", child=child)
    assert not (tmp_path / "never").exists()
    cut = tmp_path / "cut.keras"
    cut.write_bytes(b"PK\x03\x04 not much")
    with pytest.raises(ModelError, match="does not load as a Keras model"):
        export.export_model(cut, child=child)
    with pytest.raises(UsageError, match="a dict cannot be exported"):
        export.export_model({}, child=child)


def test_operators_that_tflite_lacks_are_named(keras: Any, child: Child, tmp_path: Path) -> None:
    class Spectrum(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return keras.ops.erfinv(keras.ops.tanh(inputs) * 0.5)

    model = keras.Sequential([keras.Input((16,)), Spectrum()], name="spectrum")
    with pytest.raises(ModelError, match=r"spectrum to tflite-float32 failed.*tf\.Erfinv") as caught:
        export.to_tflite(model, out=tmp_path / "never", child=child)
    assert "\n" not in str(caught.value)


def test_columns_of_small_numbers_are_no_pixels():
    from export.representative import calibration_inputs

    flags = np.ones((4, 8), np.uint8)
    assert (calibration_inputs(flags, "float32") == 1).all()
    pixels = calibration_inputs(np.ones((4, 8, 8), np.uint8), "float32")
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_logits_are_no_probabilities(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "logits.keras")
    with pytest.raises(ModelError, match="answers with logits"):
        export.export_model(tmp_path / "logits.keras", data="iris", quantize="int8")
