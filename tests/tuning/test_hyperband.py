"""Hyperband: trials are trained to the end however few there are, and however small the space is."""

import itertools
import threading
from collections import Counter
from dataclasses import replace

import pytest

from tests.tuning.test_engine import Formula, Killed, begin, engine_of, told
from tuning import books as books_module
from tuning.books import Books
from tuning.brackets import bracket_sizes, hyperband_brackets
from tuning.engine import Engine
from tuning.plan import Plan
from tuning.roles import Progress
from tuning.space import make_space
from tuning.working import work
from zoo.training.events import Message


class Units:
    """A runner of which more units are better; some trials are rejected."""

    def __init__(self, *, reject=lambda trial: False):
        self.reject = reject

    def run(self, trial, tell):
        tell(Progress(id=trial.id, epoch=1, epochs=1))
        if self.reject(trial):
            return replace(trial, status="rejected", reason="too large")
        score = trial.values["units"] + (trial.epochs or 0) / 1000
        return replace(trial, status="completed", score=score, scores=(score,))


def small(path, units, trials=30, epochs=9, brackets=0):
    space = make_space(["iris-mlp"], [f"units={units}"], {})
    plan = Plan(names=("iris-mlp",), space=space.to_json(), tuner="hyperband", trials=trials, brackets=brackets)
    books = Books.create(path, plan)
    events = []
    return books, lambda: Engine(books, space, epochs, events.append), events


def rungs(trials):
    return [(trial.epochs, trial.values["units"]) for trial in trials]


@pytest.mark.parametrize(
    ("epochs", "trials", "expected"),
    [
        (60, 1, 1),
        (60, 10, 1),
        (60, 11, 2),
        (60, 20, 2),
        (60, 22, 3),
        (60, 51, 3),
        (60, 52, 4),
        (60, 999, 4),
        (2, 99, 1),
    ],
)
def test_no_more_brackets_than_there_are_trials_for(epochs, trials, expected):
    assert hyperband_brackets(epochs, trials) == expected


@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 9, 30, 60, 81, 100, 243, 1000])
def test_the_brackets_are_keras_tuners(tmp_path, epochs):
    books = begin(tmp_path / "s", "hyperband")
    oracle = engine_of(books, epochs=epochs)._oracle
    count = oracle._get_num_brackets()
    assert hyperband_brackets(epochs, 10**9) == count
    for bracket in range(count):
        assert bracket_sizes(epochs, bracket) == [oracle._get_size(bracket, number) for number in range(bracket + 1)]


@pytest.mark.parametrize("trials", [3, 7, 12, 20, 30])
def test_with_few_trials_some_are_trained_to_the_end(tmp_path, trials):
    books = begin(tmp_path / "s", "hyperband", trials, brackets=hyperband_brackets(60, trials))
    engine = engine_of(books, epochs=60)
    work(engine, Formula(), "w")
    assert len(engine.trials) == trials
    assert sum(trial.epochs == 60 for trial in engine.trials) >= 2


def test_no_larger_bracket_is_begun_later(tmp_path):
    books = begin(tmp_path / "s", "hyperband", 40, brackets=2)
    engine = engine_of(books, epochs=60)
    work(engine, Formula(), "w")
    epochs = [trial.epochs for trial in engine.trials]
    round_of_two = [20] * 8 + [60] * 3 + [60] * 5
    assert epochs == (round_of_two * 3)[:40]


def test_a_search_that_goes_on_with_more_trials_keeps_its_brackets(tmp_path):
    short = begin(tmp_path / "s", "hyperband", 11, brackets=hyperband_brackets(60, 11))
    work(engine_of(short, epochs=60), Formula(), "w")
    reread = Books.open(short.path).plan
    more = replace(reread, trials=30)
    assert reread.brackets == 2
    assert reread.differences(replace(more, brackets=hyperband_brackets(60, 30))) == []
    engine = engine_of(Books(short.path, more), epochs=60)
    work(engine, Formula(), "w")
    whole = begin(tmp_path / "whole", "hyperband", 30, brackets=2)
    at_once = engine_of(whole, epochs=60)
    work(at_once, Formula(), "w")
    assert told(engine.trials) == told(at_once.trials)


