from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.micro import check_contract, write_micro
from tests.export.micro.building import Edge, contract, plain_file
from zoo.errors import ModelError

GIVEN: Edge = ("x", (1, 4), "int8", (0.05, 0))
OUT: Edge = ("y", (1, 3), "int8", (1 / 256, -128))
DATE = {"name": "sold", "type": "date", "parts": ["days"], "indicator": False, "fill": 0.0}
NUMBER = {"name": "size", "type": "number", "indicator": False, "fill": 0.0}


@pytest.mark.parametrize(
    ("kind", "steps", "told"),
    [
        (
            "series",
            [{"step": "log_mel"}],
            "tiny: the preprocessing step 'log_mel' of series inputs has no C and is refused",
        ),
        ("table", [{"step": "encode", "columns": [NUMBER, DATE]}], "date column 'sold' has no C.*--drop sold"),
        ("image", [{"step": "standardise", "scale": [1.0], "offset": [0.0]}], "'standardise' of image inputs has no C"),
        ("table", [{"step": "standardise"}, {"step": "encode", "columns": []}], "order standardise, encode has no C"),
        ("table", [{"step": "standardise"}, {"step": "standardise"}], "order standardise, standardise has no C"),
        ("text", [], "tiny takes text, which has no C; --target micro takes table, series, image"),
    ],
)
def test_a_step_without_c_is_refused_in_a_line(kind: str, steps: list[Any], told: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        check_contract(contract(kind, GIVEN, OUT, steps), "tiny")
    assert "\n" not in str(caught.value)


def test_several_inputs_are_refused(tmp_path: Path) -> None:
    content = {"inputs": [], "steps": [], "outputs": []}
    with pytest.raises(ModelError, match="tiny has several inputs or outputs; --target micro takes one of each"):
        check_contract(content, "tiny")
    with pytest.raises(ModelError, match="several inputs"):
        write_micro(tmp_path / "micro", plain_file(tmp_path / "m", [GIVEN], [OUT]), content, {"samples.x": None}, 4096)


@pytest.mark.parametrize("dtype", ["int32", "int8"])
def test_an_input_of_ids_is_refused(tmp_path: Path, dtype: str) -> None:
    model = plain_file(tmp_path / "m", [GIVEN], [OUT])
    content = contract("table", ("x", (1, 4), dtype, None), OUT)
    golden = {"samples": np.zeros((1, 4)), "outputs": np.zeros((1, 3), np.float32)}
    with pytest.raises(ModelError, match=f"tiny: 'x' is {dtype}, which has no C"):
        write_micro(tmp_path / "micro", model, content, golden, 4096)
    assert not (tmp_path / "micro").exists()


def test_the_readme_says_what_a_sample_is_and_when_there_is_an_answer(tmp_path: Path) -> None:
    given: Edge = ("x", (1, 64, 6), "int8", (0.05, 0))
    stream = {"steps": 64, "hop": 16, "sample_shape": [6]}
    content = contract("series", given, OUT, stream=stream, state="reset per sequence")
    content["input"]["time"] = {"name": "t", "type": "number", "gap": 0.03, "rate": 50.0}
    golden = {"samples": np.zeros((1, 64, 6)), "outputs": np.zeros((1, 3), np.float32)}
    write_micro(tmp_path / "micro", plain_file(tmp_path / "m", [given], [OUT]), content, golden, 5552)
    assert "#define ZOO_RATE 50.0 /* samples a second */" in (tmp_path / "micro" / "zoo_config.h").read_text()
    text = (tmp_path / "micro" / "README.md").read_text()
    assert "A sample is 6 raw numbers, 50 of them a second." in text
    assert "after 64 samples, then after every `ZOO_HOP` (16) more" in text
    assert "clears it before each sequence" in text
    assert "Arena: 5,552 bytes, found on the host" in text
    memory = (tmp_path / "micro" / "memory.md").read_text()
    assert "5,552 bytes on the host" in memory
    assert "Besides the arena: 384 bytes for the window" in memory
