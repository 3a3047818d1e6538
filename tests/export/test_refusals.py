"""What a runtime is known not to run, told from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import export
from export.child import Child
from export.refusals import goes_wrong, keeps_states
from tests.export.test_recurrent import sequence_run


@pytest.mark.parametrize(("name", "keeps"), [("stacked_gru", True), ("bidirectional", False), ("gru", False)])
def test_a_loop_that_keeps_the_states_of_all_steps_is_seen_in_the_file(
    keras: Any, child: Child, tmp_path: Path, name: str, keeps: bool
) -> None:
    model = export.export_model(sequence_run(keras, tmp_path, name), child=child).model
    assert keeps_states(model) is keeps
    assert bool(goes_wrong("tflite-micro", model)) is keeps
    assert goes_wrong("litert", model) == ""


def test_slices_outside_of_a_loop_excuse_nothing(keras: Any, child: Child, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 3)), layers.Cropping1D((1, 2)), layers.GRU(4)])
    bundle = export.to_tflite(model, out=tmp_path / "sliced", child=child)
    assert (bundle.manifest["form"], goes_wrong("tflite-micro", bundle.model)) == ("loop", "")
