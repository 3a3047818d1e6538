from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import lowering
from export.child import Child
from export.signature import describe
from export.worker import load_arrays, save_arrays
from zoo.errors import ModelError


@pytest.fixture(scope="module")
def own_child() -> Iterator[Child]:
    """One that may die: the other tests' child stays alive."""
    with Child() as started:
        yield started


@pytest.fixture(scope="module")
def loop(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A GRU lowered as a loop, which TensorFlow 2.21's quantizer does not survive, and samples to calibrate it."""
    folder = tmp_path_factory.mktemp("a loop")
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4), keras.layers.Dense(2)], name="loop")
    lowering.lower(model, describe(model), folder / "saved", batch=1)
    samples = save_arrays(folder / "samples", {"input": np.zeros((4, 5, 3), np.float32)})
    return {"saved_model": str(folder / "saved"), "representative": str(samples)}


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("convert", {"mode": "int8"}),
        pytest.param("convert", {"mode": "int16x8"}, marks=pytest.mark.slow),
        pytest.param("convert", {"mode": "int8", "keep_float": ["gru"]}, marks=pytest.mark.slow),
        pytest.param("sensitivity", {}, marks=pytest.mark.slow),
    ],
)
def test_a_loop_that_ends_the_converter_is_an_error_in_a_line_and_the_next_request_works(
    own_child: Child, loop: dict[str, str], tmp_path: Path, operation: str, options: dict[str, Any]
) -> None:
    out = {"out": str(tmp_path / "never.tflite")} if operation == "convert" else {}
    with pytest.raises(ModelError, match=r"converting loop crashed the process that did it: SIG") as caught:
        own_child.ask(operation, "converting loop", **loop, **out, **options)
    assert "\n" not in str(caught.value)
    assert own_child.pid is None
    floating = {"saved_model": loop["saved_model"], "mode": "float32", "out": str(tmp_path / "float.tflite")}
    assert own_child.ask("convert", "converting loop", **floating)["ops"]["WHILE"] == 1


def test_arrays_travel_by_name(tmp_path: Path) -> None:
    arrays = {"b": np.arange(6, dtype=np.int32).reshape(2, 3), "a": np.array([0.5, np.nan], np.float32)}
    read = load_arrays(save_arrays(tmp_path / "a folder", arrays))
    assert list(read) == ["a", "b"]
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
