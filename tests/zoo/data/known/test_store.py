import hashlib

import numpy as np
import pytest

from tests.zoo.data.conftest import idx_bytes, tiny_arrays, tiny_card
from zoo.cards import RemoteFile
from zoo.data.known import store
from zoo.data.known.downloads import OfflineError
from zoo.errors import DataError, LockedError
from zoo.runs import locked, write_npz

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


def test_the_first_folder_that_has_the_file_wins(home, tmp_path, monkeypatch):
    card = tiny_card()
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv("ZOO_DATA_PATH", f"{first}:{second}")
    write_npz(home / "data" / "tiny" / "tiny.npz", **tiny_arrays())
    assert store.locate(card) == home / "data" / "tiny" / "tiny.npz"
    write_npz(second / "tiny" / "tiny.npz", **tiny_arrays())
    assert store.locate(card) == second / "tiny" / "tiny.npz"


def test_a_repacked_file_with_the_same_arrays_is_accepted(home):
    path = home / "data" / "tiny" / "tiny.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, **tiny_arrays())
    assert store.load(tiny_card())["x_test"].shape == (10, 28, 28)


def test_one_changed_pixel_is_refused_with_both_checksums(home):
    arrays = tiny_arrays()
    arrays["x_train"][7, 3, 3] ^= 1
    path = home / "data" / "tiny" / "tiny.npz"
    write_npz(path, **arrays)
    with pytest.raises(DataError, match=rf"tiny\.npz is not tiny: .* expected {tiny_card().content_sha256}; .*fetch"):
        store.load(tiny_card())


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip", "other keys"])
def test_a_damaged_file_is_an_error_that_names_it(home, damage):
    path = home / "data" / "tiny" / "tiny.npz"
    write_npz(path, **tiny_arrays())
    content = bytearray(path.read_bytes())
    content[5000] ^= 255
    content[5001] ^= 255
    if damage == "other keys":
        write_npz(path, images=tiny_arrays()["x_train"])
    else:
        path.write_bytes({"cut": content[:9000], "flipped": content, "no zip": b"<html>"}[damage])
    with pytest.raises(DataError, match=r"tiny\.npz"):
        store.load(tiny_card())


def test_four_idx_files_are_packed_once_into_one(home, tmp_path, monkeypatch):
    arrays = tiny_arrays()
    source = tmp_path / "source"
    source.mkdir()
    files = []
    for key, name in IDX_NAMES.items():
        content = idx_bytes(arrays[key])
        (source / name).write_bytes(content)
        urls = ((source / name).as_uri(),)
        files.append(RemoteFile(name=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), urls=urls))
    card = tiny_card(files=tuple(files))
    loaded = store.load(card)
    assert all(np.array_equal(loaded[key], arrays[key]) for key in store.KEYS)
    left = {entry.name for entry in (home / "data" / "tiny").iterdir()}
    assert left - {".lock"} == {"tiny.npz"}
    monkeypatch.setattr(store, "download", None)  # a second load needs no download
    assert store.load(card)["y_test"].tolist() == arrays["y_test"].tolist()


@pytest.mark.parametrize("content", [b"not gzip", idx_bytes(np.zeros((2, 3), np.uint8))[:-12]])
def test_a_file_that_is_not_idx_is_named(tmp_path, content):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is not"):
        store.read_idx(path)


def test_offline_says_where_it_looked_and_what_to_do(home, no_network):
    files = (RemoteFile(name="tiny.npz", sha256="0", bytes=1, urls=("https://host.invalid/tiny.npz",)),)
    with pytest.raises(
        OfflineError, match=r"is in none of .*/home/data, .* zoo data fetch tiny, or put .*ZOO_DATA_PATH"
    ):
        store.load(tiny_card(files=files))


def test_two_processes_do_not_download_at_once(home):
    folder = home / "data" / "tiny"
    folder.mkdir(parents=True)
    with locked(folder), pytest.raises(LockedError):
        store.fetch(tiny_card())
