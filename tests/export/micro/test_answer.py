from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.micro.building import HERE, Edge, build, contract, make_program, needs_compiler, plain_file, run
from zoo import preprocessing
from zoo.answers import answers
from zoo.runner import Port

pytestmark = needs_compiler
GIVEN: Edge = ("x", (1, 2), "int8", (0.05, 0))


def answered(tmp_path: Path, answer: Edge, raw: np.ndarray, **output: Any) -> np.ndarray:
    """Fine, label and values of each row of raw outputs."""
    folder = make_program(
        tmp_path,
        contract("table", GIVEN, answer, output=output),
        plain_file(tmp_path / "m.tflite", [GIVEN], [answer]),
    )
    program = build(folder, str(HERE / "harness" / "answer.c"))
    width = raw.shape[1]
    kind = np.dtype([("fine", "u1"), ("label", "<i4"), ("values", "<f4", (width,))])
    return np.frombuffer(run(program, raw.tobytes()), kind)


def real(answer: Edge, raw: np.ndarray) -> np.ndarray:
    name, shape, dtype, quantization = answer
    return Port(name, {"index": 0, "shape": shape, "dtype": dtype, "quantization": quantization or (0, 0)}).dequantise(
        raw
    )


def test_labels_are_those_of_the_toolkit_ties_included(tmp_path: Path) -> None:
    edge: Edge = ("y", (1, 4), "int8", (1 / 256, -128))
    raw = np.random.default_rng(2).integers(-128, 128, (300, 4)).astype(np.int8)
    raw[:50, 2] = raw[:50].max(axis=1)
    labels = ["a", "b", "c", "d"]
    found = answered(tmp_path, edge, raw, task="multiclass", labels=labels)
    outputs = real(edge, raw)
    wanted = answers(outputs, {"output": {"task": "multiclass", "labels": labels}})
    assert [labels[at] for at in found["label"]] == [entry["label"] for entry in wanted]
    np.testing.assert_array_equal(found["values"], outputs)


def test_one_half_is_the_second_of_two_labels(tmp_path: Path) -> None:
    edge: Edge = ("y", (1, 1), "int8", (1 / 256, -128))
    raw = np.arange(-128, 128, dtype=np.int8)[:, None]
    found = answered(tmp_path, edge, raw, task="binary", labels=["no", "yes"])
    assert found["label"].tolist() == [0] * 128 + [1] * 128


def test_a_score_above_the_threshold_is_an_anomaly(tmp_path: Path) -> None:
    edge: Edge = ("y", (1, 1), "int8", (0.02, -128))
    raw = np.arange(-128, 128, dtype=np.int8)[:, None]
    output = {"task": "anomaly", "labels": ["normal", "anomaly"], "threshold": float(np.float32(0.02) * 100)}
    found = answered(tmp_path, edge, raw, **output)
    wanted = answers(real(edge, raw), {"output": output})
    assert [output["labels"][at] for at in found["label"]] == [entry["label"] for entry in wanted]
    assert found["label"].sum() in (155, 156)


@pytest.mark.parametrize("transform", [None, "log1p"])
@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_values_are_in_target_units(tmp_path: Path, transform: str | None, dtype: str) -> None:
    edge: Edge = ("y", (1, 2), dtype, {"int8": (0.03, 4), "int16": (1e-4, 0), "float32": None}[dtype])
    generator = np.random.default_rng(3)
    raw = generator.normal(0, 2, (200, 2)) if dtype == "float32" else generator.integers(-128, 128, (200, 2))
    raw = raw.astype(dtype)
    output = {"scale": [0.4, 1e-3], "offset": [-2.0, 0.25], "transform": transform}
    found = answered(tmp_path, edge, raw, task="regression", labels=["p", "q"], **output)
    wanted = preprocessing.invert_target(real(edge, raw), output)
    assert found["label"].tolist() == [-1] * 200
    whole = np.isfinite(wanted).all(axis=1)
    np.testing.assert_array_equal(found["fine"].astype(bool), whole)
    np.testing.assert_allclose(found["values"][whole], wanted[whole], rtol=2e-7)


def test_an_output_that_is_not_finite_is_no_answer(tmp_path: Path) -> None:
    edge: Edge = ("y", (1, 2), "float32", None)
    raw = np.array([[0.2, np.nan], [np.inf, 0.1], [0.3, 0.7]], np.float32)
    found = answered(tmp_path, edge, raw, task="multiclass", labels=["a", "b"])
    assert found["fine"].tolist() == [0, 0, 1]
    assert found["label"].tolist() == [-1, -1, 1]
