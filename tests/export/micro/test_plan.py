from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.micro.arena import Arena
from export.micro.graph import Operator, Tensor
from export.micro.plan import count_macs, memory_table, plan
from tests.zoo.tflite_files import dense_file


def tensor(*shape: int) -> Tensor:
    return Tensor(name="t", shape=shape, dtype="INT8", constant_bytes=0, buffer=0, variable=False, index=0)


@pytest.mark.parametrize(
    ("name", "inputs", "output", "macs"),
    [
        ("FULLY_CONNECTED", [tensor(1, 20), tensor(5, 20), None], tensor(1, 5), 100),
        ("CONV_2D", [tensor(1, 28, 28, 3), tensor(8, 5, 5, 3)], tensor(1, 12, 12, 8), 12 * 12 * 5 * 5 * 3 * 8),
        ("DEPTHWISE_CONV_2D", [tensor(1, 8, 8, 16), tensor(1, 3, 3, 16)], tensor(1, 8, 8, 16), 8 * 8 * 9 * 16),
        ("TRANSPOSE_CONV", [None, tensor(4, 2, 2, 8), tensor(1, 5, 5, 8)], tensor(1, 10, 10, 4), 25 * 4 * 4 * 8),
        ("BATCH_MATMUL", [tensor(2, 3, 4), tensor(2, 4, 5)], tensor(2, 3, 5), 2 * 3 * 4 * 5),
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [tensor(1, 64, 6), *[tensor(32, 6)] * 4, *[tensor(32, 32)] * 4, None],
            tensor(1, 64, 32),
            64 * 4 * 32 * (6 + 32),
        ),
        ("SOFTMAX", [tensor(1, 5)], tensor(1, 5), 0),
    ],
)
def test_macs_are_those_of_the_textbook(name: str, inputs: list[Tensor | None], output: Tensor, macs: int) -> None:
    operator = Operator(name=name, builtin=True, subgraph=0, inputs=tuple(inputs), outputs=(output,))
    assert count_macs(operator) == macs


def test_the_table_tells_the_file_and_what_it_leaves_out(tmp_path: Path) -> None:
    quantization = {"input": (0.1, 0), "weights": (0.1, 0), "output": (0.1, 0)}
    model = dense_file(tmp_path / "m", np.ones((3, 20), np.float32), quantization=quantization)
    (layer,) = plan(model)
    assert (layer.operator, layer.shape, layer.output_bytes, layer.weight_bytes, layer.macs) == (
        *("FULLY_CONNECTED", (1, 3), 3, 3 * 20 + 3 * 4, 60),
    )
    told = memory_table(model, Arena(bytes=1552, head=512, tail=1040))
    assert f"{model.stat().st_size:,} bytes for the model (72 of them weights)" in told
    assert "1,552 bytes (activations 512, kept 1,040) on the host" in told
    assert "code of the interpreter" in told
    assert "| FULLY_CONNECTED | y | 1x3 | 3 | 72 | 60 |" in told
    assert "not measured" in memory_table(model, None)
