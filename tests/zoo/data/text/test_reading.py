"""Texts of a user's own: tables with a column of them, and folders of files."""

import numpy as np
import pytest

import zoo
from zoo.data import load
from zoo.data.checking import check_data
from zoo.data.options import data_config
from zoo.data.own import form_of
from zoo.errors import DataError, UsageError
from zoo.inference import evaluate
from zoo.inference.contract import from_mapping
from zoo.inference.readers import Inputs
from zoo.preprocessing import PAD, UNKNOWN, tokenise, words
from zoo.runs import read_json

GOOD = ("a fine film", "what a lovely story", "truly fine acting here", "lovely and fine, all of it")
BAD = ("a dull film", "what an awful story", "truly dull acting here", "awful and dull, all of it")


def lines_of(count=40):
    """Rows of class and text; every text is another."""
    for at in range(count):
        label, texts = (("good", GOOD), ("bad", BAD))[at % 2]
        yield label, f"{texts[at // 2 % 4]} number{at}"


def table(path, separator=",", header=("label", "review"), count=40):
    rows = [separator.join((label, f'"{text}"' if separator == "," else text)) for label, text in lines_of(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*([separator.join(header)] if header else []), *rows]) + "\n", encoding="utf-8")
    return path


def messages(path, severity, **options):
    return [finding.message for finding in check_data(path, **options).findings if finding.severity == severity]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A fine film!", ["a", "fine", "film", "!"]),
        ("It's <br /><br />5 < 6, don't", ["it's", "5", "<", "6", ",", "don't"]),
        ("Schöne  GRÜSSE\n", ["schöne", "grüsse"]),
        ("  ", []),
    ],
)
def test_words_are_what_a_reader_would_call_so(text, found):
    assert words(text) == found


def test_the_last_words_of_a_text_count_and_short_ones_are_filled_in_front():
    step = {"step": "tokenise", "length": 3, "vocabulary": ["fine", "film"]}
    found = tokenise(np.array(["film fine film fine", "a film", ""], object), step)
    assert found.dtype == np.int32
    assert found.tolist() == [[2, 3, 2], [PAD, UNKNOWN, 3], [PAD, PAD, PAD]]
    np.testing.assert_array_equal(found, tokenise(np.array(["film fine film fine", "a film", ""]), step))


@pytest.mark.parametrize(("name", "separator"), [("my reviews.csv", ","), ("reviews.tsv", "\t")])
@pytest.mark.parametrize("header", [("label", "review"), ()])
def test_a_table_of_two_columns_is_texts_and_classes(tmp_path, name, separator, header):
    data = load(str(table(tmp_path / name, separator, header)), seed=0)
    assert data.input.kind == "text"
    assert data.output.labels == ("bad", "good")
    assert data.input.dtype == "int32"
    assert data.input.columns == (("review",) if header else ("column 2",))
    assert sum(map(len, (data.train, data.validation, data.test))) == 40
    made = data.inputs(data.train)
    assert made.shape == (len(data.train), *data.input.shape)
    assert made.max() < data.input.vocabulary


def test_the_vocabulary_is_of_the_training_split_alone(tmp_path):
    path = tmp_path / "t.csv"
    parts = ["train"] * 30 + ["test"] * 10
    rows = [f'{part},{label},"{text}"' for part, (label, text) in zip(parts, lines_of(), strict=True)]
    rows += ["test,good,unheard unheard unheard", "test,bad,unheard unheard dull"]
    path.write_text(
        "\n".join(["part,label,review", *(row.replace("fine,", "fine") for row in rows)]).replace("dull,", "dull")
    )
    data = load(str(path), seed=0, text="review", target="label", split="column:part")
    (step,) = data.steps
    assert "fine" in step["vocabulary"]
    assert "unheard" not in step["vocabulary"]
    assert len(data.test) == 12


def test_length_and_vocabulary_are_knobs(tmp_path):
    data = load(str(table(tmp_path / "t.csv")), seed=0, words=4, vocabulary=5)
    assert data.input.shape == (4,)
    assert data.input.vocabulary == 7


def test_quotes_between_tabs_are_marks_like_any_other(tmp_path):
    path = tmp_path / "t.tsv"
    rows = [f'{label}\t"{text}' if at % 3 else f"{label}\t{text}" for at, (label, text) in enumerate(lines_of())]
    path.write_text("\n".join(rows))
    assert sum(load(str(path), seed=0).identity.samples.values()) == 40


def test_a_folder_of_texts_is_a_class_for_each_folder(tmp_path):
    for at, (label, text) in enumerate(lines_of(20)):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / f"{at}.txt").write_text(text)
    data = load(str(tmp_path), seed=0)
    assert data.input.kind == "text"
    assert data.output.labels == ("bad", "good")
    (tmp_path / "bad" / "empty.txt").write_text(" \n")
    (tmp_path / "good" / "latin.txt").write_bytes("schön".encode("latin-1"))
    found = messages(tmp_path, "error")
    assert any("empty.txt is empty" in text for text in found)
    assert any("latin.txt is not UTF-8" in text for text in found)


def test_empty_texts_and_missing_classes_are_left_out_and_said(tmp_path):
    path = table(tmp_path / "t.csv")
    path.write_text(path.read_text() + 'good,""\nbad," "\n,a text without a class\n')
    told = messages(path, "warning")
    assert any("line 42: 2 rows with an empty text" in text for text in told)
    assert any("line 44: 1 row with no class" in text for text in told)
    assert sum(load(str(path), seed=0).identity.samples.values()) == 40


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"text": "revue"}, DataError, "no column 'revue'.*did you mean review"),
        ({"image_size": 9}, UsageError, "image_size: no option of texts"),
        ({"window": 9}, UsageError, "window: of series, and .* is read as text"),
        ({"split": "time:label"}, UsageError, "expected random, column:COL or group:COL"),
        ({"target": "label,review"}, UsageError, "one class each"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, error, text):
    path = table(tmp_path / "t.csv")
    with pytest.raises(error, match=text):
        load(str(path), seed=0, **{"text": "review", **options})


