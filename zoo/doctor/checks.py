"""The checks, one function each. Nothing risky runs in this process: TensorFlow may be what is broken."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from zoo import settings
from zoo.doctor import runtimes, toolchain
from zoo.doctor.fixes import project_requirements, reinstall, set_up_again
from zoo.doctor.recipes import RUNTIMES

MB = 2**20
ENOUGH_DISK = 1024 * MB
ENOUGH_MEMORY = 2048 * MB


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried.

    Attributes:
        ok: It works.
        needed: The toolkit does not work without it.
        detail: What was found.
        fix: The command, or the words, that help; empty where nothing is wrong.
    """

    name: str
    ok: bool
    detail: str
    needed: bool = True
    fix: str = ""


def examine(on_event: Callable[[str], None] | None = None) -> Iterator[Check]:
    """Tries everything out, the quick things first.

    Args:
        on_event: Told, in one line, what takes a while.

    Yields:
        A check as soon as its outcome is known; it takes about ten seconds in all.
    """
    tell = on_event or (lambda _: None)
    yield _python()
    yield from _packages()
    yield from _our_packages()
    yield from _disk()
    yield _memory()
    tell("starting the TFLite runtime")
    yield _litert()
    tell("importing TensorFlow and converting a model, in a process of its own (about 10 s)")
    yield from _toolchain()
    yield from _data()
    yield from _other_runtimes()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    fix = "" if ok else f"install Python 3.11, 3.12 or 3.13, then: ZOO_PYTHON=python3.11 {set_up_again()}"
    return Check(name="python", ok=ok, detail=f"{version}, {sys.executable}", fix=fix)


def _packages() -> Iterator[Check]:
    """Each package in the range that the project asks for."""
    try:
        requirements = project_requirements()
    except ImportError as error:
        yield Check(name="packages", ok=False, detail=f"cannot be compared: {error}", fix=set_up_again())
        return
    if not requirements:
        yield Check(name="packages", ok=False, detail="the project itself is not installed", fix=set_up_again())
        return
    wrong = 0
    for requirement in requirements:
        found = _version(requirement.name)
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            wrong += 1
            detail = f"{found or 'not installed'}; needed: {requirement}"
            yield Check(name=requirement.name, ok=False, detail=detail, fix=reinstall(str(requirement)))
    if not wrong:
        yield Check(name="packages", ok=True, detail=f"all {len(requirements)} in the range that the project asks for")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _our_packages() -> Iterator[Check]:
    """`tuning` and `export` are common names: a file of the user's may stand before ours."""
    home = Path(__file__).resolve().parents[2]
    for name in ("tuning", "export"):
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found is None or found.parent.parent != home:
            detail = f"found {found}, expected {home / name}" if found else "not found"
            yield Check(name=name, ok=False, detail=detail, fix=f"rename {found}" if found else set_up_again())


def _disk() -> Iterator[Check]:
    places = {"disk of ZOO_HOME": settings.home(), "disk of this folder": Path.cwd()}
    for name, folder in places.items():
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free
        if not _writable(existing):
            other = "set ZOO_HOME to a folder of yours" if "HOME" in name else "change to a folder of yours"
            yield Check(name=name, ok=False, detail=f"{existing} cannot be written", fix=other)
            continue
        enough = free >= ENOUGH_DISK
        fix = "" if enough else f"free 1 GB on the disk of {existing}, or set ZOO_HOME to another disk"
        yield Check(name=name, ok=enough, detail=f"{free / 2**30:.1f} GB free for {folder}", fix=fix)


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _memory() -> Check:
    try:
        import psutil

        available = psutil.virtual_memory().available
    except (ImportError, OSError) as error:
        return Check(name="memory", ok=False, detail=f"psutil does not work: {error}", fix=reinstall("psutil"))
    enough = available >= ENOUGH_MEMORY
    fix = "" if enough else "close other programs, or train with a smaller --batch-size"
    cores = settings.cpu_count()
    detail = f"{available / 2**30:.1f} GB available, {cores} core{'s' if cores > 1 else ''}"
    return Check(name="memory", ok=enough, detail=detail, fix=fix)


def _litert() -> Check:
    problem = runtimes.try_out(Path(sys.executable))
    detail = problem or f"ai-edge-litert {_version('ai-edge-litert')} creates an interpreter and runs a model"
    return Check(name="litert", ok=not problem, detail=detail, fix=reinstall("ai-edge-litert") if problem else "")


def _toolchain() -> Iterator[Check]:
    for outcome in toolchain.run():
        fix = ""
        if not outcome.ok:
            fix = _PROCESSOR if "SIGILL" in outcome.detail else reinstall(_PACKAGE_OF[outcome.stage])
        yield Check(name=outcome.stage, ok=outcome.ok, detail=outcome.detail, fix=fix)


_PROCESSOR = (
    "this processor lacks instructions that TensorFlow needs (AVX); use another machine, or predict.py of a bundle"
)
_PACKAGE_OF: Mapping[str, str] = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "conversion": "tensorflow",
    "tensorflow-hub": "setuptools",  # pkg_resources, which it imports, left setuptools with version 82
    "keras-tuner": "keras-tuner",
}


def _data() -> Iterator[Check]:
    """Which downloadable sets are here; one that is not will be fetched when it is first used."""
    from zoo.data.catalog import DATASETS
    from zoo.data.known import files, store

    for name in DATASETS:
        card = DATASETS.get(name)
        if card.embedded:
            continue
        found = (store if card.content_sha256 else files).locate(card)
        size = (card.tree.bytes if card.tree else sum(file.bytes for file in card.files)) / 1e6
        offered = bool(card.files) and all(file.urls for file in card.files)
        how = "fetched on first use" if offered else "no download, put it into a folder of ZOO_DATA_PATH"
        detail = str(found) if found else f"not here; {how} ({size:.1f} MB)"
        fix = f"zoo data fetch {name}" if offered and not found else ""
        yield Check(name=f"data: {name}", ok=found is not None, needed=False, detail=detail, fix=fix)


def _other_runtimes() -> Iterator[Check]:
    for name in RUNTIMES:
        command = f"zoo doctor --install {name}"
        python = runtimes.python_of(name)
        if not os.path.lexists(python):
            detail = "not installed; needed only to verify bundles on it"
            yield Check(name=f"runtime: {name}", ok=False, needed=False, detail=detail, fix=command)
            continue
        problem = runtimes.try_out(python)
        detail = problem or f"works, {python}"
        yield Check(
            name=f"runtime: {name}", ok=not problem, needed=False, detail=detail, fix=command if problem else ""
        )
