import time

import numpy as np

from zoo.data.identity import count_duplicates, digest


def test_a_digest_sees_values_shapes_and_kinds():
    base = np.arange(6, dtype=np.uint8)
    others = [base + 1, base.reshape(2, 3), base.astype(np.int64), base[::-1]]
    assert len({digest(base), *(digest(other) for other in others)}) == 5
    assert digest(base, None) == digest(base.copy())


def test_negative_zero_is_zero():
    assert count_duplicates(np.array([[-0.0, 1.0]]), np.array([[0.0, 1.0]])) == 1


def test_duplicates_in_seventy_thousand_images_take_less_than_half_a_second():
    images = np.random.default_rng(0).integers(0, 256, (70_000, 28, 28), np.uint8)
    images[69_000] = images[3]
    start = time.perf_counter()
    assert count_duplicates(images[60_000:], images[:60_000]) == 1
    assert time.perf_counter() - start < 0.5
