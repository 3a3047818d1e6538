"""Debian packages of another architecture, fetched and unpacked without root and without touching this system.

apt does it with state, cache and sources of its own in a folder that is removed afterwards: it finds the packages,
checks the archive's signature and, through it, the hash of each package. A package cannot be pinned by hash for ever,
because a mirror keeps only the newest version of a suite: the suite is pinned, and what came is recorded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from zoo import settings
from zoo.doctor.processes import run
from zoo.errors import ResourceError, UsageError

SUITE = "bookworm"
OWN_SOURCES = "debian.sources"
KEYRINGS = tuple(Path("/usr/share/keyrings") / f"debian-archive-keyring.{kind}" for kind in ("gpg", "pgp"))

_SOURCE = """Types: deb
URIs: {uri}
Suites: {suites}
Components: main
Targets: Packages
Signed-By: {keyring}

"""
# The hooks of this system would clean its own caches, its preferences are not for another architecture, and it may
# trust archives without a signature.
_CONFIGURATION = """#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{native}";
APT::Architectures {{ {architectures} }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""


def check_host() -> None:
    """Refuses a machine without apt and dpkg.

    Raises:
        UsageError: They are not on the PATH.
    """
    missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} not found: Debian's packages for the emulated board are fetched with them; "
            "install it on Debian or a system derived from it"
        )


def fetch(packages: Sequence[str], folder: Path) -> list[Path]:
    """Downloads the newest version that the suite has of each package.

    Args:
        packages: Name and architecture, such as "zlib1g:arm64".
        folder: Exists and is empty; holds apt's state and the packages afterwards.

    Returns:
        The .deb files, by name.

    Raises:
        UsageError: This system knows no Debian mirror, or lacks Debian's keys.
        ResourceError: The packages cannot be fetched, or their signatures are not Debian's.
    """
    architectures = sorted({package.rpartition(":")[2] for package in packages})
    for part in ("state/lists/partial", "cache/archives/partial", "packages"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    (folder / OWN_SOURCES).write_text(_sources(), encoding="utf-8")
    listed = " ".join(f'"{name}";' for name in architectures)
    settled = _CONFIGURATION.format(native=architectures[0], architectures=listed, folder=folder)
    (folder / "apt.conf").write_text(settled, encoding="utf-8")
    apt = ["apt-get", "-q", "-c", str(folder / "apt.conf")]
    english = {**os.environ, "LC_ALL": "C"}
    run([*apt, "update"], f"the package lists of Debian {SUITE} cannot be fetched", environment=english)
    what = f"packages of Debian {SUITE} cannot be fetched"
    run([*apt, "download", *packages], what, cwd=folder / "packages", environment=english)
    found = sorted((folder / "packages").glob("*.deb"))
    if len(found) != len(packages):
        raise ResourceError(f"{what}: {len(found)} of {len(packages)} came; try again")
    return found


def label(package: Path) -> str:
    """Name, version and architecture of a .deb file, such as "zlib1g 1:1.2.13.dfsg-1 arm64"."""
    return unquote(package.stem).replace("_", " ")


def unpack(package: Path, folder: Path) -> None:
    """Lays a package's files into a folder, without running its scripts.

    Raises:
        ResourceError: The disk is full.
    """
    run(["dpkg-deb", "--extract", str(package), str(folder)], f"{label(package)} cannot be unpacked")


def unpack_file(package: Path, member: str, target: Path) -> None:
    """Copies one file out of a package: the emulator is 13 of the 370 MB that its package holds.

    Raises:
        ResourceError: It is not in there, or the disk is full.
    """
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as child:
        try:
            with tarfile.open(fileobj=child.stdout, mode="r|") as archive:
                content = next((archive.extractfile(entry) for entry in archive if entry.name == member), None)
                if content is None:
                    raise ResourceError(f"{label(package)} holds no {member}; set the emulator on the PATH instead")
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)
        except (OSError, tarfile.TarError) as error:
            raise ResourceError(f"{member} cannot be taken from {label(package)}: {error}; free the disk") from error
        finally:
            child.kill()
    target.chmod(0o755)


def _sources() -> str:
    """The mirrors that this system uses itself, for the pinned suite; or those of `$ZOO_HOME/debian.sources`."""
    own = settings.home() / OWN_SOURCES
    if own.is_file():
        return own.read_text(encoding="utf-8")
    listed = run(["apt-get", "--print-uris", "update"], "the mirrors of this system cannot be listed")
    bases = list(dict.fromkeys(re.findall(r"^'(\S+?)/dists/", listed, re.MULTILINE)))
    archive = next((base for base in bases if re.search(r"/debian(\.list)?$", base)), None)
    security = next((base for base in bases if re.search(r"/debian-security(\.list)?$", base)), None)
    keyring = next((path for path in KEYRINGS if path.is_file()), None)
    if archive is None or keyring is None:
        lack = "apt on this machine names no Debian mirror" if archive is None else f"{KEYRINGS[0]} is missing"
        raise UsageError(
            f"{lack}; install debian-archive-keyring, and describe a mirror of Debian {SUITE} in {own} (deb822)"
        )
    parts = [(archive, f"{SUITE} {SUITE}-updates"), *([(security, f"{SUITE}-security")] if security else [])]
    return "".join(_SOURCE.format(uri=uri, suites=suites, keyring=keyring) for uri, suites in parts)
