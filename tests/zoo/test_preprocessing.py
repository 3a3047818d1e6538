from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo import preprocessing

IMAGE = {"step": "image", "height": 4, "width": 4, "channels": 1}


def test_standardised_columns_have_mean_0_and_deviation_1() -> None:
    rows = np.random.default_rng(0).normal([5.0, -300.0, 1e-4], [0.1, 80.0, 1e-6], (500, 3))
    result = preprocessing.apply([preprocessing.fit_standardise(rows)], rows)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=0), 1, atol=1e-5)


def test_large_numbers_that_differ_by_little_stay_apart() -> None:
    rows = np.array([[1e9], [1e9 + 1], [1e9 + 2]])
    result = preprocessing.apply([preprocessing.fit_standardise(rows)], rows)
    np.testing.assert_allclose(result[:, 0], [-1.2247, 0, 1.2247], atol=1e-3)


def test_a_constant_column_becomes_0() -> None:
    rows = np.array([[7.0, 1.0], [7.0, 2.0]])
    assert preprocessing.apply([preprocessing.fit_standardise(rows)], rows)[:, 0].tolist() == [0.0, 0.0]


def test_the_step_survives_json() -> None:
    import json

    rows = np.random.default_rng(1).normal(size=(20, 2))
    step = preprocessing.fit_standardise(rows)
    again = json.loads(json.dumps(step))
    assert np.array_equal(preprocessing.apply([step], rows), preprocessing.apply([again], rows))


def test_regression_targets_come_back() -> None:
    targets = np.random.default_rng(2).normal(300, 40, (30, 2))
    step = preprocessing.fit_standardise(targets)
    back = preprocessing.invert_target(preprocessing.apply([step], targets), step)
    np.testing.assert_allclose(back, targets, rtol=1e-5)
    assert preprocessing.invert_target(targets, {"task": "regression"}) is targets


def test_images_of_the_right_size_are_handed_on_untouched() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 4, 4)).astype(np.uint8)
    result = preprocessing.apply([IMAGE], pixels)
    assert result.shape == (5, 4, 4, 1)
    assert result.dtype == np.uint8
    assert np.array_equal(result[..., 0], pixels)


@pytest.mark.parametrize("size", [(2, 2), (3, 7), (8, 8), (13, 5)])
def test_resizing_keeps_the_level_of_a_flat_image(size: tuple[int, int]) -> None:
    result = preprocessing.apply([IMAGE], np.full((2, *size), 201, np.uint8))
    assert result.shape == (2, 4, 4, 1)
    assert np.all(result == 201)


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((1, 8, 8), np.uint8)
    stripes[:, :, ::2] = 200  # every second column: skipping would give 0 or 200
    inner = preprocessing.apply([IMAGE], stripes)[0, :, 1:3, 0]
    assert np.all(np.abs(inner.astype(int) - 100) <= 5)


def test_resizing_agrees_with_pillow() -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(4).integers(0, 256, (11, 9)).astype(np.uint8)
    reference = np.asarray(image.fromarray(pixels).resize((4, 4), image.Resampling.BILINEAR), int)
    ours = preprocessing.apply([IMAGE], pixels[np.newaxis])[0, :, :, 0].astype(int)
    assert np.max(np.abs(ours - reference)) <= 1


