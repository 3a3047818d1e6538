from pathlib import Path

import pytest

from zoo.deployment import Deployment, ExportWish, Requirement, read_deployment
from zoo.errors import UsageError

FILE = Path("wine.toml")


def test_a_file_without_the_tables_asks_for_nothing():
    assert read_deployment(FILE, {"builder": "mlp"}) == Deployment()


def test_formats_and_modes_become_bundles_in_their_order():
    table = {"formats": ["saved_model", "tflite", "tflite-int8"], "quantize": ["float16"], "max_drop": 2}
    found = read_deployment(FILE, {"export": table}).exports
    assert [wish.name for wish in found] == ["saved_model-float32", "tflite-float32", "tflite-int8", "tflite-float16"]
    assert found[2] == ExportWish(format="tflite", quantize="int8", max_drop=2)


def test_what_follows_a_mode_is_asked_of_the_export():
    table = {"formats": ["tflite-auto", "tflite-int8-micro", "tflite-int8-streaming-micro"]}
    found = read_deployment(FILE, {"export": table}).exports
    assert [(wish.quantize, wish.streaming, wish.micro) for wish in found] == [
        ("auto", False, False),
        ("int8", False, True),
        ("int8", True, True),
    ]
    assert [wish.name for wish in found] == table["formats"]


@pytest.mark.parametrize(
    ("given", "limit"), [(100, 100), ("100", 100), ("64k", 65_536), ("64 kB", 65_536), ("1.5m", 1_572_864)]
)
def test_sizes_are_bytes_and_k_is_1024(given, limit):
    (found,) = read_deployment(FILE, {"require": {"max_bytes": given}}).requirements
    assert found == Requirement(key="max_bytes", limit=limit)


@pytest.mark.parametrize(
    ("key", "limit", "met", "missed"),
    [("accuracy", 0.9, 0.9, 0.89), ("mae", 2.0, 2.0, 2.1), ("r2", -1.0, 0.0, -1.5), ("max_bytes", 10, 10, 11)],
)
def test_a_limit_is_passed_from_the_right_side_and_never_by_nan(key, limit, met, missed):
    requirement = Requirement(key=key, limit=limit)
    assert requirement.met(met)
    assert not requirement.met(missed)
    assert not requirement.met(float("nan"))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"export": 3}, r"wine.toml: 'export' is a value"),
        ({"export": {"formats": "tflite"}}, "no list of names"),
        ({"export": {"formats": [1]}}, "no list of names"),
        ({"export": {"formats": ["onnx"]}}, "format 'onnx' is unknown; there are: saved_model"),
        ({"export": {"formats": ["tflite-int8-float16"]}}, "format 'tflite-int8-float16' is unknown; a mode may be"),
        ({"export": {"formats": ["tflite-micro-int8"]}}, 'such as "tflite-int8-micro"'),
        ({"export": {"formats": ["tflite"], "max_drop": True}}, "max_drop = True"),
        ({"export": {"formats": ["tflite"], "max_drop": -1}}, "max_drop = -1"),
        ({"require": {"accuracy": "high"}}, "such as accuracy = 0.95"),
        ({"require": {"accuracy": True}}, "such as accuracy = 0.95"),
        ({"require": {"max_byte": 3}}, "did you mean max_bytes"),
        ({"require": {"max_bytes": "-3"}}, 'such as max_bytes = "64k"'),
    ],
)
def test_a_mistake_is_named_with_its_file(content, match):
    with pytest.raises(UsageError, match=match) as raised:
        read_deployment(FILE, content)
    assert "wine.toml" in str(raised.value)
