import html
import io
import math
import re
import xml.etree.ElementTree
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tuning.books import PAGE, TENSORBOARD, Books
from tuning.dimensions import Dimension
from tuning.plan import Limits, Plan
from tuning.reporting.effects import effects
from tuning.reporting.hparams import EVENTS, write_hparams
from tuning.reporting.knobs import knobs_of, make_knob
from tuning.reporting.page import write_page
from tuning.reporting.pictures import score_bounds
from tuning.reporting.table import table_text, write_table
from tuning.reporting.words import find_standing, optimism, verdict
from tuning.trial import Figures, Trial
from zoo.runs import MANIFEST, PLOTS, write_json

OWN = {"units": 16, "l2": 0.0, "learning_rate": 0.001, "activation": "relu"}
SPACE = tuple(
    dimension.to_json()
    for dimension in (
        Dimension(name="units", knob="units", values=(8, 16, 64), own={"iris-mlp": 16}),
        Dimension(name="l2", knob="l2", low=1e-6, high=1e-2, log=True, off=True, own={"iris-mlp": 0.0}),
        Dimension(name="learning_rate", knob="learning_rate", low=1e-4, high=1e-2, log=True, own={"iris-mlp": 0.001}),
        Dimension(name="activation", knob="activation", values=("relu", "tanh"), own={"iris-mlp": "relu"}),
    )
)


def make(number, status="completed", score=0.9, **changes):
    values = changes.pop("values", OWN)
    return Trial(
        **{
            "id": f"{number:04d}",
            "values": values,
            "proposed": {},
            "created": 2 * number,
            "ended": None if status == "running" else 2 * number + 1,
            "status": status,
            "score": score if status == "completed" else None,
            "done": 3,
            "best": 2,
            "seconds": 1.5,
            "metrics": {"train": {"loss": 0.2, "accuracy": 0.95}, "validation": {"loss": 0.3, "accuracy": score}},
            "figures": Figures(parameters=1000 + number, bytes=4096 + 10 * number, arena_bytes=2048),
            **changes,
        }
    )


def search(path, **changes):
    plan = Plan(**{"names": ("iris-mlp",), "space": SPACE, "limits": Limits(flash=8192), "quantize": "int8", **changes})
    return Books.create(path / "a search", plan)


def drawn(count, seed=0):
    """Trials in which the learning rate decides, L2 makes the losses grow and the activation does nothing."""
    generator = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        values = {
            "units": int(generator.choice([8, 16, 64])),
            "l2": float(generator.choice([0.0, 10 ** generator.uniform(-6, -2)])),
            "learning_rate": float(10 ** generator.uniform(-4, -2)),
            "activation": str(generator.choice(["relu", "tanh"])),
        }
        score = float(0.9 + 0.02 * math.log10(values["learning_rate"]) + generator.normal(0, 0.002))
        loss = 0.1 + 20 * values["l2"]
        metrics = {"train": {"loss": loss}, "validation": {"loss": loss + 0.05, "accuracy": score}}
        trials.append(make(number, score=score, values=values, metrics=metrics))
    return trials


def words_of(path):
    """What a reader sees of a page, without its pictures."""
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_the_table_gives_back_every_figure_in_full_precision(tmp_path):
    books = search(tmp_path)
    trials = [
        make(0, score=0.1 + 0.2, scores=(0.25, 0.35), values={"units": 16, "epochs": 5}),
        make(1, "rejected", reason="its file is\ntoo large, by far", values={"units": 64, "activation": "tanh, ü"}),
        make(2, score=0.5, metrics={"validation": {"accuracy": 0.5, "auc": math.nan}}, same_as="0000"),
    ]
    frame = pd.read_csv(write_table(books, trials), dtype={"id": str, "same_as": str})
    assert frame["id"].tolist() == ["0000", "0001", "0002"]
    assert frame["score"][0] == 0.1 + 0.2
    assert frame["spread"][0] == pytest.approx(0.1)
    assert frame["values.epochs"].dropna().tolist() == [5]
    assert frame["epochs"].tolist() == [3, 3, 3]
    assert frame["values.activation"][1] == "tanh, ü"
    assert frame["reason"][1] == "its file is too large, by far"
    assert math.isnan(frame["validation_auc"][2])
    assert frame["bytes"].tolist() == [4096, 4106, 4116]
    assert frame["same_as"][2] == "0000"