def test_a_plan_of_before_there_were_brackets_has_all(tmp_path):
    content = {key: value for key, value in begin(tmp_path, "hyperband").plan.to_json().items() if key != "brackets"}
    assert Plan.from_json(content, "it").brackets == 0


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("8,16", [(1, 16), (1, 8), (3, 16), (9, 16)]),
        ("1,2,3,4,5,6", [*((1, unit) for unit in (1, 2, 3, 4, 5, 6)), (3, 6), (3, 5), (9, 6)]),
    ],
)
def test_in_a_space_smaller_than_the_first_round_the_best_go_on_to_the_end(tmp_path, units, expected):
    _, make, events = small(tmp_path / "s", units)
    engine = make()
    work(engine, Units(), "w")
    first = len(units.split(","))
    assert sorted(rungs(engine.trials)[:first]) == sorted(expected[:first])
    assert rungs(engine.trials)[first:] == expected[first:]
    assert len([event for event in events if isinstance(event, Message)]) == 1, "that the space has no more"


def test_a_space_that_ends_in_the_second_bracket_ends_both(tmp_path):
    _, make, _ = small(tmp_path / "s", ",".join(map(str, range(1, 12))), trials=99)
    engine = make()
    work(engine, Units(), "w")
    assert Counter(trial.epochs for trial in engine.trials) == {1: 9, 3: 3 + 2, 9: 1 + 1}
    assert {trial.values["units"] for trial in engine.trials} == set(range(1, 12))


def test_what_is_rejected_of_a_small_space_makes_its_later_rounds_smaller(tmp_path):
    _, make, _ = small(tmp_path / "s", "1,2,3,4,5,6")
    engine = make()
    work(engine, Units(reject=lambda trial: trial.values["units"] > 2), "w")
    assert rungs([trial for trial in engine.trials if trial.status == "completed"])[2:] == [(3, 2), (9, 2)]
    _, make, _ = small(tmp_path / "none", "1,2,3")
    engine = make()
    work(engine, Units(reject=lambda trial: True), "w")
    assert [trial.status for trial in engine.trials] == ["rejected"] * 3


def test_a_late_rejection_in_a_small_space_leaves_nobody_waiting(tmp_path):
    """Trials end in every order, some rejected after others of their round have gone on."""
    units = "1,2,3,4"
    for number, order in enumerate(itertools.permutations(range(4))):
        _, make, _ = small(tmp_path / f"s{number}", units)
        engine = make()
        held = [engine.deal(f"w{place}") for place in range(4)]
        assert engine.deal("late") == "wait"
        runner = Units(reject=lambda trial, last=order[-1]: trial.id == f"{last:04d}")
        for place in order:
            engine.end(runner.run(held[place], lambda progress: True))
            dealt = engine.deal(f"w{place}")
            if dealt not in ("wait", None):
                engine.put_back(dealt)
        work(engine, runner, "w")
        assert {trial.status for trial in engine.trials} == {"completed", "rejected"}
        assert max(trial.epochs for trial in engine.trials) == 9


def test_several_workers_come_to_the_end_of_a_small_space(tmp_path):
    _, make, _ = small(tmp_path / "s", "1,2,3,4,5")
    engine = make()
    threads = [
        threading.Thread(target=work, args=(engine, Units(), f"w{n}"), kwargs={"wait_seconds": 0.01}) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(rungs(engine.trials)) == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (3, 4), (3, 5), (9, 5)]


def test_a_search_of_a_small_space_that_is_killed_at_any_write_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    runner = Units(reject=lambda trial: trial.values["units"] == 3)
    _, make, _ = small(tmp_path / "whole", "1,2,3,4,5")
    whole = make()
    work(whole, runner, "w")
    write = books_module.write_json
    for kill_at in range(1, 3 * len(whole.trials)):
        _, make, _ = small(tmp_path / f"killed {kill_at}", "1,2,3,4,5")
        left = [kill_at]

        def failing(path, content, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            write(path, content)

        monkeypatch.setattr(books_module, "write_json", failing)
        with pytest.raises(Killed):
            work(make(), runner, "w")
        monkeypatch.setattr(books_module, "write_json", write)
        resumed = make()
        work(resumed, runner, "w")
        assert told(resumed.trials) == told(whole.trials), kill_at
