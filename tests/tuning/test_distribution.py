import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from tests.tuning import distribution_parts
from tests.tuning.distribution_parts import LONG, RUNNER, Desk, Notes, make_books, make_runner, wait_for
from tuning.books import Books
from tuning.distribution import client as client_module
from tuning.distribution import leases
from tuning.distribution.chief import Chief
from tuning.distribution.client import Client, Connection
from tuning.distribution.folder import write_outcome
from tuning.distribution.mailbox import Mailbox
from tuning.distribution.running import run_chief
from tuning.distribution.supervisor import GRACE_SECONDS
from tuning.distribution.worker import run_worker
from tuning.planning import Asked, prepare
from tuning.roles import Progress, WorkerChanged
from tuning.trial import Trial
from zoo.errors import ResourceError, UsageError

PROGRAM = str(Path(distribution_parts.__file__).resolve())
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def folder(tmp_path):
    """A path with a space in it."""
    path = tmp_path / "my search"
    path.mkdir()
    return path


def connect(chief, name, **more):
    given = {"listener": Notes(), "patience": LONG, "check": lambda: None, **more}
    return Connection(chief if isinstance(chief, str) else chief.address, name, **given)


def run_here(books, chief, name, **more):
    """A worker in a thread of this process."""
    given = {"make_runner": make_runner, "beat": 0.1, **more}
    thread = threading.Thread(target=run_worker, args=(chief.address, None, name), kwargs=given, daemon=True)
    thread.start()
    return thread