@pytest.mark.parametrize(
    ("channels", "wanted", "expected"),
    [(3, 1, [76]), (4, 1, [76]), (1, 3, [255, 255, 255]), (2, 1, [255]), (4, 3, [255, 0, 0])],
)
def test_channels_are_made_what_the_model_wants(channels: int, wanted: int, expected: list[int]) -> None:
    pixels = np.zeros((1, 4, 4, channels), np.uint8)
    pixels[..., 0] = 255  # white in grey images, red in colour ones
    result = preprocessing.apply([{**IMAGE, "channels": wanted}], pixels)
    assert result[0, 0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.full((1, 4, 4), 0.5), "raw pixels of 0 to 255, not scaled"),
        (np.full((1, 4, 4), 256.0), "outside 0 to 255"),
        (np.full((1, 4, 4), -1.0), "outside 0 to 255"),
        (np.full((1, 4, 4), np.nan), "outside 0 to 255"),
        (np.zeros((1, 4, 4, 5), np.uint8), "5 channels; the model wants 1"),
        (np.zeros((4, 4), np.uint8), r"expected \(batch, height, width"),
    ],
)
def test_what_is_no_raw_image_is_refused(samples: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        preprocessing.apply([IMAGE], samples)


def test_wrong_columns_and_unknown_steps_are_refused() -> None:
    step = preprocessing.fit_standardise(np.eye(3))
    with pytest.raises(ValueError, match="4 columns, the model was trained on 3"):
        preprocessing.apply([step], np.zeros((2, 4)))
    with pytest.raises(ValueError, match="'spectrogram' is unknown; there are: encode, fill, image, log1p, log_mel"):
        preprocessing.apply([{"step": "spectrogram"}], np.zeros((2, 4)))


def test_the_file_runs_alone_with_numpy_only(tmp_path: Path) -> None:
    (tmp_path / "preprocessing.py").write_bytes(Path(preprocessing.__file__).read_bytes())
    program = "import sys, preprocessing; print(sorted({n.split('.')[0] for n in sys.modules} & {'zoo', 'tensorflow'}))"
    child = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


COLOURS = {"name": "colour", "type": "category", "values": ["blue", "green", "red"]}
AGE = {"name": "age", "type": "number"}
SOLD = {"name": "sold", "type": "date", "formats": ["iso"]}


def test_a_table_becomes_features_with_names() -> None:
    rows = np.array([[0, 20, 0.25], [2, np.nan, 31.25], [np.nan, 40, 400.25]])
    step = preprocessing.fit_encode([COLOURS, AGE, SOLD], rows)
    features = dict(zip(preprocessing.feature_names(step), preprocessing.encode(rows, step).T, strict=True))
    assert features["colour=blue"].tolist() == [1, 0, 0]
    assert features["colour=red"].tolist() == [0, 1, 0]
    assert features["colour missing"].tolist() == [0, 0, 1]
    assert features["age"].tolist() == [20, 30, 40]  # the median of what is known
    assert features["age missing"].tolist() == [0, 1, 0]
    assert features["sold days"].tolist() == [0.25, 31.25, 400.25]
    np.testing.assert_allclose(features["sold month_sin"], [0, 0.5, 0.5], atol=1e-12)  # January, February, February
    assert "sold hour_sin" not in features  # the same in every row
    assert "sold missing" not in features


def test_a_date_can_be_fed_without_its_elapsed_days() -> None:
    rows = np.arange(60.0)[:, np.newaxis]
    assert "days" in preprocessing.fit_encode([SOLD], rows)["columns"][0]["parts"]
    column = preprocessing.fit_encode([{**SOLD, "elapsed": False}], rows)["columns"][0]
    assert "days" not in column["parts"]
    assert "weekday_sin" in column["parts"]


def test_an_unseen_category_and_a_newly_missing_number_have_their_defaults() -> None:
    step = preprocessing.fit_encode([COLOURS, AGE], np.array([[0, 20], [1, 30], [2, 70.0]]))
    assert preprocessing.encode(np.array([[-1, np.nan]]), step).tolist() == [[0, 0, 0, 30]]


def test_rare_values_lose_their_feature_and_rows_are_recoded() -> None:
    many = {"name": "x", "type": "category", "values": [f"{at:03d}" for at in range(100)]}
    codes = np.concatenate([np.repeat(np.arange(80), 3), np.repeat(np.arange(80, 90), 5), [90], [np.nan]])
    step = preprocessing.fit_encode([many], codes[:, np.newaxis], adapt=True)
    values = step["columns"][0]["values"]
    assert len(values) == preprocessing.MAX_VALUES
    assert {f"{at:03d}" for at in range(80, 90)} <= set(values)
    assert "090" not in values
    recoded = preprocessing.recode(codes[:, np.newaxis], preprocessing.recoding([many], step))[:, 0]
    for before, after in zip(codes, recoded, strict=True):
        name = None if np.isnan(before) else many["values"][int(before)]
        assert np.isnan(after) if name is None else (values[int(after)] == name if name in values else after == -1)
    rows = np.array([[0.0], [1.0]])
    assert preprocessing.recode(rows, preprocessing.recoding([COLOURS], {"columns": [COLOURS]})) is rows


def test_long_tails_are_shortened_and_what_lies_beyond_says_no_more() -> None:
    generator = np.random.default_rng(0)
    rows = np.stack([np.exp(generator.normal(8, 2, 400)), generator.normal(0, 1, 400)], axis=1)
    rows[0, 1] = 1e6
    schema = [{"name": "income", "type": "number"}, {"name": "noise", "type": "number"}]
    encode = preprocessing.fit_encode(schema, rows, adapt=True)
    assert "log" in encode["columns"][0]
    assert "log" not in encode["columns"][1]
    features = preprocessing.encode(rows, encode)
    steps = [encode, preprocessing.fit_standardise(features, clip=True)]
    fed = preprocessing.apply(steps, rows)
    assert np.abs(fed).max() == preprocessing.CLIP
    assert np.isfinite(preprocessing.apply(steps, np.array([[-5.0, -1e9], [1e30, 0.0]]))).all()
    assert "log" not in preprocessing.fit_encode(schema, rows)["columns"][0]
    assert "clip" not in preprocessing.fit_standardise(rows)
