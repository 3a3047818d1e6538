"""What a device has room for: measured before training, rejected with the reason, scored by the file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.child import Child
from export.exporting import export_model
from tests.export.conftest import child, contract, keras
from tuning.architecture import architecture
from tuning.budget import Device, Rejected, parse_limits
from tuning.plan import Limits
from tuning.trial import Figures
from zoo.builders.build import build as build_from_zoo
from zoo.errors import ResourceError, UsageError

__all__ = ["child", "keras"]
CONTRACT = contract((8, 8, 1), "multiclass", ["a", "b", "c"], [])
RAW = np.random.default_rng(2).integers(0, 256, (60, 8, 8, 1)).astype(np.uint8)

Build = Callable[..., Any]


@pytest.fixture(scope="module")
def build(keras: Any) -> Build:
    """A small convnet of a few knobs, its layers named anew each time, as Keras does."""

    def make(
        filters: int = 4,
        activation: str = "relu",
        pooling: str = "max",
        batch_norm: bool = True,
        dropout: float = 0.1,
        l2: float = 0.0,
        padding: str = "valid",
        units: int = 0,
    ) -> Any:
        layers = keras.layers
        penalty = keras.regularizers.L2(l2) if l2 else None
        inputs = keras.Input((8, 8, 1), name="input")
        x = layers.Conv2D(filters, 3, padding=padding, kernel_regularizer=penalty)(inputs)
        x = layers.BatchNormalization()(x) if batch_norm else x
        x = (layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D)(2)(layers.Activation(activation)(x))
        x = layers.Dropout(dropout)(layers.Flatten()(x))
        x = layers.Dense(units, activation="relu")(x) if units else x
        return keras.Model(inputs, layers.Dense(3, activation="softmax", name="output")(x), name="convnet")

    return make


@pytest.fixture(scope="module")
def device(child: Child) -> Iterator[Device]:
    """Of int8, without limits."""
    with Device(Limits(), "int8", child=child) as opened:
        yield opened


@pytest.fixture(scope="module")
def usual(device: Device, build: Build) -> Figures:
    """What the convnet costs."""
    return device.check(build(), CONTRACT, RAW)


def test_a_candidate_is_measured_whole(usual: Figures) -> None:
    assert usual.parameters == 9 * 4 + 4 + 4 * 4 + 36 * 3 + 3
    assert usual.macs == 36 * 36 + 36 * 3
    assert usual.bytes is not None
    assert 2_000 < usual.bytes < 10_000
    assert usual.latency_us is not None
    assert 0 < usual.latency_us < 1e5
    assert usual.ops["CONV_2D"] == 1
    assert usual.form == "graph"
    assert usual.arena_bytes is None


@pytest.mark.parametrize(
    ("limit", "reason", "missing"),
    [
        ({"macs": 1_000}, "one sample takes 1,404 multiplications with addition, 1,000 are allowed", "bytes"),
        (
            {"flash": 2_048},
            r"the int8 file has [\d,]+ bytes \(.* kB\), 2,048 bytes \(2.0 kB\) are allowed",
            "latency_us",
        ),
        ({"latency_us": 0.01}, r"one sample takes [\d,]+ us here, the quickest of several medians", "arena_bytes"),
    ],
)
def test_what_does_not_fit_is_rejected_with_the_figures_so_far(
    child: Child, build: Build, usual: Figures, limit: dict[str, Any], reason: str, missing: str
) -> None:
    with Device(Limits(**limit), "int8", child=child) as device, pytest.raises(Rejected, match=reason) as caught:
        device.check(build(), CONTRACT, RAW)
    found = caught.value.figures
    assert "--max-" in caught.value.reason
    assert "\n" not in caught.value.reason
    assert (found.parameters, found.macs) == (usual.parameters, usual.macs)
    assert getattr(found, missing) is None
    if missing != "bytes":
        assert found.bytes is not None


def test_rates_penalties_and_names_are_measured_once(
    device: Device, build: Build, usual: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_child", None)  # nothing is converted
    assert device.check(build(dropout=0.5, l2=0.01), CONTRACT, RAW) == usual


def test_a_rejected_architecture_is_rejected_again_at_once(child: Child, build: Build) -> None:
    with Device(Limits(flash=2_048), "int8", child=child) as device:
        with pytest.raises(Rejected) as first:
            device.check(build(), CONTRACT, RAW)
        device._child = None  # type: ignore[assignment]
        with pytest.raises(Rejected) as second:
            device.check(build(dropout=0.5), CONTRACT, RAW)
    assert second.value.figures == first.value.figures


@pytest.mark.parametrize(
    "change",
    [
        {"filters": 5},
        {"activation": "tanh"},
        {"pooling": "average"},
        {"batch_norm": False},
        {"padding": "same"},
        {"units": 4},
    ],
    ids=str,
)
def test_another_architecture_is_another_measurement(build: Build, change: dict[str, Any]) -> None:
    assert architecture(build(**change)) != architecture(build())
    assert architecture(build(**change)) == architecture(build(**change, l2=0.1))


def test_another_architecture_has_its_own_figures(device: Device, build: Build, usual: Figures) -> None:
    wider = device.check(build(filters=8), CONTRACT, RAW)
    assert (wider.bytes or 0) > (usual.bytes or 0)
    averaged = device.check(build(pooling="average"), CONTRACT, RAW)
    assert "AVERAGE_POOL_2D" in averaged.ops


def test_layers_named_after_what_they_do_are_not_taken_for_each_other(keras: Any) -> None:
    def named(activation: str, policy: str = "float32") -> Any:
        layer = keras.layers.Activation(activation, name=activation, dtype=policy)
        return keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(2)])

    assert architecture(named("relu")) == architecture(named("relu"))
    assert architecture(named("relu")) != architecture(named("tanh"))
    assert architecture(named("relu")) != architecture(named("relu", "float16"))


@pytest.mark.parametrize(
    ("family", "shape", "one", "other"),
    [
        ("mlp", (4,), {"dropout": 0.1, "l1": 0.01}, {"dropout": 0.4, "l2": 0.02}),
        ("convnet", (8, 8, 1), {"dropout": 0.1}, {"dropout": 0.4, "l2": 0.02}),
        ("recurrent", (6, 3), {"recurrent_dropout": 0.1}, {"recurrent_dropout": 0.2, "l1": 0.1}),
        (
            "recurrent",
            (6, 3),
            {"cell": "gru", "bidirectional": True},
            {"cell": "gru", "bidirectional": True, "l2": 1.0},
        ),
    ],
)
def test_the_rates_of_the_zoo_are_no_architecture(
    keras: Any, family: str, shape: tuple[int, ...], one: dict[str, Any], other: dict[str, Any]
) -> None:
    def made(knobs: dict[str, Any]) -> Any:
        return build_from_zoo(family, input_shape=shape, num_classes=3, **knobs)

    assert architecture(made(one)) == architecture(made(other))
    assert architecture(made(one)) is not None
    assert architecture(made(one)) != architecture(made({**one, "activation": "sigmoid"}))


def test_models_whose_configuration_does_not_tell_all_have_no_architecture(keras: Any) -> None:
    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x * 2

    class Subclassed(keras.Model):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x

    def sequential(layer: Any) -> Any:
        return keras.Sequential([keras.Input((3,)), layer])

    assert architecture(sequential(keras.layers.Dense(2))) is not None
    for layer in (Own(), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2, activation=lambda x: x * 2)):
        assert architecture(sequential(layer)) is None
    assert architecture(Subclassed()) is None


def test_the_answers_are_those_of_the_exported_file(
    device: Device, build: Build, usual: Figures, child: Child, tmp_path: Path
) -> None:
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy")
    targets = RAW.reshape(60, -1).argmax(axis=1) % 3
    model.fit(RAW.astype("float32"), targets, epochs=2, verbose=0)
    answers, figures = device.answers(model, CONTRACT, RAW[:40], RAW)
    assert isinstance(answers, np.ndarray)
    assert figures.bytes == pytest.approx(usual.bytes, abs=100)  # Keras numbers layers on, and names are in the file
    assert (figures.ops, figures.latency_us) == (usual.ops, usual.latency_us)
    bundle = export_model(
        model,
        quantize="int8",
        max_drop=100.0,
        representative=RAW[:40],
        evaluate=(RAW, targets),
        preprocessing=CONTRACT,
        out=tmp_path / "an export",
        child=child,
    )
    assert figures.bytes == (bundle.path / "model.tflite").stat().st_size
    golden = np.load(bundle.path / "golden.npz")
    for sample, output in zip(golden["samples"], golden["outputs"], strict=True):
        (place,) = np.flatnonzero((sample == RAW).all(axis=(1, 2, 3)))
        np.testing.assert_array_equal(answers[place], output)


def test_a_trained_model_over_the_limits_is_rejected_after_all(child: Child, build: Build) -> None:
    device = Device(Limits(flash=1_000), "float32", child=child)
    with device, pytest.raises(Rejected, match="the float32 file has"):
        device.answers(build(), CONTRACT, None, RAW[:4])


def test_a_mode_that_the_converter_refuses_is_a_rejection(keras: Any, child: Child) -> None:
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.GRU(3), keras.layers.Dense(1)], name="small-gru")
    device = Device(Limits(), "dynamic", child=child)
    with device, pytest.raises(Rejected, match="small-gru in dynamic is the float32 file unchanged") as caught:
        device.check(model, None, np.zeros((4, 4, 2), np.float32))
    assert caught.value.figures.parameters == model.count_params()


def test_weights_beyond_the_limit_are_not_converted_once_something_smaller_is_known(
    child: Child, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Device(Limits(flash=3_000), "int8", child=child) as device:
        with pytest.raises(Rejected, match="the int8 file has") as large:
            device.check(build(units=200), CONTRACT, RAW)  # may be the smallest of all: its size is wanted
        with pytest.raises(Rejected, match="the int8 file has"):
            device.check(build(), CONTRACT, RAW)
        monkeypatch.setattr(device, "_child", None)
        with pytest.raises(Rejected, match=r"the weights alone take 11,\d+ bytes .* 3,000 bytes .* are allowed"):
            device.check(build(units=300), CONTRACT, RAW)
    assert (large.value.figures.bytes or 0) > 200 * 36


@pytest.mark.parametrize(
    ("medians", "asked"), [((90.0,), 1), ((150.0, 95.0), 2), ((150.0, 140.0), 2), ((400.0,), 1)], ids=str
)
def test_a_time_just_over_the_limit_gets_a_second_look(
    build: Build, child: Child, monkeypatch: pytest.MonkeyPatch, medians: tuple[float, ...], asked: int
) -> None:
    told = list(medians)
    monkeypatch.setattr("tuning.budget.time_attempt", lambda *given, **options: told.pop(0))
    with Device(Limits(latency_us=100.0), "float32", child=child) as device:
        if min(medians) > 100.0:
            with pytest.raises(Rejected, match=f"one sample takes {min(medians):.0f} us here"):
                device.check(build(), CONTRACT)
        else:
            assert device.check(build(), CONTRACT).latency_us == min(medians)
    assert len(medians) - len(told) == asked


def test_multiplications_that_nobody_can_count_do_not_pass_for_few(keras: Any, child: Child) -> None:
    layer = keras.layers.Dense(3)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(layer(inputs)))
    with Device(Limits(macs=10**9), None, child=child) as device, pytest.raises(Rejected, match="cannot be counted"):
        device.check(model, None)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [(11, Rejected, "crashed the process that did it: SIGSEGV"), (9, ResourceError, "was killed from outside")],
)
def test_a_crash_of_the_converter_ends_the_trial_and_not_the_search(
    build: Build, code: int, kind: type[Exception], said: str
) -> None:
    program = [sys.executable, "-c", f"import os; input(); os.kill(os.getpid(), {code})"]
    with Child(program=program) as dying, Device(Limits(), "float32", child=dying) as device:
        for filters in (3, 4):  # the second time in a new process
            with pytest.raises(kind, match=said):
                device.check(build(filters=filters), CONTRACT)
            assert dying.pid is None


def test_an_arena_cannot_be_limited_where_nothing_measures_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "no home"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    limits = Limits(arena=32_768)
    with pytest.raises(UsageError, match="tflite-micro, which is not installed here; run: zoo doctor --install tflite"):
        Device(limits, "int8").__enter__()


@pytest.mark.parametrize(
    ("limits", "mode", "said"),
    [
        (Limits(arena=1), "float16", "a micro-controller's, which runs float32, int8, int16x8, not float16"),
        (Limits(), "int4", "quantization mode 'int4' is unknown"),
        (Limits(), "auto", "'auto' chooses a mode and is none"),
    ],
)
def test_modes_that_do_not_go_are_refused_at_once(limits: Limits, mode: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Device(limits, mode)


def test_limits_are_read_as_people_write_them() -> None:
    assert parse_limits("64k", "32K", "2ms", "5M") == Limits(
        flash=65_536, arena=32_768, latency_us=2_000.0, macs=5_000_000
    )
    assert parse_limits(max_flash=20_480) == Limits(flash=20_480)
    assert parse_limits(max_latency="800us").latency_us == 800.0
    assert parse_limits(max_latency="0.002s").latency_us == 2_000.0
    assert parse_limits(max_latency="1.5 µs").latency_us == 1.5
    assert parse_limits(max_macs="300k").macs == 300_000
    assert parse_limits(max_macs=4_500).macs == 4_500
    assert not parse_limits()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_latency": "2"}, "--max-latency '2' is no time; give one above 0 with its unit, such as 2ms, 800us"),
        ({"max_latency": "0ms"}, "'0ms' is no time"),
        ({"max_latency": "-2ms"}, "'-2ms' is no time"),
        ({"max_latency": "2kB"}, "'2kB' is no time"),
        ({"max_macs": "5x"}, r"--max-macs '5x' is no count; give one above 0, such as 4500, 300k \(300,000\) or 5M"),
        ({"max_macs": 0}, "--max-macs 0 is no count"),
        ({"max_macs": "-5M"}, "'-5M' is no count"),
        ({"max_flash": "0"}, "--max-flash '0' is no size"),
        ({"max_arena": "32q"}, "--max-arena '32q' is no size"),
    ],
)
def test_a_limit_that_is_none_says_how_one_looks(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_limits(**given)
