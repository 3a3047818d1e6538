from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export import lowering
from export.child import Child
from export.signature import describe
from export.worker import save_arrays
from tests.export.conftest import contract, write_run
from zoo import runner, runs
from zoo.errors import ModelError


def build(keras: Any, name: str) -> Any:
    layers = keras.layers
    wrapped = {
        "lstm": lambda: layers.LSTM(6),
        "gru": lambda: layers.GRU(6),
        "bidirectional": lambda: layers.Bidirectional(layers.GRU(4)),
        "nested": lambda: keras.Sequential([keras.Input((12, 3)), layers.LSTM(5, name="hidden_lstm")]),
    }
    return keras.Sequential([keras.Input((12, 3)), wrapped[name](), layers.Dense(4, activation="softmax")])


def sequence_run(keras: Any, root: Path, name: str) -> runs.Run:
    generator = np.random.default_rng(1)
    raw = generator.normal(size=(100, 12, 3)).astype(np.float32)
    content = contract((12, 3), "multiclass", ["n", "e", "s", "w"], [])
    return write_run(root, name, build(keras, name), content, raw, generator.integers(0, 4, 100))


@pytest.mark.parametrize("name", ["lstm", "gru", "bidirectional", "nested"])
def test_float32_runs_many_sequences_through_one_interpreter(
    keras: Any, child: Child, tmp_path: Path, name: str
) -> None:
    run = sequence_run(keras, tmp_path, name)
    bundle = export.export_model(run, child=child)
    assert bundle.ops["WHILE"] >= 1
    assert bundle.parity["max_error"] < 1e-5
    assert bundle.manifest["state"] == "none"
    kept = runs.read_npz(bundle.path / "golden.npz")
    model = runner.TFLiteModel(bundle.path / "model.tflite")
    for _ in range(3):  # whatever came before, the same sequence has the same answer
        np.testing.assert_allclose(model.predict(kept["samples"]), kept["keras"], atol=1e-5)
    np.testing.assert_allclose(model.predict(kept["samples"][::-1])[::-1], kept["keras"], atol=1e-5)


@pytest.mark.parametrize("mode", ["float16", "dynamic", "int8"])
def test_quantized_modes_are_refused_by_layer_and_with_what_works(
    keras: Any, child: Child, tmp_path: Path, mode: str
) -> None:
    run = sequence_run(keras, tmp_path, "nested")
    with pytest.raises(ModelError, match=f"'hidden_lstm'.*not {mode}; use --quantize float32, or --format saved_model"):
        export.export_model(run, quantize=mode, child=child)


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
