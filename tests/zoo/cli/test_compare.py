import json
import math

import pandas as pd
import pytest

from tuning.books import TRIAL, Books
from tuning.comparing import compare
from tuning.plan import Limits, Plan
from tuning.trial import Figures, Trial
from zoo.cli import main
from zoo.errors import DataError, UsageError
from zoo.runs import BUNDLE_MANIFEST, CONFIG, EXPORT, MANIFEST, Manifest, Run, write_json, write_text

CONFIG_TEXT = """
schema_version = 1
name = "{name}"
builder = "mlp"
[data]
dataset = "iris"
validation = 0.1
[hyperparameters]
units = {units}
[training]
epochs = 5
seed = {seed}
learning_rate = 0.01
"""


def make_run(root, name, accuracy, *, units=16, seed=0, sha256="ab" * 32, data="iris", bundle=None, **changes):
    validation, test = {"loss": 1 - accuracy, "accuracy": accuracy}, {"accuracy": accuracy - 0.01}
    manifest = Manifest(
        **{
            "name": name,
            "builder": "mlp",
            "recipe": name,
            "seed": seed,
            "status": "finished",
            "data": {"name": data, "sha256": sha256, "samples": {"train": 120, "validation": 15, "test": 15}},
            "metrics": {"train": validation, "validation": validation, "test": test},
            "parameters": 100 * units,
            "epochs": {"done": 5, "best": 4},
            "seconds": 12.5,
            **changes,
        }
    )
    run = Run.create(root, manifest)
    write_text(run.path / CONFIG, CONFIG_TEXT.format(name=name, units=units, seed=seed))
    if bundle:
        write_json(run.path / EXPORT / "tflite-int8" / BUNDLE_MANIFEST, bundle)
    return run


def make_search(path, scores, **changes):
    plan = Plan(
        **{"names": ("iris-mlp",), "sha256": "ab" * 32, "quantize": "int8", "limits": Limits(flash=9000), **changes}
    )
    books = Books.create(path, plan)
    for number, score in enumerate(scores):
        trial = Trial(
            id=f"{number:04d}",
            values={"units": 8 + number},
            proposed={},
            created=2 * number,
            ended=2 * number + 1,
            status="completed" if score else "rejected",
            score=score,
            metrics={"validation": {"accuracy": score, "loss": 0.1}, "exported": {"accuracy": score}} if score else {},
            figures=Figures(parameters=500 + number, bytes=4096),
            done=3,
            seconds=2.0,
        )
        books.write(trial)
    return books


@pytest.fixture
def root(tmp_path):
    return tmp_path / "my runs"


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["compare", *map(str, arguments)])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def test_runs_and_the_trials_of_a_search_stand_side_by_side_the_best_first(root, capsys):
    parity = {"metric_after": 0.93, "metric_before": 0.94}
    worse = make_run(root, "iris-small", 0.9, units=8, bundle={"bytes": 2048, "parity": parity})
    make_run(root, "iris-mlp", 0.95)
    books = make_search(root / "tune-iris" / "a search", [0.97, None, 0.92])
    code, out, _ = printed(capsys, worse.path, "iris-mlp", books.path, "--runs", root, "--top", 1)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"WARNING: {books.path} has 1 further completed trials; see more with --top N"
    table = [line.split() for line in lines[2:6]]
    assert [row[1] for row in table[1:]] == ["trial", "iris-mlp", "iris-small"]
    assert "97.00 %" in lines[3]
    assert "best" in lines[3]
    assert "candidate-int8 4.0 kB 97.00 %" in lines[3]
    assert "7.00 points" in lines[5]
    assert "tflite-int8 2.0 kB 93.00 %" in lines[5]
    assert "1,600" in lines[4]
    assert "units" in out
    assert str(worse.path) in lines[-1]


