"""Images with masks trained on, measured, predicted and exported: one small run for all tests."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.zoo.data.shapes import folder, save, shapes
from zoo import runs
from zoo.cli import main
from zoo.errors import DataError, ModelError, UsageError
from zoo.inference import Predictor, evaluate

pytestmark = pytest.mark.slow
KNOBS = {"filters": 4, "depth": 2, "epochs": 12, "batch_size": 8, "learning_rate": 0.01, "tensorboard": False}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("my work")


@pytest.fixture(scope="module", autouse=True)
def home(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", str(place / "home"))
        yield


@pytest.fixture(scope="module")
def cells(place):
    return folder(place / "my cells", 12, values=(0, 100, 200), size=(44, 36))


@pytest.fixture(scope="module")
def run(place, cells):
    return zoo.train("unet", data=str(cells), out=place / "runs", tile=16, augment="flip+rotate", **KNOBS)


@pytest.fixture(scope="module")
def bundle(run):
    return zoo.export.to_tflite(run, quantize="int8")


def call(capsys, *words):
    """What a command says as JSON."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words), "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_training_learns_and_stands_beside_its_baselines(run):
    test = run.metrics["test"]
    assert test["accuracy"] > run.manifest.baselines["majority"]["accuracy"]
    assert test["mean_iou"] > run.manifest.baselines["majority"]["mean_iou"]
    assert test["pixel_error"] == pytest.approx(1 - test["accuracy"])
    assert set(run.manifest.baselines) == {"majority", "logistic"}
    page = (run.path / "report.html").read_text()
    assert 'aria-label="masks"' in page
    assert "mean IoU" in page


def test_figures_of_tiles_are_those_of_whole_images(run, cells):
    predictor = Predictor.open(run.path)
    data = zoo.data.load(str(cells), seed=0, tile=16)
    names = {data.test.samples[:1][0].tobytes()}
    right = pixels = 0
    for seed in range(12):
        image, mask = shapes(seed, size=(44, 36))
        tiles = [image[:16, :16].tobytes()]
        if not {tile.tobytes() for tile in data.test.samples[:]} & set(tiles):
            continue
        right += int((predictor.segment(image) == mask).sum())
        pixels += mask.size
    assert names
    assert pixels == 2 * 44 * 36
    assert right / pixels == pytest.approx(run.metrics["test"]["accuracy"], abs=1e-6)


def test_the_run_and_its_export_are_measured_alike(run, bundle, cells):
    measured = evaluate(run.path)
    assert measured.metrics["mean_iou"] == pytest.approx(run.metrics["test"]["mean_iou"], abs=1e-6)
    exported = evaluate(bundle.path)
    assert exported.metrics["accuracy"] == pytest.approx(measured.metrics["accuracy"], abs=0.02)


def test_a_bundle_alone_is_measured_on_every_image_of_a_folder(bundle, place, tmp_path):
    import shutil

    alone = shutil.copytree(bundle.path, tmp_path / "my bundle")
    for seed in range(3):
        image, mask = shapes(40 + seed, size=(30, 50))
        save(tmp_path / "new", seed, image, np.array([0, 100, 200], np.uint8)[mask])
    found = evaluate(alone, data=str(tmp_path / "new"))
    assert (found.split, found.samples) == ("all", 3)
    assert found.metrics["accuracy"] > 0.6
    save(tmp_path / "new", 9, *shapes(50))
    with pytest.raises(DataError, match=r"masks/9.png has the value 1, which the model does not know; it knows 0, 100"):
        evaluate(alone, data=str(tmp_path / "new"))


