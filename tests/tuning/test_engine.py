"""What a search remembers: through failures, kills and damaged files."""

import json
import math
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tuning import books as books_module
from tuning.books import Books
from tuning.engine import Engine
from tuning.plan import TUNERS, Limits, Plan
from tuning.roles import Progress, TrialEnded, TrialStarted
from tuning.space import make_space
from tuning.trial import Figures
from tuning.working import work
from zoo.errors import DivergedError, GateError, ResourceError
from zoo.training.events import Message

ASKED = {
    "grid": ["units=8:64", "learning_rate=1e-4:1e-1", "dropout=0,0.2"],
    "other": ["units=8:64", "learning_rate=1e-4:1e-1", "dropout=0:0.5", "optimizer=adam,sgd"],
}
REPOSITORY = Path(__file__).parents[2]


class Formula:
    """A runner that knows the answer: best at a learning rate of 0.01; some trials fail, some are rejected."""

    def __init__(self, *, fail=lambda trial: False, reject=lambda trial: False):
        self.fail, self.reject, self.ran = fail, reject, []

    def run(self, trial, tell):
        self.ran.append(trial)
        tell(Progress(id=trial.id, epoch=1, epochs=1))
        if self.reject(trial):
            size = 1000 * trial.values["units"]
            return replace(trial, status="rejected", reason="too large", figures=Figures(bytes=size))
        if self.fail(trial):
            raise MemoryError("too wide")
        score = 1 - (math.log10(trial.values["learning_rate"]) + 2) ** 2 - trial.values["dropout"] / 10
        return replace(trial, status="completed", score=score, scores=(score,))


def space_of(tuner):
    return make_space(["iris-mlp"], ASKED.get(tuner, ASKED["other"]), {}, grid=tuner == "grid")


def begin(path, tuner="random", trials=12, **plan):
    space = space_of(tuner)
    made = Plan(names=("iris-mlp",), space=space.to_json(), tuner=tuner, trials=trials, **plan)
    return Books.create(path, made)


def engine_of(books, listener=lambda event: None, epochs=9, **more):
    return Engine(books, space_of(books.plan.tuner), epochs, listener, **more)


def search(path, tuner="random", trials=12, runner=None, **plan):
    books = begin(path, tuner, trials, **plan)
    engine = engine_of(books)
    work(engine, runner or Formula(), "w")
    return engine


def told(trials):
    """What a search amounts to, apart from times and workers."""
    return [(t.id, t.values, t.proposed, t.created, t.ended, t.status, t.score, t.reason) for t in trials]


def values_of(trials):
    return {json.dumps(trial.values, sort_keys=True) for trial in trials}


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_search_ends_with_as_many_trials_as_were_asked_for_in_a_folder_with_a_space(tmp_path, tuner):
    trials = 18
    engine = search(tmp_path / "my search", tuner, trials)
    assert [trial.status for trial in engine.trials] == ["completed"] * trials
    assert [trial.id for trial in engine.trials] == [f"{number:04d}" for number in range(trials)]
    best = engine.finish()
    assert best.score == max(trial.score for trial in engine.trials)
    assert not list((tmp_path / "my search").glob("**/oracle.json")), "keras-tuner writes nothing of its own"


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_same_seed_is_the_same_search(tmp_path, tuner):
    one = search(tmp_path / "one", tuner, 18)
    two = search(tmp_path / "two", tuner, 18)
    assert told(one.trials) == told(two.trials)


def test_another_seed_is_another_search_also_the_next_one(tmp_path):
    one = search(tmp_path / "one", seed=0)
    two = search(tmp_path / "two", seed=1)
    rates = [{trial.values["learning_rate"] for trial in engine.trials[1:]} for engine in (one, two)]
    assert not rates[0] & rates[1]


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_the_recipe_as_it_stands_is_the_first_candidate(tmp_path, tuner):
    first = search(tmp_path / "s", tuner, 3).trials[0]
    assert first.values == {"units": 16, "learning_rate": 0.01, "dropout": 0.0, "optimizer": "adam"}


def test_bayesian_search_comes_closer_to_the_best_than_random_search(tmp_path):
    found = {}
    for tuner in ("random", "bayesian"):
        engine = search(tmp_path / tuner, tuner, 30, Formula(), seed=3)
        late = [trial.score for trial in engine.trials[15:]]
        found[tuner] = sum(late) / len(late)
    assert found["bayesian"] > found["random"] + 0.2


