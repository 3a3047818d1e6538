"""What `pip install .` gives."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

SOURCES = ("zoo", "tuning", "export", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    from .conftest import ROOT

    folder = tmp_path_factory.mktemp("a build")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(folder)], check=True, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_everything_and_nothing_else(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        path.relative_to(root).as_posix()
        for package in ("zoo", "tuning", "export")
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - names == set()
    assert {name for name in names - wanted if ".dist-info/" not in name} == set()
    assert {"export/runtimes/litert.txt", "export/runtimes/tflite-runtime.txt", "zoo/py.typed"} <= names


@pytest.mark.slow
def test_the_command_works_in_another_environment_and_folder(wheel, tmp_path, root):
    environment = tmp_path / "an environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    site = subprocess.check_output(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    # The packages of this environment, without its editable install of the checkout.
    (tmp_path / "packages.pth").write_text(sysconfig.get_path("purelib"))
    shutil.copy(tmp_path / "packages.pth", site.strip())
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--force-reinstall", str(wheel)], check=True)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(environment / "bin" / "zoo"), "list", "mnist-*", "--json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert "mnist-cnn" in [card["name"] for card in json.loads(listed.stdout)]
    where = subprocess.check_output(
        [str(python), "-c", "import zoo, export; print(zoo.__file__)"], text=True, cwd=tmp_path
    )
    assert where.startswith(str(environment))
