from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.micro.building import HERE, Edge, build, contract, make_program, needs_compiler, plain_file, run
from zoo import preprocessing
from zoo.runner import Port

pytestmark = needs_compiler
OUT: Edge = ("y", (1, 3), "int8", (1 / 256, -128))
QUANTIZED = {"int8": (0.031, 7), "uint8": (0.031, 131), "int16": (2.5e-4, 0), "float32": None}


def expected(samples: np.ndarray, given: Edge) -> np.ndarray:
    """What the bundle's own runner feeds the file."""
    name, shape, dtype, quantization = given
    details = {"index": 0, "shape": shape, "dtype": dtype, "quantization": quantization or (0.0, 0)}
    return Port(name, details).quantise(samples)


def prepared(tmp_path: Path, content: dict[str, Any], given: Edge, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each raw sample whether C took it, and what it made of it."""
    samples = raw[:1] if raw.dtype == np.uint8 else np.zeros_like(raw[:1])
    golden = {"samples": samples, "outputs": np.zeros((1, 3), np.float32)}
    folder = make_program(tmp_path, content, plain_file(tmp_path / "m.tflite", [given], [OUT]), golden)
    sent = raw if raw.dtype == np.uint8 else raw.astype(np.float32)
    written = run(build(folder, str(HERE / "harness" / "prepare.c")), sent.tobytes())
    width = int(np.prod(given[1]))
    rows = np.frombuffer(written, np.dtype([("fine", "u1"), ("features", given[2], (width,))]))
    assert len(rows) == len(raw)
    return rows["fine"].astype(bool), rows["features"].reshape(len(raw), *given[1][1:])


def rows_of_extremes(scale: np.ndarray, offset: np.ndarray, step: float) -> np.ndarray:
    """Raw float32 rows: by chance, far out, tiny, and those that land halfway between two quantization steps."""
    generator = np.random.default_rng(0)
    chance = generator.normal(0, 3, (200, len(scale)))
    halves = (generator.integers(-150, 150, (200, len(scale))) + 0.5) * step
    far = np.array([[sign * size] * len(scale) for sign in (-1, 1) for size in (1e-30, 1e9, 1e30)])
    raw = np.concatenate([(chance - offset) / scale, (halves - offset) / scale, far])
    return raw.astype(np.float32)


@pytest.mark.parametrize("dtype", QUANTIZED)
@pytest.mark.parametrize("clip", [None, 4.0])
def test_c_standardises_and_quantises_as_python_does(tmp_path: Path, dtype: str, clip: float | None) -> None:
    scale, offset = np.array([1.0, 0.013, 250.0, 1 / 3]), np.array([0.0, -5.2, 0.7, -1e-3])
    step = {
        "step": "standardise",
        "scale": scale.tolist(),
        "offset": offset.tolist(),
        **({"clip": clip} if clip else {}),
    }
    given: Edge = ("x", (1, 4), dtype, QUANTIZED[dtype])
    raw = rows_of_extremes(scale, offset, (QUANTIZED[dtype] or (0.1, 0))[0])
    fine, features = prepared(tmp_path, contract("table", given, OUT, [step]), given, raw)
    assert fine.all()
    np.testing.assert_array_equal(features, expected(preprocessing.apply([step], raw), given))


def test_halves_are_rounded_to_even(tmp_path: Path) -> None:
    given: Edge = ("x", (1, 4), "int8", (1.0, 0))
    raw = np.array([[0.5, 1.5, -0.5, -1.5], [2.5, -2.5, 126.5, 127.5], [-127.5, -128.5, 1000.0, -1000.0]], np.float32)
    _, features = prepared(tmp_path, contract("table", given, OUT), given, raw)
    assert features.tolist() == [[0, 2, 0, -2], [2, -2, 126, 127], [-128, -128, 127, -128]]


def test_what_python_refuses_c_refuses_too(tmp_path: Path) -> None:
    given: Edge = ("x", (1, 2), "int8", (0.05, 0))
    step = {"step": "standardise", "scale": [1e30, 1.0], "offset": [0.0, 0.0]}
    raw = np.array([[0, 1], [np.nan, 0], [0, np.inf], [-np.inf, 0], [1e20, 0], [1e-31, 2]], np.float32)
    fine, _ = prepared(tmp_path, contract("table", given, OUT, [step]), given, raw)
    assert fine.tolist() == [True, False, False, False, False, True]


def test_numbers_and_categories_of_a_table_are_encoded_as_python_does(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    raw = np.stack(
        [generator.normal(50, 20, 300), generator.integers(-1, 3, 300), generator.exponential(90, 300) ** 2], axis=1
    ).astype(np.float32)
    raw[::9, 0], raw[::11, 1], raw[0, 2] = np.nan, np.nan, 0.0
    schema = [
        {"name": "size", "type": "number"},
        {"name": "colour", "type": "category", "values": ["red", 'say "blue"', "grün"]},
        {"name": "price", "type": "number"},
    ]
    encode = preprocessing.fit_encode(schema, raw, adapt=True)
    assert encode["columns"][0]["indicator"]
    assert encode["columns"][2]["log"]
    features = preprocessing.encode(raw, encode)
    steps = [encode, preprocessing.fit_standardise(features, clip=True)]
    given: Edge = ("x", (1, features.shape[1]), "int8", (0.03, -5))
    fine, found = prepared(tmp_path, contract("table", given, OUT, steps), given, raw)
    assert fine.all()
    np.testing.assert_array_equal(found, expected(preprocessing.apply(steps, raw), given))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_every_grey_level_becomes_what_the_runner_makes_of_it(tmp_path: Path, dtype: str, scale: float) -> None:
    quantization = {"int8": (scale, -128), "uint8": (scale, 0), "float32": None}[dtype]
    given: Edge = ("x", (1, 16, 16, 1), dtype, quantization)
    step = {"step": "image", "height": 16, "width": 16, "channels": 1}
    raw = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    _, found = prepared(tmp_path, contract("image", given, OUT, [step]), given, raw)
    np.testing.assert_array_equal(found, expected(raw, given))


@pytest.mark.parametrize("hop", [1, 3, 5, 8])
def test_the_window_gives_what_slicing_gives(tmp_path: Path, hop: int) -> None:
    window, channels = 5, 2
    step = {"step": "standardise", "scale": [2.0, 0.5], "offset": [1.0, 0.0]}
    given: Edge = ("x", (1, window, channels), "int8", (0.05, 3))
    content = contract("series", given, OUT, [step], stream={"steps": window, "hop": hop, "sample_shape": [channels]})
    folder = make_program(tmp_path, content, plain_file(tmp_path / "m.tflite", [given], [OUT]))
    recording = np.random.default_rng(1).normal(0, 1, (43, channels)).astype(np.float32)
    written = run(build(folder, str(HERE / "harness" / "prepare.c")), recording.tobytes(), "windows")
    starts = range(0, len(recording) - window + 1, hop)
    windows = preprocessing.apply([step], np.stack([recording[at : at + window] for at in starts]))
    found = np.frombuffer(written, np.int8).reshape(-1, window, channels)
    np.testing.assert_array_equal(found, expected(windows, given))
