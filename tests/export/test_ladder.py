from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from export.ladder import LADDER, climb
from export.parity import Parity
from export.quantization import Preset
from zoo.errors import GateError, ModelError, ResourceError, UsageError


@dataclass(frozen=True)
class Tried:
    bytes: int
    comparisons: Mapping[str, Parity]
    failed: tuple[str, ...] = field(default=())
    keep_float: tuple[str, ...] = ()


def tried(size: int, drop: float = 0.0, *, failed: tuple[str, ...] = (), agreement: float = 1.0, **given: Any) -> Tried:
    parity = Parity(
        split="validation",
        samples=1000,
        max_error=0.01,
        largest_output=1.0,
        agreement=agreement,
        changed=given.get("changed", round((1 - agreement) * 1000)),
        metric="accuracy",
        metric_before=0.95,
        metric_after=0.95 - drop / 100,
        drop=drop,
    )
    return Tried(size, {"output": parity}, failed)


GOOD = {
    "int8": tried(30_000, 0.1),
    "int16x8": tried(32_000),
    "float16": tried(60_000),
    "dynamic": tried(31_000),
    "float32": tried(118_000),
}


def outcome(results: Mapping[str, Any]) -> Any:
    def attempt(preset: Preset) -> Tried:
        result = results[preset.name]
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[no-any-return]

    return attempt


def test_the_smallest_that_passes_is_kept_and_every_rung_is_reported() -> None:
    ladder = climb(LADDER, outcome(GOOD))
    preset, kept = ladder.best()
    assert (preset.name, kept.bytes) == ("int8", 30_000)
    assert [rung.mode for rung in ladder.rungs] == ["int8", "int16x8", "float16", "dynamic", "float32"]
    assert [entry["mode"] for entry in ladder.report() if entry["kept"]] == ["int8"]


def test_size_decides_and_not_the_order() -> None:
    results = {**GOOD, "int8": tried(30_000, 4.0, failed=("accuracy 0.95 -> 0.91",))}
    assert climb(LADDER, outcome(results)).best()[0].name == "dynamic"
    same = {name: tried(100) for name in GOOD}
    assert climb(LADDER, outcome(same)).best()[0].name == "int8"


def test_what_is_refused_or_fails_is_reported_with_its_reason_and_ends_nothing() -> None:
    results = {
        **GOOD,
        "int8": ModelError("converting gru to int8 crashed the process that did it: SIGSEGV"),
        "int16x8": UsageError("int16x8 needs representative samples"),
        "dynamic": tried(31_000, 0.9, failed=("a drop of 0.90, allowed 0.5",)),
    }
    told: list[str] = []
    ladder = climb(LADDER, outcome(results), tell=told.append)
    assert [rung.status for rung in ladder.rungs] == ["refused", "refused", "passed", "failed", "passed"]
    assert "SIGSEGV" in told[0]
    assert "dynamic, 31,000 bytes, accuracy 0.9500 -> 0.9410 (drop 0.90)" in told[3]
    assert "allowed 0.5" in told[3]
    assert ladder.best()[0].name == "float16"


def test_a_full_disk_is_no_refusal() -> None:
    with pytest.raises(ResourceError, match="disk"):
        climb(LADDER, outcome({**GOOD, "float16": ResourceError("the disk is full")}))


def test_where_none_passes_the_error_has_all_rungs() -> None:
    results = {name: tried(100, 9.0, failed=(f"{name} lost",)) for name in GOOD}
    results["int16x8"] = ModelError("int16x8 is not for loops")
    ladder = climb(LADDER, outcome(results))
    with pytest.raises(GateError) as caught:
        ladder.best()
    assert caught.value.exit_code == 7
    assert "\n" not in str(caught.value)
    assert all(name in str(caught.value) for name in (*GOOD, "not for loops", "--max-drop"))
    assert not any(entry["kept"] for entry in ladder.report())


@pytest.mark.parametrize(
    ("int8", "asked"),
    [
        (tried(10, 0.1), False),
        (tried(10, 0.4, agreement=0.99), True),
        (tried(10, 0.0, agreement=0.97), True),
        (tried(10, 5.0, agreement=0.95, changed=1), False),
        (tried(10, 8.0, failed=("lost",)), True),
    ],
)
def test_layers_are_named_where_int8_lost_more_than_a_little(int8: Tried, asked: bool) -> None:
    calls: list[Tried] = []

    def explain(attempt: Tried) -> list[str]:
        calls.append(attempt)
        return ["conv2d (3.1 dB)", "dense (20.0 dB)"]

    results = {**GOOD, "int8": int8, "float16": tried(10, 5.0, failed=("lost",))}
    ladder = climb(LADDER, outcome(results), explain=explain)
    assert calls == ([int8] if asked else [])
    assert ("most is lost in conv2d (3.1 dB), dense" in str(ladder.rungs[0])) is asked


def test_layers_that_cannot_be_told_do_not_hide_the_rung() -> None:
    def explain(attempt: Tried) -> list[str]:
        raise ModelError("no intermediate tensors")

    ladder = climb(LADDER, outcome({**GOOD, "int8": tried(10, 8.0, failed=("lost",))}), explain=explain)
    assert ladder.report()[0]["note"] == "no intermediate tensors"
    assert ladder.rungs[0].status == "failed"


def test_layers_that_stay_in_float_are_told_with_what_is_lost_without() -> None:
    partly = replace(GOOD["int8"], keep_float=("stretch", "shrink"))
    ladder = climb(LADDER, outcome({**GOOD, "int8": partly}), explain=lambda attempt: ["stretch (-3.9 dB)"])
    assert ladder.report()[0]["keep_float"] == ("stretch", "shrink")
    assert str(ladder.rungs[0]).startswith("int8 with stretch, shrink in float, 30,000 bytes")
    assert "most is lost in stretch (-3.9 dB)" in str(ladder.rungs[0])
    assert ladder.best()[1] is partly


def test_of_several_outputs_the_worst_counts() -> None:
    one, two = tried(10, 0.1).comparisons["output"], tried(10, 0.3, agreement=0.995).comparisons["output"]
    rung = climb(LADDER[:1], outcome({"int8": Tried(10, {"kind": one, "size": two})})).rungs[0]
    assert (rung.drop, rung.agreement, rung.metric) == (0.3, 0.995, None)
    assert "agreement 0.9950" in str(rung)
