import subprocess
import sys
from dataclasses import replace

import pytest

from tests.tuning.distribution_parts import Desk, make_books
from tuning.books import Books
from tuning.distribution import addresses, protocol
from tuning.distribution.chief import Chief
from tuning.distribution.folder import read_outcome, write_outcome
from tuning.distribution.leases import Leases
from tuning.distribution.protocol import Caller
from tuning.distribution.supervisor import divide_cores
from tuning.roles import Progress
from tuning.trial import Figures, Trial
from zoo.errors import DataError, UsageError
from zoo.settings import tuner_role

ONE, TWO = Caller("one", "s1", 1), Caller("two", "s2", 1)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def leases(tmp_path, clock):
    return Leases(Desk(make_books(tmp_path), 3), patience=30.0, clock=clock)


def pass_seconds(leases, clock, seconds):
    """Time in which the chief looks once a second, as it does."""
    late = []
    for _ in range(seconds):
        clock.now += 1
        late += leases.expire()
    return late


def test_a_trial_whose_worker_is_silent_is_dealt_again_as_the_next_attempt(leases, clock):
    trial = leases.deal(ONE)
    assert not pass_seconds(leases, clock, 30)
    assert [lease.trial for lease in pass_seconds(leases, clock, 1)] == [trial]
    again = leases.deal(TWO)
    assert (again.id, again.attempt, again.worker) == (trial.id, 2, "two")
    assert not leases.tell(ONE, Progress(id=trial.id)), "the late worker is told to stop"
    assert not leases.end(ONE, replace(trial, status="completed", score=1.0))
    assert leases.end(replace(TWO, attempt=2), replace(again, status="completed", score=1.0))


def test_signs_of_life_keep_a_trial(leases, clock):
    trial = leases.deal(ONE)
    for _ in range(5):
        assert not pass_seconds(leases, clock, 20)
        assert leases.tell(ONE, Progress(id=trial.id))


def test_time_in_which_the_chief_itself_stood_still_counts_against_nobody(leases, clock):
    leases.deal(ONE)
    clock.now += 300
    assert not leases.expire()
    assert not pass_seconds(leases, clock, 29)
    assert len(pass_seconds(leases, clock, 2)) == 1


def test_a_worker_that_began_anew_is_given_its_trial_as_the_next_attempt(leases):
    trial = leases.deal(ONE)
    again = leases.deal(Caller("one", "another process", 0))
    assert (again.id, again.attempt) == (trial.id, 2)


def test_a_chief_that_begins_anew_knows_its_workers_by_their_next_sign(tmp_path, clock):
    books = make_books(tmp_path)
    trials = [Leases(Desk(books, 3)).deal(caller) for caller in (ONE, TWO)]
    leases = Leases(Desk(books, 3), trials, patience=30.0, clock=clock)
    assert leases.tell(ONE, Progress(id=trials[0].id))
    assert not leases.tell(Caller("one", "a third", 1), Progress(id=trials[0].id)), "it is the first's now"
    assert [lease.worker for lease in pass_seconds(leases, clock, 31)] == ["one", "two"]
    assert leases.deal(TWO).attempt == 2


def test_an_interrupted_trial_is_dealt_again_as_the_same_attempt(leases):
    trial = leases.deal(ONE)
    assert leases.put_back(ONE, trial.id)
    assert leases.deal(TWO) == replace(trial, worker="two")


def test_a_record_travels_whole_where_the_protocol_rounds_and_has_no_words():
    trial = Trial(
        id="0007",
        values={"units": 32, "rate": 0.1 + 0.2, "cell": "gru"},
        proposed={"units": 5, "rate": 0.3, "on": True},
        created=4,
        status="failed",
        score=0.1 + 0.2,
        scores=(0.1, 0.3),
        reason="out of memory: ünïcode",
        figures=Figures(bytes=1234, ops={"CONV_2D": 2}),
    )
    message = protocol.trial_message(trial, "FAILED", whole=True)
    received = type(message).FromString(message.SerializeToString())
    assert protocol.record_in(received) == trial
    assert (received.trial_id, protocol.status_of(received)) == ("0007", "FAILED")
    plain = protocol.trial_message(trial, "FAILED", whole=False)
    assert protocol.record_in(plain) is None
    assert sorted(plain.hyperparameters.values.values) == ["on", "rate", "units"]


def test_a_score_that_is_no_number_does_not_stop_a_message():
    trial = Trial(id="0001", values={}, proposed={}, created=0, score=float("nan"))
    assert protocol.record_in(protocol.trial_message(trial, "FAILED", whole=True)).score is None


def test_a_message_about_one_trial_with_the_record_of_another_is_refused():
    message = protocol.trial_message(Trial(id="0001", values={}, proposed={}, created=0), "COMPLETED", whole=True)
    message.trial_id = "0002"
    with pytest.raises(DataError, match="holds the record of trial 0001"):
        protocol.record_in(message)


def test_progress_travels_in_the_metrics_and_the_metadata():
    progress = Progress(id="0001", doing="exporting to int8 …", epoch=3, epochs=9, score=0.25)
    request = protocol.progress_request(progress, "accuracy")
    metadata = {protocol.DOING: progress.doing.encode(), protocol.EPOCHS: "9"}
    assert protocol.progress_in(request, metadata, "accuracy") == progress
    assert protocol.progress_in(protocol.progress_request(Progress(id="1"), "accuracy"), {}, "accuracy").score is None


