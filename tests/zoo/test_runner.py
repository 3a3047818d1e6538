from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.zoo.tflite_files import dense_file
from zoo import runner
from zoo.errors import DataError, ModelError, UsageError

WEIGHTS = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 4.0]])
QUANTIZATION = {"input": (0.1, -3), "weights": (0.5, 0), "output": (0.25, 5)}
MLPERF = Path(__file__).parents[3] / "shared/data/models/mlperf_tiny"


@pytest.fixture
def float_file(tmp_path: Path) -> Path:
    return dense_file(tmp_path / "with a space.tflite", WEIGHTS)


@pytest.fixture
def int8_file(tmp_path: Path) -> Path:
    return dense_file(tmp_path / "int8.tflite", np.array([[1, 2, -1], [1, 0, 4]]), quantization=QUANTIZATION)


def test_float_file_answers_as_its_weights_say(float_file: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    model = runner.TFLiteModel(float_file)
    np.testing.assert_allclose(model.predict(samples), samples @ WEIGHTS.T, atol=1e-5)
    assert (model.runtime, model.input_shape, model.output_shape) == ("litert", (3,), (2,))


def test_int8_file_is_fed_and_read_by_its_own_quantization(int8_file: Path) -> None:
    samples = np.array([[1.0, -2.0, 0.5], [0.0, 0.3, 2.0]], np.float32)
    expected = samples @ (np.array([[1, 2, -1], [1, 0, 4]]).T * 0.5)
    assert np.max(np.abs(runner.TFLiteModel(int8_file).predict(samples) - expected)) <= 0.25 / 2 + 1e-6


@pytest.mark.parametrize(
    ("value", "step"),
    [(0.0, -3), (0.25, -1), (0.35, 1), (0.15, -1), (-0.25, -5), (99.0, 127), (-99.0, -128)],
    ids=["zero", "tie-to-2", "tie-to-4", "tie-up-to-2", "negative-tie", "clipped-high", "clipped-low"],
)
def test_quantisation_rounds_half_to_even_and_clips(int8_file: Path, value: float, step: int) -> None:
    model = runner.TFLiteModel(int8_file)
    assert model.quantise(np.array([[value] * 3])).tolist() == [[step] * 3]


def test_free_batch_and_single_samples_agree(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).normal(size=(70, 3)).astype(np.float32)
    free = runner.TFLiteModel(dense_file(tmp_path / "free.tflite", WEIGHTS, free_batch=True))
    np.testing.assert_allclose(free.predict(samples), samples @ WEIGHTS.T, atol=1e-5)
    np.testing.assert_allclose(free.predict(samples[:1]), samples[:1] @ WEIGHTS.T, atol=1e-5)


def test_no_samples_give_no_answers(float_file: Path) -> None:
    assert runner.TFLiteModel(float_file).predict(np.zeros((0, 3), np.float32)).shape == (0, 2)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((2, 4), np.float32), r"shape \(4,\).*expects \(3,\)"),
        (np.array([[0, 0, 0], [0, np.nan, 0]], np.float32), "sample 1 holds NaN"),
        (np.array([[np.inf, 0, 0]], np.float32), "sample 0 holds NaN or infinite"),
    ],
)
def test_unusable_samples_are_named(float_file: Path, samples: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        runner.TFLiteModel(float_file).predict(samples)


def test_unusable_files_are_refused_in_a_line(tmp_path: Path, float_file: Path) -> None:
    text = tmp_path / "notes.tflite"
    text.write_text("not a model")
    flex = dense_file(tmp_path / "flex.tflite", WEIGHTS, custom="FlexTensorListReserve")
    for path, words in (
        (tmp_path / "none.tflite", "cannot be read"),
        (text, "not a .tflite file"),
        (flex, "refused by litert"),
    ):
        with pytest.raises(ModelError, match=words) as caught:
            runner.TFLiteModel(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="there are: litert, tflite-runtime"):
        runner.TFLiteModel(float_file, runtime="onnx")


def test_a_file_with_two_inputs_takes_a_mapping_and_says_so(tmp_path: Path) -> None:
    model = runner.TFLiteModel(dense_file(tmp_path / "two.tflite", WEIGHTS, inputs=2))
    samples = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    answers = model.predict({"x1": samples * 0, "x": samples})
    assert list(answers) == ["y"]
    np.testing.assert_allclose(answers["y"], samples @ WEIGHTS.T, atol=1e-5)
    assert model.predict({"x": samples[:0], "x1": samples[:0]})["y"].shape == (0, 2)
    for call in (lambda: model.predict(samples), lambda: model.input_shape, lambda: model.output_shape):
        with pytest.raises(ModelError, match=r"2 inputs, 1 outputs; expected one of each.*a mapping of x, x1"):
            call()


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"x": np.zeros((2, 3))}, r"samples are of x; two\.tflite takes x \(3,\) float32, x1 \(3,\) float32"),
        ({}, "samples are of nothing"),
        ({"x": np.zeros((2, 3)), "x2": np.zeros((2, 3))}, "samples are of x, x2"),
        ({"x": np.zeros((2, 3)), "x1": np.zeros((1, 3))}, "unlike number \\(2 of 'x', 1 of 'x1'\\)"),
        ({"x": np.zeros((2, 3)), "x1": np.zeros((2, 4))}, r"of 'x1' have shape \(4,\).*expects \(3,\)"),
        ({"x": np.zeros((2, 3)), "x1": np.full((2, 3), np.nan)}, "sample 0 of 'x1' holds NaN"),
    ],
)
def test_unusable_mappings_are_named(tmp_path: Path, samples: dict[str, np.ndarray], words: str) -> None:
    model = runner.TFLiteModel(dense_file(tmp_path / "two.tflite", WEIGHTS, inputs=2))
    with pytest.raises(DataError, match=words):
        model.predict(samples)


