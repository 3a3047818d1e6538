import numpy as np
import pytest

from zoo.training import measure


@pytest.mark.parametrize(("width", "sizes"), [(4, [1000, 500]), (40_000, [100] * 15), (5_000_000, [1])])
def test_batches_get_smaller_as_samples_get_larger(width, sizes):
    seen = []

    def forward(batch):
        seen.append(len(batch))
        return batch[:, :1]

    inputs = np.zeros((sum(sizes), width), np.uint8)
    inputs[:, 0] = np.arange(len(inputs)) % 256
    outputs = measure.run_batches(forward, inputs)
    assert seen == sizes
    assert (outputs == inputs[:, :1]).all()