def start_program(**job):
    """A chief or a worker in a process of its own, its words in a file."""
    folder = Path(job["folder"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / f"program-{job.get('worker', 'chief')}.log").open("ab") as log:
        command = [sys.executable, PROGRAM, json.dumps(job)]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def worker_pids(folder):
    return {int(path.name.rsplit("-", 1)[1]) for path in folder.glob("started-*")}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ended(books):
    return [trial for trial in books.trials()[0] if trial.ended is not None]


def test_local_workers_share_the_trials(folder):
    books = make_books(folder, together=2)
    run_chief(books, Desk(books, 8), workers=2, runner=RUNNER, beat=0.1)
    trials = ended(books)
    assert [trial.status for trial in trials] == ["completed"] * 8
    assert {trial.id: trial.score for trial in trials}["0003"] == 0.1 + 3 / 7, "the protocol's own scores are float32"
    assert {trial.worker for trial in trials} == {"worker-1", "worker-2"}


@pytest.mark.slow
def test_two_local_workers_take_about_half_the_time(folder):
    seconds = {}
    for count in (1, 2):
        books = make_books(folder / str(count), seconds=1.0, together=count)
        run_chief(books, Desk(books, 8), workers=count, runner=RUNNER, beat=0.1)
        trials = ended(books)
        assert {trial.worker for trial in trials} == {f"worker-{index + 1}" for index in range(count)}
        first = min(path.stat().st_mtime for path in books.path.glob("started-*"))
        last = max((books.folder(trial) / "trial.json").stat().st_mtime for trial in trials)
        seconds[count] = last - first
    assert seconds[1] / seconds[2] > 1.5, seconds


def test_a_trial_that_kills_its_worker_twice_has_failed_with_the_cause_and_the_search_goes_on(folder):
    books, notes = make_books(folder, seconds=0.0, deadly="0001"), Notes()
    box = Mailbox(notes)
    run_chief(books, Desk(books, 4), workers=1, runner=RUNNER, beat=0.1, listener=box, between=box.empty)
    assert notes.threads == {threading.get_ident()}, "a listener that draws pages holds up no worker"
    trials = {trial.id: trial for trial in ended(books)}
    assert [trials[f"{index:04}"].status for index in range(4)] == ["completed", "failed", "completed", "completed"]
    assert trials["0001"].attempt == 2
    assert trials["0001"].reason == "killed by signal 9 (out of memory?)"
    assert "killed by signal 9 (out of memory?); started again" in str(notes)
    assert all(trial.worker == "worker-1" for trial in trials.values()), "started again under its own name"


@pytest.mark.parametrize("code", [0, 3])
def test_a_trial_that_ends_its_process_by_any_exit_code_is_no_end_of_the_search(folder, code):
    """Also by the codes of a worker that has done its work, or whose error would come again."""
    books = make_books(folder, seconds=0.0, deadly="0001", exits=code)
    run_chief(books, Desk(books, 3), workers=1, runner=RUNNER, beat=0.1)
    trials = ended(books)
    assert [trial.status for trial in trials] == ["completed", "failed", "completed"]
    assert f"exit code {code}" in trials[1].reason


def test_a_worker_that_cannot_start_is_an_error_with_its_last_words(folder):
    books = make_books(folder, broken="no such toolkit")
    with pytest.raises(ResourceError, match=r"no worker is left: worker-1 .*no such toolkit.*worker-1\.log"):
        run_chief(books, Desk(books, 1), workers=1, runner=RUNNER)


def test_a_worker_that_somebody_ended_hands_its_trial_back_and_is_not_started_again(folder):
    books = make_books(folder, seconds=600.0)
    end_it = threading.Thread(
        target=lambda: os.kill(wait_for(lambda: worker_pids(folder)).pop(), signal.SIGTERM), daemon=True
    )
    end_it.start()
    with pytest.raises(ResourceError, match="no worker is left: worker-1 ended with exit code 143"):
        run_chief(books, Desk(books, 1), workers=1, runner=RUNNER, beat=0.1)
    end_it.join()
    assert (books.read("0000").worker, books.read("0000").attempt) == ("", 1)


def test_killing_the_chief_leaves_no_process_and_the_search_goes_on_from_its_books(folder):
    books = make_books(folder, seconds=600.0)
    chief = start_program(folder=str(folder), trials=2, workers=2)
    wait_for(lambda: len(worker_pids(folder)) == 2)
    chief.kill()
    chief.wait()
    wait_for(lambda: not any(alive(pid) for pid in worker_pids(folder)))
    running = [trial for trial in books.trials()[0] if trial.status == "running"]
    assert [trial.id for trial in running] == ["0000", "0001"]


def test_ctrl_c_reaches_every_worker_once_and_hands_the_trials_back(folder):
    books = make_books(folder, seconds=600.0)
    chief = start_program(folder=str(folder), trials=2, workers=2)
    wait_for(lambda: len(worker_pids(folder)) == 2)
    began = time.monotonic()
    chief.send_signal(signal.SIGINT)
    assert chief.wait(timeout=2 * GRACE_SECONDS) != 0
    assert time.monotonic() - began < GRACE_SECONDS, "none had to be killed"
    assert not any(alive(pid) for pid in worker_pids(folder))
    assert [(trial.worker, trial.attempt) for trial in books.trials()[0]] == [("", 1)] * 2


def test_a_chief_that_is_killed_and_started_again_takes_the_trial_of_a_worker_that_went_on(folder):
    books = make_books(folder, seconds=0.6)
    first = start_program(folder=str(folder), trials=2, workers=0)
    address = wait_for(lambda: (folder / "address").exists() and (folder / "address").read_text())
    worker = start_program(folder=str(folder), address=address, worker="far")
    wait_for(lambda: worker_pids(folder))
    first.kill()
    first.wait()
    second = start_program(folder=str(folder), trials=2, workers=0, address=address)
    assert second.wait(timeout=LONG) == 0, (folder / "program-chief.log").read_text()
    assert worker.wait(timeout=LONG) == 0, (folder / "program-far.log").read_text()
    assert [(trial.status, trial.attempt, trial.worker) for trial in ended(books)] == [("completed", 1, "far")] * 2


def test_a_trial_that_ended_while_no_chief_was_there_is_taken_when_one_is_started(folder):
    books = make_books(folder)
    dealt = Trial(id="0000", values={}, proposed={}, created=1, worker="far")
    books.write(dealt)
    write_outcome(books, replace(dealt, status="completed", score=0.5))
    with Chief(Desk(books, 1), books) as chief:
        assert (books.read("0000").status, books.read("0000").score) == ("completed", 0.5)
        assert chief.idle
    assert [path.name for path in books.folder("0000").iterdir()] == ["trial.json"]


def test_a_worker_may_join_late_and_come_back(folder):
    books, notes = make_books(folder, together=2), Notes()
    with Chief(Desk(books, 6), books, listener=notes) as chief:
        early = run_here(books, chief, "early")
        wait_for(lambda: worker_pids(folder))
        gone = Client(connect(chief, "gone"), books)
        trial = gone.deal("gone")
        back = Client(connect(chief, "gone"), books, beat=0.1)  # another process, before anybody missed the first
        again = back.deal("gone")
        assert (again.id, again.attempt) == (trial.id, 2)
        back.end(replace(again, status="completed", score=0.3))
        with pytest.raises(UsageError, match="another worker has taken the name 'gone'"):
            gone.deal("gone")
        late = run_here(books, chief, "late")
        wait_for(lambda: chief.over or chief.watch())
        for client in (gone, back):
            client.close()
        for thread in (early, late):
            thread.join(LONG)
            assert not thread.is_alive()
    assert {trial.worker for trial in ended(books)} == {"early", "late", "gone"}
    assert WorkerChanged(worker="late", what="joined") in notes.events


def test_a_worker_that_is_not_heard_loses_its_trial_is_told_so_and_its_late_end_is_ignored(folder, monkeypatch):
    books, notes = make_books(folder), Notes()
    # A machine that is busy holds up this whole process: time in which the chief stood still, which does not count.
    monkeypatch.setattr(leases, "STALLED_SECONDS", 0.3)
    with Chief(Desk(books, 1), books, patience=1.0, listener=notes) as chief:
        slow, quick = (Client(connect(chief, name), books, beat=0.1) for name in ("silent", "eager"))
        trial = slow.deal("silent")
        assert quick.deal("eager") == "wait"
        slow._silence()  # as if the machine hung
        wait_for(lambda: chief.watch() or "was not heard for 1 s; trial 0000 goes to another" in str(notes))
        again = quick.deal("eager")
        assert (again.id, again.attempt, again.worker) == (trial.id, 2, "eager")
        assert not slow._send(trial.attempt, Progress(id=trial.id))
        slow.end(replace(trial, status="completed", score=0.9))
        assert books.read(trial.id) == again, "the late record was not written over the other's"
        for _ in range(24):
            chief.watch()
            time.sleep(0.05)
        assert quick.tell(Progress(id=again.id, epoch=1)), "the heartbeat kept it"
        quick.end(replace(again, status="completed", score=0.2))
        assert books.read(trial.id).score == 0.2
        slow.end(replace(trial, status="completed", score=0.9))
        assert [path.name for path in books.folder(trial).iterdir()] == ["trial.json"]
        for client in (slow, quick):
            client.close()


def test_an_end_that_is_told_twice_changes_nothing(folder):
    books = make_books(folder)
    with Chief(Desk(books, 2), books) as chief:
        client = Client(connect(chief, "one"), books)
        trial = replace(client.deal("one"), status="completed", score=0.1 + 0.2)
        client.end(trial)
        first = books.read(trial.id)
        client._hand_in(replace(trial, score=0.9), "COMPLETED")
        assert books.read(trial.id) == first
        assert first.score == 0.1 + 0.2
        client.close()


def test_an_answer_that_was_lost_is_given_again(folder):
    books = make_books(folder)
    with Chief(Desk(books, 2), books) as chief:
        client = Client(connect(chief, "one"), books)
        assert client.deal("one") == client.deal("one")
        client.close()


def test_a_trial_asked_to_stop_sees_it_at_its_next_sign(folder):
    books = make_books(folder)
    desk = Desk(books, 1)
    desk.tell = lambda progress: progress.epoch < 2
    with Chief(desk, books) as chief:
        client = Client(connect(chief, "one"), books)
        trial = client.deal("one")
        assert client.tell(Progress(id=trial.id, epoch=1, score=0.5))
        wait_for(lambda: not client.tell(Progress(id=trial.id, epoch=2, score=0.5)))
        client.put_back(trial)
        client.close()


def test_a_chief_that_stays_away_is_given_up_with_one_line_and_told_before(folder, monkeypatch):
    monkeypatch.setattr(client_module, "LONGEST_PAUSE", 0.1)
    notes = Notes()
    connection = connect("127.0.0.1:9", "one", patience=2.0, listener=notes)
    with pytest.raises(ResourceError, match=r"the chief at 127\.0\.0\.1:9 did not answer for \d s .*check the address"):
        Client(connection, make_books(folder)).deal("one")
    connection.close()
    assert str(notes).count("is away") == 1


def test_a_folder_that_is_not_the_chiefs_is_refused(folder):
    books, other = make_books(folder / "one"), make_books(folder / "two")
    with Chief(Desk(books, 1), books) as chief:
        for path, line in (
            (other.path, r"two is not the folder of the chief at"),
            (folder / "3", r"3 is not there, the"),
        ):
            with pytest.raises(UsageError, match=line):
                run_worker(chief.address, path, "far", make_runner=make_runner, folder_seconds=0.3)


def test_an_occupied_port_is_refused(folder):
    books = make_books(folder)
    line = r"the chief cannot listen on .*: Address already in use; choose a free"
    with Chief(Desk(books, 1), books) as chief, pytest.raises(UsageError, match=line):
        Chief(Desk(books, 1), books, chief.address).__enter__()


def test_an_error_of_the_dealer_ends_the_chief_and_is_told_to_the_worker(folder):
    books = make_books(folder)
    desk = Desk(books, 1)
    desk.deal = lambda worker: (_ for _ in ()).throw(ResourceError("the disk is full; free it"))
    with Chief(desk, books) as chief:
        connection = connect(chief, "one")
        with pytest.raises(Exception, match="the chief failed: the disk is full; free it; see what the chief"):
            Client(connection, books).deal("one")
        connection.close()
        with pytest.raises(ResourceError, match="the disk is full"):
            chief.watch()


def test_what_listens_but_is_no_chief_is_named(folder):
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    connection = connect(f"127.0.0.1:{port}", "one")
    with pytest.raises(UsageError, match=f"what listens on 127.0.0.1:{port} is no chief of a search"):
        Client(connection, make_books(folder)).deal("one")
    connection.close()
    server.stop(None).wait()


def test_a_host_without_an_address_is_named():
    with pytest.raises(UsageError, match=r"'no-such-host\.invalid' has no address"):
        connect("no-such-host.invalid:80", "one")


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_the_engine_of_a_search_is_killed_and_goes_on_with_its_worker(folder, tuner):
    plan = prepare(Asked(names="iris-mlp", tuner=tuner, trials=3), lambda _event: None).plan
    books = Books.create(folder, replace(plan, given={"seconds": 6.0}))
    first = start_program(folder=str(folder), engine=True, patience=10.0)
    address = wait_for(lambda: (folder / "address").exists() and (folder / "address").read_text())
    workers = [start_program(folder=str(folder), address=address, worker=name) for name in ("far", "lost")]
    wait_for(lambda: len(worker_pids(folder)) == 2)
    first.kill()
    workers[1].kill()
    first.wait()
    workers[1].wait()
    before = {trial.id: trial.proposed for trial in books.trials()[0]}
    second = start_program(folder=str(folder), engine=True, patience=10.0, address=address)
    assert second.wait(timeout=3 * LONG) == 0, (folder / "program-chief.log").read_text()
    assert workers[0].wait(timeout=LONG) == 0
    trials = {trial.id: trial for trial in ended(books)}
    assert sorted(trials) == ["0000", "0001", "0002"]
    assert {trial.status for trial in trials.values()} == {"completed"}
    assert {trial.worker for trial in trials.values()} == {"far"}
    assert sorted(trial.attempt for trial in trials.values()) == [1, 1, 2]
    assert all(trials[name].proposed == proposed for name, proposed in before.items())


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_worker_ends_on_sigterm_whatever_its_chief_does(folder, how):
    make_books(folder, seconds=LONG)
    chief = start_program(folder=str(folder), trials=4)
    address = wait_for(lambda: (folder / "address").exists() and (folder / "address").read_text())
    workers = [start_program(folder=str(folder), address=address, worker=name) for name in ("a", "b")]
    wait_for(lambda: len(worker_pids(folder)) == 2)
    chief.send_signal(how)
    for worker in workers:
        worker.terminate()
    try:
        for worker in workers:
            worker.wait(timeout=LONG / 2)
    finally:
        chief.kill()
        chief.wait()
    assert "SigtermInterrupt" in (folder / "program-a.log").read_text()


@pytest.mark.slow
def test_a_search_survives_whatever_is_killed(folder):
    """Workers and the chief are killed at random, and frozen; every trial ends once, and nothing is left behind."""
    chance, trials = random.Random(4), 24
    books = make_books(folder, seconds=0.4)
    chief = start_program(folder=str(folder), trials=trials, patience=2.0)
    address = wait_for(lambda: (folder / "address").exists() and (folder / "address").read_text())
    workers = {name: start_program(folder=str(folder), address=address, worker=name) for name in ("a", "b", "c")}
    for _ in range(12):
        time.sleep(chance.uniform(0.3, 1.0))
        victim = chance.choice(["a", "b", "c", "chief", "frozen"])
        if victim == "chief":
            chief.kill()
            chief.wait()
            chief = start_program(folder=str(folder), trials=trials, patience=2.0, address=address)
            continue
        name = "a" if victim == "frozen" else victim
        if victim == "frozen":
            workers[name].send_signal(signal.SIGSTOP)
            time.sleep(2.5)
            workers[name].send_signal(signal.SIGCONT)
        else:
            workers[name].kill()
        if workers[name].poll() is not None or victim != "frozen":
            workers[name].wait()
            workers[name] = start_program(folder=str(folder), address=address, worker=name)
    assert chief.wait(timeout=2 * LONG) == 0, (folder / "program-chief.log").read_text()
    for worker in workers.values():
        worker.terminate()
        worker.wait(timeout=LONG)
    found = ended(books)
    assert len({trial.id for trial in found}) == len({trial.ended for trial in found}) == trials
    assert all(trial.status == "completed" or "killed" in trial.reason or "worker" in trial.reason for trial in found)
    assert all(trial.score == 0.1 + trial.values["x"] for trial in found if trial.status == "completed")
    assert sum(trial.status == "completed" for trial in found) > trials / 2
    assert not list(folder.glob("trials/*/outcome.json"))
