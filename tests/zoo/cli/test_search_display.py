import io
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from tuning.books import Books
from tuning.plan import Plan
from tuning.roles import Progress, TrialEnded, TrialMoved, TrialStarted, WorkerChanged
from tuning.trial import Figures, Trial
from zoo.cli.search_display import SearchDisplay, closing, value
from zoo.cli.search_state import SearchState
from zoo.runs import to_json
from zoo.training.events import BatchDone, EpochDone, Message, Started

ROW = {"epoch": 1, "seconds": 1.5, "learning_rate": 0.01, "objective": 0.5, "val_loss": 0.4, "val_accuracy": 0.9}


def make(number, status="completed", score=0.9, **changes):
    return Trial(
        **{
            "id": f"{number:04d}",
            "values": {"units": 64, "dropout": 1 / 3},
            "proposed": {},
            "created": 2 * number,
            "ended": 2 * number + 1,
            "status": status,
            "score": score if status == "completed" else None,
            "figures": Figures(bytes=12_595),
            "seconds": 14.24,
            "worker": "w1",
            **changes,
        }
    )


@pytest.fixture
def books(tmp_path):
    return Books.create(tmp_path / "a search", Plan(names=("iris-mlp",), trials=10))


def shown(books, events, terminal=False, width=160):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width)
    with SearchDisplay(console) as display:
        display.begin(books)
        for event in events:
            display.show(event)
    return console.file.getvalue()


def ended(*trials):
    return [TrialEnded(trial=trial) for trial in trials]


def test_a_plain_line_for_each_trial_where_there_is_no_terminal(books):
    events = [
        Message("WARNING: a [stand-in]", warning=True),
        WorkerChanged(worker="w2", what="died of signal 9, started again"),
        TrialStarted(trial=make(3, "running")),
        TrialMoved(progress=Progress(id="0003", epoch=1, epochs=5)),
        *ended(make(3, score=0.9901), make(7, score=0.98761), make(8, "failed", reason="diverged:\n epoch 2")),
        *ended(make(9, score=0.98761, same_as="0007")),
    ]
    lines = shown(books, events).splitlines()
    assert lines[0].startswith("searching iris-mlp: 10 trials, random; ")
    assert lines[1:3] == ["WARNING: a [stand-in]", "worker w2 died of signal 9, started again"]
    values = "units 64  dropout 0.333  12.3 kB  14.2 s"
    assert lines[3] == f"0003 completed accuracy 0.9901 (best 0.9901 of 0003)  {values}"
    assert lines[4] == f"0007 completed accuracy 0.9876 (best 0.9901 of 0003)  {values}"
    assert lines[5] == f"0008 failed diverged: epoch 2  {values}"
    assert lines[6] == f"0009 completed accuracy 0.9876 (as 0007) (best 0.9901 of 0003)  {values}"
    assert len(lines) == 7


def test_many_rejections_in_a_row_are_summed_up(books):
    rejected = [make(number, "rejected", reason=f"its file has {number} bytes") for number in range(20)]
    lines = shown(books, ended(*rejected, make(20), *rejected[:5])).splitlines()[1:]
    assert [line.split()[0] for line in lines[:3]] == ["0000", "0001", "0002"]
    assert lines[3] == "and 17 more rejected, the last 0019: its file has 19 bytes"
    assert lines[4].startswith("0020 completed")
    assert lines[-1].startswith("and 2 more rejected")
    assert len(lines) == 9


def test_a_search_that_goes_on_knows_what_it_has(books):
    books.write(make(0, score=0.99))
    books.write(make(1, "running"))
    lines = shown(books, ended(make(2, score=0.5))).splitlines()
    assert "going on after 1;" in lines[0]
    assert "(best 0.9900 of 0000)" in lines[1]


def test_a_live_table_on_a_terminal_that_is_put_right_at_the_end(books):
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with SearchDisplay(console) as display:
        display.begin(books)
        display.show(TrialStarted(trial=make(4, "running", worker="worker-1")))
        display.show(TrialMoved(progress=Progress(id="0004", epoch=3, epochs=10, score=0.8765)))
        for event in ended(make(1, score=0.95), make(2, "rejected", reason="too large [a] <b>\nby far")):
            display.show(event)
        display.show(TrialStarted(trial=make(5, "running")))
        display.show(TrialMoved(progress=Progress(id="0005", doing="exporting")))
        seen = Console(file=io.StringIO(), width=120)
        seen.print(display._table())
    text = console.file.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0
    lines = [line.rstrip() for line in seen.file.getvalue().splitlines()]
    assert lines[0].startswith("1 of 10 trials: 1 completed, 0 failed, 1 rejected")
    assert "left" in lines[0]
    assert all(len(line) <= 120 for line in lines)
    rows = [re.split(r"\s{2,}", line) for line in lines[2:]]
    assert rows[0][:4] == ["0004", "worker-1", "epoch 3/10", "0.8765"]
    assert rows[1][:3] == ["0005", "w1", "exporting"]
    assert rows[2][-1] == "too large [a] <b> by far"
    assert rows[-1][:4] == ["0001", "w1", "best", "0.9500"]


