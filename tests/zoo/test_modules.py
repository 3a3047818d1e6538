import subprocess
import tarfile

import pytest

from tests.zoo.made_by_others import pack, pack_entry
from zoo import modules
from zoo.errors import ModelError
from zoo.modules import read_archive, read_folder


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "a module"
    (place / "variables").mkdir(parents=True)
    (place / "saved_model.pb").write_bytes(b"graph")
    (place / "variables" / "variables.index").write_bytes(b"index")
    return place


def test_a_folder_is_pinned_by_what_sha256sum_says_of_its_files(folder):
    (folder / ".DS_Store").write_bytes(b"no part of it")
    listed = subprocess.run(
        "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert read_folder(folder).sha256 == listed.stdout.split()[0]


@pytest.mark.parametrize("inside", [".", "model_3", "deep/er"])
def test_an_archive_is_the_same_module_wherever_its_graph_lies(folder, tmp_path, inside):
    found = read_archive(pack(folder, tmp_path / "of others.tar.gz", inside))
    assert found == read_folder(folder)
    assert found.sha256 == read_folder(folder).sha256


def test_another_byte_is_another_checksum(folder):
    before = read_folder(folder).sha256
    (folder / "variables" / "variables.index").write_bytes(b"Index")
    assert read_folder(folder).sha256 != before


@pytest.mark.parametrize("name", ["../outside.pb", "/etc/passwd", "a/../../outside"])
def test_an_entry_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    with pytest.raises(ModelError, match="leads out of its folder"):
        read_archive(pack_entry(tmp_path / "evil.tar.gz", name))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with pytest.raises(ModelError, match="link or device"):
        read_archive(pack_entry(tmp_path / "evil.tar.gz", "saved_model.pb", kind=kind))


def test_what_unpacks_to_too_much_is_refused(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(modules, "MOST_BYTES", 8)
    for read, source in ((read_folder, folder), (read_archive, pack(folder, tmp_path / "bomb.tar.gz"))):
        with pytest.raises(ModelError, match="8 can be taken"):
            read(source)


def test_a_cut_archive_and_other_files_are_refused(tmp_path, folder):
    whole = pack(folder, tmp_path / "whole.tar.gz").read_bytes()
    for name, content in (("cut.tar.gz", whole[: len(whole) // 2]), ("text.tar.gz", b"<html>not found</html>")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match="no whole archive"):
            read_archive(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tfhub_module.pb", "a module of TensorFlow 1"),
        ("assets/vocabulary.txt", "needs files of its own at run time"),
    ],
)
def test_a_module_that_cannot_serve_is_refused_with_the_reason(folder, name, said):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("content")
    with pytest.raises(ModelError, match=said):
        read_folder(folder)


def test_a_folder_without_a_graph_names_what_it_holds(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"content")
    with pytest.raises(ModelError, match=r"no SavedModel: it holds weights\.bin; expected saved_model\.pb"):
        read_folder(tmp_path)
