import pytest

from zoo.builders.mlp import MOST_EPOCHS, recommend
from zoo.cards import InputSpec, OutputSpec

TABLE = InputSpec(shape=(9,), kind="table", columns=())
NUMBER = OutputSpec(task="regression", shape=(1,), labels=())


@pytest.mark.parametrize(
    ("samples", "batch", "epochs", "units"),
    [
        (30, 16, MOST_EPOCHS, 64),
        (640, 16, 38, 64),
        (6300, 32, 15, 64),
        (14_861, 128, 51, 128),
        (100_000, 128, 8, 128),
        (5_000_000, 128, 2, 128),
    ],
)
def test_a_table_is_trained_by_its_size(samples, batch, epochs, units):
    knobs = recommend(TABLE, NUMBER, samples)
    assert (knobs["batch_size"], knobs["epochs"], knobs["units"]) == (batch, epochs, units)
    assert knobs["schedule"] == "cosine"
    assert knobs["l2"] > 0 or samples >= 10_000


def test_images_keep_the_defaults():
    assert recommend(InputSpec(shape=(8, 8, 1), kind="image"), NUMBER, 500) == {}
