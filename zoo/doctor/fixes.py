"""The command that helps, as this installation was made."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "keras-deploy-zoo"


def project_requirements() -> list[Requirement]:
    """What the project needs here, tools for its development left out; empty where it is not installed."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    requirements = [Requirement(line) for line in lines]
    return [entry for entry in requirements if entry.marker is None or entry.marker.evaluate({"extra": ""})]


def checkout() -> Path | None:
    """The checkout whose scripts made this environment, if they did."""
    root = Path(__file__).resolve().parents[2]
    own = Path(sys.prefix).resolve() == root / ".venv" and (root / "scripts" / "zoo").is_file()
    return root if own else None


def set_up_again() -> str:
    """The command that makes the whole environment anew."""
    root = checkout()
    if root is None:
        return f"{shlex.quote(sys.executable)} -m pip install --force-reinstall {DISTRIBUTION}"
    return f"rm -rf {shlex.quote(str(root / '.venv'))} && {shlex.quote(str(root / 'scripts' / 'zoo'))} doctor"


def reinstall(requirement: str) -> str:
    """The command that brings one package back: all of the environment where the checkout's scripts made it."""
    if checkout() is not None:
        return set_up_again()
    try:
        asked = next((str(entry) for entry in project_requirements() if entry.name == requirement), requirement)
    except ImportError:  # of `packaging`, which `_packages` reports
        asked = requirement
    return f"{shlex.quote(sys.executable)} -m pip install --force-reinstall {shlex.quote(asked)}"