def test_a_worker_and_its_messages_come_without_tensorflow():
    code = (
        "import sys, tuning.distribution.running, tuning.distribution.worker, tuning.distribution.protocol as p;"
        "p.messages(); sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("localhost:80", ("localhost", 80)), ("[::1]:8765", ("::1", 8765)), ("10.0.0.1:0", ("10.0.0.1", 0))],
)
def test_an_address_is_read_and_written(text, expected):
    assert addresses.split(text) == expected
    assert addresses.join(*expected) == text


@pytest.mark.parametrize("text", ["", "8765", "host", "host:", ":80", "host:port", "host:70000", "host:-1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match=r"is no address; expected HOST:PORT, such as"):
        addresses.split(text)


def test_a_chief_does_not_listen_where_this_machine_is_not(tmp_path):
    with pytest.raises(UsageError, match=r"the chief cannot listen on 203\.0\.113\.7:80: .*an address of this machine"):
        Chief(Desk(make_books(tmp_path), 1), Books.open(tmp_path), "203.0.113.7:80").__enter__()


def test_a_port_that_is_taken_between_the_look_and_the_bind_leaves_no_server_behind(tmp_path, monkeypatch):
    books = make_books(tmp_path)
    monkeypatch.setattr(addresses, "check_free", lambda address: None)
    with Chief(Desk(books, 1), books) as chief:
        late = Chief(Desk(books, 1), books, chief.address)
        with pytest.raises(UsageError, match="it is occupied; choose a free port"):
            late.__enter__()
        with pytest.raises(RuntimeError, match="after shutdown"):
            late._pool.submit(print)


def test_a_worker_that_is_known_to_be_dead_while_it_is_dismissed_is_no_error(tmp_path):
    books = make_books(tmp_path)
    chief = Chief(Desk(books, 0), books, listener=lambda event: chief.lose(event.worker, "killed"))
    assert protocol.status_of(chief.deal(ONE)) == "STOPPED"
    assert chief.workers() == []
    assert chief.over


def test_a_server_that_listens_everywhere_is_met_at_home():
    assert addresses.local("0.0.0.0:8765") == "127.0.0.1:8765"
    assert addresses.local("10.1.2.3:8765") == "10.1.2.3:8765"


def test_an_outcome_counts_for_the_attempt_that_made_it(tmp_path):
    books, dealt = make_books(tmp_path), Trial(id="0000", values={}, proposed={}, created=0, worker="one")
    assert read_outcome(books, dealt) is None
    write_outcome(books, replace(dealt, status="completed", score=0.5))
    assert read_outcome(books, dealt).score == 0.5
    assert read_outcome(books, replace(dealt, attempt=2)) is None
    assert read_outcome(books, replace(dealt, worker="two")) is None
    (books.folder(dealt) / "outcome.json").write_text("{")
    assert read_outcome(books, dealt) is None


def test_cores_are_divided_in_equal_shares(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3, 4}, raising=False)
    assert divide_cores(2) == [(0, 1), (2, 3)]
    assert divide_cores(1) == [(0, 1, 2, 3, 4)]
    assert divide_cores(7) == [(0,), (1,), (2,), (3,), (4,), (0,), (1,)]


def test_keras_tuners_variables_name_the_role(monkeypatch):
    for name in ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"):
        monkeypatch.delenv(name, raising=False)
    assert tuner_role() is None
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "10.0.0.5")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
    with pytest.raises(UsageError, match="KERASTUNER_ORACLE_IP is set and KERASTUNER_TUNER_ID is not"):
        tuner_role()
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert (tuner_role().address, tuner_role().is_chief) == ("10.0.0.5:8000", True)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner3")
    assert not tuner_role().is_chief


@pytest.mark.slow
def test_keras_tuners_own_client_is_served(tmp_path, monkeypatch):
    from zoo.settings import quiet_tensorflow

    quiet_tensorflow()
    from keras_tuner.src.distribute.oracle_client import OracleClient

    books = make_books(tmp_path)
    with Chief(Desk(books, 2), books) as chief:
        host, port = addresses.split(chief.address)
        monkeypatch.setenv("KERASTUNER_ORACLE_IP", host)
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(port))
        monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner0")
        client = OracleClient(None)
        trial = client.create_trial("tuner0")
        assert (trial.status, trial.hyperparameters.values) == ("RUNNING", {"x": 0.0})
        assert client.update_trial(trial.trial_id, {"accuracy": 0.75}, step=1).status == "RUNNING"
        trial.status = "COMPLETED"
        client.end_trial(trial)
        client.end_trial(trial)
        lost = client.create_trial("tuner0")
        lost.status = "INVALID"
        client.end_trial(lost)
        assert client.create_trial("tuner0").trial_id == lost.trial_id
        assert client.get_best_trials(3)[0].score == 0.75
        assert client.get_trial("0000").status == "COMPLETED"
    assert books.read("0000").score == 0.75
    assert (books.read("0001").status, books.read("0001").attempt) == ("running", 2)
