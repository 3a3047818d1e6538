"""One recipe of each family, trained, in every mode on every runtime: the functions of scripts/matrix, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from export.child import Child
from scripts.matrix import fill_row, train_row
from scripts.matrix_rows import MODES, Cell, faults, rows
from zoo import doctor
from zoo.errors import ResourceError, UsageError

pytestmark = pytest.mark.device

LOOPS = dict.fromkeys(("float32", "float16", "dynamic"), "loop")
STEPS = dict.fromkeys(MODES, "step")
FORMS = {
    ("digits-mlp", False): dict.fromkeys(MODES, "graph"),
    ("digits-cnn", False): dict.fromkeys(MODES, "graph"),
    ("digits-lstm", False): {**dict.fromkeys(MODES, "fused"), "dynamic": "loop", "int16x8": "step"},
    ("digits-lstm", True): STEPS,
    ("digits-gru", False): {**LOOPS, "int8": "step", "int16x8": "step"},
    ("digits-gru", True): STEPS,
}
"""The form of each file, by recipe and whether it streams."""
NOT_ON_MICRO = ("float16", "dynamic")


@pytest.fixture(scope="module")
def runtimes() -> list[str]:
    """Those that are here or can be installed now."""
    found = []
    for name in doctor.RUNTIMES:
        try:
            doctor.install(name)
        except (ResourceError, UsageError):  # no network, or no Debian mirror and keys
            continue
        found.append(name)
    return found


@pytest.fixture(scope="module")
def cells(
    tmp_path_factory: pytest.TempPathFactory, child: Child, runtimes: list[str]
) -> Callable[[str], dict[tuple[str, bool, str], Cell]]:
    """A recipe to its cells by (mode, streaming, runtime); trained and exported when first asked for."""
    folder, made = tmp_path_factory.mktemp("a matrix"), {}

    def get(name: str) -> dict[tuple[str, bool, str], Cell]:
        if name not in made:
            row = replace(rows()[name], options={"epochs": 20})
            run = train_row(row, folder, tell=str)
            found = [cell for of_one in fill_row(row, run, child, runtimes) for cell in of_one]
            made[name] = {(cell.mode, cell.streaming, cell.runtime): cell for cell in found}
        return made[name]

    return get


@pytest.mark.timeout(900)  # the first cell of a recipe trains it and fills all others
@pytest.mark.parametrize("runtime", list(doctor.RUNTIMES))
@pytest.mark.parametrize(("name", "streaming"), FORMS)
def test_each_mode_passes_or_is_refused_as_expected(
    cells: Callable[[str], dict[tuple[str, bool, str], Cell]],
    runtimes: list[str],
    name: str,
    streaming: bool,
    runtime: str,
) -> None:
    if runtime not in runtimes:
        pytest.skip(f"{runtime} cannot be installed here")
    found = {mode: cells(name)[mode, streaming, runtime] for mode in MODES}
    assert {mode: cell.form for mode, cell in found.items()} == FORMS[name, streaming]
    told = {mode: (cell.status, cell.reason) for mode, cell in found.items() if cell.status != "pass"}
    if runtime == "tflite-micro":
        assert {mode: status for mode, (status, _) in told.items()} == dict.fromkeys(NOT_ON_MICRO, "refused")
        assert "no float16 weights" in told["float16"][1]
        assert "no int8 weights for float inputs" in told["dynamic"][1]
    else:
        assert told == {}
    assert faults(list(found.values())) == []
