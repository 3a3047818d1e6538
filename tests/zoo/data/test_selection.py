import numpy as np
import psutil

from zoo.data.dataset import Selection


def mapped(path, rows, width):
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (rows, width)})
        file.truncate(file.tell() + rows * width)  # zeros that take no room on the disk
    return np.load(path, mmap_mode="r")


def test_rows_come_in_the_order_asked_for(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(20).reshape(10, 2))
    rows = Selection(np.load(tmp_path / "x.npy", mmap_mode="r"), np.array([7, 1, 4]))
    assert np.asarray(rows).tolist() == [[14, 15], [2, 3], [8, 9]]
    assert rows[np.array([2, 0, 2])].tolist() == [[8, 9], [14, 15], [8, 9]]
    assert rows.take(np.array([1, 2]))[1:].tolist() == [[8, 9]]


def test_a_file_that_is_read_through_does_not_stay_in_memory(tmp_path):
    rows = Selection(mapped(tmp_path / "x.npy", 1500, 200_000), np.random.default_rng(0).permutation(1500))
    before = psutil.Process().memory_info().rss
    highest = before
    for at in range(0, 1500, 30):
        assert rows[at : at + 30].shape == (30, 200_000)
        highest = max(highest, psutil.Process().memory_info().rss)
    assert highest - before < 150_000_000  # of 300,000,000 bytes read
