"""The tensor arena of candidates, measured with tflite-micro before and after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from export.child import Child
from export.exporting import export_model
from tests.device.conftest import installed
from tests.export.test_candidates import build, samples_of, trained
from tuning.budget import Device, Rejected
from tuning.plan import Limits

pytestmark = pytest.mark.device


@pytest.fixture(scope="module")
def device(child: Child) -> Iterator[Device]:
    """With room for all of them."""
    installed("tflite-micro")
    with Device(Limits(arena=65_536), "int8", child=child) as opened:
        yield opened


@pytest.mark.parametrize("family", ["mlp", "convnet", "lstm", "gru"])
def test_the_arena_of_an_untrained_candidate_is_that_of_its_export(
    device: Device, keras: Any, child: Child, tmp_path: Any, family: str
) -> None:
    raw, targets, known = samples_of(family)
    model = build(keras, family)
    before = device.check(model, known, raw)
    trained(model, raw, targets)
    bundle = export_model(
        model,
        quantize="int8",
        target="micro",
        representative=raw,
        evaluate=(raw, targets),
        preprocessing=known,
        out=tmp_path / "an export",
        child=child,
    )
    assert before.arena_bytes == bundle.manifest["memory"]["arena"]["host"]
    assert before.bytes == bundle.manifest["memory"]["flash"]["model"]
    answers, after = device.answers(model, known, raw, raw)
    assert replace(after, latency_us=before.latency_us) == before
    assert isinstance(answers, np.ndarray)


def test_an_arena_beyond_the_limit_is_rejected_with_its_size(keras: Any, child: Child) -> None:
    installed("tflite-micro")
    raw, _, known = samples_of("convnet")
    device = Device(Limits(arena=1_024), "int8", child=child)
    with (
        device,
        pytest.raises(Rejected, match=r"the tensor arena takes [\d,]+ bytes .* 1,024 bytes .*--max-arena") as it,
    ):
        device.check(build(keras, "convnet"), known, raw)
    assert (it.value.figures.arena_bytes or 0) > 1_024


def test_operators_that_micro_controllers_lack_are_named(keras: Any, child: Child) -> None:
    installed("tflite-micro")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.top_k(inputs, 3)[0]))
    device = Device(Limits(arena=65_536), "float32", child=child)
    with device, pytest.raises(Rejected, match="tflite-micro has no TOPK_V2"):
        device.check(model, None, np.zeros((4, 6), np.float32))


def test_an_input_without_c_is_rejected_before_it_is_converted(keras: Any, child: Child) -> None:
    installed("tflite-micro")
    _, _, known = samples_of("mlp")
    known = {**known, "input": {**known["input"], "kind": "text"}}
    device = Device(Limits(arena=65_536), "int8", child=child)
    with device, pytest.raises(Rejected, match="takes text, which has no C"):
        device.check(build(keras, "mlp"), known, np.zeros((4, 6), np.float32))
