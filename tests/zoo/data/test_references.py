import pytest

from zoo.config import configure
from zoo.data import load
from zoo.data.checking import check_data
from zoo.data.references import data_stem, resolve_indices, resolve_reference
from zoo.data.schema import Schema, read_schema, with_options, write_schema
from zoo.errors import DataError, UsageError


def test_a_name_stays_and_a_path_becomes_absolute(tmp_path, monkeypatch):
    folder = tmp_path / "my photos.v2"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve_reference("iris") == "iris"
    assert resolve_reference("my photos.v2") == str(folder)
    assert resolve_reference("my photos.v2", tmp_path.parent / tmp_path.name) == str(folder)
    (tmp_path / "iris").mkdir()
    assert resolve_reference("iris") == "iris"
    assert resolve_reference("./iris") == str(tmp_path / "iris")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ("iri", UsageError, "did you mean iris"),
        ("houses.csv", DataError, "houses.csv does not exist"),
        ("photos/", DataError, "does not exist"),
    ],
)
def test_what_is_neither_is_refused(given, kind, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words):
        resolve_reference(given)


def test_a_schema_is_read_as_it_was_written(tmp_path):
    schema = Schema(
        path=tmp_path / "my data.csv",
        options={"target": "price", "validation": 0.2},
        columns={"when": {"type": "date", "formats": ["%d.%m.%Y"]}, "a, b": {"type": "ignore"}},
        labels=("no", "yes"),
        delimiter=";",
        header=True,
    )
    write_schema(tmp_path / "data.toml", schema)
    assert read_schema(tmp_path / "data.toml") == schema
    assert data_stem(str(tmp_path / "data.toml")) == "my data"


def test_the_paths_of_a_schema_start_at_its_folder(tmp_path):
    (tmp_path / "data.toml").write_text('path = "x.csv"\n[options]\ntest_data = "later/y.csv"\n')
    schema = read_schema(tmp_path / "data.toml")
    assert schema.path == tmp_path / "x.csv"
    assert schema.options["test_data"] == str(tmp_path / "later" / "y.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path = 3", "expected schema_version"),
        ('path = "x"\npaths = 1', "unknown key 'paths'.* did you mean path"),
        ('path = "x"\n[options]\ntarge = "y"', "no knob 'targe'.* did you mean target"),
        ('path = "x"\n[columns.age]\ntype = "numbers"', r"\[columns.age\] has no type; expected"),
        ('path = "x"\n[columns.age]\ntype = "number"\nfill = 3', "unknown key 'fill'"),
        ("path = ", "is not TOML"),
    ],
)
def test_a_wrong_schema_is_refused_with_the_place(tmp_path, content, words):
    (tmp_path / "data.toml").write_text(content)
    with pytest.raises(UsageError, match=words):
        read_schema(tmp_path / "data.toml")


def test_a_table_of_labels_is_absolute_and_an_expression_stays_as_it_is(tmp_path):
    (tmp_path / "my labels.csv").write_text("path,label\n")
    options = {"label_from": "my labels.csv", "group_from": "(.+)[.]csv", "task": "binary"}
    assert resolve_indices(options, tmp_path) == {**options, "label_from": str(tmp_path / "my labels.csv")}
    assert resolve_indices({"label_from": "none.csv"}, tmp_path) == {"label_from": "none.csv"}


def test_what_is_given_goes_before_what_a_schema_says_also_where_it_is_the_default(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "data.toml").write_text('path = "x.csv"\n[options]\nsplit = "time:a"\ntest = 0.4\ntarget = "b"\n')
    file = str(tmp_path / "data.toml")
    assert with_options(file, {"split": "random"}) == {"split": "random", "test": 0.4, "target": "b"}
    config = configure("mlp", {"split": "random", "validation": 0.3}, data=file)
    assert (config.data.split, config.data.test, config.data.validation) == ("random", 0.4, 0.3)
    again = tmp_path / "config.toml"
    again.write_text(config.to_toml())
    assert configure(str(again)).data == config.data


def test_the_shares_of_a_schema_count(tmp_path):
    rows = "\n".join(f"{at},{at % 2},{at * 7 % 5}" for at in range(100))
    (tmp_path / "x.csv").write_text(f"a,b,c\n{rows}\n")
    (tmp_path / "data.toml").write_text('path = "x.csv"\n[options]\ntest = 0.4\ntarget = "b"\nkeep = "a"\n')
    assert len(load(str(tmp_path / "data.toml"), seed=0).test) == 40
    assert check_data(tmp_path / "data.toml").splits["test"] == 40
    assert check_data(tmp_path / "data.toml", test=0.1).splits["test"] == 10
