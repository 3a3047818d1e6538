"""The fake interpreter, compiled once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.export.micro.building import CPP11, FAKE


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object file of the interpreter that answers as a script says."""
    made = tmp_path_factory.mktemp("fake tflm") / "fake.o"
    source = FAKE / "tensorflow" / "lite" / "micro" / "fake.cc"
    subprocess.run([*CPP11, f"-I{FAKE}", "-c", str(source), "-o", str(made)], check=True)
    return made
