from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import export.child
from export.child import Child, Limits
from zoo.errors import DataError, ModelError, ResourceError

ROOT = str(Path(export.child.__file__).parents[1])

SABOTEUR = """
import json, os, signal, sys, time
sys.path.append({root!r})
from export.worker import answer
from zoo.errors import DataError

def echo(word): return {{"word": word, "pid": os.getpid()}}
def kill(signal_name): os.kill(os.getpid(), getattr(signal, signal_name))
def leave(): print("wings fell off", file=sys.stderr, flush=True); os._exit(3)
def hang(): time.sleep(60)
def eat():
    held = []
    while True: held.append(b"x" * 2**24); time.sleep(0.01)
def refuse(): raise DataError("three rows are not enough")
def fail(): raise RuntimeError("first line\\nsecond line")

table = dict(echo=echo, kill=kill, leave=leave, hang=hang, eat=eat, refuse=refuse, fail=fail)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line), table)), flush=True)
"""


def saboteur(limits: Limits | None = None) -> Child:
    """A child that does not import TensorFlow and dies on demand."""
    return Child(limits, program=[sys.executable, "-c", SABOTEUR.format(root=ROOT)])


def test_one_process_answers_many_requests() -> None:
    with saboteur() as child:
        first, second = child.ask("echo", "echoing", word="a"), child.ask("echo", "echoing", word="b")
    assert (first["word"], second["word"]) == ("a", "b")
    assert first["pid"] == second["pid"]


@pytest.mark.parametrize(
    ("name", "kind"), [("SIGSEGV", ModelError), ("SIGABRT", ModelError), ("SIGKILL", ResourceError)]
)
def test_a_crash_is_an_error_that_names_signal_and_subject_and_the_child_is_replaced(
    name: str, kind: type[Exception]
) -> None:
    with saboteur() as child:
        before = child.ask("echo", "echoing", word="a")["pid"]
        with pytest.raises(kind, match=name) as caught:
            child.ask("kill", "converting gru to int8", signal_name=name)
        assert "converting gru to int8" in str(caught.value)
        after = child.ask("echo", "echoing", word="b")
        assert after["word"] == "b"
        assert after["pid"] != before


def test_an_exit_tells_the_last_words() -> None:
    with saboteur() as child, pytest.raises(ModelError, match=r"exit code 3 \(wings fell off\)"):
        child.ask("leave", "converting")


def test_time_is_limited_and_the_child_is_replaced() -> None:
    with saboteur(Limits(seconds=1.0)) as child:
        start = time.monotonic()
        with pytest.raises(ResourceError, match="converting took over 1 s"):
            child.ask("hang", "converting")
        assert time.monotonic() - start < 5
        assert child.ask("echo", "echoing", word="again")["word"] == "again"


def test_resident_memory_is_limited() -> None:
    with (
        saboteur(Limits(memory_bytes=200 * 2**20)) as child,
        pytest.raises(ResourceError, match=r"converting took 2\d\d MiB of memory, 200 MiB are allowed"),
    ):
        child.ask("eat", "converting")


def test_failures_keep_their_kind_and_are_one_line() -> None:
    with saboteur() as child:
        with pytest.raises(DataError, match="calibrating failed: three rows are not enough"):
            child.ask("refuse", "calibrating")
        with pytest.raises(ModelError, match="RuntimeError: first line second line"):
            child.ask("fail", "calibrating")
        with pytest.raises(ModelError, match="KeyError"):
            child.ask("no-such-operation", "calibrating")


def test_ctrl_c_ends_the_child() -> None:
    child = saboteur()
    child.start()
    pid = child.pid
    assert pid is not None
    previous = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            child.ask("hang", "converting")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