def test_a_file_with_one_input_takes_a_mapping_too(float_file: Path) -> None:
    model, samples = runner.TFLiteModel(float_file), np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(model.predict({"x": samples})["y"], model.predict(samples))


def test_probe_runs_a_file_with_two_inputs(tmp_path: Path) -> None:
    assert runner.probe(dense_file(tmp_path / "two.tflite", WEIGHTS, inputs=2))["runtime"] == "litert"


def test_a_runtime_that_is_absent_is_an_error_with_the_fix(float_file: Path) -> None:
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        runner.TFLiteModel(float_file, runtime="tflite-runtime")


def test_loading_leaves_standard_error_clean_and_open(float_file: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); from zoo.runner import TFLiteModel; "
        f"TFLiteModel({str(float_file)!r}); print('after', file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert child.stderr == "after\n"


def test_probe_measures_a_good_file(float_file: Path) -> None:
    answer = runner.probe(float_file)
    assert answer["runtime"] == "litert"
    assert answer["memory_bytes"] is None or 0 <= answer["memory_bytes"] < 50_000_000


@pytest.mark.parametrize("kept", [60, 400, 0.6, 0.9])
def test_probe_turns_a_truncated_file_into_an_error(tmp_path: Path, kept: float) -> None:
    whole = dense_file(tmp_path / "whole.tflite", np.ones((200, 300))).read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        runner.probe(cut)


def test_probe_stops_a_file_that_hangs(float_file: Path) -> None:
    with pytest.raises(ModelError, match=r"hangs the TFLite runtime \(over 0.01 s\)"):
        runner.probe(float_file, timeout=0.01)


def test_probe_names_the_signal_of_a_crash(float_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed = subprocess.CompletedProcess([], -11, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: crashed)
    with pytest.raises(ModelError, match="SIGSEGV"):
        runner.probe(float_file)


@pytest.mark.parametrize("name", ["pretrainedResnet.tflite", "pretrainedResnet_quant.tflite"])
def test_files_made_by_others_run_with_their_free_batch(name: str) -> None:
    path = MLPERF / "image_classification/trained_models" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.float32)
    model = runner.TFLiteModel(path)
    batched, single = model.predict(pixels), np.concatenate([model.predict(pixels[i : i + 1]) for i in range(40)])
    assert batched.shape == (40, 10)
    np.testing.assert_allclose(batched, single, atol=1e-4)
    np.testing.assert_allclose(batched.sum(axis=1), 1, atol=0.02)


def test_every_flipped_byte_is_seen(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    (tmp_path / "model.tflite").write_bytes(b"abc")
    digests = {"bundle.json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
    digests["model.tflite"] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    sums = tmp_path / "SHA256SUMS"
    sums.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    assert runner.check_sums(tmp_path) == []
    good = sums.read_bytes()
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1
        sums.write_bytes(bytes(damaged))
        assert runner.check_sums(tmp_path), position
    sums.write_bytes(good)
    (tmp_path / "model.tflite").write_bytes(b"abd")
    assert runner.check_sums(tmp_path) == ["model.tflite was changed"]
    (tmp_path / "model.tflite").unlink()
    assert runner.check_sums(tmp_path) == ["model.tflite is missing"]
    sums.unlink()
    with pytest.raises(ModelError, match="no readable SHA256SUMS"):
        runner.check_sums(tmp_path)


@pytest.mark.parametrize(("value", "why"), [(1.5, "whole numbers"), (300.0, "0 to 255"), (-1, "0 to 255")])
def test_an_integer_input_takes_no_fractions_and_nothing_beyond_its_range(value: float, why: str) -> None:
    port = runner.Port("ids", {"index": 0, "shape": [1, 1], "dtype": np.uint8, "quantization": (0.0, 0)})
    with pytest.raises(DataError, match=why):
        port.quantise(np.array([[value]]))
    assert port.quantise(np.array([[7.0]])).dtype == np.uint8