def test_masks_of_the_run_the_bundle_and_its_own_program_are_written_alike(run, bundle, tmp_path, capsys):
    image, _ = shapes(30, size=(50, 41))
    Image.fromarray(image).save(tmp_path / "new.png")
    assert call(capsys, "predict", run.path, tmp_path / "new.png", "--masks", tmp_path / "one")[0] == 0
    code, told = call(capsys, "predict", bundle.path, tmp_path / "new.png", "--masks", tmp_path / "two")
    assert code == 0
    command = [
        sys.executable,
        bundle.path / "predict.py",
        tmp_path / "new.png",
        "--masks",
        tmp_path / "three",
        "--json",
    ]
    alone = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout)
    masks = [np.asarray(Image.open(tmp_path / name / "new.png")) for name in ("one", "two", "three")]
    assert masks[0].shape == (50, 41)
    assert set(np.unique(masks[0])) <= {0, 100, 200}
    assert np.array_equal(masks[1], masks[2])
    assert (masks[0] == masks[1]).mean() > 0.95
    assert told["predictions"] == alone["predictions"]
    share = float((masks[1] == 100).mean())
    assert told["predictions"][0]["shares"]["100"] == pytest.approx(share, abs=1e-6)


def test_shares_of_many_images_are_a_table(run, cells, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    Image.fromarray(shapes(1)[0]).save(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "b.png").write_bytes(b"no picture")
    out = tmp_path / "shares.csv"
    code, told = call(capsys, "predict", run.path, tmp_path / "images", "--out", out, "--on-bad-row", "null")
    assert (code, told["answered"], told["null"]) == (0, 1, 1)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["input", "background", "100", "200"]
    assert sum(float(rows[0][name]) for name in ("background", "100", "200")) == pytest.approx(1, abs=1e-5)
    assert rows[1]["100"] == ""


def test_masks_of_a_bad_image_are_not_half_written(run, tmp_path, capsys):
    Image.fromarray(shapes(1)[0]).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    code, told = call(capsys, "predict", run.path, tmp_path / "a.png", tmp_path / "b.png", "--masks", tmp_path / "out")
    assert code == DataError.exit_code
    assert "b.png" in told["error"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("mode", ["float32", "float16", "dynamic", "int16x8"])
def test_every_mode_is_verified(run, mode):
    made = zoo.export.to_tflite(run, quantize=mode)
    assert made.parity["agreement"] > 0.95
    assert zoo.export.verify(made).ok


def test_an_int8_file_agrees_pixel_by_pixel(bundle):
    assert bundle.parity["agreement"] > 0.95
    assert bundle.parity["metric"] == "mean_iou"
    assert bundle.manifest["output"]["values"] == [0, 100, 200]
    assert bundle.manifest["input"]["tiles"] is True


def test_micro_controllers_are_refused_in_a_line():
    from export.micro.interface import check_contract

    contract = {"input": {"kind": "image"}, "steps": [], "output": {"task": "segmentation"}}
    with pytest.raises(ModelError, match="answers for every pixel, which has no C"):
        check_contract(contract, "it")


def test_masks_are_no_option_of_another_model(tmp_path, place, capsys):
    run = zoo.train("mlp", data="iris", out=place / "runs", epochs=1, tensorboard=False)
    code, told = call(capsys, "predict", run.path, tmp_path, "--masks", tmp_path / "out")
    assert code == UsageError.exit_code
    assert "answers a multiclass task, with no masks" in told["error"]


def test_kept_samples_are_few_and_small(run):
    kept = runs.read_npz(run.path / runs.SAMPLES / runs.CALIBRATION)
    assert kept["samples"].dtype == kept["targets"].dtype == np.uint8
    assert kept["samples"].shape[1:] == (16, 16, 3)
    assert len(kept["samples"]) <= 500


def test_training_from_disk_and_with_balanced_classes_goes_on(cells, place, monkeypatch):
    knobs = {**KNOBS, "epochs": 2, "stem_stride": 2, "class_weights": "balanced", "augment": "mixup+crop"}
    held = zoo.train("unet", data=str(cells), out=place / "runs", tile=16, **knobs)
    monkeypatch.setattr("zoo.data.dataset.IN_MEMORY_BYTES", 0)
    made = zoo.train("unet", data=str(cells), out=place / "runs", tile=16, **knobs)
    assert held.metrics == made.metrics
