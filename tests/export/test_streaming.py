"""Series fed sample by sample: what predict.py answers, and what it says of bad ones."""

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
from export.forms.stepping import MOST_CALIBRATION_STEPS, _spread
from export.rebuilding import compare_folders
from tests.export.conftest import contract, write_run
from tests.export.test_recurrent import sequence_run
from zoo import preprocessing, runs, streaming
from zoo.errors import ModelError, UsageError


def stream(bundle: export.Bundle, *words: object, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-E", "-s", str(bundle.path / "predict.py"), "--stream", *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def stepped(keras: Any, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    """A GRU in int8: one time step a call, the state carried by whoever calls."""
    run = sequence_run(keras, tmp_path_factory.mktemp("a sensor"), "gru")
    return export.export_model(run, quantize="int8", streaming=True, child=child)


@pytest.fixture(scope="module")
def windowed(keras: Any, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    """A convolution over windows of 8 samples of three unlike channels, one every 4 samples."""
    layers = keras.layers
    generator = np.random.default_rng(2)
    raw = generator.normal(size=(60, 8, 3)) * [1.0, 50.0, 0.01] + [0.0, 500.0, 1.0]
    step = preprocessing.fit_standardise(raw)
    model = keras.Sequential([keras.Input((8, 3)), layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(2)])
    content = contract((8, 3), "regression", ["a", "b"], [step])
    content["input"]["hop"] = 4
    targets = model.predict(preprocessing.apply([step], raw), verbose=0)
    run = write_run(tmp_path_factory.mktemp("windows"), "windows", model, content, raw, targets)
    return export.export_model(run, child=child)


def test_a_step_file_answers_every_sample_and_forgets_after_a_sequence(stepped: export.Bundle, tmp_path: Path) -> None:
    golden = runs.read_npz(stepped.path / "golden.npz")
    np.save(tmp_path / "two sequences.npy", golden["samples"][:2].reshape(24, 3))
    found = json.loads(stream(stepped, "--json", tmp_path / "two sequences.npy").stdout)["predictions"]
    labels = stepped.manifest["output"]["labels"]
    assert [answer["sample"] for answer in found] == list(range(1, 25))
    assert [found[at]["label"] for at in (11, 23)] == [labels[at] for at in golden["outputs"][:2].argmax(axis=1)]
    assert stepped.manifest["stream"]["reset_after"] == 12


def test_a_step_file_that_is_no_stream_answers_at_the_end_of_each_sequence(
    keras: Any, child: Child, tmp_path: Path
) -> None:
    bundle = export.export_model(sequence_run(keras, tmp_path, "gru"), quantize="int16x8", child=child)
    np.save(tmp_path / "series.npy", runs.read_npz(bundle.path / "golden.npz")["samples"][:2].reshape(24, 3))
    found = json.loads(stream(bundle, "--json", tmp_path / "series.npy").stdout)["predictions"]
    assert [answer["sample"] for answer in found] == [12, 24]


def test_lines_on_standard_input_are_samples(stepped: export.Bundle) -> None:
    lines = "x,y,z\n" + "0.5,-1,2\n\n1,1,1\n"
    told = stream(stepped, "-", given=lines)
    assert told.returncode == 0, told.stderr
    assert [line.split("\t")[0] for line in told.stdout.splitlines()] == ["1", "2"]


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ("1,2\n", "line 1 has 2 numbers; a sample is (3,)"),
        ("1,2,3\n1,x,3\n", "line 2: could not convert string to float"),
        ("1,2,3\n1,nan,3\n", "line 2 holds NaN or infinite values"),
    ],
)
def test_a_line_that_is_no_sample_is_named(stepped: export.Bundle, lines: str, part: str) -> None:
    told = stream(stepped, "-", given=lines)
    assert (told.returncode, part in told.stderr, len(told.stderr.splitlines())) == (3, True, 1), told.stderr


def test_a_model_over_windows_answers_each_hop_from_raw_samples(windowed: export.Bundle, tmp_path: Path) -> None:
    golden = runs.read_npz(windowed.path / "golden.npz")["samples"]
    series = np.concatenate([golden[0], golden[1], golden[2]])  # 24 samples: windows end at 8, 12, 16, 20 and 24
    np.save(tmp_path / "series.npy", series)
    found = json.loads(stream(windowed, "--json", tmp_path / "series.npy").stdout)["predictions"]
    assert [answer["sample"] for answer in found] == [8, 12, 16, 20, 24]
    windows = np.stack([series[end - 8 : end] for end in (8, 12, 16, 20, 24)])
    np.save(tmp_path / "windows.npy", windows)
    command = [sys.executable, str(windowed.path / "predict.py"), "--json", str(tmp_path / "windows.npy")]
    whole = json.loads(subprocess.check_output(command, text=True))["predictions"]
    for one, other in zip(found, whole, strict=True):
        assert one["values"] == pytest.approx(other["values"], rel=1e-5)


def test_too_few_samples_and_models_without_a_series_are_refused(
    windowed: export.Bundle, image_run: runs.Run, child: Child, tmp_path: Path
) -> None:
    told = stream(windowed, "-", given="1,2,3\n")
    assert (told.returncode, "fewer samples than a window of 8" in told.stderr) == (3, True)
    bundle = export.export_model(image_run, child=child, out=tmp_path / "image")
    told = stream(bundle, "-", given="1,2,3\n")
    assert (told.returncode, "does not take a series of samples" in told.stderr) == (4, True)


def test_too_few_samples_leave_no_file(windowed: export.Bundle, tmp_path: Path) -> None:
    told = stream(windowed, "-", "--out", tmp_path / "answers.csv", given="1,2,3\n")
    assert (told.returncode, list(tmp_path.iterdir())) == (3, [])


def test_whole_sequences_between_samples_do_not_disturb_a_stream(stepped: export.Bundle) -> None:
    sequence = runs.read_npz(stepped.path / "golden.npz")["samples"][0]
    model = streaming.open_model(stepped.model, stepped.manifest)
    assert isinstance(model, streaming.SteppedModel)
    alone = [model.push(sample) for sample in sequence]
    model.reset()
    between = []
    for sample in sequence:
        between.append(model.push(sample))
        model.predict(sequence[None])
    np.testing.assert_array_equal(alone, between)


@pytest.mark.parametrize("steps", [24, 28, 30, 60, 7])
def test_calibration_meets_every_time_step_and_the_whole_first_sequence(steps: int) -> None:
    rows = np.arange(500 * steps)
    kept = _spread({"input": rows}, steps)["input"]
    assert len(kept) <= MOST_CALIBRATION_STEPS + steps
    assert set(kept % steps) == set(range(steps))
    assert list(kept[:steps]) == list(range(steps))


def test_token_ids_go_step_by_step(keras: Any, child: Child, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(20, 4),
            layers.GRU(6),
            layers.Dense(3, activation="softmax"),
        ]
    )
    ids = np.random.default_rng(0).integers(0, 20, (300, 7)).astype(np.int32)
    targets = ids[:, -1] % 3
    model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    model.fit(ids, targets, epochs=15, verbose=0)
    bundle = export.to_tflite(
        model, "int8", representative=ids, evaluate=(ids, targets), child=child, out=tmp_path / "ids", max_drop=20
    )
    assert (bundle.manifest["form"], bundle.manifest["stream"]["sample_shape"]) == ("step", [])
    assert export.verify(bundle).ok


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "gru", "bidirectional"])
def test_every_form_is_the_same_byte_for_byte(keras: Any, child: Child, tmp_path: Path, name: str) -> None:
    run = sequence_run(keras, tmp_path, name)
    bundle = export.export_model(run, quantize="int8", child=child, max_drop=20)
    found = export.rebuild(run, bundle, child=child)
    assert (found.ok, found.problem) == (True, "")
    assert found.files == len(list(bundle.path.iterdir()))
    other = sequence_run(keras, tmp_path / "other", name)
    with pytest.raises(UsageError, match=f"was made from {name}/.*, not from {name}/"):
        export.rebuild(other, bundle, child=child)
    (bundle.path / "predict.py").write_text("print('hello')\n")
    with pytest.raises(ModelError, match=r"was changed after it was made: predict.py was changed"):
        export.rebuild(run, bundle, child=child)


def test_what_differs_between_two_bundles_is_told_by_file(tmp_path: Path) -> None:
    for folder, files in {"old": {"a": "1", "b": "2", "c": "3"}, "new": {"a": "1", "b": "4", "d": "5"}}.items():
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_text(content)
    found = compare_folders(tmp_path / "old", tmp_path / "new")
    assert (found.ok, found.files) == (False, 1)
    assert found.problem.endswith("now: b differs; d is missing; c was added")


@pytest.mark.slow
def test_a_bundle_of_auto_is_rebuilt_as_it_was_asked_for(image_run: runs.Run, child: Child, tmp_path: Path) -> None:
    asked = {"io": "uint8", "max_drop": 2.0, "tolerance": 1e-3}
    bundle = export.export_model(image_run, quantize="auto", child=child, out=tmp_path / "auto", **asked)
    assert {name: bundle.manifest["asked"][name] for name in asked} == asked
    assert export.rebuild(image_run, bundle, child=child).problem == ""