def test_a_table_without_trials_has_its_columns():
    frame = pd.read_csv(io.StringIO(table_text([])))
    assert frame.empty
    assert {"id", "status", "score", "bytes", "arena_bytes", "latency_us", "seconds", "reason"} <= set(frame.columns)


def test_the_verdict_sets_the_best_beside_the_recipe_as_it_stands(tmp_path):
    books = search(tmp_path)
    better = make(1, score=0.95, values={**OWN, "units": 64})
    trials = [make(0, score=0.9), better]
    assert find_standing(books.plan, trials).id == "0000"
    said = verdict(books, trials)
    assert "0001: accuracy 95.00 % on the validation split, answered by its exported int8 file" in said
    assert "5.00 points above the recipe as it stands (trial 0000, 90.00 %)" in said
    assert "chance" not in said
    write_json(
        books.folder(better) / MANIFEST,
        {
            "schema_version": 1,
            "name": "a",
            "builder": "mlp",
            "seed": 0,
            "status": "finished",
            "data": {"samples": {"validation": 15}},
        },
    )
    assert "no more than chance explains on a validation split of 15 samples" in verdict(books, trials)
    assert "nothing beat the recipe as it stands" in verdict(books, [make(0, score=0.96), better])
    assert verdict(books, [better]).endswith("exported int8 file.")
    assert "file (1 other scores the same)." in verdict(books, [better, replace(better, id="0002")])
    assert verdict(books, [make(0, "failed")]) == "No trial is completed: 1 failed."


def test_the_defaults_of_a_build_function_are_found():
    row = {"name": "units", "default": 32, "min_value": 8, "max_value": 64, "step": 8, "sampling": "linear"}
    plan = Plan(names=("build",), space=({"class_name": "Int", "config": row},))
    trials = [make(0, values={"units": 8}), make(1, values={"units": 32}, score=0.1)]
    assert find_standing(plan, trials).id == "0001"
    assert find_standing(plan, trials[:1]) is None


def final(score, tested, path, **changes):
    run = SimpleNamespace(metrics={"test": tested}, path=path)
    return SimpleNamespace(run=run, search_score=score, metrics=tested, **{"exported": {}, "notes": (), **changes})


@pytest.mark.parametrize(
    ("objective", "score", "tested", "expected"),
    [
        ("accuracy", 0.99, {"accuracy": 0.98}, "optimistic by 1.00 points: the search scored 99.00 %"),
        ("accuracy", 0.98, {"accuracy": 0.99}, "was not optimistic"),
        ("mae", 10.0, {"mae": 12.5}, "optimistic by 2.5: the search scored 10"),
        ("accuracy", 0.98, {"mae": 1.0}, "has no accuracy on a test split"),
    ],
)
def test_optimism_is_said_in_the_direction_of_the_metric(tmp_path, objective, score, tested, expected):
    plan = Plan(names=("a",), objective=objective, smaller_is_better=objective == "mae")
    assert expected in optimism(plan, final(score, tested, tmp_path))
    assert optimism(plan, None) == ""


def test_optimism_is_that_of_the_exported_file_where_there_is_one(tmp_path):
    made = final(0.99, {"accuracy": 0.985}, tmp_path, exported={"accuracy": 0.97})
    said = optimism(Plan(names=("a",)), made)
    assert "optimistic by 2.00 points" in said
    assert "the exported file of the run that was made of it has 97.00 %" in said


def test_effects_say_what_decides_and_put_the_rest_down_to_chance():
    trials = drawn(40)
    found = effects(knobs_of(Plan(names=("a",), space=SPACE), trials), trials, "accuracy", smaller_is_better=False)
    assert found[0].knob.name == "learning_rate"
    assert "more goes with better: rank correlation +0.9" in found[0].words
    others = {effect.knob.name: effect.words for effect in found[1:]}
    assert others["activation"] == "nothing beyond chance in 40 trials"
    turned = effects([found[0].knob], trials, "mae", smaller_is_better=True)
    assert "more goes with worse" in turned[0].words


