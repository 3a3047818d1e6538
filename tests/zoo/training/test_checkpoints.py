import numpy as np
import pytest

from zoo.errors import DataError
from zoo.training import checkpoints


def save(run, epoch):
    checkpoints.save(run, epoch, {"model0": np.full(3, epoch, np.float32)}, {"best": float("nan"), "rows": [epoch]})


def test_two_generations_are_kept_and_the_newest_is_loaded(tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path, epoch)
    assert [path.name for path in checkpoints.generations(tmp_path)] == ["000002.npz", "000003.npz"]
    arrays, state, damaged = checkpoints.load(tmp_path)
    assert arrays["model0"].tolist() == [3.0, 3.0, 3.0]
    assert state == {"best": None, "rows": [3]}
    assert damaged == []


@pytest.mark.parametrize("harm", ["cut", "empty", "flipped"])
def test_a_damaged_newest_generation_is_named_and_the_one_before_is_used(tmp_path, harm):
    save(tmp_path, 1)
    save(tmp_path, 2)
    newest = checkpoints.generations(tmp_path)[-1]
    content = bytearray(newest.read_bytes())
    if harm == "flipped":
        content[60] ^= 1
    newest.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "flipped": content}[harm])
    arrays, _, damaged = checkpoints.load(tmp_path)
    assert arrays["model0"].tolist() == [1.0, 1.0, 1.0]
    assert len(damaged) == 1
    assert "000002.npz" in damaged[0]


def test_a_run_without_a_whole_checkpoint_says_why(tmp_path):
    save(tmp_path, 1)
    checkpoints.generations(tmp_path)[0].write_bytes(b"PK")
    with pytest.raises(DataError, match=r"no usable checkpoint .*000001\.npz"):
        checkpoints.load(tmp_path)
