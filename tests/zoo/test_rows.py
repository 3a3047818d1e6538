import numpy as np
import pytest

from zoo.interpreters import DataError
from zoo.rows import UNSEEN, TableReader, convert, find_delimiter, missing_words, sniff, to_days, to_number

NUMBERS = [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}]


def written(tmp_path, text, name="my rows.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def read(path, columns, **options):
    reader = TableReader(path, columns, **options)
    blocks = list(reader)
    return reader, np.concatenate([block.raw for block in blocks]), blocks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n3,4\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("1 2 3\n4 5 6\n", " "),
        ("text\nhello world\n", ","),
        ('a,b\n"x;y",2\n"z",4\n', ","),
    ],
)
def test_the_delimiter_is_told_from_the_lines(text, expected):
    assert sniff(text.splitlines()) == expected


def test_the_delimiter_is_the_one_that_finds_the_names():
    assert find_delimiter("a;b,c", ("a", "b,c")) == ";"
    assert sniff(["a b,c d"], ("a b",)) == ","


@pytest.mark.parametrize(
    "text",
    ["b,a\n2,1\n4,3\n", "\ufeffb,a\r\n\r\n2,1\r\n4,3\r\n", '"b";"a"\n2;1\n4;3\n', "extra\tb\ta\nx\t2\t1\ny\t4\t3\n"],
)
def test_columns_are_found_by_name_whatever_the_file_looks_like(tmp_path, text):
    reader, raw, _ = read(written(tmp_path, text), NUMBERS)
    assert raw.tolist() == [[1, 2], [3, 4]]
    assert reader.extra == (["extra"] if "extra" in text else [])


def test_files_without_a_header_count_columns_by_position(tmp_path):
    columns = [{"name": "column 2", "type": "number"}, {"name": "column 3", "type": "number"}]
    with_target = written(tmp_path, "7 1 2\n8   3 4\n", "with target.txt")
    without = written(tmp_path, "1,2\n3,4\n", "without.csv")
    with_header = written(tmp_path, "column 3,column 2\n2,1\n4,3\n", "header.csv")
    for path in (with_target, without, with_header):
        assert read(path, columns)[1].tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match="lacks column 'column 2', 'column 3'"):
        TableReader(written(tmp_path, "1\n2\n", "narrow.csv"), columns)


def test_a_file_without_a_header_is_as_wide_as_the_one_trained_on(tmp_path):
    layout = {"type": "number", "width": 4, "targets": [0]}
    columns = [{"name": "column 2", **layout}, {"name": "column 4", **layout}]  # column 3 was left out
    _, raw, _ = read(written(tmp_path, "9,1,2,3\n9,4,5,6\n"), columns)
    assert raw.tolist() == [[1, 3], [4, 6]]
    reader, raw, _ = read(written(tmp_path, "1,2,3\n4,5,6\n"), columns, optional=["column 1"])
    assert (raw.tolist(), reader.header) == ([[1, 3], [4, 6]], ["column 2", "column 3", "column 4"])
    for text in ("1,3\n4,6\n", "9,1,2,3,0\n"):
        with pytest.raises(DataError, match="trained on has 4, or 3 without the target"):
            TableReader(written(tmp_path, text), columns)


def test_the_delimiter_and_the_header_can_be_given(tmp_path):
    path = written(tmp_path, "1;2\n3;4\n")
    columns = [{"name": "1", "type": "number"}, {"name": "2", "type": "number"}]
    assert read(path, columns, header=True)[1].tolist() == [[3, 4]]
    made_up = [{"name": "column 1", "type": "category", "values": ["1;2", "3;4"]}]
    assert read(path, made_up, delimiter=",", header=False)[1].tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("cell", "decimal", "expected"),
    [
        ("1.5", ".", 1.5),
        (" -2e3 ", ".", -2000),
        ("1,5", ".", None),
        ("1_000", ".", None),
        ("inf", ".", None),
        ("1e999", ".", None),
        ("1,5", ",", 1.5),
        ("1.234,5", ",", 1234.5),
        ("1.234", ",", 1234),
        ("1.5", ",", None),
        ("x", ",", None),
    ],
)
def test_numbers_are_read_strictly(cell, decimal, expected):
    assert to_number(cell, decimal) == expected


@pytest.mark.parametrize(
    ("text", "formats", "days"),
    [
        ("1970-01-02", ("iso",), 1),
        ("1970-01-01T12:00:00Z", ("iso",), 0.5),
        ("1970-01-01 06:00+06:00", ("iso",), 0),
        ("02.01.1970", ("%d.%m.%Y",), 1),
        ("1/2/1970", ("iso", "%m/%d/%Y"), 1),
        ("19700102", ("iso",), None),  # Python 3.9 on a device does not read it
        ("1970-02-30", ("iso",), None),
    ],
)
def test_dates_are_days_since_1970(text, formats, days):
    assert to_days(text, formats) == days


def test_missing_cells_are_nan_and_unseen_categories_are_told():
    words = missing_words(["?"])
    raw, wrong = convert(["1", "", "?", "NA", "x", "inf"], {"type": "number"}, words)
    assert np.isnan(raw).tolist() == [False, True, True, True, True, True]
    assert wrong == [4, 5]
    raw, wrong = convert(["red", " blue ", "", "green"], {"type": "category", "values": ["blue", "red"]}, words)
    assert raw[[0, 1, 3]].tolist() == [1, 0, UNSEEN]
    assert np.isnan(raw[2])
    assert wrong == []


@pytest.mark.parametrize("other", ["1.5", "oops", ""])
def test_a_missing_word_that_is_a_number_counts_whatever_stands_beside_it(other):
    raw, _ = convert(["2", "-999", " -999 ", "-998", other], {"type": "number"}, missing_words(["-999"]))
    assert np.isnan(raw[:4]).tolist() == [False, True, True, False]


@pytest.mark.parametrize("other", ["1.5", "oops", "", "nan"])
def test_a_signed_nan_is_a_wrong_cell_whatever_stands_beside_it(other):
    assert 1 in convert(["2", "-nan", other], {"type": "number"}, missing_words())[1]


def test_a_block_names_what_is_wrong_and_counts_the_rest(tmp_path):
    columns = [*NUMBERS, {"name": "c", "type": "category", "values": ["x"]}]
    path = written(tmp_path, "a,b,c\n1,2,x\n1,2\n1,oops,x\n1,,y\n")
    _, raw, (block,) = read(path, columns)
    assert block.lines == [2, 3, 4, 5]
    assert block.problems == {
        1: f"{path}, line 3: 2 cells, the header has 3",
        2: f"{path}, line 4, column 'b': 'oops' is no finite number",
    }
    assert np.isnan(raw[1:3]).all()
    assert block.missing.tolist() == [0, 1, 0]
    assert block.unseen.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        ("a,b\n1,2".encode("utf-16"), "UTF-16"),
        (b"a,b\n\x00,1", "is no text file"),
        (b"a,b\n\xff\xfe1,1", "UTF-8"),
        (b'a,b\n"1,2\n', "line 2: .*balanced quotes"),
        (b"a\n1\n", "lacks column 'b'"),
        (b"a,b,b\n1,2,3\n", "'b' more than once"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(TableReader(path, NUMBERS))


def test_a_quoted_cell_may_hold_delimiters_and_line_breaks(tmp_path):
    path = written(tmp_path, 'a,b,note\n1,2,"x, y\nz"\n3,4,w\n')
    _, raw, (block,) = read(path, NUMBERS)
    assert raw.tolist() == [[1, 2], [3, 4]]
    assert block.lines == [2, 4]
