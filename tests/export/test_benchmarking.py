from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import export
from export import benching_elsewhere
from export.child import Child
from tests.zoo.tflite_files import dense_file
from zoo import runs
from zoo.errors import ModelError, UsageError

MLPERF = Path(__file__).parents[3] / "shared/data/models/mlperf_tiny/image_classification/trained_models"


def test_a_larger_layer_takes_longer_and_more_bytes(tmp_path: Path) -> None:
    small = dense_file(tmp_path / "small.tflite", np.ones((4, 4)))
    large = dense_file(tmp_path / "large one.tflite", np.ones((1500, 1500)))
    first, second = export.benchmark([large, small])
    assert (first.artifact, second.artifact) == (large, small)
    assert first.p50_us > 5 * second.p50_us
    assert first.bytes > 9_000_000 > 4_000 > second.bytes
    assert (first.runtime, first.threads) == ("litert", 1)
    assert second.p50_us <= second.p99_us
    if first.memory_bytes is not None and second.memory_bytes is not None:
        assert first.memory_bytes >= second.memory_bytes


def test_every_kind_of_artefact_stands_in_one_table(image_run: runs.Run, child: Child, tmp_path: Path) -> None:
    bundle = export.export_model(image_run, quantize="int8", out=tmp_path / "int8", child=child)
    saved = export.export_model(image_run, format="saved_model", out=tmp_path / "saved", child=child)
    artifacts = [bundle.path, bundle.model, saved.path, image_run.path, image_run.path / "model.keras"]
    results = export.benchmark(artifacts)
    assert [result.runtime for result in results] == ["litert", "litert", "tensorflow", "tensorflow", "tensorflow"]
    assert [result.bytes for result in results[:3]] == [bundle.bytes, bundle.bytes, saved.bytes]
    assert results[3].bytes == (image_run.path / "model.keras").stat().st_size
    assert all(result.p50_us > 0 for result in results)


def test_a_damaged_bundle_and_a_broken_file_are_refused(image_run: runs.Run, child: Child, tmp_path: Path) -> None:
    bundle = export.export_model(image_run, out=tmp_path / "whole", child=child)
    damaged = shutil.copytree(bundle.path, tmp_path / "damaged")
    content = bytearray((damaged / "model.tflite").read_bytes())
    content[-100] ^= 1
    (damaged / "model.tflite").write_bytes(bytes(content))
    with pytest.raises(ModelError, match=r"model\.tflite was changed; export it again"):
        export.benchmark([damaged])
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        export.benchmark([bundle.path, cut])


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no artefacts"):
        export.benchmark([])
    with pytest.raises(UsageError, match="0 threads"):
        export.benchmark([tmp_path], threads=0)
    with pytest.raises(ModelError, match=r"none\.tflite is missing"):
        export.benchmark([tmp_path / "none.tflite"])
    with pytest.raises(UsageError, match="neither a run folder nor the name of one"):
        export.benchmark(["no-such-run"], root=tmp_path)


def test_files_made_by_others_are_measured() -> None:
    files = [MLPERF / "pretrainedResnet.tflite", MLPERF / "pretrainedResnet_quant.tflite"]
    if not all(file.is_file() for file in files):
        pytest.skip(f"{MLPERF} is absent")
    measured = [export.benchmark(files) for _ in range(5)]
    float32, int8 = measured[0]
    assert float32.bytes > 3 * int8.bytes
    # The least of each: a busy neighbour of this machine slows both to the same time, for seconds.
    least32, least8 = (min(result.p50_us for result in results) for results in zip(*measured, strict=True))
    assert least32 > least8


def test_another_runtime_is_timed_by_its_own_python(
    image_run: runs.Run, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same Python stands in for the other runtime's: what runs there is the bundle's program, or the toolkit's."""
    monkeypatch.setattr(benching_elsewhere, "interpreter_of", lambda runtime: [sys.executable])
    monkeypatch.setattr(benching_elsewhere, "package_of", lambda runtime: "litert")
    bundle = export.export_model(image_run, quantize="int8", out=tmp_path / "a bundle", child=child)
    file = dense_file(tmp_path / "a file.tflite", np.ones((1500, 1500)))
    first, second = export.benchmark([bundle.path, file], threads=2, runtime="tflite-micro")
    assert [first.artifact, second.artifact] == [bundle.path, file]
    assert (first.runtime, first.threads, first.bytes) == ("tflite-micro", 1, bundle.bytes)
    assert 0 < first.p50_us < second.p50_us
    assert second.p50_us <= second.p99_us
    assert second.calls >= 20
    with pytest.raises(UsageError, match=r"is no bundle or \.tflite file, which is what tflite-runtime runs"):
        export.benchmark(image_run, runtime="tflite-runtime")


def test_a_file_that_ends_another_runtime_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = dense_file(tmp_path / "a file.tflite", np.ones((4, 4)))
    monkeypatch.setattr(benching_elsewhere, "interpreter_of", lambda runtime: ["sh", "-c", "kill -SEGV $$"])
    with pytest.raises(ModelError, match=r"a file\.tflite ends tflite-micro without an answer \(SIGSEGV"):
        export.benchmark(file, runtime="tflite-micro")


def test_runtimes_that_cannot_be_timed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    file = dense_file(tmp_path / "a file.tflite", np.ones((4, 4)))
    with pytest.raises(UsageError, match="arm is an emulated processor, whose times are no board's"):
        export.benchmark(file, runtime="arm")
    with pytest.raises(UsageError, match="run: zoo doctor --install tflite-micro"):
        export.benchmark(file, runtime="tflite-micro")
    with pytest.raises(UsageError, match="choose one of litert, tflite-runtime, tflite-micro"):
        export.benchmark(file, runtime="onnx")
