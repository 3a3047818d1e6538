from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import export
from export.child import Child
from export.metadata import read_metadata, write_metadata
from export.operators import count_operators
from tests.zoo.tflite_files import dense_file
from zoo import runner, runs
from zoo.errors import ModelError
from zoo.preprocessing import standardise

QUANTIZATION = {"input": (1.0, -128), "weights": (0.01, 0), "output": (1 / 256, -128)}
WORDS = ["wing", "ring", "slope", "négative", "dark, blue"]


def contract(kind: str = "table", labels: list[str] | None = None, task: str = "multiclass", **more: Any) -> Any:
    shape, dtype = more.pop("shape", [6]), more.pop("dtype", "float32")
    columns, steps = more.pop("columns", []), more.pop("steps", [])
    head = {"kind": kind, "shape": shape, "dtype": dtype, "columns": columns}
    return {"input": head, "steps": steps, "output": {"task": task, "labels": labels or [], **more}}


def dense(folder: Path, outputs: int = 5, columns: int = 6, **more: Any) -> Path:
    weights = np.random.default_rng(1).normal(size=(outputs, columns))
    return dense_file(folder / "plain model.tflite", weights, **more)


def with_axes(path: Path, *shape: int) -> Path:
    """The file with this shape written beside its input; it is read, never run."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    model.subgraphs[0].tensors[0].shape = list(shape)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def with_metadata(path: Path, content: Any) -> Path:
    out = path.with_name("with metadata.tflite")
    out.write_bytes(write_metadata(path.read_bytes(), content, name="wand-lstm"))
    return out


def test_a_file_says_how_its_columns_are_scaled_and_what_its_answers_are_called(tmp_path: Path) -> None:
    raw = np.random.default_rng(2).normal(50, 20, (9, 6))
    step = {"step": "standardise", "scale": [0.5, 2, 3, 4, 5, 6], "offset": [0, -1, 2, 3, 4, 5], "clip": 4.0}
    axes = ["ax", "ay", "az", "gx", "gy", "gz"]
    path = with_metadata(dense(tmp_path), contract("series", WORDS, columns=axes, steps=[step]))
    found = read_metadata(path)
    assert (found["name"], found["min_parser_version"]) == ("wand-lstm", "1.0.0")
    (entry,), (answer,) = found["inputs"], found["outputs"]
    assert (entry["tensor"], entry["name"], entry["labels"]) == ("x", "x", axes)
    assert entry["description"] == "Prepared by: standardise (to 4)."
    scaled = (raw - entry["normalization"]["mean"]) / entry["normalization"]["std"]
    np.testing.assert_allclose(np.clip(scaled, -4, 4), standardise(raw, step), rtol=1e-4, atol=1e-5)
    assert (answer["name"], answer["labels"]) == ("y", WORDS)


def test_the_model_itself_is_as_before(tmp_path: Path) -> None:
    plain = dense(tmp_path, quantization=QUANTIZATION)
    path = with_metadata(plain, contract(labels=WORDS))
    runner.check_file(path)
    assert count_operators(path) == count_operators(plain)
    samples = np.random.default_rng(3).integers(0, 256, (20, 6)).astype(np.float32)
    answers = [runner.TFLiteModel(file).predict(samples) for file in (plain, path)]
    assert np.ptp(answers[0]) > 0
    np.testing.assert_array_equal(*answers)


def test_bytes_are_the_same_every_time_few_and_free_of_dates(tmp_path: Path) -> None:
    plain = dense(tmp_path).read_bytes()
    step = {"step": "standardise", "scale": [2.0] * 6, "offset": [1.0] * 6}
    content = contract("series", WORDS, columns=["ax", "ay", "az", "gx", "gy", "gz"], steps=[step])
    content["state"] = "reset per sequence"
    first, second = (write_metadata(plain, content, name="wand-lstm") for _ in range(2))
    assert first == second
    assert len(first) - len(plain) < 1200
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["columns.txt", "labels.txt"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("labels.txt").decode() == "".join(f"{word}\n" for word in WORDS)


@pytest.mark.parametrize(
    ("content", "normalization", "description"),
    [
        (contract("image", dtype="uint8"), {"mean": [0.0], "std": [1.0]}, ""),
        (contract("image", steps=[{"step": "image"}]), {"mean": [0.0], "std": [1.0]}, ""),
        (contract("image"), None, ""),
        (
            contract(
                "image", steps=[{"step": "image"}, {"step": "standardise", "scale": [0.25] * 3, "offset": [-1] * 3}]
            ),
            {"mean": [4.0] * 3, "std": [4.0] * 3},
            "Prepared by: image, standardise.",
        ),
    ],
)
def test_an_image_says_its_colours_and_what_is_done_to_pixels(
    tmp_path: Path, content: Any, normalization: Any, description: str
) -> None:
    path = with_axes(dense(tmp_path, columns=3), 1, 1, 1, 3)
    (entry,) = read_metadata(with_metadata(path, content))["inputs"]
    assert (entry["content"], entry["color_space"]) == ("image", "rgb")
    assert (entry["normalization"], entry["description"]) == (normalization, description)
    assert entry["range"] == (
        {"min": [0.0], "max": [255.0]} if normalization == {"mean": [0.0], "std": [1.0]} else None
    )


def test_an_integer_input_of_0_to_255_is_known_by_itself(tmp_path: Path) -> None:
    path = with_axes(dense(tmp_path, columns=1, quantization=QUANTIZATION), 1, 1, 1, 1)
    (entry,) = read_metadata(with_metadata(path, contract("image")))["inputs"]
    assert (entry["color_space"], entry["normalization"]) == ("grayscale", {"mean": [0.0], "std": [1.0]})


@pytest.mark.parametrize("shape", [(1, 28), (1, 28, 28), (1, 28, 1)])
def test_rows_of_an_image_are_no_image_to_readers_and_keep_their_range(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = with_axes(dense(tmp_path, columns=28), *shape)
    content = {**contract("image", steps=[{"step": "image"}]), "stream": {"steps": 28, "states": []}}
    (entry,) = read_metadata(with_metadata(path, content))["inputs"]
    assert (entry["name"], entry["content"], entry["color_space"]) == ("x", "features", "")
    assert entry["range"] == {"min": [0.0], "max": [255.0]}
    assert entry["normalization"] == {"mean": [0.0], "std": [1.0]}


@pytest.mark.parametrize(
    ("output", "size", "labels", "description"),
    [
        ({"task": "binary", "labels": ["no", "yes"]}, 1, ["yes"], "Probability of yes, otherwise no."),
        ({"task": "multilabel", "labels": ["a", "b"]}, 2, ["a", "b"], ""),
        ({"task": "multiclass", "labels": []}, 3, None, "Probability of each label."),
        ({"task": "multiclass", "labels": ["a\nb", "c"]}, 2, ["a b", "c"], ""),
        ({"task": "multiclass", "labels": ["a", "b"]}, 3, None, "Probability of each label."),
        ({"task": "regression", "labels": ["price"]}, 1, ["price"], "Value in target units."),
        (
            {"task": "regression", "labels": ["price"], "scale": [0.02], "offset": [-3.0]},
            1,
            ["price"],
            "Standardised: price = y * 50 + 150.",
        ),
        (
            {"task": "regression", "labels": [], "scale": [0.5], "offset": [1.0], "transform": "log1p"},
            1,
            None,
            "Standardised: value 1 = exp(y * 2 + -2) - 1.",
        ),
        (
            {"task": "regression", "labels": [], "scale": [1.0] * 5, "offset": [0.0] * 5},
            5,
            None,
            "Standardised: (y - offset) / scale of bundle.json is the value in target units.",
        ),
    ],
)
def test_an_output_says_what_it_means(
    tmp_path: Path, output: Any, size: int, labels: list[str] | None, description: str
) -> None:
    content = {**contract(), "output": output}
    (answer,) = read_metadata(with_metadata(dense(tmp_path, outputs=size), content))["outputs"]
    assert (answer["labels"], answer["description"]) == (labels, description)


def test_several_inputs_and_outputs_have_their_names_and_files(tmp_path: Path) -> None:
    answers = {"y": {"task": "multilabel", "labels": ["a", "b"]}}
    for outputs in (answers, [{"name": name, **answer} for name, answer in answers.items()]):
        path = with_metadata(dense(tmp_path, outputs=2, inputs=3), {"steps": [], "outputs": outputs})
        found = read_metadata(path)
        assert [entry["name"] for entry in found["inputs"]] == ["x", "x1", "x2"]
        assert found["outputs"][0]["labels"] == ["a", "b"]
        assert zipfile.ZipFile(path).namelist() == ["y_labels.txt"]


def test_states_of_a_step_file_are_told_from_samples(tmp_path: Path) -> None:
    states = [{"input": "x1", "output": "y1"}]
    content = {**contract(labels=["a", "b"]), "stream": {"steps": 64, "states": states}}
    found = read_metadata(with_metadata(dense(tmp_path, outputs=2, inputs=2), content))
    assert found["description"] == "One time step a call. States start from 0, again after 64 steps."
    assert [entry["description"].partition(":")[0] for entry in found["inputs"]] == ["", "State"]


def test_encoded_columns_are_named_by_feature(tmp_path: Path) -> None:
    columns = [
        {"name": "size", "type": "number", "indicator": True, "fill": 0.0},
        {"name": "colour", "type": "category", "values": ["red", "dark, blue"], "indicator": False},
    ]
    content = contract(columns=["size", "colour"], steps=[{"step": "encode", "columns": columns}])
    (entry,) = read_metadata(with_metadata(dense(tmp_path, columns=4), content))["inputs"]
    assert entry["labels"] == ["size", "size missing", "colour=red", "colour=dark, blue"]
    assert entry["normalization"] is None


def test_a_file_without_metadata_says_nothing_and_one_with_them_is_not_written_again(tmp_path: Path) -> None:
    plain = dense(tmp_path)
    assert read_metadata(plain) == {}
    path = with_metadata(plain, contract())
    with pytest.raises(ModelError, match="metadata already"):
        write_metadata(path.read_bytes(), contract(), name="twice")


def outcome(call: Callable[..., Any], *arguments: Any) -> str:
    """Whether a call works or refuses in a line; anything else it raises fails the test."""
    try:
        call(*arguments)
    except ModelError as error:
        return "a line" if "\n" not in str(error) else "lines"
    return "done"


def test_damage_is_a_line_not_a_traceback(tmp_path: Path) -> None:
    plain = dense(tmp_path).read_bytes()
    write = partial(write_metadata, contract=contract(), name="cut")
    cuts = {kept: outcome(write, plain[:kept]) for kept in range(len(plain))}
    assert set(cuts.values()) == {"a line", "done"}
    assert {cuts[kept] for kept in range(100)} == {"a line"}
    whole = write_metadata(plain, contract(labels=WORDS, columns=list("abcdef")), name="flipped")
    path = tmp_path / "flipped.tflite"
    flips = []
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        flips.append(outcome(read_metadata, path))
    assert set(flips) == {"a line", "done"}


def test_an_exported_classifier_of_pixels_has_them_inside(keras: Any, child: Child, tmp_path: Path) -> None:
    """A model in memory says nothing of its pixels; samples of bytes do."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    pixels = np.random.default_rng(9).integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
    targets = model.predict(pixels, verbose=0).argmax(axis=1)
    bundle = export.to_tflite(model, evaluate=(pixels, targets), out=tmp_path / "a bundle", child=child)
    found = read_metadata(bundle.model)
    assert found["inputs"][0]["normalization"] == {"mean": [0.0], "std": [1.0]}
    assert bundle.bytes == bundle.model.stat().st_size
    assert (bundle.path / "labels.txt").read_text() == ""
    scaled = (pixels / 255).astype(np.float32)
    bundle = export.to_tflite(model, evaluate=(scaled, targets), out=tmp_path / "scaled", child=child, max_drop=100)
    assert read_metadata(bundle.model)["inputs"][0]["normalization"] is None, "nobody said how they were scaled"


@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_a_bundle_of_a_run_says_its_labels_in_the_file_too(
    image_run: runs.Run, child: Child, tmp_path: Path, mode: str
) -> None:
    bundle = export.export_model(image_run, quantize=mode, out=tmp_path / "a bundle", child=child)
    found = read_metadata(bundle.model)
    assert found["name"] == "quarters-cnn"
    assert found["outputs"][0]["labels"] == (bundle.path / "labels.txt").read_text().split()
    assert found["inputs"][0]["range"] == {"min": [0.0], "max": [255.0]}
