"""A 64-bit Arm board, emulated: Debian's Python for arm64, run by qemu, with the aarch64 wheels of tflite-runtime.

The processor is emulated, not a board: what it computes is what such a board computes, its times are nobody's.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from zoo.doctor import debian
from zoo.doctor.processes import run
from zoo.errors import UsageError

COST = "downloads 50 MB, 110 MB with the emulator where none is on the PATH; 120 MB on disk, about 20 s"
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
PACKAGES = (
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libexpat1",
    "libffi8",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "python3.11-minimal",
)
SITE = Path("usr/local/lib/python3.11/dist-packages")
"""Where Debian's Python looks for packages that are not Debian's."""
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_34_aarch64")
WRAPPER = """#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/emulator" -L "$here/../sysroot" "$here/../sysroot/usr/bin/python3.11" "$@"
"""


def check_host() -> None:
    """Refuses a machine on which the board cannot be emulated.

    Raises:
        UsageError: No Linux on x86-64, or no apt.
    """
    machine = platform.machine()
    if sys.platform == "linux" and machine in ("aarch64", "arm64"):
        raise UsageError("this machine is 64-bit Arm itself; use: zoo doctor --install tflite-runtime")
    if sys.platform != "linux" or machine not in ("x86_64", "AMD64"):
        raise UsageError(
            f"the emulated board needs Linux on x86-64, this is {sys.platform} on {machine}; "
            "verify on such a machine, or with --runtime tflite-runtime"
        )
    debian.check_host()


def fill(folder: Path, lock: Path, tell: Callable[[str], None]) -> list[str]:
    """Makes the board in an empty folder: `sysroot/`, and `bin/python`, which runs as any other Python.

    Args:
        folder: Exists.
        lock: Requirements with hashes.
        tell: Told, in one line each, what is done.

    Returns:
        The Debian packages that were installed, with their versions.

    Raises:
        UsageError: See `check_host` and `debian.fetch`.
        ResourceError: Something cannot be fetched or written.
    """
    check_host()
    emulator = next((found for name in EMULATORS if (found := shutil.which(name))), None)
    wanted = [f"{name}:arm64" for name in PACKAGES] + ([] if emulator else ["qemu-user-static:amd64"])
    scratch, sysroot, programs = folder / "apt", folder / "sysroot", folder / "bin"
    for part in (scratch, sysroot, programs):
        part.mkdir()
    tell(f"fetching {len(wanted)} packages of Debian {debian.SUITE}")
    packages = debian.fetch(wanted, scratch)
    for package in packages:
        if package.name.endswith("_arm64.deb"):
            debian.unpack(package, sysroot)
        else:
            debian.unpack_file(package, f"./usr/bin/{EMULATORS[0]}", programs / "emulator")
    if emulator:
        (programs / "emulator").symlink_to(emulator)
    shutil.rmtree(scratch)
    tell("fetching the wheels for aarch64")
    _install_wheels(sysroot / SITE, lock)
    (programs / "python").write_text(WRAPPER, encoding="utf-8")
    (programs / "python").chmod(0o755)
    return [debian.label(package) for package in packages] + ([f"emulator: {emulator}"] if emulator else [])


def _install_wheels(target: Path, lock: Path) -> None:
    """Has pip unpack wheels for another machine; --no-deps is what that takes, and the lock is complete."""
    machine = [option for name in PLATFORMS for option in ("--platform", name)]
    python = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile", "--retries", "2"]
    run([*command, *machine, *python, "--target", str(target), "-r", str(lock)], "pip cannot fetch the wheels")