def test_the_value_and_the_table_have_every_figure(root, tmp_path, capsys):
    one, other = make_run(root, "iris-a", 1 / 3, units=8), make_run(root, "iris-b", 0.95, units=64)
    code, out, _ = printed(capsys, one.path, other.path, "--out", tmp_path / "a table.csv", "--json")
    value = json.loads(out)
    assert code == 0
    assert value["metric"] == "accuracy"
    assert [entry["path"] for entry in value["entries"]] == [str(other.path), str(one.path)]
    assert value["differing"] == {"units": [64, 8]}
    assert value["warnings"] == []
    frame = pd.read_csv(tmp_path / "a table.csv")
    assert frame["validation_accuracy"].tolist() == [0.95, 1 / 3]
    assert frame["values.units"].tolist() == [64, 8]


@pytest.mark.parametrize(
    ("sort", "first"), [("loss", "iris-a"), ("parameters", "iris-b"), ("test_accuracy", "iris-a"), (None, "iris-a")]
)
def test_what_is_sorted_by_decides_which_comes_first(root, sort, first):
    runs = [make_run(root, "iris-b", 0.9, units=8), make_run(root, "iris-a", 0.95, units=64)]
    found = compare([run.path for run in runs], sort=sort)
    assert found.entries[0].name == first
    if sort == "loss":
        assert found.gap(found.entries[1]) == pytest.approx(0.05)


def test_other_data_and_other_splits_are_warned_of(root):
    here = make_run(root, "iris-a", 0.9)
    elsewhere = make_run(root, "wine-a", 0.9, data="wine", sha256="cd" * 32)
    assert "the data differ (iris (abababab), wine (cdcdcdcd))" in compare([here.path, elsewhere.path]).warnings[0]
    reseeded = make_run(root, "iris-b", 0.9, seed=7)
    assert "the splits differ (seed 0, 7)" in compare([here.path, reseeded.path]).warnings[0]
    assert compare([here.path, here.path]).warnings == ()
    assert len(compare([here.path, here.path]).entries) == 1
    broken_off = make_run(root, "iris-c", 0.9, status="interrupted")
    assert "is interrupted" in compare([here.path, broken_off.path]).warnings[0]


def test_a_name_of_searches_and_the_folder_of_a_trial(root):
    books = make_search(root / "tune-iris" / "20260101T000000.000000Z-aaaa", [0.9, 0.8])
    found = compare(["tune-iris", books.folder("0001")], root=root)
    assert [(entry.id, entry.recipe) for entry in found.entries] == [("0000", "iris-mlp"), ("0001", "iris-mlp")]
    assert found.differing == {"units": (8, 9)}
    assert math.isnan(found.entries[0].figure("test", "accuracy"))


def test_a_trial_that_kept_its_weights_says_its_data_and_its_settings(root):
    books = make_search(root / "a search", [0.9])
    kept = make_run(root, "kept", 0.9, units=99)
    for name in (MANIFEST, CONFIG):
        (kept.path / name).rename(books.folder("0000") / name)
    found = compare([books.folder("0000")]).entries[0]
    assert found.kind == "trial"
    assert found.data["samples"]["validation"] == 15
    assert found.knobs["units"] == 99


def make_own_search(path, figures, objective="val_loss", smaller_is_better=True):
    """As `zoo.tuning.search` leaves one: the objective as in the logs of `fit`, the metrics by their plain names."""
    plan = Plan(names=("search",), objective=objective, smaller_is_better=smaller_is_better, quantize="int8")
    books = Books.create(path, plan)
    for number, measured in enumerate(figures):
        score = measured[objective.removeprefix("val_")]
        trial = Trial(
            id=f"{number:04d}",
            values={"units": 8 + number},
            proposed={},
            created=2 * number,
            ended=2 * number + 1,
            status="completed",
            score=score,
            metrics={"train": measured, "validation": measured, "exported": measured},
            figures=Figures(parameters=500, bytes=4096),
        )
        books.write(trial)
    return books


