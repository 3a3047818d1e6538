"""Other TFLite runtimes, each in an environment of its own under `$ZOO_HOME/runtimes`."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from zoo import settings
from zoo.doctor import arm
from zoo.doctor.processes import run
from zoo.doctor.recipes import CLIENTS, RUNTIMES, Recipe
from zoo.errors import ModelError, UsageError
from zoo.registry import suggest

STAMP = "installed-from.txt"
PROBE_SECONDS = 60

# One RELU over (1, 2) float32, made by the converter of TensorFlow 2.21; a .tflite file is needed to try a runtime.
_TINY_MODEL = (
    "eNptUj1PwlAUvUAFgg1iaIgDQwdnAqiLuhDESMKHQeJam1BNEyimtITBn+BkHB2JcfA3OPkH3E1cHBwc/AXW815vCVFfc9L3zr333HfvfUUi6h+2"
    "tjTSqUgbpFGOVHBpUrAncETXwDtwGyOaA89xogTO2MJbrIyMEjEZnFSO2wfWgInlTm3nwhhY56Y/9GScAtwFQRDt08DY9y59zygTaws+Cx+FzzMA"
    "qWmbba9sE8gD9W7ntNE7aXY7RrvRrx3U+jXohvcS+okl35HtGK7vePbIMqaWO7HHDq2AfwTm4m7AFfvfcJ6zRb3ivtmFruA2JZuUXJLjSPYi6qki"
    "+2K+3KcKe/pbgmtRZBRRtVStlMp/NYR2pbQTmnh9fAfBJ/AFiP62W82eXh87qMOzBiXZK016ZhfZhWaWeTGbI6AFHHOekWk79Gum0TvI8HxUtkeg"
    "f85x7pPQfELfhCnHmsKmAw/g10Vu0/VsD523BnVzONwts0+M/0QFeX/iCsKVAhum1rieGPdfkV84319vzphBfVk7qlPFtyrlwvnkQ+38D6cQYd4="
)


@dataclass(frozen=True)
class Installed:
    """A runtime that was made or found: its name, its Python, and whether this call made it."""

    name: str
    python: Path
    new: bool


def folder_of(name: str) -> Path:
    """Where a runtime's environment is, or would be."""
    return settings.home() / "runtimes" / name


def python_of(name: str) -> Path:
    """The interpreter of a runtime's environment."""
    return folder_of(name) / "bin" / "python"


def install(name: str, on_event: Callable[[str], None] | None = None) -> Installed:
    """Makes a runtime's environment from its hash-pinned lock file, whole or not at all.

    Args:
        name: One of RUNTIMES or CLIENTS.
        on_event: Told, in one line each, what is done.

    Raises:
        UsageError: An unknown name, or no Python that its wheels are for.
        LockedError: Another process is installing a runtime.
        ResourceError: The packages could not be fetched or written.
        ModelError: It is installed and does not run here.
    """
    from zoo.runs import atomic_folder, locked

    known = {**RUNTIMES, **CLIENTS}
    if name not in known:
        raise UsageError(f"runtime {name!r} is unknown{suggest(name, RUNTIMES)}")
    recipe, tell = known[name], on_event or (lambda _: None)
    lock = resources.files("export").joinpath("runtimes", f"{recipe.lock}.txt").read_text(encoding="utf-8")
    folder = folder_of(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent):
        if _is_installed(folder, recipe, lock):
            return Installed(name, python_of(name), new=False)
        for left_behind in folder.parent.glob(f".{name}.*"):  # by an installation that was killed
            shutil.rmtree(left_behind, ignore_errors=True)
        base = _base(recipe, name)
        tell(f"installing {name} into {folder} ({recipe.cost})")
        with atomic_folder(folder) as temporary:
            _fill(temporary, base, recipe, lock, tell)
    return Installed(name, python_of(name), new=True)


def _base(recipe: Recipe, name: str) -> Path | None:
    """The Python that an environment is made of; None for the emulated board, which brings its own."""
    if not recipe.emulated:
        return find_python(recipe.pythons, name)
    arm.check_host()
    return None


