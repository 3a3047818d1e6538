import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from zoo.cli import main
from zoo.reporting.report import write_report
from zoo.runs import CONFIG, EXPORT, HISTORY, PREDICTIONS, PREPROCESSING, Manifest, Run, sha256, write_json

VOID = {"meta", "br"}


class Strict(HTMLParser):
    """Every element that opens closes, in order; collects text and what would be fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.words, self.fetched = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value for key, value in attributes if key in ("src", "href", "xlink:href") and value[0] != "#"]
        assert tag not in ("script", "link", "iframe")

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not set(self.open) & {"style"}:
            self.words.append(data)


def read(run):
    """The report's text, after checking that the page is whole and fetches nothing."""
    content = write_report(run).read_text(encoding="utf-8")
    parser = Strict()
    parser.feed(content)
    parser.close()
    assert not parser.open
    assert not [entry for entry in parser.fetched if not entry.startswith("data:image/")]
    assert not re.findall(r"url\((?!#|&quot;data:)", content)
    svgs = re.findall(r"<svg.*?</svg>", content, re.DOTALL)
    assert all(ElementTree.fromstring(svg) is not None for svg in svgs)
    ids = re.findall(r'\bid="([^"]+)"', content)
    assert len(ids) == len(set(ids))
    return " ".join(" ".join(parser.words).split())


def test_a_finished_run_tells_its_whole_story(make_run, add_bundle):
    run = make_run()
    add_bundle(run)
    words = read(run)
    for expected in (
        "convnet on pets · 1,234 parameters · 3 epochs, the weights of epoch 2 kept · 4.5 s in epochs · seed 7",
        "The network beats the majority class by 87.5 points of accuracy",
        "majority class (test)",
        "97.50 %",
        "ab" * 32,
        "learning_rate 0.003",
        "tflite-int8 48,123 0.0312 97.50 % 0.9251 0.9132 validation (40)",
        "keras 3.15.1",
        "class samples precision recall F1 cat 14",
    ):
        assert expected in words
    assert "Not in this report" not in words
    assert {path.name for path in (run.path / "plots").iterdir()} == {"loss.png", "metric.png", "confusion.png"}


@pytest.mark.parametrize(
    ("task", "labels", "plots"),
    [
        ("binary", ("no", "yes"), {"loss.png", "metric.png", "confusion.png"}),
        ("multilabel", ("sharp", "flat"), {"loss.png", "metric.png"}),
        ("regression", ("price",), {"loss.png", "metric.png", "predictions.png", "residuals.png"}),
        ("regression", ("a", "b", "c", "d", "e"), {"loss.png", "metric.png", "predictions.png", "residuals.png"}),
        ("multiclass", tuple(f"class {index}" for index in range(150)), {"loss.png", "metric.png", "confusion.png"}),
    ],
)
def test_every_task_has_its_plots(make_run, task, labels, plots):
    run = make_run(task, labels)
    assert "No verdict" not in read(run)
    assert {path.name for path in (run.path / "plots").iterdir()} == plots


def test_a_stand_in_cannot_be_overlooked(make_run):
    run = make_run(data={"name": "mnist", "stand_in": True, "note": "1,797 digits took its place"})
    assert "NOT MNIST. A stand-in: 1,797 digits took its place" in read(run)
    content = (run.path / "report.html").read_text(encoding="utf-8")
    assert content.index("banner alarm") < content.index("<h2>")
    assert "banner" not in read(make_run()).lower()


@pytest.mark.parametrize("where", ["name", "label", "note"])
def test_nothing_from_outside_is_taken_for_html(make_run, where):
    evil = "<script>alert('$x$')</script>&amp;"
    run = {
        "name": lambda: make_run(name=evil),
        "label": lambda: make_run(labels=(evil, "dog", "猫")),
        "note": lambda: make_run(data={"stand_in": True, "note": evil}),
    }[where]()
    words = read(run)
    assert "alert('$x$')</script>&amp;" in words or "<script>alert('$x$" in words
    assert "<i>24</i>" in words


def test_an_interrupted_run_gets_a_report_of_what_there_is(make_run):
    run = make_run(status="interrupted", message="stopped by Ctrl-C", metrics={}, baselines={}, epochs={})
    (run.path / PREDICTIONS).unlink()
    words = read(run)
    assert "This run is interrupted. stopped by Ctrl-C" in words
    assert "No verdict: the run is interrupted" in words
    assert "predictions.npz is not there yet" in words
    assert (run.path / "plots" / "metric.png").is_file()


def test_a_run_of_nothing_but_a_manifest_gets_a_report(tmp_path):
    words = read(Run.create(tmp_path, Manifest(name="bare", builder="mlp", seed=0)))
    assert "This run is running." in words
    assert "history.csv is not there yet" in words


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (HISTORY, "epoch,val_loss\n1,abc\n"),
        (PREDICTIONS, "no zip"),
        (PREPROCESSING, "{"),
        (CONFIG, "= = ="),
    ],
)
def test_a_damaged_piece_is_named_and_the_rest_is_shown(make_run, name, content):
    run = make_run()
    (run.path / name).write_text(content)
    words = read(run)
    assert "Not in this report" in words
    assert name in words
    assert "The network beats" in words


def test_exports_that_failed_are_told_apart(make_run, add_bundle):
    run = make_run()
    add_bundle(run, parity=None)
    write_json(run.path / EXPORT / "tflite-float16.failed.json", {"failed": ["drop 3 points, allowed 1", "error"]})
    add_bundle(run, name="tflite-float16.failed")
    (run.path / EXPORT / "broken").mkdir()
    (run.path / EXPORT / "broken" / "bundle.json").write_text("{")
    words = read(run)
    assert "tflite-float16: did not pass: drop 3 points, allowed 1; error" in words
    assert "tflite-float16.failed" not in words
    assert "broken: " in words
    assert "tflite-int8 48,123" in words


def test_a_metric_that_json_has_as_null_is_a_dash(make_run):
    run = make_run()
    run.update(metrics={"test": {"accuracy": 0.9, "auc": None}})
    assert "AUC – –" in read(Run(run.path))  # noqa: RUF001


def test_a_report_written_again_does_not_make_the_run_look_damaged(make_run, add_bundle):
    run = make_run()
    write_report(run)
    run.update(files=run.checksums())
    add_bundle(run)
    write_report(run)
    assert Run(run.path).manifest.files == run.checksums()
    assert run.manifest.files["report.html"] == sha256(run.path / "report.html")


def test_the_plots_are_the_same_bytes_each_time(make_run):
    run = make_run()
    first = write_report(run).read_bytes(), (run.path / "plots" / "confusion.png").read_bytes()
    assert (write_report(run).read_bytes(), (run.path / "plots" / "confusion.png").read_bytes()) == first


def test_the_command_takes_names_and_folders(make_run, tmp_path, capsys):
    run, other = make_run(), make_run(name="other")
    with pytest.raises(SystemExit) as exit:
        main(["report", "pets-cnn", str(other.path), "--runs", str(tmp_path / "runs"), "--json"])
    written = json.loads(capsys.readouterr().out)
    assert exit.value.code == 0
    assert [entry["report"] for entry in written] == [str(run.path / "report.html"), str(other.path / "report.html")]
    assert written[0]["verdict"].startswith("The network beats")


def test_the_command_names_an_unknown_run(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["report", "nothing", "--runs", str(tmp_path)])
    assert exit.value.code == 2
    assert "neither a run folder nor the name of one" in capsys.readouterr().err
