import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BACKEND = '''
"""Builds the checkout without any package: an editable wheel that names its folder."""
import pathlib, time, zipfile
ROOT = pathlib.Path(__file__).parent
INFO = "tool-1.0.dist-info"
def build_editable(folder, config_settings=None, metadata_directory=None):
    (ROOT / "building").touch()
    while (ROOT / "hold").exists():
        time.sleep(0.05)
    name = "tool-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("tool.pth", str(ROOT))
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\\nName: tool\\nVersion: 1.0\\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return name
'''

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

TOOL = """
import json, os, sys
import needed
print(json.dumps([needed.VERSION, os.getcwd(), *sys.argv[1:]]))
"""


class Checkout:
    """A checkout as small as can be: our scripts, one package to install, a tool that prints what it is given."""

    def __init__(self, root, wheels):
        self.root, self.wheels = root, wheels
        shutil.copytree(ROOT / "scripts", root / "scripts")
        (root / "zoo").mkdir()
        (root / "zoo" / "__main__.py").write_text(TOOL)
        (root / "backend.py").write_text(BACKEND)
        (root / "pyproject.toml").write_text(PROJECT)
        self.need("1.0")

    def need(self, version):
        """Makes the lock ask for this version of the one package."""
        file = self.wheels / f"needed-{version}-py3-none-any.whl"
        info = f"needed-{version}.dist-info"
        with zipfile.ZipFile(file, "w") as wheel:
            wheel.writestr("needed.py", f"VERSION = {version!r}\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: needed\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        (self.root / "requirements.lock").write_text(f"needed=={version} --hash=sha256:{digest}\n")

    def start(self, *arguments, command=None, cwd=None, **environment):
        """The tool in a process group of its own, as a terminal would start it."""
        changes = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "ZOO_PYTHON": sys.executable, **environment}
        return subprocess.Popen(
            [str(command or self.root / "scripts" / "zoo"), *arguments],
            cwd=cwd or self.root,
            env={**os.environ, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, **options):
        """Exit code, standard output and standard error."""
        child = self.start(*arguments, **options)
        out, err = child.communicate(timeout=120)
        return child.returncode, out, err

    def stop_in_the_middle(self, number):
        """Starts the set-up, sends its process group a signal while pip builds; exit code and standard error."""
        (self.root / "hold").touch()
        child = self.start()
        deadline = time.monotonic() + 60
        while not (self.root / "building").exists():
            assert time.monotonic() < deadline, "pip did not come to building"
            time.sleep(0.05)
        os.killpg(child.pid, number)
        try:
            _, err = child.communicate(timeout=30)
        except subprocess.TimeoutExpired:  # an interrupt is ignored by what a shell started in the background
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise
        (self.root / "hold").unlink()
        return child.returncode, err


@pytest.fixture
def checkout(tmp_path):
    root, wheels = tmp_path / "a check out", tmp_path / "wheels"
    root.mkdir()
    wheels.mkdir()
    return Checkout(root, wheels)


@pytest.fixture
def root():
    return ROOT
