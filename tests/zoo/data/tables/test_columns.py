import numpy as np
import pytest

from zoo.data.tables.columns import MAX_VALUES, Sketch, infer
from zoo.data.tables.dates import date_formats
from zoo.rows import missing_words

GENERATOR = np.random.default_rng(0)


def column(cells, name="x", comma=False, declared=None):
    sketch = Sketch(missing_words(), comma=comma)
    for start in range(0, len(cells), 7):
        sketch.add([str(cell) for cell in cells[start : start + 7]])
    return infer(name, 0, sketch, declared)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2.5, -3], "number"),
        (["1", "", "NA", "2"], "number"),
        ([*range(95), "a", "b", "c", "d", "e"], "number"),  # the five are errors, not categories
        ([*range(30), *["?"] * 30], "number"),
        (["1", "2", "3+", "3+", "1", "2"], "category"),
        (["red", "blue", "red"], "category"),
        (["true", "false"], "category"),
        (["2024-01-31", "2024-02-01"], "date"),
        (["31.1.2024", "1.2.2024"], "date"),
        (["Jan 3, 2024", "Mar 12, 2024"], "date"),
    ],
)
def test_the_type_of_a_column(cells, kind):
    assert column(cells).type == kind


def test_a_decimal_comma_is_read_only_where_a_comma_cannot_separate():
    cells = ["1,5", "1.000,25", "3"]
    found = column(cells, comma=True)
    assert (found.type, found.decimal) == ("number", ",")
    assert found.sketch.high == 1000.25
    assert column(cells).type == "category"


@pytest.mark.parametrize(
    ("cells", "name", "why"),
    [
        (range(100, 140), "x", "counts the rows"),
        (GENERATOR.permutation(60), "x", "identifier"),
        (GENERATOR.choice(10**8, 60, replace=False), "customer_id", "identifier"),
        (GENERATOR.choice(10**8, 60, replace=False), "price", ""),
        (np.arange(60) / 7, "x", ""),
        ([f"AB{at}" for at in range(40)], "x", "identifier"),
        ([f"a long story of many words about the thing number {at}" for at in range(40)], "x", "free text"),
        ([f"c{at % 60}" for at in range(180)], "x", "60 different values"),
        ([f"c{at % 60}" for at in range(600)], "x", ""),
        ([f"c{at % (MAX_VALUES + 5)}" for at in range(6 * MAX_VALUES)], "x", "more than 1,000"),
        (["same"] * 20, "x", "same value"),
        ([""] * 20, "x", "empty"),
        (["same", ""] * 20, "x", ""),
    ],
)
def test_columns_of_no_use_are_told_with_their_reason(cells, name, why):
    found = column(list(cells), name).unfit
    assert (why in found) if why else not found


def test_what_a_data_toml_declares_counts():
    found = column(range(100, 140), declared={"type": "number"})
    assert (found.type, found.unfit) == ("number", "")
    assert column(["1", "2"], declared={"type": "category"}).spec()["values"] == ["1", "2"]
    assert column(["1", "2"], declared={"type": "ignore"}).ignored


def test_a_number_is_measured_over_all_blocks():
    sketch = column([*range(50), "", "NA"]).sketch
    assert (sketch.rows, sketch.missing, sketch.low, sketch.high, sketch.total) == (52, 2, 0, 49, 1225)


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["2024-05-01", "2024-05-02 10:30"], ("iso",)),
        (["13/05/2024", "14/05/2024"], ("%d/%m/%Y",)),
        (["05/13/2024", "05/14/2024"], ("%m/%d/%Y",)),
        (["01/05/2024", "01/06/2024", "01/07/2024"], ("%m/%d/%Y",)),  # a day apart, not a month
        (["01/05/2024", "02/05/2024", "03/05/2024"], ("%d/%m/%Y",)),
        (["1.2.2024 08:15", "1.3.2024"], ("%d.%m.%Y", "%d.%m.%Y %H:%M")),
        (["12", "13"], ()),
        (["12-34-56", "99-99-99"], ()),
    ],
)
def test_the_form_of_dates_is_told_from_all_of_them(texts, formats):
    assert set(date_formats(texts)[0]) == set(formats)


def test_dates_that_can_be_read_in_two_ways_are_told():
    assert "two ways" in date_formats(["01/05/2024", "02/05/2024"])[1]
    assert date_formats(["13/05/2024", "02/05/2024"])[1] == ""


def test_a_missing_word_that_is_a_number_is_not_measured():
    sketch = Sketch(missing_words(["-999"]))
    sketch.add(["1", "-999", "3.5"])
    sketch.add(["2", "-999", "4?"])
    assert (sketch.missing, sketch.numbers, sketch.low, sketch.high) == (2, 3, 1, 3.5)
    assert "-999" not in sketch.counts