def test_hyperband_gives_the_better_candidates_more_epochs(tmp_path):
    engine = search(tmp_path / "s", "hyperband", 22)
    by_epochs = {}
    for trial in engine.trials:
        by_epochs.setdefault(trial.epochs, []).append(trial.score)
    assert set(by_epochs) == {1, 3, 9}
    first_nine = sorted(by_epochs[1][:9])
    again = [trial for trial in engine.trials if trial.proposed.get("tuner/trial_id")]
    assert again[0].score == first_nine[-1]


def test_hyperband_goes_on_where_trials_fail_or_are_rejected(tmp_path):
    runner = Formula(fail=lambda trial: int(trial.id) % 4 == 1, reject=lambda trial: int(trial.id) % 4 == 2)
    engine = search(tmp_path / "s", "hyperband", 30, runner)
    assert sum(trial.status in ("completed", "failed") for trial in engine.trials) == 30
    assert {trial.epochs for trial in engine.trials if trial.status == "completed"} == {1, 3, 9}
    promoted = {trial.proposed.get("tuner/trial_id") for trial in engine.trials} - {None}
    unfit = {trial.id for trial in engine.trials if trial.status != "completed" and trial.epochs == 1}
    assert unfit
    assert not promoted & unfit


def test_bayesian_search_learns_to_avoid_what_is_rejected(tmp_path):
    runner = Formula(reject=lambda trial: trial.values["units"] > 24)
    engine = search(tmp_path / "s", "bayesian", 20, runner, seed=1)
    rejected = [trial.status == "rejected" for trial in engine.trials]
    late = rejected[-12:]
    assert sum(late) <= 4, rejected


def test_what_is_rejected_does_not_count_as_a_trial(tmp_path):
    engine = search(tmp_path / "s", trials=10, runner=Formula(reject=lambda trial: int(trial.id) % 3 == 0))
    statuses = [trial.status for trial in engine.trials]
    assert (statuses.count("completed"), statuses.count("rejected")) == (10, 5)


def test_a_grid_is_gone_through_once(tmp_path):
    engine = search(tmp_path / "s", "grid", 100)
    assert len(engine.trials) == len(values_of(engine.trials)) == 18


def test_a_small_space_is_exhausted_to_the_last_candidate_and_said_so(tmp_path):
    space = make_space(["iris-mlp"], ["units=8,16,32", "learning_rate=0.001,0.01", "dropout=0,0.1"], {})
    plan = Plan(names=("iris-mlp",), space=space.to_json(), trials=50)
    events = []
    engine = Engine(Books.create(tmp_path / "s", plan), space, 9, events.append)
    work(engine, Formula(), "w")
    assert len(values_of(engine.trials)) == len(engine.trials) == 12
    messages = [event.text for event in events if isinstance(event, Message)]
    assert messages == ["the space has no more than 12 different trials; widen it with --space"]


