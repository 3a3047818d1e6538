import os
import threading
import time

import filelock
import numpy as np
import pytest

from tests.zoo.data.pictures import folder, save
from zoo.data import cache
from zoo.data.images import decoding
from zoo.data.options import data_config
from zoo.data.own import read_path
from zoo.errors import ResourceError


@pytest.fixture(autouse=True)
def zoo_home(monkeypatch, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ZOO_HOME", str(home))
    return home


def whole(folder):
    return (folder / "x").is_file()


def write(folder):
    (folder / "x").write_bytes(b"1234567890")


def test_an_entry_is_made_once():
    made = []

    def make(folder):
        made.append(folder)
        write(folder)

    first = cache.cached("a", make, is_whole=whole, size=10)
    assert cache.cached("a", make, is_whole=whole, size=10) == first
    assert len(made) == 1


def test_what_fails_half_way_leaves_nothing(zoo_home):
    def make(folder):
        write(folder)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        cache.cached("a", make, is_whole=whole, size=10)
    assert not cache.place("a").exists()
    assert [path.name for path in (zoo_home / "cache").iterdir()] == ["a.lock"]


def test_two_at_once_make_it_once_and_the_other_waits():
    made, told = [], []

    def make(folder):
        time.sleep(0.2)
        made.append(folder)
        write(folder)

    def want():
        cache.cached("a", make, is_whole=whole, size=10, on_event=told.append)

    threads = [threading.Thread(target=want) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(told) == 1
    assert "waiting for another process" in told[0]


def test_the_entries_used_longest_ago_go_first():
    for at, key in enumerate("abc"):
        cache.cached(key, write, is_whole=whole, size=10)
        os.utime(cache.place(key) / "used", (at, at))
    cache.cached("a", write, is_whole=whole, size=10)  # used again
    cache.prune(limit=20)
    assert [key for key in "abc" if cache.place(key).exists()] == ["a", "c"]
    cache.prune(keep=cache.place("c"), limit=0)
    assert [key for key in "abc" if cache.place(key).exists()] == ["c"]


def test_an_entry_is_opened_while_no_other_can_take_its_place(zoo_home):
    def use(folder):
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(zoo_home / "cache" / "a.lock").acquire(timeout=0)
        opened.append((folder / "x").read_bytes())

    opened = []
    for _ in range(2):
        cache.cached("a", write, is_whole=whole, size=10, use=use)
    assert opened == [b"1234567890"] * 2


def test_a_full_disk_is_said(monkeypatch):
    with pytest.raises(ResourceError, match="set ZOO_HOME to a folder with room"):
        cache.cached("a", write, is_whole=whole, size=10**16)


def test_a_home_that_is_a_file_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    with pytest.raises(ResourceError, match="set ZOO_HOME to a folder"):
        cache.cached("a", write, is_whole=whole, size=10)


def pixels_of(root):
    return np.array(read_path(root, data_config()).load().samples)


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded."""
    names = []
    real = decoding.read_image

    def read_image(path):
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(decoding, "read_image", read_image)
    return names


def entry(zoo_home):
    return next(path for path in (zoo_home / "cache").iterdir() if path.is_dir())


def test_images_are_decoded_once_and_only_new_ones_later(tmp_path, decoded):
    root = folder(tmp_path / "photos")
    first = pixels_of(root)
    assert len(decoded) == 12
    decoded.clear()
    assert (pixels_of(root) == first).all()
    assert decoded == []
    save(root / "cat" / "new.png", 77)
    (root / "dog" / "0.png").unlink()
    changed = save(root / "cat" / "3.png", 78)
    os.utime(changed, (1, 1))
    assert len(pixels_of(root)) == 12
    assert sorted(decoded) == ["3.png", "new.png"]


def test_rows_are_those_of_the_files_whatever_another_process_puts_there(tmp_path, monkeypatch):
    files = [save(tmp_path / f"{at}.png", at) for at in range(4)]

    def decode(order):
        areas, known = [120] * len(order), [""] * len(order)
        return decoding.decode(order, (10, 12, 3), known=known, key="k", areas=areas, on_event=print)

    real = decoding.cached

    def overtaken(*args, **options):
        folder = real(*args, **options)
        monkeypatch.setattr(decoding, "cached", real)
        decode(files[::-1])  # as another process does as soon as the lock is free
        return folder

    monkeypatch.setattr(decoding, "cached", overtaken)
    samples = decode(files).samples
    assert [bool((row == decoding.read_image(file)).all()) for row, file in zip(samples, files, strict=True)] == [
        True
    ] * 4


def test_other_lists_of_the_same_folder_do_not_replace_each_other(tmp_path, decoded):
    root = folder(tmp_path / "photos")
    for name, kinds in (("a.csv", ("cat", "dog")), ("b.csv", ("dog", "cat"))):
        lines = [f"{kind}/{at}.png,{kind}" for kind in kinds for at in range(6)]
        (root / name).write_text("\n".join(["file,kind", *lines]) + "\n", encoding="utf-8")
    for name in ("a.csv", "b.csv", "a.csv"):
        read_path(root, data_config(label_from=str(root / name)))
    assert len(decoded) == 24


@pytest.mark.parametrize("harm", ["byte", "short", "index", "nothing left"])
def test_a_damaged_cache_is_mended(tmp_path, zoo_home, decoded, harm):
    root = folder(tmp_path / "photos")
    first = pixels_of(root)
    samples, index = (entry(zoo_home) / name for name in ("samples.npy", "index.npz"))
    content = bytearray(samples.read_bytes())
    if harm == "byte":
        content[-1] ^= 255
        samples.write_bytes(content)
    elif harm == "short":
        samples.write_bytes(content[:-40])
    else:
        (index if harm == "index" else samples).write_bytes(b"")
    decoded.clear()
    assert (pixels_of(root) == first).all()
    assert len(decoded) == (1 if harm == "byte" else 12)


def test_a_mended_file_is_read_again(tmp_path):
    root = folder(tmp_path / "photos")
    good = (root / "cat" / "0.png").read_bytes()
    (root / "cat" / "0.png").write_bytes(b"text")
    assert [finding.severity for finding in read_path(root, data_config()).findings] == ["error"]
    (root / "cat" / "0.png").write_bytes(good)
    assert read_path(root, data_config()).findings == ()


def test_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "TELL_EVERY_SECONDS", 0.0)
    told = []
    read_path(folder(tmp_path / "photos"), data_config(), on_event=told.append)
    assert "read 6 of 12 images" in told