def _is_installed(folder: Path, recipe: Recipe, lock: str) -> bool:
    stamp = folder / STAMP
    current = stamp.is_file() and stamp.read_text(encoding="utf-8").startswith(lock)
    return current and not _problem(folder, recipe)


def _problem(folder: Path, recipe: Recipe) -> str:
    """What is wrong with an environment, or nothing."""
    python = folder / "bin" / "python"
    if not recipe.probe:
        return try_out(python)
    try:
        command = [str(python), "-E", "-s", "-c", recipe.probe]
        child = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"hangs: no answer in {PROBE_SECONDS} s"
    except OSError as error:
        return f"{python} does not run: {error.strerror}"
    return " ".join(child.stderr.split())[-200:] or "no reason given" if child.returncode else ""


def _fill(folder: Path, base: Path | None, recipe: Recipe, lock: str, tell: Callable[[str], None]) -> None:
    """Makes an environment with this Python, the emulated board where there is none; and tries it out."""
    requirements = folder / "requirements.txt"
    requirements.write_text(lock, encoding="utf-8")
    if base is None:
        packages = arm.fill(folder, requirements, tell)
        requirements.write_text(lock + "".join(f"# {line}\n" for line in packages), encoding="utf-8")
    else:
        _make_environment(folder, base, requirements)
    problem = _problem(folder, recipe)
    if problem:
        raise ModelError(f"it was installed and does not work here: {problem}; what else works here says: zoo doctor")
    requirements.rename(folder / STAMP)


def _make_environment(folder: Path, base: Path, requirements: Path) -> None:
    """The environment has no pip of its own: what it needs is put there by ours, so it can be moved into place."""
    run([str(base), "-m", "venv", "--without-pip", str(folder)], f"{base} cannot make an environment")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--require-hashes"]
    options = ["--only-binary", ":all:", "--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    run([*pip, *options, "-r", str(requirements)], "pip cannot install it")


def find_python(versions: tuple[tuple[int, int], ...], name: str) -> Path:
    """A Python of one of these versions: the one that runs now, else by name on the PATH.

    Raises:
        UsageError: There is none.
    """
    if sys.version_info[:2] in versions:
        return Path(sys.executable)
    for major, minor in versions:
        found = shutil.which(f"python{major}.{minor}")
        if found and _runs_as(found, (major, minor)):
            return Path(found)
    wanted = " or ".join(f"{major}.{minor}" for major, minor in versions)
    raise UsageError(
        f"{name} has wheels for Python {wanted} only, and none was found on the PATH; install it (Debian: "
        f"apt install python{versions[0][0]}.{versions[0][1]}-venv) and run again: zoo doctor --install {name}"
    )


def _runs_as(python: str, version: tuple[int, int]) -> bool:
    """A name on the PATH may be a shim that does not run."""
    program = f"import sys, venv; sys.exit(sys.version_info[:2] != {version!r})"
    return (
        subprocess.run([python, "-c", program], capture_output=True, check=False, timeout=PROBE_SECONDS).returncode == 0
    )


def try_out(python: Path) -> str:
    """Lets an environment load and run a tiny model; returns what is wrong, or nothing."""
    program = Path(settings.__file__).with_name("runner.py")
    with tempfile.TemporaryDirectory(prefix="zoo-doctor-") as folder:
        model = Path(folder) / "tiny.tflite"
        model.write_bytes(zlib.decompress(base64.b64decode(_TINY_MODEL)))
        command = [str(python), "-E", "-s", str(program), "--probe", str(model)]
        try:
            child = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"hangs: no answer in {PROBE_SECONDS} s"
        except OSError as error:
            return f"{python} does not run: {error.strerror}"
    if child.returncode < 0:
        return f"crashes with {signal.Signals(-child.returncode).name}"
    try:
        return str(json.loads(child.stdout).get("error", ""))
    except ValueError:
        return " ".join(child.stderr.split())[-200:] or f"exit code {child.returncode} and no answer"
