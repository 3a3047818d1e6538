import numpy as np

from zoo.data.identity import conflicts, digest, row_digests


def test_a_digest_sees_values_shapes_and_kinds():
    base = np.arange(6, dtype=np.uint8)
    others = [base + 1, base.reshape(2, 3), base.astype(np.int64), base[::-1]]
    assert len({digest(base), *(digest(other) for other in others)}) == 5
    assert digest(base, None) == digest(base.copy())


def test_negative_zero_is_zero():
    first, second = row_digests(np.array([[-0.0, 1.0], [0.0, 1.0]]))
    assert first == second


def test_equal_samples_and_only_they_have_equal_digests():
    images = np.random.default_rng(0).integers(0, 256, (70, 28, 28), np.uint8)
    images[65], images[66] = images[3], images[55]
    found = row_digests(images)
    assert found[65] == found[3]
    assert found[66] == found[55]
    assert len(np.unique(found)) == 68


def test_conflicts_are_equal_samples_of_different_targets():
    digests = np.array([7, 1, 7, 2, 1], np.uint64)
    assert [group.tolist() for group in conflicts(digests, np.array([0, 1, 0, 2, 0]))] == [[1, 4]]
