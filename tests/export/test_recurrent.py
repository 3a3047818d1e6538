from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export import lowering
from export.child import Child
from export.forms import plan_forms
from export.signature import describe
from export.unused import clear_unused
from export.worker import save_arrays
from tests.export.conftest import contract, write_run
from zoo import runs, streaming
from zoo.errors import ModelError


def build(keras: Any, name: str) -> Any:
    layers = keras.layers
    wrapped = {
        "lstm": lambda: layers.LSTM(6),
        "gru": lambda: layers.GRU(6),
        "bidirectional": lambda: layers.Bidirectional(layers.GRU(4)),
        "bidirectional_lstm": lambda: layers.Bidirectional(layers.LSTM(4)),
        "backwards": lambda: layers.LSTM(6, go_backwards=True),
        "stacked": lambda: keras.Sequential([layers.LSTM(6, return_sequences=True), layers.LSTM(5)]),
        "stacked_gru": lambda: keras.Sequential([layers.GRU(6, return_sequences=True), layers.GRU(5)]),
        "mixed": lambda: keras.Sequential([layers.LSTM(6, return_sequences=True), layers.GRU(5)]),
        "sequence": lambda: layers.LSTM(6, return_sequences=True),
        "masked": lambda: keras.Sequential([layers.Masking(), layers.LSTM(6)]),
        "dropped": lambda: layers.LSTM(6, dropout=0.2, recurrent_dropout=0.1),
        "relu": lambda: layers.LSTM(6, activation="relu", use_bias=False),
        "convolution": lambda: keras.Sequential([layers.Conv1D(4, 3), layers.GRU(6)]),
        "nested": lambda: keras.Sequential([keras.Input((12, 3)), layers.LSTM(5, name="hidden_lstm")]),
    }
    model = keras.Sequential([keras.Input((12, 3)), wrapped[name](), layers.Dense(4, activation="softmax")])
    dense = model.layers[-1]
    dense.set_weights([8 * weight for weight in dense.get_weights()])  # decided answers, which no rounding turns over
    return model


def sequence_run(keras: Any, root: Path, name: str) -> runs.Run:
    generator = np.random.default_rng(1)
    raw = generator.normal(size=(100, 12, 3)).astype(np.float32)
    keras.utils.set_random_seed(7)  # weights that nobody trained, and still agree in int8
    model = build(keras, name)
    if len(model.output_shape) == 3:  # an answer at every step is a regression of them all
        content = contract((12, 3), "regression", [], [])
        return write_run(root, name, model, content, raw, model.predict(raw, verbose=0).reshape(100, -1))
    content = contract((12, 3), "multiclass", ["n", "e", "s", "w"], [])
    return write_run(root, name, model, content, raw, model.predict(raw, verbose=0).argmax(axis=1))


FORMS = {
    # model: form and state of float32, float16, int8 and int16x8
    "lstm": ("fused", "fused", "fused", "step"),
    "gru": ("loop", "loop", "step", "step"),
    "bidirectional": ("loop", "loop", "unrolled", "unrolled"),
    "bidirectional_lstm": ("fused", "fused", "fused|unrolled", "unrolled"),
    "backwards": ("fused", "fused", "fused", "unrolled"),
    "stacked": ("fused", "fused", "fused", "step"),
    "mixed": ("fused|loop", "fused|loop", "step", "step"),
    "sequence": ("fused", "fused", "fused", "step"),
    "masked": ("loop", "loop", "unrolled", ""),  # the converter has no 16-bit SELECT_V2
    "dropped": ("fused", "fused", "fused", "step"),
    "relu": ("loop", "loop", "step", "step"),
    "nested": ("fused", "fused", "fused", "step"),
    "convolution": ("loop", "loop", "unrolled", "unrolled"),
}
STATES = {"fused": "reset per sequence", "loop": "none", "step": "explicit", "unrolled": "none"}


