import io
from pathlib import Path

import pytest
from rich.console import Console

from zoo.cli import display
from zoo.cli.display import TrainingDisplay
from zoo.training.events import BatchDone, EpochDone, Message, Started

ROW = {"epoch": 1, "seconds": 1.5, "learning_rate": 0.01, "objective": 0.5, "val_loss": 0.4, "val_accuracy": 0.9}


def shown(terminal, epochs=2):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with TrainingDisplay(console) as shown_there:
        shown_there.show(Message("WARNING: a [stand-in]", warning=True))
        shown_there.show(Started(Path("run"), epochs, 0, 10, 1234, "accuracy"))
        for epoch in range(1, epochs + 1):
            shown_there.show(BatchDone(epoch, 5, 0.7))
            shown_there.show(EpochDone({**ROW, "epoch": epoch}, best=True))
    return console.file.getvalue()


def test_plain_lines_where_there_is_no_terminal():
    lines = shown(terminal=False).splitlines()
    assert lines[0] == "WARNING: a [stand-in]"
    assert lines[1] == "training 1,234 parameters for 2 epochs of 10 steps"
    assert lines[2] == "epoch 1/2  loss 0.5000  val_loss 0.4000  val_accuracy 0.9000  learning_rate 0.01  1.5 s  best"
    assert "\x1b" not in "".join(lines)


def test_a_live_line_on_a_terminal_that_is_put_right_at_the_end():
    text = shown(terminal=True)
    assert "epoch 1/2" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")


@pytest.mark.parametrize(("epochs", "most"), [(30, 30), (1000, 32)])
def test_many_epochs_are_about_thirty_lines(epochs, most):
    lines = [line for line in shown(terminal=False, epochs=epochs).splitlines() if line.startswith("epoch")]
    assert len(lines) <= most
    assert lines[-1].startswith(f"epoch {epochs}/{epochs}")


def test_slow_epochs_have_a_line_each_however_many_there_are(monkeypatch):
    monkeypatch.setattr(display, "SILENCE_SECONDS", 0.0)
    lines = [line for line in shown(terminal=False, epochs=100).splitlines() if line.startswith("epoch")]
    assert len(lines) == 100
