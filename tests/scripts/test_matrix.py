"""What the matrix calls a fault, and what its page says."""

import json

import pytest

from export.verification import RUNTIMES
from scripts import matrix
from scripts.figures import fill_page, markdown
from scripts.matrix_rows import MODES, Cell, faults, must_pass, rows


def cell(row="mnist-cnn", mode="int8", runtime="litert", status="pass", **more):
    return Cell(**{"row": row, "mode": mode, "runtime": runtime, "status": status, "streaming": False, **more})


def test_every_recipe_of_the_first_families_is_a_row_and_so_are_bidirectional_and_stacked_networks():
    from zoo.catalog import RECIPES

    small = {f"{data}-{kind}" for data in ("mnist", "fashion", "digits") for kind in ("mlp", "cnn", "lstm", "gru")}
    tables = {f"{data}-mlp" for data in ("iris", "wine", "breast-cancer", "diabetes")}
    assert set(rows()) & set(RECIPES.names()) == small | tables
    assert set(rows()) - set(RECIPES.names()) == {
        f"mnist-{kind}-{form}" for kind in ("lstm", "gru") for form in ("bidirectional", "stacked")
    }
    assert {row.family for row in rows().values()} == {"mlp", "convnet", "lstm", "gru"}


def test_only_what_reads_forwards_streams():
    streaming = {name for name, row in rows().items() if row.streams}
    assert {"mnist-lstm", "digits-gru", "mnist-gru-stacked"} <= streaming
    assert not streaming & {"mnist-lstm-bidirectional", "mnist-gru-bidirectional", "mnist-cnn", "iris-mlp"}
    assert len(rows()["mnist-lstm"].exports) == 2 * len(rows()["mnist-cnn"].exports) == 10


@pytest.mark.parametrize(
    ("row", "mode", "streaming", "runtime", "promised"),
    [
        ("mnist-cnn", "dynamic", False, "litert", True),
        ("iris-mlp", "float16", False, "arm", True),
        ("mnist-cnn", "float16", False, "tflite-micro", False),
        ("mnist-cnn", "int16x8", False, "tflite-micro", True),
        ("mnist-lstm", "int8", False, "tflite-runtime", True),
        ("mnist-lstm", "dynamic", False, "litert", False),
        ("mnist-gru", "dynamic", False, "litert", True),
        ("mnist-gru", "int8", True, "litert", True),
        ("mnist-gru", "int16x8", True, "arm", True),
        ("mnist-gru-stacked", "float32", False, "tflite-micro", False),
        ("mnist-gru-stacked", "float32", True, "tflite-micro", True),
        ("mnist-gru-bidirectional", "float32", False, "litert", True),
        ("mnist-gru-bidirectional", "int16x8", False, "litert", False),
    ],
)
def test_a_refusal_is_a_fault_where_the_family_promises_the_cell(row, mode, streaming, runtime, promised):
    assert must_pass(rows()[row], mode, runtime, streaming=streaming) is promised
    refused = cell(row, mode, runtime, "refused", streaming=streaming, reason="the runtime has no such operator")
    assert faults([refused]) == ([refused] if promised else [])


@pytest.mark.parametrize("status", ["fail", "unavailable"])
def test_what_failed_or_was_not_there_is_always_a_fault(status):
    wrong = cell("mnist-cnn", "float16", "tflite-micro", status)
    assert faults([cell(), wrong]) == [wrong]


def test_a_mode_that_changes_nothing_is_rightly_refused():
    reason = "the model in dynamic is the float32 file unchanged: every weight tensor of it is below 1,024 values"
    assert faults([cell("iris-mlp", "dynamic", status="refused", reason=reason)]) == []


def test_the_page_says_form_size_and_each_reason_once():
    made = {"form": "graph", "bytes": 2048}
    cells = [cell(mode="int8", runtime=runtime, **made) for runtime in RUNTIMES]
    for mode in ("float16", "dynamic"):
        cells += [cell(mode=mode, runtime=runtime, **made) for runtime in RUNTIMES if runtime != "tflite-micro"]
        cells.append(cell(mode=mode, runtime="tflite-micro", status="refused", reason="no kernel", **made))
    cells += [cell(mode="float32", runtime=runtime, status="refused", reason="too odd") for runtime in RUNTIMES]
    text = matrix.page(cells)
    others = len(RUNTIMES) - 1
    counts = f"{3 * others + 1} pass, {len(RUNTIMES) + 2} refused, 0 unavailable, 0 fail"
    assert text.startswith(f"{len(cells)} cells: {counts}.")
    (line,) = [line for line in text.splitlines() if line.startswith("| mnist-cnn |")]
    by_mode = dict(zip(MODES, [part.strip() for part in line.split("|")[2:-1]], strict=True))
    assert by_mode["int8"] == "graph, 2.0 kB"
    assert by_mode["float16"] == by_mode["dynamic"] == "graph, 2.0 kB; tflite-micro refused (2)"
    assert by_mode["float32"] == "refused (1)"
    assert [line for line in text.splitlines() if line[:2] in ("1.", "2.")] == ["1. too odd", "2. no kernel"]


def test_a_reason_names_neither_the_run_nor_a_path_of_this_machine(tmp_path):
    class Manifest:
        name = "mnist-cnn"

    class Run:
        path = tmp_path / "mnist-cnn" / "2026"
        manifest = Manifest

    bundle = Run.path / "export" / "tflite-int8"
    said = f"{bundle} answers otherwise;\n  mnist-cnn in {Run.path}"
    assert matrix.plain(said, Run, bundle) == "the bundle answers otherwise; the model in RUN"


def test_cells_are_kept_in_a_file_and_those_of_rows_that_are_gone_are_not(tmp_path):
    from dataclasses import asdict

    file = tmp_path / matrix.RESULTS
    assert matrix.read_cells(file) == []
    file.write_text(json.dumps([asdict(cell()), asdict(cell(row="no-such-recipe"))]))
    assert matrix.read_cells(file) == [cell()]


def test_a_page_is_filled_between_its_markers_only(tmp_path):
    page = tmp_path / "a page.md"
    page.write_text("before\n<!-- t: generated by scripts/t -->\nold\n<!-- end of t -->\nafter\n")
    for _ in range(2):
        fill_page(page, "t", "scripts/t", markdown(("a", "b"), [("x", "1")], right=[1]))
    lines = ["| a | b |", "|---|---:|", "| x | 1 |"]
    generated = ["<!-- t: generated by scripts/t -->", *lines, "<!-- end of t -->"]
    assert page.read_text().splitlines() == ["before", *generated, "after"]
    with pytest.raises(SystemExit, match="has 0 places for other"):
        fill_page(page, "other", "scripts/t", "")