QUICK = ("lstm", "gru", "bidirectional", "dropped")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FORMS]
)
@pytest.mark.parametrize("at", range(4), ids=["float32", "float16", "int8", "int16x8"])
def test_every_model_takes_the_form_that_serves_and_answers_as_keras(
    keras: Any, child: Child, tmp_path: Path, name: str, at: int
) -> None:
    mode = ("float32", "float16", "int8", "int16x8")[at]
    run = sequence_run(keras, tmp_path, name)
    if not FORMS[name][at]:
        with pytest.raises(ModelError, match="SELECT_V2"):
            export.export_model(run, quantize=mode, child=child)
        return
    bundle = export.export_model(run, quantize=mode, child=child, max_drop=20)
    form = bundle.manifest["form"]
    assert form in FORMS[name][at].split("|"), "of two, whichever is smaller or agrees for weights that nobody trained"
    assert bundle.manifest["state"] == STATES[form]
    kept = runs.read_npz(bundle.path / "golden.npz")
    model = streaming.open_model(bundle.model, bundle.manifest)
    mean, most = {"float32": (1e-6, 1e-5), "float16": (1e-3, 1e-2)}.get(mode, (0.02, 0.3))
    for _ in range(3):  # whatever came before, the same sequence has the same answer
        errors = np.abs(model.predict(kept["samples"]) - kept["keras"])
        assert (errors.mean() < mean, errors.max() < most) == (True, True)
    np.testing.assert_array_equal(model.predict(kept["samples"][::-1])[::-1], model.predict(kept["samples"]))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bidirectional", "reads the sequence from its end"),
        ("masked", "has a mask"),
        ("convolution", "looks at several time steps"),
    ],
)
def test_what_cannot_stream_says_which_layer_and_why(
    keras: Any, child: Child, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(ModelError, match=f"cannot stream: layer '.*' .*{reason}; export it without --streaming"):
        export.export_model(sequence_run(keras, tmp_path, name), streaming=True, child=child)


@pytest.mark.parametrize("name", ["lstm", "gru", "stacked", "mixed", "sequence", "relu"])
def test_a_streaming_export_answers_each_sample_as_the_whole_sequence_does(
    keras: Any, child: Child, tmp_path: Path, name: str
) -> None:
    run = sequence_run(keras, tmp_path, name)
    bundle = export.export_model(run, streaming=True, child=child)
    assert bundle.path.name == "tflite-float32-streaming"
    stream = streaming.Stream(streaming.open_model(bundle.model, bundle.manifest), bundle.manifest)
    sequences = runs.read_npz(bundle.path / "golden.npz")["samples"][:3]
    answers = [[stream.push(sample) for sample in sequence] for sequence in sequences]
    whole = np.asarray(run.model(sequences))
    last = np.asarray([found[-1] for found in answers])
    np.testing.assert_allclose(np.asarray(answers) if name == "sequence" else last, whole, atol=1e-5)
    assert export.verify(bundle).ok


def test_calibration_begins_each_sequence_anew(keras: Any, child: Child, tmp_path: Path) -> None:
    """TensorFlow 2.21 carries the fused operator's state on: the same sequence fifty times would reach further."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((12, 3)), layers.LSTM(6, bias_initializer="ones"), layers.Dense(2)])
    signature = describe(model)
    plan = plan_forms(model, signature, "int8")
    lowering.lower(model, signature, tmp_path / "saved", batch=1, form="fused", plan=plan)
    sequence = np.abs(np.random.default_rng(0).normal(size=(1, 12, 3))).astype(np.float32)
    files = []
    for times in (1, 50):
        samples = save_arrays(tmp_path / f"samples {times}", {"input": np.repeat(sequence, times, axis=0)})
        files.append(tmp_path / f"{times}.tflite")
        paths = {"saved_model": str(tmp_path / "saved"), "out": str(files[-1]), "representative": str(samples)}
        child.ask("convert", "converting", mode="int8", **paths)
    once, often = (clear_unused(file.read_bytes()) for file in files)
    assert once == often


@pytest.mark.parametrize("joining", ["LayerNormalization", "EinsumDense"])
def test_a_layer_over_the_steps_stops_the_step_form_alone(
    keras: Any, child: Child, tmp_path: Path, joining: str
) -> None:
    layers = keras.layers
    layer = {
        "LayerNormalization": lambda: layers.LayerNormalization(axis=[1, 2]),
        "EinsumDense": lambda: layers.EinsumDense("abc,bd->adc", output_shape=(5, 3)),
    }[joining]()
    model = keras.Sequential([keras.Input((12, 3)), layer, layers.LSTM(4), layers.Dense(2)])
    samples = np.random.default_rng(0).normal(size=(20, 12, 3)).astype(np.float32)
    options = {"evaluate": (samples, np.zeros((20, 2))), "child": child, "out": tmp_path / "bundle"}
    assert export.to_tflite(model, **options).manifest["form"] == "fused"
    with pytest.raises(ModelError, match=r"cannot stream: layer .*; export it without --streaming"):
        export.to_tflite(model, streaming=True, **options)


def test_a_stateful_layer_is_refused_with_what_to_do(keras: Any, child: Child, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((12, 3), batch_size=1), layers.LSTM(4, stateful=True, name="memory")])
    with pytest.raises(ModelError, match=r"layer 'memory' .* is stateful .*stateful=False.*--streaming"):
        export.to_tflite(model, evaluate=(np.zeros((1, 12, 3), np.float32), np.zeros((1, 4))), child=child)


def test_a_state_given_by_the_model_is_kept(keras: Any, child: Child, tmp_path: Path) -> None:
    """An encoder's state into a decoder: the fused operator begins with zeros, so this is no case for it."""
    layers = keras.layers
    entry = keras.Input((12, 3))
    _, h, c = layers.LSTM(5, return_state=True, name="encoder", bias_initializer="ones")(entry)
    answer = layers.LSTM(5, name="decoder")(entry, initial_state=[h, c])
    model = keras.Model(entry, layers.Dense(2)(answer))
    samples = np.random.default_rng(0).normal(size=(20, 12, 3)).astype(np.float32)
    bundle = export.to_tflite(model, evaluate=(samples, np.zeros((20, 2))), child=child, out=tmp_path / "bundle")
    assert bundle.parity["max_error"] < 1e-5
    assert bundle.ops["WHILE"] == 2  # nor does it give its state away


@pytest.mark.slow
def test_long_sequences_that_only_unrolling_could_serve_are_refused(keras: Any, child: Child, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((600, 2)), keras.layers.Bidirectional(keras.layers.GRU(3))])
    samples = np.zeros((4, 600, 2), np.float32)
    with pytest.raises(ModelError, match=r"to int8: layer .* from its end, and sequences of over 512 steps"):
        export.to_tflite(model, "int8", representative=samples, evaluate=(samples, np.zeros((4, 6))), child=child)


