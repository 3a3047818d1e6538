import pytest

from zoo.errors import UsageError
from zoo.hyperparameters import choice, flag, integer, real, resolve

KNOBS = (
    integer("units", 64, "width", low=1, high=512),
    integer("batch_size", 32, "samples a step", low=1, words=("full",)),
    real("dropout", 0.0, "fraction dropped", low=0.0, high=0.95),
    choice("activation", "relu", "activation", ("relu", "tanh")),
    flag("batch_norm", False, "normalise"),
)


def value(name, given):
    return resolve(KNOBS, {name: given}, "builder 'x'")[name]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("units", "128", 128),
        ("units", 128.0, 128),
        ("units", "1e2", 100),
        ("batch_size", "full", "full"),
        ("batch_size", "1", 1),
        ("dropout", "0.5", 0.5),
        ("dropout", 0, 0.0),
        ("activation", "tanh", "tanh"),
        ("batch_norm", "true", True),
        ("batch_norm", "no", False),
        ("batch_norm", True, True),
    ],
)
def test_text_and_numbers_become_the_knobs_own_type(name, given, expected):
    found = value(name, given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "match"),
    [
        ("units", 0, "int, 1 to 512"),
        ("units", 1.5, "int, 1 to 512"),
        ("units", True, "1 to 512"),
        ("units", "many", "1 to 512"),
        ("units", None, "1 to 512"),
        ("batch_size", "half", "at least 1, or full"),
        ("dropout", "nan", "0 to 0.95"),
        ("dropout", "inf", "0 to 0.95"),
        ("dropout", 0.96, "0 to 0.95"),
        ("activation", "tahn", "relu, tanh; did you mean tanh"),
        ("batch_norm", "maybe", "true or false"),
        ("batch_norm", 2, "true or false"),
    ],
)
def test_a_value_that_is_not_allowed_names_what_is(name, given, match):
    with pytest.raises(UsageError, match=match):
        value(name, given)


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UsageError, match=r"builder 'x' has no hyperparameter 'droput'; did you mean dropout\?"):
        resolve(KNOBS, {"droput": 0.1}, "builder 'x'")


def test_what_is_not_given_has_its_default():
    assert resolve(KNOBS, {}, "builder 'x'") == {
        "units": 64,
        "batch_size": 32,
        "dropout": 0.0,
        "activation": "relu",
        "batch_norm": False,
    }
