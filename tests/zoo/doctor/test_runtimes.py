import os
import shutil
import sys
from pathlib import Path

import pytest

from zoo.doctor import arm, debian, runtimes
from zoo.doctor.processes import run
from zoo.doctor.recipes import CLIENTS, RUNTIMES
from zoo.errors import ResourceError, UsageError


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "a home"))
    return tmp_path / "a home"


def test_an_unknown_runtime_lists_those_there_are(home):
    with pytest.raises(UsageError, match="did you mean litert"):
        runtimes.install("litert2")


def test_a_failed_installation_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(runtimes, "run", lambda command, what: (_ for _ in ()).throw(ResourceError("no network")))
    with pytest.raises(ResourceError):
        runtimes.install("litert")
    assert [path.name for path in (home / "runtimes").iterdir() if path.name != ".lock"] == []


def test_what_a_killed_installation_left_is_cleared_and_a_stamp_alone_does_not_count(home, monkeypatch):
    (home / "runtimes" / ".litert.abcd").mkdir(parents=True)
    (home / "runtimes" / "litert").mkdir()
    lock = runtimes.resources.files("export").joinpath("runtimes", "litert.txt").read_text()
    (home / "runtimes" / "litert" / runtimes.STAMP).write_text(lock)
    monkeypatch.setattr(runtimes, "_fill", lambda folder, *_: (folder / "bin").mkdir())
    assert runtimes.install("litert").new
    assert sorted(path.name for path in (home / "runtimes").iterdir()) == [".lock", "litert"]
    assert [path.name for path in (home / "runtimes" / "litert").iterdir()] == ["bin"]


def test_this_python_can_run_a_tiny_model():
    assert runtimes.try_out(sys.executable) == ""


def test_a_python_without_runtime_says_so(tmp_path):
    python = tmp_path / "python"
    python.symlink_to("/bin/false")
    assert runtimes.try_out(python) == "exit code 1 and no answer"
    assert "does not run" in runtimes.try_out(tmp_path / "absent")


def test_no_python_for_the_wheels_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match=r"wheels for Python 2\.7 only.*apt install python2\.7-venv"):
        runtimes.find_python(((2, 7),), "tflite-runtime")
    assert str(runtimes.find_python((sys.version_info[:2],), "litert")) == sys.executable


def test_every_runtime_has_a_lock_with_hashes_and_a_cost():
    for name, recipe in {**RUNTIMES, **CLIENTS}.items():
        lock = runtimes.resources.files("export").joinpath("runtimes", f"{recipe.lock}.txt").read_text()
        pinned = [line for line in lock.splitlines() if "==" in line]
        assert pinned, name
        assert lock.count("--hash=sha256:") >= len(pinned), name
        assert "MB" in recipe.cost


def test_the_board_is_refused_where_it_cannot_be_emulated(monkeypatch):
    monkeypatch.setattr(arm.sys, "platform", "darwin")
    with pytest.raises(UsageError, match="needs Linux on x86-64, this is darwin"):
        arm.check_host()
    monkeypatch.setattr(arm.sys, "platform", "linux")
    monkeypatch.setattr(arm.platform, "machine", lambda: "aarch64")
    with pytest.raises(UsageError, match="64-bit Arm itself; use: zoo doctor --install tflite-runtime"):
        arm.check_host()
    monkeypatch.setattr(arm.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match=r"apt-get and dpkg-deb not found.*on Debian or a system derived from it"):
        arm.check_host()


@pytest.fixture
def apt(monkeypatch, tmp_path):
    """A folder at the head of the PATH with an apt-get that answers with these lines."""
    programs = tmp_path / "some programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)

    def write(*lines):
        program = programs / "apt-get"
        program.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
        program.chmod(0o755)

    return write


def test_the_mirrors_of_this_system_are_asked_for_the_pinned_suite(home, apt, monkeypatch, tmp_path):
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(debian, "KEYRINGS", (keyring,))
    apt("""cat <<'END'
'http://mirror.example/debian/dists/trixie/InRelease' one 0
'http://other.example/tools/dists/stable/InRelease' two 0
'http://mirror.example/debian-security/dists/trixie-security/InRelease' three 0
END""")
    assert debian._sources() == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
        f"Targets: Packages\nSigned-By: {keyring}\n\n"
        "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n"
        f"Targets: Packages\nSigned-By: {keyring}\n\n"
    )
    apt("echo \"'http://mirror.example/ubuntu/dists/noble/InRelease' one 0\"")
    with pytest.raises(UsageError, match=r"names no Debian mirror; .*a mirror of Debian bookworm in .*debian\.sources"):
        debian._sources()
    home.mkdir()
    (home / "debian.sources").write_text("mine")
    assert debian._sources() == "mine"


def test_a_mirror_that_does_not_answer_is_one_line(home, apt, tmp_path):
    home.mkdir()
    (home / "debian.sources").write_text("Types: deb")
    apt("echo 'W: not this' >&2; echo 'E: Could not connect to mirror' >&2; echo 'E: Some files failed' >&2; exit 100")
    (tmp_path / "apt").mkdir()
    with pytest.raises(ResourceError) as refusal:
        debian.fetch(["zlib1g:arm64"], tmp_path / "apt")
    assert str(refusal.value) == (
        "the package lists of Debian bookworm cannot be fetched: E: Could not connect to mirror; "
        "connect to the network, free 1 GB of disk, and try again"
    )


def test_packages_that_do_not_come_are_counted(home, apt, tmp_path):
    home.mkdir()
    (home / "debian.sources").write_text("Types: deb")
    apt('case "$*" in *download*) touch zlib1g_1%3a1.2_arm64.deb;; esac')
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (found,) = debian.fetch(["zlib1g:arm64"], tmp_path / "one")
    assert debian.label(found) == "zlib1g 1:1.2 arm64"
    with pytest.raises(ResourceError, match="1 of 2 came"):
        debian.fetch(["zlib1g:arm64", "libc6:arm64"], tmp_path / "two")


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="there is no dpkg-deb here")
def test_one_file_is_taken_out_of_a_package(tmp_path):
    content = tmp_path / "a package"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN" / "control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    )
    (content / "usr/bin").mkdir(parents=True)
    (content / "usr/bin/program").write_text("#!/bin/sh\necho hello\n")
    package = tmp_path / "x_1_all.deb"
    run(["dpkg-deb", "--build", "--root-owner-group", str(content), str(package)], "it cannot be built")
    debian.unpack_file(package, "./usr/bin/program", tmp_path / "taken out")
    assert run([str(tmp_path / "taken out")], "it does not run") == "hello\n"
    with pytest.raises(ResourceError, match=r"x 1 all holds no \./usr/bin/other"):
        debian.unpack_file(package, "./usr/bin/other", tmp_path / "other")
    debian.unpack(package, tmp_path / "a root")
    assert Path(tmp_path / "a root/usr/bin/program").is_file()


def test_a_program_that_fails_is_told_by_its_error():
    with pytest.raises(ResourceError, match=r"^it failed: ERROR: no space; connect"):
        run(["sh", "-c", "echo 'ERROR: so' >&2; echo 'ERROR: no space' >&2; echo after >&2; exit 1"], "it failed")
    with pytest.raises(ResourceError, match=r"^it failed: exit code 3;"):
        run(["sh", "-c", "exit 3"], "it failed")
