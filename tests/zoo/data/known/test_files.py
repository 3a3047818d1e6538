"""Sets that are files as their publisher has them: found, verified, read with the options of their card."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from zoo.cards import Tree
from zoo.config import configure
from zoo.data import DATASETS, load
from zoo.data.catalog import DATASETS as SETS
from zoo.data.known import files
from zoo.data.known.downloads import OfflineError
from zoo.errors import DataError, UsageError

COUNT = 24


@pytest.fixture
def photographs(home, monkeypatch, tmp_path):
    """A set of two classes of pictures, known by name, in a folder of data with a space in its path."""
    place = tmp_path / "my data" / "pictures"
    for at in range(COUNT):
        folder = place / ("dark", "light")[at % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((12, 10, 3), 40 + 150 * (at % 2) + at, np.uint8)
        Image.fromarray(pixels).save(folder / f"{at}.png")
    (place / "README.txt").write_text("not of the set")
    count, sha256 = files.tree_sha256(place, ".png")
    card = dataclasses.replace(
        SETS.get("flowers_mini"),
        name="pictures",
        samples=COUNT,
        labels=("dark", "light"),
        task="binary",
        tree=Tree(suffix=".png", files=count, bytes=1, sha256=sha256),
        options={"image_size": 8},
    )
    monkeypatch.setitem(SETS._entries, "pictures", card)
    monkeypatch.setenv("ZOO_DATA_PATH", str(tmp_path / "my data"))
    return place


def test_a_tree_is_found_verified_and_read_with_its_options(photographs):
    dataset = load("pictures", seed=0)
    assert dataset.input.shape == (8, 8, 3)
    assert sum(dataset.identity.samples.values()) == COUNT
    assert dataset.output.labels == ("dark", "light")
    assert files.locate(SETS.get("pictures")) == photographs


@pytest.mark.parametrize("change", ["another byte", "a file less", "a file more", "another name"])
def test_a_tree_that_was_changed_is_refused_with_both_checksums(photographs, change):
    first = photographs / "dark" / "0.png"
    if change == "another byte":
        first.write_bytes(first.read_bytes() + b"\0")
    elif change == "a file less":
        first.unlink()
    elif change == "a file more":
        (photographs / "dark" / "more.png").write_bytes(first.read_bytes())
    else:
        first.rename(photographs / "light" / "0.png")
    count = COUNT + {"a file less": -1, "a file more": 1}.get(change, 0)
    expected = rf"pictures is not that of pictures: {count} \.png files of sha256 \w{{64}}, expected {COUNT} of"
    with pytest.raises(DataError, match=expected):
        load("pictures", seed=0)


def test_a_tree_that_is_not_here_says_where_to_put_it(home):
    with pytest.raises(OfflineError, match=r"nobody offers it in this form; put fsdd/recordings with its 3,000 \.wav"):
        load("fsdd", seed=0)


def test_what_the_card_leaves_to_users_they_may_say_and_nothing_else(photographs):
    assert load("pictures", seed=0, image_size=6, image_channels=1).input.shape == (6, 6, 1)
    with pytest.raises(UsageError, match=r"^label_from say how files.* to choose there: image_size, image_channels$"):
        load("pictures", seed=0, label_from="folder")
    with pytest.raises(UsageError, match=r"^words say how files of your own are read; iris is a data set"):
        load("iris", seed=0, words=9)


def test_a_recipes_options_are_for_its_own_set():
    assert configure("imdb-conv1d").data.words == 400
    assert configure("imdb-conv1d", data="sms_spam").data.words == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DATASETS if not DATASETS.get(name).embedded])
def test_a_real_set_is_as_its_card_says(name, real_data):
    card = DATASETS.get(name)
    if (files if not card.content_sha256 else pytest.importorskip("zoo.data.known.store")).locate(card) is None:
        pytest.skip(f"{name} is not in {real_data}")
    dataset = load(name, seed=0, strict_data=True)
    assert (dataset.input.kind, dataset.output.task) == (card.kind, card.task)
    assert sum(dataset.identity.samples.values()) == card.samples
    if card.test_samples:
        assert len(dataset.test) == card.test_samples
    assert dataset.output.labels == card.labels
