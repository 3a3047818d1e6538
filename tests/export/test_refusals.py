"""What a runtime is known not to run, told from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import export
from export.child import Child
from export.refusals import loops_in_a_row, never_ends
from tests.export.test_recurrent import sequence_run


@pytest.mark.parametrize(("name", "in_a_row"), [("stacked_gru", True), ("bidirectional", False), ("gru", False)])
def test_a_loop_that_feeds_another_is_seen_in_the_file(
    keras: Any, child: Child, tmp_path: Path, name: str, in_a_row: bool
) -> None:
    model = export.export_model(sequence_run(keras, tmp_path, name), child=child).model
    assert loops_in_a_row(model) is in_a_row
    assert bool(never_ends("tflite-micro", model)) is in_a_row
    assert never_ends("litert", model) == ""