def test_a_recurrent_saved_model_takes_any_batch(keras: Any, child: Child, tmp_path: Path) -> None:
    bundle = export.export_model(sequence_run(keras, tmp_path, "lstm"), format="saved_model", child=child)
    assert bundle.parity["max_error"] < 1e-5


def test_macs_of_recurrent_layers_count_every_step(keras: Any) -> None:
    from export.cost import count_macs

    assert count_macs(build(keras, "lstm")) == 12 * 4 * 6 * (3 + 6) + 6 * 4
    assert count_macs(build(keras, "bidirectional")) == 2 * 12 * 3 * 4 * (3 + 4) + 8 * 4


@pytest.mark.slow
def test_a_real_converter_crash_is_an_error_and_the_next_conversion_works(keras: Any, tmp_path: Path) -> None:
    """TensorFlow 2.21 ends the process when a loop is quantized to int8."""
    model = build(keras, "lstm")
    lowering.lower(model, describe(model), tmp_path / "saved", batch=1)
    samples = save_arrays(tmp_path / "samples", {"input": np.zeros((4, 12, 3), np.float32)})
    paths = {"saved_model": str(tmp_path / "saved"), "out": str(tmp_path / "model.tflite")}
    with Child() as own:
        with pytest.raises(ModelError, match=r"converting lstm to int8 crashed.*SIG"):
            own.ask("convert", "converting lstm to int8", mode="int8", representative=str(samples), **paths)
        assert own.ask("convert", "converting lstm to float32", mode="float32", **paths)["ops"]["WHILE"] == 1