def test_the_trials_of_a_build_function_have_figures_and_gaps(root, capsys):
    books = make_own_search(root / "search" / "one", [{"loss": 0.5, "mae": 2.0}, {"loss": 0.25, "mae": 3.0}])
    found = compare([books.path])
    assert (found.metric, found.smaller_is_better) == ("loss", True)
    assert [entry.id for entry in found.entries] == ["0001", "0000"]
    assert [entry.figure("validation", found.metric) for entry in found.entries] == [0.25, 0.5]
    assert [found.gap(entry) for entry in found.entries] == [0.0, 0.25]
    for sort in ("mae", "val_mae"):
        assert [entry.id for entry in compare([books.path], sort=sort).entries] == ["0000", "0001"]
    code, out, _ = printed(capsys, books.path)
    assert code == 0
    assert "candidate-int8 4.0 kB 0.25" in out
    _, out, _ = printed(capsys, books.path, "--json")
    value = json.loads(out)
    assert (value["metric"], value["smaller_is_better"]) == ("loss", True)
    assert [entry["gap"] for entry in value["entries"]] == [0.0, 0.25]


def test_the_direction_of_an_objective_is_the_searchs_own(root):
    figures = [{"loss": 1.0, "hits": 3.0}, {"loss": 2.0, "hits": 5.0}]
    for smaller_is_better, best in ((True, "0000"), (False, "0001")):
        path = root / "search" / str(smaller_is_better)
        found = compare([make_own_search(path, figures, "val_hits", smaller_is_better).path])
        assert found.entries[0].id == best
        assert [found.gap(entry) for entry in found.entries] == [0.0, 2.0]
    own = make_own_search(root / "search" / "by loss", figures)
    with pytest.raises(UsageError, match="--sort hits: whether more or less of it is better is not known"):
        compare([own.path], sort="hits")


def test_keras_own_errors_are_sorted_the_least_first(root):
    figures = [{"loss": 1.0, "mean_absolute_error": 3.0}, {"loss": 2.0, "mean_absolute_error": 2.0}]
    found = compare([make_own_search(root / "search" / "one", figures).path], sort="mean_absolute_error")
    assert [entry.id for entry in found.entries] == ["0001", "0000"]
    assert found.gap(found.entries[1]) == 1.0


def test_many_entries_are_rows_of_the_table_of_knobs(root, capsys):
    runs = [make_run(root, f"iris-{at}", 0.9 + 0.001 * at, units=at) for at in range(1, 11)]
    _, out, _ = printed(capsys, *(run.path for run in runs))
    assert "knob  units" in out
    assert "#10   1" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Missing argument"),
        (("nothing-such",), 2, "neither a run folder nor the name of one"),
        (("iris-mlp", "--sort", "acuracy"), 2, "did you mean"),
    ],
)
def test_what_is_not_there_is_one_clear_line(root, capsys, arguments, code, words):
    make_run(root, "iris-mlp", 0.95)
    found, _, error = printed(capsys, *arguments, "--runs", root)
    assert found == code
    assert words in error.splitlines()[-1]


def test_what_is_damaged_is_named(root):
    run = make_run(root, "iris-mlp", 0.95)
    (run.path / MANIFEST).write_text("{")
    with pytest.raises(DataError, match=r"run\.json is not JSON"):
        compare([run.path])
    books = make_search(root / "a search", [0.9, 0.8])
    (books.folder("0000") / TRIAL).write_text("[]")
    found = compare([books.path])
    assert [entry.id for entry in found.entries] == ["0001"]
    assert "0000" in found.warnings[-1]
    (books.folder("0001") / TRIAL).write_text("")
    with pytest.raises(UsageError, match="nothing to compare: left out"):
        compare([books.path])
    (books.path / "search.json").write_text("no")
    with pytest.raises(DataError, match=r"search\.json is not JSON"):
        compare([books.path])
    with pytest.raises(UsageError, match="nothing to compare"):
        compare([])
