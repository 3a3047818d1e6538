"""A detector from a table of boxes to the objects that its bundle finds, the same on every way there."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import export
import zoo
from export.child import Child
from zoo import boxes, runs
from zoo.data.options import data_config
from zoo.data.own import read_path
from zoo.errors import DataError
from zoo.inference import Inputs, Job, Predictor, evaluate, write_csv

pytestmark = pytest.mark.slow

WIDTH, HEIGHT, COUNT = 96, 72, 240
HEADER = ["image", "label", "x_min", "y_min", "x_max", "y_max"]


def compose(folder: Path) -> Path:
    """Noise with bright and dark rectangles, every tenth image without any, and a table of their boxes."""
    generator = np.random.default_rng(5)
    folder.mkdir(parents=True)
    rows: list[list[object]] = []
    for at in range(COUNT):
        pixels = generator.normal(120, 8, (HEIGHT, WIDTH))
        name = f"{at:03d}.png"
        for place in range(generator.integers(1, 3) if at % 10 else 0):
            width, height = (int(size) for size in generator.integers(16, 28, 2))
            left, top = int(generator.integers(0, 44 - width) + 48 * place), int(generator.integers(0, HEIGHT - height))
            bright = bool(generator.random() < 0.5)
            pixels[top : top + height, left : left + width] += 90 if bright else -90
            rows.append([name, "bright" if bright else "dark", left, top, left + width, top + height])
        if not at % 10:
            rows.append([name, "", "", "", "", ""])
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name)
    path = folder / "my boxes.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compose(tmp_path_factory.mktemp("detection") / "my images")


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    patch = pytest.MonkeyPatch()
    patch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))
    knobs = {"filters": 6, "depth": 1, "image_size": 48, "epochs": 30, "batch_size": 16, "learning_rate": 0.01}
    made = zoo.train("detector", data=str(table), out=tmp_path_factory.mktemp("runs"), schedule="onecycle", **knobs)
    patch.undo()
    return made


@pytest.fixture(scope="module")
def bundle(run: runs.Run, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    return export.export_model(run, quantize="int8", out=tmp_path_factory.mktemp("out") / "my int8", child=child)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_detector_learns_from_a_table_and_says_how_well(run: runs.Run) -> None:
    assert run.metrics["test"]["map50"] > 0.8
    assert run.metrics["test"]["recall"] > 0.7
    assert run.manifest.baselines["mean"]["map50"] < 0.1
    assert run.manifest.data["class_counts"]["train"]["bright"] > 50
    page = (run.path / "report.html").read_text()
    assert "mAP@0.5" in page
    assert (run.path / "plots/objects.png").is_file()


@pytest.mark.parametrize("mode", ["float32", "float16", "dynamic", "int16x8"])
def test_every_mode_finds_what_keras_finds(run: runs.Run, child: Child, tmp_path: Path, mode: str) -> None:
    made = export.export_model(run, quantize=mode, out=tmp_path / mode, child=child)
    assert made.parity["agreement"] >= 0.98
    assert made.parity["metric"] == "map50"
    assert export.verify(made.path).ok


def test_the_bundle_says_how_its_map_is_read(bundle: export.Bundle) -> None:
    assert bundle.parity["metric_after"] > 0.75
    assert bundle.manifest["task"] == "detection"
    assert bundle.manifest["output"]["shape"] == [12, 12, 6]
    assert bundle.manifest["output"]["score_threshold"] == boxes.THRESHOLD
    assert "boxes.py" in bundle.manifest["output"]["meaning"]
    assert bundle.manifest["output"]["dtype"] == "int8"


def test_run_bundle_and_its_program_tell_objects_in_pixels_of_the_image(
    table: Path, run: runs.Run, bundle: export.Bundle, tmp_path: Path
) -> None:
    images = [table.parent / f"{at:03d}.png" for at in range(COUNT)]
    found = {}
    for name, artifact in (("run", run.path), ("bundle", bundle.path)):
        predictor = Predictor.open(artifact)
        out = tmp_path / f"{name}.csv"
        assert write_csv(Job(predictor, Inputs(images, predictor.contract)), out).answered == COUNT
        found[name] = rows_of(out)
    program = [
        sys.executable,
        str(bundle.path / "predict.py"),
        *map(str, images[:40]),
        "--out",
        str(tmp_path / "p.csv"),
    ]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    told = rows_of(tmp_path / "p.csv")
    assert told == found["bundle"][: len(told)]
    assert len({row["input"] for row in told}) == 40
    empty = [row for row in told if row["input"] == str(images[0])]
    assert [row["label"] for row in empty] == [""]
    for rows in found.values():
        assert share_found(rows_of(table), rows, table.parent) > 0.75


def share_found(wanted: list[dict[str, str]], rows: list[dict[str, str]], folder: Path) -> float:
    """Boxes of a table that some row has with their label and place, in pixels."""
    hits = []
    for one in wanted:
        if not one["label"]:
            continue
        same = [row for row in rows if row["input"] == str(folder / one["image"]) and row["label"] == one["label"]]
        edges = [np.array([[float(row[key]) for key in HEADER[2:]]]) for row in (one, *same)]
        hits.append(any(boxes.overlaps(edges[0], other)[0, 0] > 0.5 for other in edges[1:]))
    return float(np.mean(hits))


def test_json_lists_the_objects_of_each_image(table: Path, bundle: export.Bundle) -> None:
    images = [str(table.parent / f"{at:03d}.png") for at in (0, 1)]
    program = [sys.executable, str(bundle.path / "predict.py"), *images, "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd="/")
    nothing, something = json.loads(done.stdout)["predictions"]
    assert nothing == {"input": images[0], "objects": []}
    assert list(something["objects"][0]) == ["label", "score", "x_min", "y_min", "x_max", "y_max"]
    assert WIDTH >= something["objects"][0]["x_max"] > 0
    predictor = Predictor.open(bundle.path)
    batches = list(Job(predictor, Inputs(images, predictor.contract)))
    values = [value for batch in batches for value in Job(predictor, Inputs(images, predictor.contract)).values(batch)]
    assert values == [nothing, something]


def test_a_damaged_image_has_no_objects_and_is_told(table: Path, bundle: export.Bundle, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    predictor = Predictor.open(bundle.path)
    job = Job(predictor, Inputs([bad, table.parent / "001.png"], predictor.contract), on_bad_row="null")
    first, *others = [row for batch in job for row in job.rows(batch)]
    assert first == (str(bad), "", "", "", "", "", "")
    assert all(row[1] in ("bright", "dark") for row in others)
    (value, _) = [value for batch in job for value in job.values(batch)]
    assert value == {"input": str(bad), "objects": None}


def test_what_was_predicted_can_be_trained_on(table: Path, run: runs.Run, tmp_path: Path) -> None:
    predictor = Predictor.open(run.path)
    out = tmp_path / "found.csv"
    write_csv(Job(predictor, Inputs([table.parent], predictor.contract)), table.parent / "found.csv")
    (table.parent / "found.csv").rename(out)
    for image in table.parent.glob("*.png"):
        (tmp_path / image.name).symlink_to(image)
    reading = read_path(out, data_config())
    assert (reading.form, reading.task) == ("boxes", "detection")
    assert not [finding for finding in reading.findings if finding.severity == "error"]


def test_run_and_bundle_are_measured_on_the_test_split_and_on_a_table(
    table: Path, run: runs.Run, bundle: export.Bundle, tmp_path: Path
) -> None:
    own = evaluate(run.path)
    assert own.metrics["map50"] == pytest.approx(run.metrics["test"]["map50"], abs=0.01)
    assert evaluate(bundle.path, data=str(table)).metrics["map50"] > 0.75
    other = tmp_path / "other.csv"
    other.write_text(",".join(HEADER) + f"\n{table.parent / '001.png'},cat,1,1,9,9\n")
    with pytest.raises(DataError, match="label 'cat' is unknown; expected one of bright, dark"):
        evaluate(bundle.path, data=str(other))
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").symlink_to(table.parent / "001.png")
    with pytest.raises(DataError, match="is read as images; the model finds objects"):
        evaluate(bundle.path, data=str(tmp_path / "a"))