def test_a_choice_that_decides_is_named_and_few_trials_say_nothing():
    trials = [
        make(
            number,
            score=0.9 + 0.05 * (number % 2) + 0.001 * number,
            values={"activation": ("relu", "tanh")[number % 2]},
        )
        for number in range(20)
    ]
    knob = make_knob("activation", ["relu", "tanh"])
    assert "best with tanh" in effects([knob], trials, "accuracy", smaller_is_better=False)[0].words
    assert effects([knob], trials[:6], "accuracy", smaller_is_better=False)[0].words == "6 trials: too few to tell"
    equal = [make(number, values={"activation": ("relu", "tanh")[number % 2]}) for number in range(20)]
    assert effects([knob], equal, "accuracy", smaller_is_better=False)[0].words == "all scores are equal"


def test_chance_alone_is_seldom_called_an_effect():
    generator = np.random.default_rng(1)
    called = 0
    for _ in range(40):
        trials = [
            make(
                number,
                score=float(generator.normal()),
                values={f"k{knob}": float(generator.normal()) for knob in range(3)},
            )
            for number in range(15)
        ]
        found = effects(knobs_of(Plan(names=("a",)), trials), trials, "accuracy", smaller_is_better=False)
        called += any(effect.strength > 0 for effect in found)
    assert called <= 5


def test_zero_has_a_place_of_its_own_on_a_logarithmic_axis():
    knob = make_knob("l2", [0.0, 1e-5, 1e-3, 1e-2, 2e-2, 3e-2, 5e-2], log=True)
    assert knob.place(0.0) < knob.place(1e-5) < knob.place(1e-3)
    assert "0" in knob.ticks.values()
    assert math.isnan(knob.place(None))
    narrow = make_knob("units", [11, 17, 23, 40, 56, 70, 89], log=True)
    assert list(narrow.ticks.values()) == ["20", "30", "50", "70"]
    mixed = make_knob("batch_size", [32, 64, "full"])
    assert not mixed.numeric
    assert sorted(mixed.ticks.values()) == ["32", "64", "full"]


def test_one_trial_that_went_wrong_does_not_flatten_the_plots():
    low, high = score_bounds(np.array([0.95, 0.96, 0.97, 0.98, 0.1]), smaller_is_better=False)
    assert 0.5 < low < 0.95
    assert high > 0.98
    low, high = score_bounds(np.array([1.0, 1.1, 1.2, 900.0]), smaller_is_better=True)
    assert low < 1.0
    assert 1.2 < high < 900


def test_the_page_of_a_whole_search(tmp_path):
    books = search(tmp_path)
    trials = drawn(30)
    reason = "<script>alert('ü')</script> " + "very long " * 60
    trials += [make(30, "failed", reason=f"epoch 3: {reason}"), make(31, "failed", reason=f"epoch 7: {reason}")]
    trials += [make(number, "rejected", reason=f"its file has {number * 1000} bytes") for number in range(32, 50)]
    trials += [make(50, same_as="0000"), make(51, "running")]
    best = books.ranked(trials)[0]
    write_json(books.folder(best) / MANIFEST, {})
    books.write_plan("finished")
    page = write_page(books, trials, final(0.86, {"accuracy": 0.84}, tmp_path / "the run"))
    text, seen = page.read_text(encoding="utf-8"), words_of(page)
    assert "<script" not in text
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|"http-equiv"|http-equiv', "", text)
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        xml.etree.ElementTree.fromstring(svg)
    for heading in ("Course", "Quality against cost", "All knobs at once", "Effect of each knob", "All trials"):
        assert f"<h2>{heading}</h2>" in text
    assert text.count("<svg") == 6  # course, file and arena, coordinates, effects, losses
    assert {path.name for path in (books.path / PLOTS).iterdir()} >= {"course.png", "bytes.png", "losses.png"}
    assert f"zoo export '{books.path}/trials/{best.id}' --quantize int8" not in seen  # the chosen one is the run
    assert f"zoo export '{tmp_path}/the run' --quantize int8" in seen
    assert "Validation was optimistic by 2.00 points" in seen
    assert "2 epoch 3: <script>alert('ü')</script>" in seen  # two failures of one reason, told once
    assert "18 its file has 32000 bytes" in seen
    assert "1 had the configuration of an earlier one" in seen
    assert "This search is" not in seen


