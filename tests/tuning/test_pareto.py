import math
from dataclasses import replace

import pytest

from tuning.books import Books
from tuning.pareto import choose, dimensions, front
from tuning.plan import Plan
from tuning.trial import Figures, Trial, rank


def trial(number, score, status="completed", same_as="", **figures):
    return Trial(
        id=f"{number:04d}",
        values={"units": number},
        proposed={},
        created=number,
        ended=number + 1,
        status=status,
        score=score,
        same_as=same_as,
        figures=Figures(**figures),
    )


def ids(trials):
    return [entry.id for entry in trials]


def test_only_what_nothing_beats_is_on_the_front_the_best_first():
    trials = [
        trial(0, 0.90, bytes=10_000),
        trial(1, 0.95, bytes=20_000),
        trial(2, 0.94, bytes=25_000),  # beaten by 1
        trial(3, 0.99, bytes=60_000),
        trial(4, 0.89, bytes=9_000),
        trial(5, None, status="rejected", bytes=1),
        trial(6, None, status="failed"),
    ]
    assert ids(front(trials, "accuracy")) == ["0003", "0001", "0000", "0004"]


def test_a_trial_that_is_worse_and_larger_stays_where_its_arena_is_smaller():
    trials = [
        trial(0, 0.95, bytes=100, arena_bytes=500),
        trial(1, 0.90, bytes=200, arena_bytes=400),
        trial(2, 0.90, bytes=200, arena_bytes=600),
    ]
    assert dimensions(trials) == ("bytes", "arena_bytes")
    assert ids(front(trials, "accuracy")) == ["0000", "0001"]


def test_errors_are_better_when_smaller():
    trials = [trial(0, 2.0, bytes=100), trial(1, 1.0, bytes=100), trial(2, 3.0, bytes=50)]
    assert ids(front(trials, "mae")) == ["0001", "0002"]
    assert ids(front(trials, "own_measure", smaller_is_better=True)) == ["0001", "0002"]
    assert ids(front(trials, "own_measure", smaller_is_better=False)) == ["0002"]


def test_without_any_measured_cost_the_parameters_count():
    trials = [trial(0, 0.9, parameters=100), trial(1, 0.9, parameters=50), trial(2, 0.8, parameters=70)]
    assert dimensions(trials) == ("parameters",)
    assert ids(front(trials, "accuracy")) == ["0001"]


def test_of_equals_the_one_with_fewer_parameters_then_the_older_stays():
    trials = [trial(0, 0.9, bytes=10, parameters=9), trial(1, 0.9, bytes=10, parameters=5), trial(2, 0.9, bytes=10)]
    assert ids(front(trials[:2], "accuracy")) == ["0001"]
    assert ids(front([trial(2, 0.9), trial(1, 0.9)], "accuracy")) == ["0001"]
    assert ids(front([trial(1, 0.9, bytes=1), trial(2, 0.9, bytes=1, same_as="0001")], "accuracy")) == ["0001"]


def test_latencies_within_the_noise_do_not_fill_the_front():
    trials = [trial(0, 0.95, latency_us=100.0), trial(1, 0.94, latency_us=99.5), trial(2, 0.93, latency_us=60.0)]
    assert ids(front(trials, "accuracy")) == ["0000", "0002"]


def test_an_unmeasured_cost_and_a_score_that_is_no_number_beat_nothing():
    trials = [trial(0, 0.9, bytes=10), trial(1, 0.9), trial(2, math.nan, bytes=1), trial(3, 0.95)]
    assert ids(front(trials, "accuracy")) == ["0003", "0000"]
    assert front([], "accuracy") == []
    assert choose([]) is None


def test_neighbours_are_the_next_that_is_cheaper_in_each_cost_and_the_next_better():
    trials = [
        trial(0, 0.99, bytes=900, arena_bytes=90),
        trial(1, 0.98, bytes=950, arena_bytes=50),
        trial(2, 0.97, bytes=500, arena_bytes=200),
        trial(3, 0.96, bytes=400, arena_bytes=40),
    ]
    found = front(trials, "accuracy")
    choice = choose(found)
    assert choice.chosen.id == "0000"
    assert {entry.trial.id: entry.how for entry in choice.neighbours} == {
        "0002": "smaller file",
        "0001": "smaller arena",
    }
    other = choose(found, trials[2])
    assert {entry.trial.id: entry.how for entry in other.neighbours} == {
        "0003": "smaller file, smaller arena",
        "0001": "better",
    }


@pytest.mark.parametrize(
    ("keep", "kept"),
    [(0, set()), (1, {"0000", "0003"}), (2, {"0000", "0001", "0003"}), (9, {"0000", "0001", "0002", "0003"})],
)
def test_the_neighbours_of_the_best_keep_their_weights_too(tmp_path, keep, kept):
    trials = [
        trial(0, 0.99, bytes=900),
        trial(1, 0.98, bytes=950),
        trial(2, 0.97, bytes=990),
        trial(3, 0.96, bytes=400),
        trial(4, 0.99, bytes=900, same_as="0000"),
    ]
    books = Books(tmp_path, Plan(names=("iris-mlp",), keep=keep))
    assert books.keepers(trials) == kept


def test_of_equal_scores_the_lower_loss_is_better_and_the_smaller_file_stands_beside_it():
    trials = [
        replace(trial(number, 0.9, bytes=size), metrics={"validation": {"loss": loss}})
        for number, (size, loss) in enumerate(((100, 0.5), (300, 0.2), (400, 0.3), (50, 0.2)))
    ]
    assert [one.id for one in rank(trials, "accuracy")] == ["0003", "0001", "0002", "0000"]
    assert [one.id for one in front(trials[:3], "accuracy")] == ["0001", "0000"]
    assert choose(front(trials[:3], "accuracy")).neighbours[0].how == "smaller file"
