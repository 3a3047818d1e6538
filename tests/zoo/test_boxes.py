import numpy as np
import pytest

from zoo import boxes, cards

GRID = (12, 16)


def objects(*rows, most=4):
    """(1, most, 5) of class and edges in pixels of a 64x48 image."""
    made = np.full((1, most, 5), -1.0, np.float32)
    for at, (label, *edges) in enumerate(rows):
        made[0, at] = (label, *(np.array(edges) / [64, 48, 64, 48]))
    return made


def test_what_was_encoded_is_found_again_with_its_class_and_its_edges():
    generator = np.random.default_rng(0)
    cells = np.array([(row, column) for row in range(1, 12, 3) for column in range(1, 16, 3)])
    wanted = np.full((50, 6, 5), -1.0, np.float32)
    for image in wanted:
        chosen = cells[generator.permutation(len(cells))[: generator.integers(0, 7)]]
        centre = (chosen[:, ::-1] + generator.random(chosen.shape)) / [16, 12]
        half = np.minimum(generator.uniform(0.01, 0.2, chosen.shape), np.minimum(centre, 1 - centre))
        image[: len(chosen)] = np.column_stack([np.arange(len(chosen)) % 3, centre - half, centre + half])
    found = boxes.decode(boxes.encode(wanted, GRID, 3), 0.999)
    for image, rows in zip(wanted, found, strict=True):
        there = image[image[:, 0] >= 0]
        assert len(rows) == len(there)
        np.testing.assert_array_equal(rows[:, 1], 1.0)
        by_place = np.lexsort(there.round(3).T), np.lexsort(rows[:, [0, 2, 3, 4, 5]].round(3).T)
        np.testing.assert_allclose(rows[by_place[1]][:, [0, 2, 3, 4, 5]], there[by_place[0]], atol=1e-5)


def test_a_map_of_an_image_without_objects_is_empty_and_finds_nothing():
    maps = boxes.encode(objects(), GRID, 3)
    assert maps.shape == (1, 12, 16, 7)
    assert not maps.any()
    assert boxes.decode(maps)[0].shape == (0, 6)
    assert boxes.decode(maps[:0]) == []


def test_a_peak_is_as_wide_as_its_box():
    maps = boxes.encode(objects((1, 0, 20, 60, 30)), GRID, 3)
    row, column = 6, 7
    assert maps[0, row, column, 1] == 1.0
    assert maps[0, row, column + 1, 1] > maps[0, row + 1, column, 1]
    assert not maps[..., [0, 2]].any()


@pytest.mark.parametrize("scores", [[0.9, 0.9], [0.9, 0.8], [0.8, 0.9]])
def test_neighbours_are_one_object_even_where_they_are_equally_sure(scores):
    maps = np.zeros((1, *GRID, 5), np.float32)
    maps[0, 3, 4:6, 0] = scores
    (found,) = boxes.decode(maps)
    assert len(found) == 1
    assert found[0, 1] == pytest.approx(max(scores))


def test_the_surest_come_first_and_the_rest_is_left_out():
    maps = np.zeros((2, *GRID, 5), np.float32)
    maps[1, [1, 5, 9], 2, 0] = [0.5, 0.9, 0.29]
    empty, found = boxes.decode(maps)
    assert len(empty) == 0
    np.testing.assert_allclose(found[:, 1], [0.9, 0.5])
    np.testing.assert_allclose(boxes.decode(maps, most=1)[1][:, 1], [0.9])
    assert len(boxes.decode(maps, 0.1)[1]) == 3


def test_boxes_stay_inside_of_the_image():
    maps = np.zeros((1, *GRID, 5), np.float32)
    maps[0, 0, 0] = (0.9, 0.1, 0.1, 0.9, 0.9)
    np.testing.assert_array_equal(boxes.decode(maps)[0][0, 2:4], 0.0)


def test_overlaps_are_shares_of_what_both_cover():
    one = np.array([[0, 0, 2, 2], [5, 5, 5, 5]], float)
    two = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [4, 4, 5, 5]], float)
    np.testing.assert_allclose(boxes.overlaps(one, two), [[1, 1 / 3, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ([(0, 0.9, 0.1, 0.1, 0.5, 0.5)], True),
        ([(0, 0.2, 0.12, 0.1, 0.5, 0.5)], True),  # below the threshold by a little: still there
        ([(0, 0.9, 0.1, 0.1, 0.5, 0.5), (1, 0.25, 0.7, 0.7, 0.9, 0.9)], True),
        ([(1, 0.9, 0.1, 0.1, 0.5, 0.5)], False),
        ([(0, 0.9, 0.4, 0.4, 0.8, 0.8)], False),
        ([(0, 0.9, 0.1, 0.1, 0.5, 0.5), (1, 0.6, 0.7, 0.7, 0.9, 0.9)], False),
        ([], False),
    ],
)
def test_two_models_see_the_same_where_every_object_has_a_partner(other, same):
    one = np.array([(0, 0.9, 0.1, 0.1, 0.5, 0.5)], np.float32)
    two = np.array(other, np.float32).reshape(-1, 6)
    assert boxes.same_objects([one], [two]).tolist() == [same]
    assert boxes.same_objects([two], [one]).tolist() == [same]


@pytest.mark.parametrize(
    ("size", "grid"), [((96, 96), (24, 24)), ((160, 75), (40, 19)), ((320, 240), (40, 30)), ((480, 640), (30, 40))]
)
def test_larger_images_have_larger_cells(size, grid):
    assert boxes.grid_of(*size) == grid


def test_cards_and_boxes_agree_on_the_numbers_of_a_cell():
    assert cards.BOX_NUMBERS == boxes.BOX
