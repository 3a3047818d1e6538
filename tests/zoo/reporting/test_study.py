import re
from pathlib import Path

import pytest

from zoo.reporting.study import Study, Training, make_row, table, verdict


def training(value, seed, accuracy, diverged=None):
    figures = {split: {"loss": 0.5, "accuracy": accuracy} for split in ("train", "validation", "test")}
    return Training(
        value=value,
        seed=seed,
        run=Path("x"),
        epochs=3,
        best_epoch=2,
        parameters=10,
        seconds=1.0,
        diverged=diverged,
        last={} if diverged else figures,
        best={} if diverged else figures,
        penalty=None if diverged else 0.0,
        sparsity=None if diverged else 0.25,
    )


def made(**values):
    """A study of `l2`: value to accuracies by seed, None for a training that diverged."""
    rows = [
        make_row(
            name,
            name,
            [training(name, seed, accuracy, None if accuracy else 2) for seed, accuracy in enumerate(accuracies)],
            same_start=True,
        )
        for name, accuracies in values.items()
    ]
    return Study(
        path=Path("x"),
        name="study-x",
        knob="l2",
        metric="accuracy",
        plan="",
        status="finished",
        seeds=tuple(range(len(next(iter(values.values()))))),
        rows=tuple(rows),
        data={},
        settings={},
        notes=(),
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": (0.9, 0.92), "b": (0.8, 0.82)}, "l2 = a is best .* next l2 = b with 81.00 %; .* do not overlap"),
        ({"a": (0.8, 0.82), "b": (0.9, 0.7)}, "l2 = a is best .*; the ranges over 2 seeds overlap"),
        (
            {"a": (0.8, 0.82), "b": (0.82, 0.8), "c": (0.5, 0.5)},
            "l2 = a, b are equally good .*; next l2 = c with 50.00",
        ),
        ({"a": (0.8,), "b": (0.9,)}, "l2 = b is best .* one seed says little"),
        ({"a": (None, None), "b": (0.9, 0.8)}, "l2 = b is best .* nothing else was trained to the end"),
        ({"a": (None, None), "b": (None, None)}, "No value of l2 was trained to the end"),
    ],
)
def test_the_verdict_names_the_best_value_and_whether_chance_could_make_it_so(values, said):
    assert re.search(said, verdict(made(**values)))


def test_the_table_has_means_half_ranges_and_what_diverged():
    head, first, second = table(made(a=(0.9, 0.92), b=(None, 0.5)))
    assert head == [
        "l2",
        "train accuracy",
        "validation accuracy",
        "test accuracy",
        "train loss",
        "validation loss",
        "sparsity",
        "best epoch",
        "diverged",
    ]
    assert first == ["a", *["91.00 % ±1.00"] * 3, "0.5", "0.5", "25.00 %", "2", ""]
    assert second == ["b", *["50.00 %"] * 3, "0.5", "0.5", "25.00 %", "2", "1 of 2 in epoch 2"]
