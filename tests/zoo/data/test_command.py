"""`zoo data`, as a user types it."""

import json
import subprocess
import sys

import pytest

from zoo.cli import main


def run(capsys, *words):
    with pytest.raises(SystemExit) as exit:
        main(["data", *words])
    captured = capsys.readouterr()
    return exit.value.code, captured.out, captured.err


def test_list_names_every_set(capsys, home):
    code, out, _ = run(capsys, "list", "--json")
    cards = {card["name"]: card for card in json.loads(out)}
    assert code == 0
    images, tables = {"mnist", "fashion_mnist", "digits"}, {"iris", "wine", "breast-cancer", "diabetes"}
    series, sounds, texts = {"wisdm51_watch", "japanese_vowels"}, {"fsdd"}, {"imdb", "trec"}
    assert set(cards) > images | tables | series | sounds | texts
    assert cards["fsdd"]["tree"]["files"] == 3_000
    assert cards["mnist"]["path"] is None
    assert cards["iris"]["embedded"]


def test_info_shows_sizes_classes_licence_and_the_place(capsys, real_data):
    _, out, _ = run(capsys, "info", "fashion_mnist")
    for expected in ("70,000, 10,000 of them", "Ankle boot", "MIT", str(real_data / "fashion_mnist")):
        assert expected in out


def test_info_of_a_set_that_is_not_here_says_how_to_get_it(capsys, home):
    _, out, _ = run(capsys, "info", "mnist")
    assert "not fetched" in out
    assert "zoo data fetch mnist" in out


def test_fetch_verifies_what_is_there(capsys, real_data):
    code, out, _ = run(capsys, "fetch", "mnist")
    assert (code, out) == (0, f"mnist: verified, {real_data / 'mnist' / 'mnist.npz'}\n")


def test_fetch_offline_is_one_line_and_exit_code_3(capsys, home, no_network):
    code, out, err = run(capsys, "fetch", "mnist", "--json")
    assert (code, json.loads(out)["exit_code"]) == (3, 3)
    assert err.count("\n") == 1


def test_an_unknown_set_lists_the_nearest(capsys, home):
    code, _, err = run(capsys, "info", "mnits")
    assert code == 2
    assert "did you mean mnist" in err


def test_listing_imports_neither_numpy_nor_a_framework():
    probe = "import sys, zoo.data; print([m for m in ('numpy', 'sklearn', 'tensorflow', 'keras') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_has_its_example_on_lines_of_its_own(capsys):
    for words in (["--help"], ["fetch", "--help"]):
        _, out, _ = run(capsys, *words)
        assert "Example:\n  " in out
        assert "\\b" not in out
