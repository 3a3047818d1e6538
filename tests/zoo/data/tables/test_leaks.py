import numpy as np
import pytest

from zoo.data.options import data_config
from zoo.data.own import read_path
from zoo.data.tables.leaks import find_leaks

GENERATOR = np.random.default_rng(0)
CLASSES = GENERATOR.integers(0, 3, 300)
NUMBERS = GENERATOR.normal(100, 20, 300)
NAN = np.nan


def leaks(cells, target, task="multiclass", kind="number"):
    column = {"name": "x", "type": kind}
    return [leak.column for leak in find_leaks([column], np.asarray(cells, float)[:, None], target, task, ["y"])]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (CLASSES, "category"),
        (10 - 2 * CLASSES, "number"),
        (CLASSES * 10 + GENERATOR.integers(0, 5, 300), "category"),  # several values for each class
        (np.where(CLASSES == 1, NAN, CLASSES), "category"),
    ],
)
def test_a_column_whose_value_tells_the_class_is_a_leak(cells, kind):
    assert leaks(cells, CLASSES, kind=kind) == ["x"]


def test_being_missing_can_tell_the_class():
    binary = (CLASSES > 0).astype(int)
    assert leaks(np.where(binary == 1, NUMBERS, NAN), binary, "binary") == ["x"]


@pytest.mark.parametrize(
    "cells",
    [
        np.where(GENERATOR.random(300) < 0.05, 0, CLASSES),  # right in 19 of 20
        np.arange(300),  # a value of its own for each row
        np.arange(300) // 2,
        CLASSES + GENERATOR.normal(0, 0.3, 300),  # a strong honest number
        np.full(300, 5),
    ],
)
def test_honest_columns_are_none(cells):
    for kind in ("category", "number"):
        assert leaks(cells, CLASSES, kind=kind) == []


def test_a_rare_class_is_no_reason_to_call_every_column_a_leak():
    rare = (np.arange(300) < 3).astype(int)
    assert leaks(GENERATOR.integers(0, 3, 300), rare, "binary", "category") == []


@pytest.mark.parametrize(
    "cells", [NUMBERS * 0.9, np.round(-NUMBERS, 1), np.exp(NUMBERS / 50), np.where(np.arange(300) < 30, NAN, NUMBERS)]
)
def test_a_copy_of_a_number_is_a_leak(cells):
    assert leaks(cells, NUMBERS[:, None], "regression") == ["x"]


@pytest.mark.parametrize("cells", [NUMBERS + GENERATOR.normal(0, 3, 300), np.round(NUMBERS / 10), CLASSES])
def test_a_number_that_only_follows_is_none(cells):
    assert leaks(cells, NUMBERS[:, None], "regression") == []


def test_few_rows_prove_nothing():
    assert leaks(CLASSES[:20], CLASSES[:20], kind="category") == []


@pytest.mark.parametrize(
    ("file", "target", "leaking"),
    [
        ("titanic.csv", "survived", ["alive"]),
        ("titanic.csv", "pclass", ["class"]),
        ("titanic.csv", "embarked", ["embark_town"]),
        ("titanic.csv", "age", []),
        ("titanic.csv", "fare", []),
        ("penguins.csv", "species", []),
        ("penguins.csv", "island", []),
        ("penguins.csv", "sex", []),
        ("penguins.csv", "body_mass_g", []),
        ("mpg.csv", "mpg", []),
        ("mpg.csv", "origin", []),
        ("mpg.csv", "cylinders", []),
        ("mpg.csv", "weight", []),
        ("california_housing.csv", "median_house_value", []),
        ("california_housing.csv", "ocean_proximity", []),
        ("winequality-red.csv", "-1", []),
        ("higgs_sample_train.tsv", "0", []),
    ],
)
def test_leaks_of_real_tables(real_data, file, target, leaking):
    path = real_data / "tabular" / file
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    findings = read_path(path, data_config(target=target)).findings
    told = [finding.message for finding in findings if "away" in finding.message]
    assert len(told) == len(leaking)
    for name, message in zip(leaking, told, strict=True):
        assert f"column {name!r} gives the target" in message
        assert f"--drop {name}" in message