def test_a_class_must_be_named_where_several_columns_could_be(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,review\n" + "\n".join(f"{at % 2},{at % 3},some words of number {at}" for at in range(30)))
    with pytest.raises(UsageError, match="2 columns that could be the class \\(a, b\\); add --target"):
        load(str(path), seed=0, text="review")
    assert load(str(path), seed=0, text="review", target="a").output.labels == ("0", "1")


def test_a_ragged_row_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("label,review\ngood,a fine film\nbad,dull, so dull\n")
    with pytest.raises(DataError, match="line 3: 3 cells, expected 2"):
        load(str(path), seed=0, text="review")


@pytest.mark.parametrize("encoder", ["mean", "gru"])
def test_a_network_learns_the_words_that_matter(tmp_path, encoder):
    path = table(tmp_path / "a table.csv", count=200)
    run = zoo.train(
        "text", data=str(path), out=tmp_path / "runs", encoder=encoder, embedding=8, units=8, epochs=12, seed=1
    )
    assert run.metrics["test"]["accuracy"] > 0.95
    assert run.metrics["test"]["accuracy"] >= run.manifest.baselines["logistic"]["accuracy"] - 0.05
    others = tmp_path / "others.csv"
    others.write_text("review,label\na lovely fine day,good\nso awful and dull,bad\n")
    assert evaluate(run.path, data=str(others)).samples == 2
    others.write_text("review,label\na lovely fine day,great\nso awful and dull,bad\n")
    with pytest.raises(DataError, match="unknown to the model"):
        evaluate(run.path, data=str(others))


CONTRACT = {
    "schema_version": 1,
    "input": {"kind": "text", "shape": [3], "dtype": "int32", "columns": ["review"]},
    "steps": [{"step": "tokenise", "length": 3, "vocabulary": ["fine", "film"]}],
    "output": {"task": "binary", "labels": ["bad", "good"]},
}


def read(*paths, keep=()):
    inputs = Inputs(paths, from_mapping(CONTRACT, "here"), keep=keep)
    chunks = list(inputs)
    problems = {chunk.names[at]: text for chunk in chunks for at, text in chunk.problems.items()}
    return chunks, np.concatenate([chunk.samples for chunk in chunks]).tolist(), problems


def test_a_sentence_a_file_and_a_table_are_inputs(tmp_path):
    (tmp_path / "one text.txt").write_text("A fine film")
    (tmp_path / "t.csv").write_text('id,review\n7,"a film, fine"\n8,film\n')
    assert read("A fine film")[1] == [[UNKNOWN, 2, 3]]
    assert read(tmp_path / "one text.txt")[1] == [[UNKNOWN, 2, 3]]
    chunks, samples, _ = read(tmp_path / "t.csv", keep=("id",))
    assert samples == [[3, UNKNOWN, 2], [PAD, PAD, 3]]
    assert [row[0] for row in chunks[0].kept] == ["7", "8"]
    assert chunks[0].lines == [2, 3]
    assert chunks[0].unseen == {"words": 1}


def test_a_long_sentence_with_dots_is_one_and_a_missing_file_is_named():
    text = "A fine film. Truly. " * 300
    assert read(text)[1] == [[UNKNOWN, UNKNOWN, UNKNOWN]]
    with pytest.raises(DataError, match=r"reviws\.txt"):
        read("reviws.txt")


@pytest.mark.parametrize(
    "rows",
    [
        [f"{day} January 2024 at noon,{day * 1.5}" for day in range(1, 29)],
        [f"a house with number {at} rooms and a view,{at * 1000 + 7}" for at in range(40)],
    ],
)
def test_dates_and_amounts_are_no_texts_with_classes(tmp_path, rows):
    (tmp_path / "t.csv").write_text("\n".join(["what,value", *rows]))
    assert form_of(tmp_path / "t.csv", data_config()) == "table"


def test_a_table_of_texts_alone_needs_no_header(tmp_path):
    (tmp_path / "t.csv").write_text("fine film\nfilm\n")
    assert read(tmp_path / "t.csv")[1] == [[PAD, 2, 3], [PAD, PAD, 3]]


def test_an_empty_text_is_a_problem_and_another_column_is_told(tmp_path):
    (tmp_path / "t.csv").write_text('id,review\n7,""\n8,film\n')
    assert list(read(tmp_path / "t.csv")[2].values()) == [f"{tmp_path / 't.csv'}:1: the text is empty"]
    (tmp_path / "t.csv").write_text("id,words\n7,film\n")
    with pytest.raises(DataError, match="lacks column 'review'; it has 'id', 'words'"):
        read(tmp_path / "t.csv")


def test_a_run_keeps_its_texts_for_an_export(tmp_path):
    path = table(tmp_path / "t.csv")
    run = zoo.train("text", data=str(path), out=tmp_path / "runs", encoder="mean", embedding=4, units=4, epochs=1)
    with np.load(run.path / "samples" / "validation.npz") as kept:
        assert kept["samples"].dtype.kind == "U"
        contract = from_mapping(read_json(run.path / "preprocessing.json"), run.path)
        assert contract.prepare(kept["samples"]).dtype == np.int32