def test_the_page_of_a_search_that_runs_has_what_is_quickly_drawn(tmp_path):
    books = search(tmp_path)
    text = write_page(books, drawn(12)).read_text(encoding="utf-8")
    assert text.count("<svg") == 3  # course, file and arena
    assert "<h2>All trials</h2>" in text
    assert not (books.path / PLOTS).exists()
    books.write_plan("finished")
    assert write_page(books, drawn(12)).read_text(encoding="utf-8").count("<svg") == 6


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_page_of_hardly_any_trials(tmp_path, count):
    books = search(tmp_path)
    page = write_page(books, drawn(count))
    seen = words_of(page)
    assert "This search is running." in seen
    books.write_plan("finished")
    assert "This search is" not in words_of(write_page(books, drawn(count)))
    assert ("No trial is completed" in seen) == (count == 0)
    assert page == books.path / PAGE


def test_a_page_of_several_recipes_and_of_figures_that_are_no_numbers(tmp_path):
    books = search(tmp_path, names=("har-conv1d", "har-gru"), space=(), limits=Limits(), quantize=None)
    books.write_plan("interrupted")
    odd = {"train": {"loss": math.nan}, "validation": {"loss": math.inf}}
    trials = [
        make(number, score=0.8 + 0.01 * number, values=values, metrics=odd, figures=Figures(latency_us=math.nan))
        for number, values in enumerate(
            [{"recipe": "har-conv1d", "filters": 8 + number, "l2": 0.1} for number in range(6)]
            + [
                {"recipe": "har-gru", "cell": ("gru", "lstm")[number % 2], "dropout": 0.1 * number}
                for number in range(6)
            ]
        )
    ]
    trials += [make(12, score=math.nan), make(13, "failed", values={}, figures=Figures())]
    seen = words_of(write_page(books, trials))
    assert "Best of 12 completed trials is 0011" in seen
    assert "recipe har-gru cell lstm dropout 0.5" in seen
    assert "no reason is recorded" in seen
    assert "What penalties" not in seen  # no loss is a number


def test_tensorboard_reads_every_trial_back(tmp_path):
    books = search(tmp_path)
    trials = [make(0, score=0.9375), make(1, "failed", reason="NaN"), make(2, "running")]
    trials.append(make(3, values={"units": "full", "bias": True}))
    for trial in trials:
        books.write(trial)
    folder = write_hparams(books, trials)
    before = (folder / "0000" / EVENTS).read_bytes()
    assert write_hparams(books, trials) == books.path / TENSORBOARD
    assert (folder / "0000" / EVENTS).read_bytes() == before

    groups, experiment = read_hparams(folder)
    assert [group.name for group in groups] == ["0000", "0003", "0001"]
    assert groups[0].hparams["learning_rate"].number_value == 0.001
    assert groups[0].hparams["units"].string_value == "16"  # another trial has a word there
    assert groups[1].hparams["bias"].bool_value
    metrics = {value.name.tag: value for value in groups[0].metric_values}
    assert metrics["score"].value == 0.9375
    assert metrics["cost/bytes"].value == 4096
    assert metrics["validation/loss"].training_step == 3
    assert [session.status for group in groups for session in group.sessions] == [1, 1, 2]  # success, success, failure
    assert "0, or 1e-06 to 0.01" in {info.name: info.description for info in experiment.hparam_infos}["l2"]


def read_hparams(folder):
    """What TensorBoard's own plugin makes of a folder: sessions by score, and the experiment."""
    from tensorboard import context
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    asking = context.RequestContext()
    by_score = api_pb2.ColParams(metric=api_pb2.MetricName(tag="score"), order=api_pb2.ORDER_DESC)
    wanted = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE]
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=wanted, slice_size=100, col_params=[by_score])
    groups = list_session_groups.Handler(asking, backend, "", request).run().session_groups
    metadata = backend.hparams_metadata(asking, "")
    provided = backend.hparams_from_data_provider(asking, "", 100)
    return list(groups), backend.experiment_from_metadata(asking, "", True, metadata, provided)
