from pathlib import Path

from zoo.deployment import Requirement
from zoo.runs import Manifest, Run
from zoo.workflow.outcome import BundleOutcome, check_gates


def gates(tmp_path, *requirements, **bundle):
    run = Run.create(tmp_path, Manifest(name="x", builder="mlp", seed=0, metrics={"test": {"mae": 2.0, "r2": None}}))
    return check_gates(run, [BundleOutcome(name="tflite-int8", **bundle)], requirements)


def test_errors_are_at_most_and_a_figure_that_is_not_there_is_missed(tmp_path):
    found = gates(
        tmp_path,
        Requirement(key="mae", limit=3.0),
        Requirement(key="r2", limit=0.1),
        Requirement(key="max_bytes", limit=100),
        path=Path("b"),
        bytes=101,
        metrics={"mae": 3.5, "r2": 0.2},
    )
    assert [(gate.of, gate.key, gate.ok) for gate in found] == [
        ("run", "mae", True),
        ("run", "r2", False),
        ("tflite-int8", "export", True),
        ("tflite-int8", "mae", False),
        ("tflite-int8", "r2", True),
        ("tflite-int8", "max_bytes", False),
    ]
    assert str(found[1]) == "run: r2 none, required >= 0.1"
    assert str(found[3]) == "tflite-int8: mae 3.5, required <= 3"
    assert str(found[5]) == "tflite-int8: max_bytes 101, required <= 100"


def test_a_bundle_that_was_refused_is_a_gate_of_its_own(tmp_path):
    (found,) = gates(tmp_path, Requirement(key="max_bytes", limit=100), problem="did not pass: drop 3 points")
    assert not found.ok
    assert str(found) == "tflite-int8: did not pass: drop 3 points"