@pytest.mark.parametrize("tuner", ["random", "grid"])
def test_several_workers_try_the_same_candidates_as_one(tmp_path, tuner):
    alone = search(tmp_path / "one", tuner, 18, Formula(reject=lambda trial: trial.values["units"] == 9))
    books = begin(tmp_path / "many", tuner, 18)
    engine = engine_of(books)

    class Slow(Formula):
        def run(self, trial, tell):
            time.sleep(0.002 * (int(trial.id) * 7 % 5))
            return super().run(trial, tell)

    runner = Slow(reject=lambda trial: trial.values["units"] == 9)
    threads = [
        threading.Thread(target=work, args=(engine, runner, f"w{n}"), kwargs={"wait_seconds": 0.01}) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert values_of(engine.trials) == values_of(alone.trials)
    numbers = [number for trial in engine.trials for number in (trial.created, trial.ended)]
    assert sorted(numbers) == list(range(len(numbers)))


def test_a_failed_trial_is_data(tmp_path):
    events = []
    books = begin(tmp_path / "s", trials=6)
    engine = engine_of(books, events.append)
    work(engine, Formula(fail=lambda trial: trial.id in ("0001", "0003")), "w")
    assert [trial.status for trial in engine.trials].count("failed") == 2
    assert books.read("0001").reason == "out of memory: too wide"
    assert [event.trial.id for event in events if isinstance(event, TrialEnded)] == [t.id for t in engine.trials]
    assert sum(isinstance(event, TrialStarted) for event in events) == 6


def test_a_score_that_is_no_number_is_a_failure(tmp_path):
    class Nan(Formula):
        def run(self, trial, tell):
            return replace(super().run(trial, tell), score=math.nan if trial.id == "0001" else 0.5)

    engine = search(tmp_path / "s", trials=3, runner=Nan())
    assert [trial.status for trial in engine.trials] == ["completed", "failed", "completed"]
    assert engine.trials[1].reason == "diverged: its score is nan"


def test_when_every_trial_fails_the_error_says_why_and_how_often(tmp_path):
    class Failing(Formula):
        def run(self, trial, tell):
            if int(trial.id) < 2:
                raise ValueError(f"no such layer {trial.id}")
            raise DivergedError(f"the loss became NaN in epoch {trial.id}")

    engine = search(tmp_path / "s", trials=6, runner=Failing())
    with pytest.raises(DivergedError) as caught:
        engine.finish()
    assert "every trial failed: 4 x diverged: the loss became NaN" in str(caught.value)
    assert "2 x ValueError: no such layer 0000" in str(caught.value)
    assert caught.value.exit_code == 5


def test_when_nothing_fits_the_smallest_candidate_is_shown_against_the_limits(tmp_path):
    events = []
    books = begin(tmp_path / "s", trials=4, limits=Limits(flash=5000))
    engine = engine_of(books, events.append)
    work(engine, Formula(reject=lambda trial: True), "w")
    assert len(engine.trials) == 50
    smallest = min(engine.trials, key=lambda trial: trial.values["units"])
    with pytest.raises(GateError) as caught:
        engine.finish()
    size = f"{smallest.figures.bytes:,} bytes of flash where 5,000 are allowed"
    assert f"all 50 candidates were rejected; the smallest, trial {smallest.id}" in str(caught.value)
    assert size in str(caught.value)
    assert "50 candidates in a row were rejected; the search stops" in [
        e.text for e in events if isinstance(e, Message)
    ]


def test_the_time_is_over_for_who_asks_and_for_who_works_and_is_remembered(tmp_path):
    now = [100.0]
    books = begin(tmp_path / "s", trials=50, max_seconds=10.0)
    engine = engine_of(books, clock=lambda: now[0])
    one, two = engine.deal("a"), engine.deal("b")
    now[0] += 6
    assert engine.tell(Progress(id=two.id))
    engine.end(replace(one, status="completed", score=0.5))
    again = engine_of(books, clock=lambda: now[0], leave_running=True)
    assert again.seconds_left == 4
    now[0] += 4
    assert not again.tell(Progress(id=two.id))
    assert again.deal("a") is None
    assert again.finish().id == one.id


def test_time_that_is_over_before_anything_ended_is_an_error(tmp_path):
    now = [0.0]
    engine = engine_of(begin(tmp_path / "s", max_seconds=1.0), clock=lambda: now[0])
    engine.deal("w")
    now[0] = 2.0
    with pytest.raises(ResourceError, match="before any trial had ended"):
        engine.finish()


class TestWorkersThatDie:
    def test_a_trial_is_dealt_again_and_then_given_up(self, tmp_path):
        books = begin(tmp_path / "s", trials=3)
        first = engine_of(books).deal("w")
        second = engine_of(books).deal("w")
        assert (second.id, second.attempt, second.values) == (first.id, 2, first.values)
        engine = engine_of(books)
        assert books.read(first.id).status == "failed"
        assert "its worker died with it, 2 times" in books.read(first.id).reason
        assert engine.deal("w").id == "0001"

    def test_an_interrupt_is_no_attempt(self, tmp_path):
        books = begin(tmp_path / "s", trials=3)
        for _ in range(4):
            engine = engine_of(books)
            trial = engine.deal("w")
            assert (trial.id, trial.attempt) == ("0000", 1)
            engine.put_back(trial)

    def test_a_worker_that_begins_anew_is_given_its_trial_again(self, tmp_path):
        engine = engine_of(begin(tmp_path / "s", trials=3))
        first = engine.deal("w")
        again = engine.deal("w")
        assert (again.id, again.attempt) == (first.id, 2)
        assert engine.deal("w").id != first.id

    def test_a_lost_worker_changes_nothing_any_more(self, tmp_path):
        engine = engine_of(begin(tmp_path / "s", trials=3))
        lost = engine.deal("a")
        engine.lose(lost, "killed by signal 9")
        taken = engine.deal("b")
        assert (taken.id, taken.worker, taken.attempt) == (lost.id, "b", 2)
        assert not engine.tell(Progress(id=lost.id, worker="a"))
        assert engine.tell(Progress(id=lost.id, worker="b"))
        engine.end(replace(lost, status="failed", reason="late"))
        engine.put_back(lost)
        engine.lose(lost, "again")
        assert engine.trials[0] == taken
        engine.lose(taken, "killed by signal 9 (out of memory?)")
        assert engine.trials[0].reason == "its worker died with it, 2 times: killed by signal 9 (out of memory?)"

    def test_the_end_of_a_trial_counts_once(self, tmp_path):
        books = begin(tmp_path / "s", trials=3)
        engine = engine_of(books)
        trial = engine.deal("w")
        engine.end(replace(trial, status="completed", score=0.25))
        engine.end(replace(trial, status="completed", score=0.75))
        engine.put_back(trial)
        assert books.read(trial.id).score == 0.25
        assert books.read(trial.id).status == "completed"

    def test_a_chief_that_comes_back_leaves_the_trials_with_their_workers(self, tmp_path):
        books = begin(tmp_path / "s", trials=3)
        trial = engine_of(books).deal("a")
        engine = engine_of(books, leave_running=True)
        assert engine.deal("b").id == "0001"
        assert engine.tell(Progress(id=trial.id, worker="a"))
        engine.end(replace(trial, status="completed", score=0.5))
        assert books.read(trial.id).score == 0.5


class Killed(BaseException):
    """What a process that is killed does next: nothing."""


@pytest.mark.parametrize("tuner", ["random", "hyperband", "grid"])
def test_a_search_that_is_killed_at_any_write_goes_on_as_if_it_had_not_been(tmp_path, tuner, monkeypatch):
    runner = Formula(fail=lambda t: t.id == "0002", reject=lambda t: t.id in ("0001", "0004"))
    whole = search(tmp_path / "whole", tuner, 5, runner)
    expected = told(whole.trials)
    write = books_module.write_json
    for kill_at in range(1, 3 * len(expected)):
        books = begin(tmp_path / f"killed {kill_at}", tuner, 5)
        left = [kill_at]

        def failing(path, content, left=left):
            left[0] -= 1
            if left[0] == 0:
                path.parent.mkdir(parents=True, exist_ok=True)  # as far as a write may come
                raise Killed
            write(path, content)

        monkeypatch.setattr(books_module, "write_json", failing)
        with pytest.raises(Killed):
            work(engine_of(books), runner, "w")
        monkeypatch.setattr(books_module, "write_json", write)
        ended = [trial for trial in books.trials()[0] if trial.status != "running"]
        events = []
        resumed = engine_of(books, events.append)
        assert [trial for trial in resumed.trials if trial.status != "running"] == ended
        assert not [event for event in events if isinstance(event, Message)], "nothing was damaged"
        work(resumed, runner, "w")
        assert told(resumed.trials) == expected, kill_at
        assert sum(trial.attempt > 1 for trial in resumed.trials) <= 1


SCRIPT = """
import sys, time
from pathlib import Path
from dataclasses import replace
from tuning.books import Books
from tuning.working import work
from tests.tuning.test_engine import Formula, engine_of

class Slow(Formula):
    def run(self, trial, tell):
        time.sleep(0.05)
        return super().run(trial, tell)

work(engine_of(Books.open(Path(sys.argv[1]))), Slow(), "w")
"""


def kill_once(books, after_trials):
    """Runs the search in a process of its own and kills it when so many trials have ended."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(books.path)], cwd=REPOSITORY)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if sum(trial.status != "running" for trial in books.trials()[0]) >= after_trials:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.slow
def test_kill_9_loses_at_most_the_trial_in_flight(tmp_path):
    expected = told(search(tmp_path / "whole", "random", 20).trials)
    books = begin(tmp_path / "killed search", "random", 20)
    kill_once(books, 5)
    before = books.trials()[0]
    assert sum(trial.status == "running" for trial in before) <= 1
    runner = Formula()
    engine = engine_of(books)
    work(engine, runner, "w")
    assert told(engine.trials) == expected, "nothing that ended is lost, and what follows is the same"
    assert len(runner.ran) == 20 - sum(trial.status != "running" for trial in before)


@pytest.mark.slow
def test_kill_9_again_and_again(tmp_path):
    expected = told(search(tmp_path / "whole", "hyperband", 24).trials)
    books = begin(tmp_path / "killed", "hyperband", 24)
    for after in (2, 7, 8, 13, 19):
        kill_once(books, after)
    engine = engine_of(books)
    work(engine, Formula(), "w")
    assert [row[:3] for row in told(engine.trials)] == [row[:3] for row in expected]
    assert all(trial.status == "completed" for trial in engine.trials)


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "another value": lambda path: path.write_text("[1, 2]"),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("tuner", ["random", "grid", "hyperband"])
def test_a_damaged_record_is_reported_and_its_trial_run_again(tmp_path, tuner, damage):
    for place in (0, 3, 6, 7):
        books = begin(tmp_path / f"s{place}", tuner, 8)
        work(engine_of(books), Formula(), "w")
        before = books.trials()[0]
        (books.folder(f"{place:04d}") / "history.csv").write_text("epoch\n")
        DAMAGE[damage](books.folder(f"{place:04d}") / "trial.json")
        events = []
        engine = engine_of(books, events.append)
        warnings = [event.text for event in events if isinstance(event, Message) and event.warning]
        assert any(f"trial {place:04d} has no record that can be read" in text for text in warnings)
        runner = Formula()
        work(engine, runner, "w")
        after = engine.trials
        assert len(after) == 8
        assert [trial.id for trial in runner.ran] in ([f"{place:04d}"], [])
        others = [trial for trial in after if trial.id != f"{place:04d}"]
        assert others == [trial for trial in before if trial.id != f"{place:04d}"], "what was whole stays as it was"
        if tuner != "hyperband":
            assert after[place].values == before[place].values
        assert engine_of(books).deal("w") is None


def test_a_folder_that_is_gone_is_made_again(tmp_path):
    books = begin(tmp_path / "s", "random", 6)
    work(engine_of(books), Formula(), "w")
    before = books.trials()[0]
    for number in ("0001", "0002"):
        (books.folder(number) / "trial.json").unlink()
        books.folder(number).rmdir()
    events = []
    engine = engine_of(books, events.append)
    assert len([event for event in events if isinstance(event, Message) and event.warning]) == 2
    work(engine, Formula(), "w")
    assert [trial.values for trial in engine.trials] == [trial.values for trial in before]


def test_what_was_recorded_counts_also_where_it_would_be_proposed_otherwise_now(tmp_path):
    books = begin(tmp_path / "s", "random", 6)
    work(engine_of(books), Formula(), "w")
    other = replace(books.read("0002"), values={"units": 33}, proposed={**books.read("0002").proposed, "units": 33})
    books.write(other)
    engine = engine_of(Books(books.path, replace(books.plan, trials=40)))
    work(engine, Formula(), "w")
    assert engine.trials[2] == other
    assert len({json.dumps(dict(t.proposed), sort_keys=True) for t in engine.trials}) == 40


def test_a_search_with_more_trials_goes_on_where_it_was(tmp_path):
    short = begin(tmp_path / "s", "random", 6)
    work(engine_of(short), Formula(), "w")
    engine = engine_of(Books(short.path, replace(short.plan, trials=12)))
    work(engine, Formula(), "w")
    assert told(engine.trials) == told(search(tmp_path / "long", "random", 12).trials)


def test_a_listener_may_ask_the_engine(tmp_path):
    counted = []
    books = begin(tmp_path / "s", trials=4)

    def listen(event):
        asked = threading.Thread(target=lambda: counted.append(len(engine.trials)))
        asked.start()
        asked.join(5)
        assert not asked.is_alive(), "the listener is told while a lock is held"

    engine = engine_of(books, listen)
    work(engine, Formula(), "w")
    assert counted[-1] == 4


def test_other_notes_in_the_plan_stay_when_the_seconds_are_noted(tmp_path):
    books = begin(tmp_path / "s", trials=2)
    books.write_plan("running", note="mine")
    work(engine_of(books), Formula(), "w")
    status = books.status()
    assert status["note"] == "mine"
    assert status["seconds"] > 0
    assert Books.open(books.path).plan == books.plan
