"""The pinned sources, for real."""

import pytest

from zoo import data
from zoo.data.known import store

pytestmark = pytest.mark.network


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_pinned_sources_still_send_what_was_pinned(home, name):
    card = data.DATASETS.get(name)
    assert store.read(card, store.fetch(card))["x_train"].shape == (60_000, 28, 28)
