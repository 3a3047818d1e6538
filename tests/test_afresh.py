"""What one test leaves behind is not what the next one finds (conftest.py); the two run in this order."""

import signal

import pytest

from zoo.cli import main


def test_a_command_that_fails_leaves_signals_ignored():
    with pytest.raises(SystemExit):
        main(["info", "no-such-recipe"])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_and_the_next_test_finds_them_as_usual():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
