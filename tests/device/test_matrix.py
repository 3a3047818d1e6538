"""A row of several families, trained, in every mode on every runtime: the functions of scripts/matrix, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from export.child import Child
from scripts.matrix import fill_row, train_row
from scripts.matrix_rows import MODES, Cell, faults, rows
from tests.device.conftest import install
from zoo import doctor
from zoo.errors import ResourceError, UsageError

pytestmark = pytest.mark.device

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = {"har-conv1d": "wisdm51_watch", "sms-spam-mean": "text", "sunspots-forecast": "timeseries"}
"""Row to the folder of the real set that it is trained on."""

LOOPS = dict.fromkeys(("float32", "float16", "dynamic"), "loop")
STEPS = dict.fromkeys(MODES, "step")
FORMS = {
    ("digits-mlp", False): dict.fromkeys(MODES, "graph"),
    ("digits-cnn", False): dict.fromkeys(MODES, "graph"),
    ("digits-lstm", False): {**dict.fromkeys(MODES, "fused"), "dynamic": "loop", "int16x8": "step"},
    ("digits-lstm", True): STEPS,
    ("digits-gru", False): {**LOOPS, "int8": "step", "int16x8": "step"},
    ("digits-gru", True): STEPS,
    ("breast-cancer-autoencoder", False): dict.fromkeys(MODES, "graph"),
    ("har-conv1d", True): dict.fromkeys(MODES, "graph"),
    ("sms-spam-mean", False): dict.fromkeys(MODES, "graph"),
    ("sunspots-forecast", False): dict.fromkeys(MODES, "graph"),
}
"""The form of each file, by row and whether it streams."""
NOT_ON_MICRO = {"float16": "no float16 weights", "dynamic": "no int8 weights for float inputs"}
NO_WORDS = {"int16x8": "no gather of INT16"}


@pytest.fixture(scope="module")
def runtimes() -> list[str]:
    """Those that are here or can be installed now."""
    found = []
    for name in doctor.RUNTIMES:
        try:
            install(name)
        except (ResourceError, UsageError):  # no network, or no Debian mirror and keys
            continue
        found.append(name)
    return found


@pytest.fixture(scope="module")
def cells(
    tmp_path_factory: pytest.TempPathFactory, child: Child, runtimes: list[str]
) -> Iterator[Callable[[str], dict[tuple[str, bool, str], Cell]]]:
    """A recipe to its cells by (mode, streaming, runtime); trained and exported when first asked for."""
    folder, made = tmp_path_factory.mktemp("a matrix"), {}

    def get(name: str) -> dict[tuple[str, bool, str], Cell]:
        if name not in made:
            row = replace(rows()[name], options={"epochs": 20}) if name.startswith("digits") else rows()[name]
            run = train_row(row, folder, tell=str)
            found = [cell for of_one in fill_row(row, run, child, runtimes) for cell in of_one]
            made[name] = {(cell.mode, cell.streaming, cell.runtime): cell for cell in found}
        return made[name]

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOO_DATA_PATH", str(DATA))
        yield get


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
    if name in REAL and not (DATA / REAL[name]).is_dir():
        pytest.skip(f"the real set of {name} is not in {DATA}")
    found = {mode: cells(name)[mode, streaming, runtime] for mode in MODES}
    assert {mode: cell.form for mode, cell in found.items()} == FORMS[name, streaming]
    told = {mode: (cell.status, cell.reason) for mode, cell in found.items() if cell.status != "pass"}
    if runtime == "tflite-micro":
        expected = NOT_ON_MICRO | (NO_WORDS if name.startswith("sms") else {})
        assert {mode: status for mode, (status, _) in told.items()} == dict.fromkeys(expected, "refused")
        assert all(words in told[mode][1] for mode, words in expected.items())
    else:
        assert told == {}
    assert faults(list(found.values())) == []
