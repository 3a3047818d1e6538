import numpy as np

from zoo.data.identity import count_duplicates, digest


def test_a_digest_sees_values_shapes_and_kinds():
    base = np.arange(6, dtype=np.uint8)
    others = [base + 1, base.reshape(2, 3), base.astype(np.int64), base[::-1]]
    assert len({digest(base), *(digest(other) for other in others)}) == 5
    assert digest(base, None) == digest(base.copy())


def test_negative_zero_is_zero():
    assert count_duplicates(np.array([[-0.0, 1.0]]), np.array([[0.0, 1.0]])) == 1


def test_duplicates_are_found_in_every_other_split():
    images = np.random.default_rng(0).integers(0, 256, (70, 28, 28), np.uint8)
    images[65], images[66], images[67] = images[3], images[55], images[68]
    assert count_duplicates(images[60:], images[:50], images[50:60]) == 2
