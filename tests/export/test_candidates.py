"""A candidate's file, before and after training, is the file that an export writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.candidates import convert, convert_untrained, open_candidate, time_attempt
from export.child import Child
from export.cost import count_macs, least_bytes
from export.exporting import export_model
from export.timing import time_file
from tests.export.conftest import contract
from zoo.errors import ModelError, UsageError

SHAPES = {"mlp": (6,), "convnet": (8, 8, 1), "lstm": (7, 6), "gru": (7, 6), "sequences": (5, 6)}
PAIRS = [("mlp", "int8"), ("convnet", "int8"), ("convnet", "float32"), ("lstm", "int8"), ("gru", "int8")]
OTHERS = [
    (family, mode)
    for family in SHAPES
    for mode in ("int8", "int16x8", "float32", "float16", "dynamic")
    if (family, mode) not in PAIRS
]


def build(keras: Any, family: str) -> Any:
    """Wide enough that every mode changes something."""
    layers = keras.layers
    inputs = keras.Input(SHAPES[family], name="input")
    if family == "mlp":
        x = layers.BatchNormalization()(layers.Dense(48, use_bias=False)(inputs))
        x = layers.Dense(24, activation="relu")(layers.ReLU()(x))
    elif family == "convnet":
        x = layers.Conv2D(24, 3, use_bias=False)(layers.Rescaling(1 / 255)(inputs))
        x = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(12, 3, padding="same", activation="relu")(x))
    elif family == "sequences":
        x = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(inputs)
        x = layers.GRU(16)(x)
    else:
        x = {"lstm": layers.LSTM, "gru": layers.GRU}[family](20)(inputs)
    return keras.Model(inputs, layers.Dense(2, activation="softmax", name="output")(x), name=family)


def samples_of(family: str) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Raw samples of two classes that are easy to tell, and their contract."""
    generator, shape = np.random.default_rng(4), SHAPES[family]
    targets = generator.integers(0, 2, 120)
    raw = generator.normal(0, 0.3, (120, *shape)) + (targets * 2.0 - 1).reshape(-1, *[1] * len(shape))
    if family == "convnet":
        raw = np.clip(128 + 60 * raw, 0, 255).astype(np.uint8)
    return (
        raw.astype(np.uint8 if family == "convnet" else np.float32),
        targets,
        contract(shape, "multiclass", ["low", "high"], []),
    )


def trained(model: Any, raw: np.ndarray, targets: np.ndarray) -> Any:
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = 0.02
    model.fit(raw.astype("float32"), targets, batch_size=20, epochs=4, verbose=0)
    return model


def quiet(_text: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize(
    ("family", "mode"), [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHERS)]
)
def test_a_candidate_measures_what_its_export_will(
    keras: Any, child: Child, tmp_path: Path, family: str, mode: str
) -> None:
    raw, targets, known = samples_of(family)
    model = build(keras, family)
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before = convert_untrained(open_candidate(model, known, raw), mode, child, tmp_path / "before", tell=quiet)
    trained(model, raw, targets)
    # as a run's own: the same samples calibrate and are compared on
    after = convert(open_candidate(model, known, raw, raw), mode, child, tmp_path / "after", tell=quiet)
    assert not after.failed
    bundle = export_model(
        model,
        quantize=mode,
        representative=raw,
        evaluate=(raw, targets),
        preprocessing=known,
        out=tmp_path / "an export",
        child=child,
    )
    exported = (bundle.path / "model.tflite").read_bytes()
    # constants that are equal by chance share a buffer, among the hundreds of an unrolled network
    assert abs(before.bytes - len(exported)) <= (32 if (family, mode) == ("sequences", "int16x8") else 0)
    assert before.form == after.form
    assert before.ops == after.ops
    assert after.model.read_bytes() == exported
    assert least_bytes(model, mode) < before.bytes


def test_the_weights_of_a_candidate_stay_as_they_are(keras: Any, child: Child, tmp_path: Path) -> None:
    raw, _, known = samples_of("convnet")
    model = build(keras, "convnet")
    weights = model.get_weights()
    convert_untrained(open_candidate(model, known, raw), "float32", child, tmp_path, tell=quiet)
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mode_that_serves_no_purpose_says_so_before_training(keras: Any, child: Child, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="tiny")
    source = open_candidate(model, None, np.zeros((4, 3), np.float32))
    with pytest.raises(ModelError, match="tiny in dynamic is the float32 file unchanged"):
        convert_untrained(source, "dynamic", child, tmp_path, tell=quiet)
    with pytest.raises(UsageError, match="int8 needs representative samples and tiny has none"):
        convert_untrained(open_candidate(model, None, None), "int8", child, tmp_path, tell=quiet)


def test_several_inputs_and_outputs_go_by_name(keras: Any, child: Child, tmp_path: Path) -> None:
    layers = keras.layers
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    both = layers.Concatenate()([one, two])
    answers = {"kind": layers.Dense(2, activation="softmax")(both), "price": layers.Dense(1)(both)}
    model = keras.Model([one, two], answers)
    generator = np.random.default_rng(1)
    given = {"one": generator.normal(0, 1, (30, 4)), "two": generator.normal(0, 1, (30, 3))}
    made = convert(open_candidate(model, None, given, given), "float32", child, tmp_path, tell=quiet)
    reference = model({name: values.astype(np.float32) for name, values in given.items()})
    assert made.outputs.keys() == {"kind", "price"}
    for name, answer in made.outputs.items():
        np.testing.assert_allclose(answer, np.asarray(reference[name]), atol=1e-5)


def test_times_are_medians_in_rounds_that_end_when_one_is_good_enough(keras: Any, child: Child, tmp_path: Path) -> None:
    raw, _, known = samples_of("gru")
    made = convert_untrained(open_candidate(build(keras, "gru"), known, raw), "int8", child, tmp_path, tell=quiet)
    assert made.form == "step"  # one sample is a whole sequence of calls
    asked: dict[str, Any] = {"model": str(made.model), "stream": made.stream}
    assert len(time_file(**asked, rounds=4)["medians"]) == 4
    assert len(time_file(**asked, rounds=4, enough=1e9)["medians"]) == 1
    assert 0 < time_attempt(made, child, rounds=2) < 1e6


def test_a_layer_that_is_called_twice_is_not_counted_once(keras: Any) -> None:
    shared, inputs = keras.layers.Dense(3), keras.Input((3,))
    assert count_macs(keras.Model(inputs, shared(inputs))) == 9
    assert count_macs(keras.Model(inputs, keras.layers.Dense(1)(shared(shared(inputs))))) is None


def test_more_samples_than_are_compared_are_answered_all_the_same(
    keras: Any, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.candidates.COMPARED", 10)
    raw, _, known = samples_of("lstm")
    model = build(keras, "lstm")
    made = convert(open_candidate(model, known, None, raw), "float32", child, tmp_path, tell=quiet)
    np.testing.assert_allclose(made.outputs["output"], model.predict(raw, verbose=0), atol=1e-5)


def test_pixels_of_a_model_without_a_contract_are_recognised(keras: Any) -> None:
    raw, _, _ = samples_of("convnet")
    model = build(keras, "convnet")
    assert open_candidate(model, None, raw).contract["input"]["dtype"] == "uint8"
    assert open_candidate(model, None, raw / 255).contract["input"]["dtype"] == "float32"
