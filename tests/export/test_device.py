"""The program in the bundle, run as its own process."""

from __future__ import annotations

import ast
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from export.bundle import PROGRAM
from export.child import Child
from tests.export.conftest import MakeRun
from zoo import device, runs
from zoo.inference import Inputs, Job, Predictor, write_csv


@pytest.fixture(scope="module")
def regression(table_run: MakeRun, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    return export.export_model(table_run("regression"), out=tmp_path_factory.mktemp("a b") / "price", child=child)


@pytest.fixture(scope="module")
def binary(table_run: MakeRun, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    return export.export_model(table_run("binary"), out=tmp_path_factory.mktemp("binary") / "yes no", child=child)


@pytest.fixture(scope="module")
def images(image_run: runs.Run, child: Child, tmp_path_factory: pytest.TempPathFactory) -> export.Bundle:
    out = tmp_path_factory.mktemp("images") / "int8"
    return export.export_model(image_run, quantize="int8", out=out, child=child)


def run(bundle: export.Bundle, *arguments: object, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(bundle.path / "predict.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def write_rows(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_rows_are_matched_by_column_name_and_answers_are_in_target_units(
    regression: export.Bundle, tmp_path: Path
) -> None:
    golden = runs.read_npz(regression.path / "golden.npz")
    rows = golden["samples"][:4]
    output = regression.manifest["output"]
    expected = (golden["keras"][:4, 0] - output["offset"][0]) / output["scale"][0]
    straight = write_rows(tmp_path / "rows.csv", ["c0", "c1", "c2", "c3"], rows.tolist())
    shuffled = write_rows(
        tmp_path / "shuffled.csv",
        ["id", "c3", "price", "c0", "c2", "c1"],
        [[7, r[3], 9, r[0], r[2], r[1]] for r in rows],
    )
    for path in (straight, shuffled):
        done = run(regression, path, "--json")
        values = [entry["values"]["price"] for entry in json.loads(done.stdout)["predictions"]]
        np.testing.assert_allclose(values, expected, rtol=1e-4)
    assert done.stderr == f"{shuffled}: columns not used: id\n", "the target may stand there"
    done = run(regression, straight, "--out", tmp_path / "answers.csv")
    assert done.returncode == 0
    with (tmp_path / "answers.csv").open() as file:
        table = list(csv.reader(file))
    assert table[0] == ["input", "price"]
    np.testing.assert_allclose([float(row[1]) for row in table[1:]], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("c0,c1,c3\n1,2,3\n", "lacks column 'c2'; it has 'c0', 'c1', 'c3'"),
        ("c0,c1,c2,c3\n1,2,3,4\n1,,3,4\n", "line 3, column 'c1': the value is missing"),
        ("c0,c1,c2,c3\n1,2,3\n", "line 2: 3 cells, the header has 4"),
        ("c0,c1,c2,c3\n1,2,inf,4\n", "line 2, column 'c2': 'inf' is no finite number"),
        ("c0,c1,c2,c3\n", "a header and no rows"),
        ("", "is empty"),
        ("1,2,3,4\n", "its first line holds numbers, add a header"),
    ],
)
def test_unusable_rows_name_the_place_and_exit_3(
    regression: export.Bundle, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    done = run(regression, path, "--json")
    assert done.returncode == 3
    answer = json.loads(done.stdout)
    assert words in answer["error"]
    assert answer["exit_code"] == 3
    assert done.stderr.startswith("predict.py: ")
    assert done.stderr.count("\n") == 1


MIXED_ROWS = """sick,sold,id,size,colour
yes,1970-03-01,1,40,red
no,1971-01-01T12:00,2,,"dark, blue"
,1970-08-09,3,?,pink
no,,4,1e2,
"""


@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_a_mixed_table_is_answered_alike_by_run_bundle_and_program(
    mixed_run: runs.Run, child: Child, tmp_path: Path, mode: str
) -> None:
    bundle = export.export_model(mixed_run, quantize=mode, max_drop=50, out=tmp_path / "a bundle", child=child)
    path = tmp_path / "new rows.csv"
    path.write_text(MIXED_ROWS, encoding="utf-8")
    written = {}
    for name, artifact in (("run", mixed_run.path), ("bundle", bundle.path)):
        predictor = Predictor.open(artifact)
        job = Job(predictor, Inputs([path], predictor.contract))
        summary = write_csv(job, tmp_path / f"{name}.csv")
        assert (summary.unseen, summary.imputed) == ({"colour": 1}, {"size": 2, "colour": 1, "sold": 1})
        assert summary.extra == ("id",)
        written[name] = (tmp_path / f"{name}.csv").read_bytes()
    done = run(bundle, path, "--out", tmp_path / "program.csv")
    assert (done.returncode, done.stderr) == (0, f"{path}: columns not used: id\n")
    assert (tmp_path / "program.csv").read_bytes() == written["bundle"]
    scores = [[float(line.split(b",")[-1]) for line in text.splitlines()[1:]] for text in written.values()]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5 if mode == "float32" else 0.05)


def test_binary_answers_give_the_probability_of_the_label_named(binary: export.Bundle, tmp_path: Path) -> None:
    golden = runs.read_npz(binary.path / "golden.npz")
    np.save(tmp_path / "rows.npy", golden["samples"])
    answers = json.loads(run(binary, tmp_path / "rows.npy", "--json").stdout)["predictions"]
    for answer, probability in zip(answers, golden["keras"][:, 0], strict=True):
        assert answer["label"] == ("yes" if probability >= 0.5 else "no")
        assert answer["probability"] == pytest.approx(max(probability, 1 - probability), abs=1e-5)
        assert answer["probabilities"]["yes"] == pytest.approx(probability, abs=1e-5)
    np.save(tmp_path / "one.npy", golden["samples"][0])
    (single,) = json.loads(run(binary, tmp_path / "one.npy", "--json").stdout)["predictions"]
    assert single["label"] == answers[0]["label"]


def test_image_files_arrays_and_text_agree(images: export.Bundle, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    golden = runs.read_npz(images.path / "golden.npz")
    pixels = golden["samples"][:3]
    for index, sample in enumerate(pixels):
        image.fromarray(sample).save(tmp_path / f"{index}.png")
    np.save(tmp_path / "all.npy", pixels)
    np.save(tmp_path / "one.npy", pixels[0])
    files = json.loads(run(images, *sorted(tmp_path.glob("*.png")), "--json").stdout)["predictions"]
    arrays = json.loads(run(images, tmp_path / "all.npy", "--json").stdout)["predictions"]
    labels = [images.manifest["output"]["labels"][index] for index in golden["outputs"][:3].argmax(axis=1)]
    assert [entry["label"] for entry in files] == [entry["label"] for entry in arrays] == labels
    assert [entry["probability"] for entry in files] == [entry["probability"] for entry in arrays]
    text = run(images, "one.npy", "--top", 2, cwd=tmp_path).stdout.splitlines()
    assert text[0].split("\t") == ["input", "label", "probability", "label_2", "probability_2"]
    assert text[1].split("\t")[:2] == ["one.npy", labels[0]]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.png", None, "none.png"),
        ("broken.png", b"\x89PNG broken", "is not an image that Pillow knows"),
        ("broken.npy", b"", "is not a readable .npy array"),
        ("notes.txt", b"hello", "of no known kind"),
        ("rows.csv", b"a,b\n1,2\n", "is a table; the model takes image samples of shape (8, 8, 1)"),
    ],
)
def test_unusable_files_exit_3(
    images: export.Bundle, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run(images, tmp_path / name)
    assert done.returncode == 3
    assert words in done.stderr


BAD_ROWS = "c3,c0,c1,c2\n-20,0.5,480,1\n-20,1,wide,1\n-21,0.1,510,0.99\n-21,0.1\n"


def test_bad_rows_are_left_out_or_kept_without_an_answer(regression: export.Bundle, tmp_path: Path) -> None:
    path, out = tmp_path / "new rows.csv", tmp_path / "answers.csv"
    path.write_text(BAD_ROWS)
    refused = run(regression, path, "--out", out)
    assert refused.returncode == 3
    assert "line 3, column 'c1': 'wide' is no finite number (and 1 more near it)" in refused.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    skipped = json.loads(run(regression, path, "--on-bad-row", "skip", "--json").stdout)["predictions"]
    assert [entry["input"] for entry in skipped] == [f"{path}:1", f"{path}:3"]
    done = run(regression, path, "--on-bad-row", "null", "--out", out, "--json")
    assert {**json.loads(done.stdout), "out": None} == {"out": None, "answered": 2, "skipped": 0, "null": 2}
    with out.open() as file:
        cells = [row["price"] for row in csv.DictReader(file)]
    assert [cell != "" for cell in cells] == [True, False, True, False]
    assert float(cells[2]) == pytest.approx(skipped[1]["values"]["price"], rel=1e-6)
    nulls = json.loads(run(regression, path, "--on-bad-row", "null", "--json").stdout)["predictions"]
    assert nulls[1] == {"input": f"{path}:2", "values": None}


def test_a_reader_that_has_seen_enough_ends_the_program_quietly(regression: export.Bundle, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv", ["c0", "c1", "c2", "c3"], [[0.1] * 4] * 20_000)
    command = [sys.executable, str(regression.path / "predict.py"), str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


def test_a_number_too_large_for_the_model_is_a_bad_row(regression: export.Bundle, tmp_path: Path) -> None:
    header, rows = ["c0", "c1", "c2", "c3"], [[0.1] * 4, [1e300] * 4, [0.2] * 4]
    path = write_rows(tmp_path / "rows.csv", header, rows)
    refused = run(regression, path)
    assert refused.returncode == 3
    assert len(refused.stderr.splitlines()) == 1
    assert "line 3, column 'c0': 1e+300 is too large for the model" in refused.stderr
    kept = run(regression, path, "--on-bad-row", "null", "--out", tmp_path / "out.csv")
    assert kept.returncode == 0, kept.stderr
    assert "Warning" not in kept.stderr
    answered = [line.partition(",")[2] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    assert [bool(answer) for answer in answered] == [True, False, True]


def test_self_test_passes_leaves_nothing_behind_and_sees_any_change(images: export.Bundle, tmp_path: Path) -> None:
    copied = shutil.copytree(images.path, tmp_path / "moved bundle")
    bundle = export.Bundle(copied)
    before = sorted(path.name for path in copied.iterdir())
    done = run(bundle, "--self-test", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["runtime"], answer["max_error"], answer["samples"]) == (True, "litert", 0.0, 32)
    assert sorted(path.name for path in copied.iterdir()) == before
    for name in before:
        content = (copied / name).read_bytes()
        flipped = bytearray(content)
        flipped[len(flipped) // 2] ^= 16
        if name.endswith(".py"):  # a changed program may not run at all: the toolkit's own check sees it
            (copied / name).write_bytes(bytes(flipped))
            assert not export.verify(copied).ok
        else:
            (copied / name).write_bytes(bytes(flipped))
            done = run(bundle, "--self-test", "--json")
            assert done.returncode == 7, name
            assert json.loads(done.stdout)["ok"] is False
            found = export.verify(copied)
            assert not found.ok
            assert str(copied) in found.problem
        (copied / name).write_bytes(content)
    assert export.verify(copied).ok


def test_answers_that_differ_fail_the_self_test(images: export.Bundle, tmp_path: Path) -> None:
    copied = shutil.copytree(images.path, tmp_path / "bundle")
    golden = runs.read_npz(copied / "golden.npz")
    shifted = {name: golden[name] + 0.1 for name in ("outputs", "builtin", "keras")}
    runs.write_npz(copied / "golden.npz", **{**golden, **shifted})
    files = sorted(path for path in copied.iterdir() if path.name != "SHA256SUMS")
    (copied / "SHA256SUMS").write_text("".join(f"{runs.sha256(path)}  {path.name}\n" for path in files))
    found = export.verify(copied)
    assert not found.ok
    assert found.max_error == pytest.approx(0.1, abs=1e-6)
    assert "error 0.1, allowed 0.0312" in found.problem


def test_bench_prints_two_percentiles(binary: export.Bundle) -> None:
    figures = json.loads(run(binary, "--bench", "--json").stdout)
    assert 0 < figures["p50_us"] <= figures["p99_us"]


def test_nothing_to_do_is_a_usage_error(binary: export.Bundle) -> None:
    done = run(binary)
    assert done.returncode == 2
    assert "give .npy, .csv or image files" in done.stderr


@pytest.mark.parametrize("module", [device, *PROGRAM], ids=lambda module: module.__name__)
def test_bundled_files_are_valid_python_3_9(module: Any) -> None:
    source = Path(module.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    allowed = set(sys.stdlib_module_names) | {"numpy", "PIL", *(module.__name__.split(".")[-1] for module in PROGRAM)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert str(node.module).split(".")[0] in allowed
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("zip", "dataclass"):
            assert not {word.arg for word in node.keywords} & {"strict", "kw_only", "slots"}, "newer than Python 3.9"