def test_the_winners_own_training_is_shown_as_a_training(books):
    started = Started(books.path, 2, 0, 10, 1234, "accuracy")
    during = [TrialStarted(trial=make(1, "running")), started, BatchDone(1, 5, 0.7)]
    after = [*ended(make(1)), started, BatchDone(1, 5, 0.7), EpochDone(ROW, best=True)]
    lines = shown(books, [*during, *after]).splitlines()
    assert lines[1].startswith("0001 completed")
    assert lines[2] == "training 1,234 parameters for 2 epochs of 10 steps"
    assert lines[3].startswith("epoch 1/2")
    assert len(lines) == 4
    text = shown(books, [*during, *after], terminal=True)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0


def test_the_time_left_is_told_from_this_session_and_from_the_budget():
    plan = Plan(names=("a",), trials=10, max_seconds=100.0)
    state = SearchState(plan, [make(0), make(1), make(2, "rejected")], 40.0, 1000.0)
    assert state.counted == 2
    assert state.left(1010.0) == 50.0  # nothing has ended yet: the budget alone
    state.end(make(3))
    state.end(make(4, "rejected"))
    assert state.left(1005.0) == pytest.approx(5.0 * 7)
    assert state.left(1050.0) == pytest.approx(10.0)
    assert state.elapsed(1050.0) == 90.0
    assert SearchState(replace(plan, max_seconds=None), [], 0.0, 0.0).left(5.0) is None


def final(path, **changes):
    tested = {"accuracy": 0.93}
    run = SimpleNamespace(metrics={"test": tested}, path=path)
    kept = {"search_score": 0.95, "metrics": tested, "exported": {}, "optimism": 0.02, "bundle": None, "notes": ("so",)}
    return SimpleNamespace(run=run, **{**kept, **changes})


def test_the_end_names_the_chosen_its_neighbours_and_the_next_command(books, tmp_path):
    trials = [
        make(0, score=0.95, figures=Figures(bytes=9000)),
        make(1, score=0.94, figures=Figures(bytes=5000)),
        make(2, score=0.93, figures=Figures(bytes=8000)),
        make(3, "failed", reason="it fell"),
    ]
    text = closing(books, trials, final(tmp_path / "a run"), 75.0)
    lines = text.splitlines()
    assert lines[2].startswith("0000   0.9500")
    assert lines[2].endswith("chosen")
    assert lines[3].endswith("smaller file")
    assert "0002" not in text
    assert "Validation was optimistic by 2.00 points" in text
    assert "trials  3 completed, 1 failed, 1 min 15 s" in text
    assert lines[-1] == f"next    zoo export '{tmp_path}/a run' --quantize int8"
    shipped = closing(books, trials, final(tmp_path, exported={"accuracy": 0.9}, bundle=tmp_path / "int8"), 1.0)
    assert "Validation was optimistic by 5.00 points" in shipped
    assert shipped.endswith(f"next    zoo verify {tmp_path}/int8")
    open_end = closing(books, trials, None, 75.0).splitlines()
    assert open_end[-1] == f"next    zoo tune --resume '{books.path}'"
    assert closing(books, trials[3:], None, 1.0).startswith("No trial is completed: 1 failed.")


def test_the_value_has_the_keys_that_scripts_rely_on(books, tmp_path):
    trials = [make(0, score=0.95), make(1, score=0.94, figures=Figures(bytes=5000)), make(2, "rejected", reason="big")]
    found = json.loads(to_json(value(books, trials, final(tmp_path / "a run"))))
    assert found["run"] == f"{tmp_path}/a run"
    assert found["best"] == found["chosen"] == "0000"
    assert found["neighbours"] == {"0001": "smaller file"}
    assert found["front"] == ["0000", "0001"]
    assert found["search"] == str(books.path)
    assert found["figures"]["search_score"] == 0.95
    assert found["figures"]["metrics"] == found["metrics"]["test"] == {"accuracy": 0.93}
    assert found["trials"][2]["reason"] == "big"
    assert {"id", "status", "values", "score", "reason", "bytes", "arena_bytes", "path"} <= set(found["trials"][0])
    nothing = json.loads(to_json(value(books, [], None)))
    assert (nothing["run"], nothing["best"], nothing["trials"]) == (None, None, [])
