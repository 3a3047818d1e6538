"""What a worker makes of what its runner raises."""

from dataclasses import replace

import pytest

from tuning.roles import Progress, TrialStoppedError
from tuning.trial import Trial
from tuning.working import work
from zoo.errors import DivergedError, ModelError, ResourceError, SigtermInterrupt, UsageError


class Stub:
    """A dealer of a given number of trials that notes what comes back."""

    def __init__(self, count=1, answers=()):
        self.left = [*answers, *(Trial(id=f"{n:04d}", values={}, proposed={}, created=n) for n in range(count))]
        self.ended, self.back, self.told = [], [], []

    def deal(self, worker):
        if not self.left:
            return None
        dealt = self.left.pop(0)
        return dealt if dealt == "wait" else replace(dealt, worker=worker)

    def tell(self, progress):
        self.told.append(progress)
        return True

    def end(self, trial):
        self.ended.append(trial)

    def put_back(self, trial):
        self.back.append(trial)


class Raising:
    def __init__(self, error):
        self.error = error

    def run(self, trial, tell):
        tell(Progress(id=trial.id, epoch=1))
        raise self.error


class ResourceExhaustedError(Exception):
    """As TensorFlow names it."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DivergedError("the loss became NaN in epoch 3"), "diverged: the loss became NaN in epoch 3"),
        (MemoryError(), "out of memory: MemoryError"),
        (ResourceExhaustedError("OOM when allocating\n  tensor"), "out of memory: OOM when allocating tensor"),
        (ResourceError("the disk is full"), "out of disk or memory: the disk is full"),
        (ModelError("builder 'mine' failed: boom"), "model: builder 'mine' failed: boom"),
        (UsageError("units = 0 is not allowed"), "usage: units = 0 is not allowed"),
        (ValueError("a\nb"), "ValueError: a b"),
        (KeyError(), "KeyError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_what_a_trial_raises_is_its_reason_and_the_search_goes_on(error, reason):
    dealer = Stub(2)
    work(dealer, Raising(error), "w")
    assert [(trial.status, trial.reason) for trial in dealer.ended] == [("failed", reason)] * 2
    assert dealer.back == []


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SigtermInterrupt])
def test_an_interrupt_puts_the_trial_back_and_ends_the_work(interrupt):
    dealer = Stub(2)
    with pytest.raises(interrupt):
        work(dealer, Raising(interrupt()), "w")
    assert [trial.id for trial in dealer.back] == ["0000"]
    assert dealer.ended == []


def test_a_trial_that_was_asked_to_stop_is_put_back_and_the_next_is_asked_for():
    dealer = Stub(2)
    work(dealer, Raising(TrialStoppedError()), "w")
    assert [trial.id for trial in dealer.back] == ["0000", "0001"]
    assert dealer.ended == []


def test_an_interrupt_while_the_outcome_is_handed_over_puts_the_trial_back():
    class Interrupted(Stub):
        def end(self, trial):
            raise KeyboardInterrupt

    class Runner:
        def run(self, trial, tell):
            return replace(trial, status="completed", score=1.0)

    dealer = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        work(dealer, Runner(), "w")
    assert [trial.id for trial in dealer.back] == ["0000"]


def test_a_worker_says_who_it_is_waits_where_it_is_told_to_and_checks_in_between():
    checks = []
    dealer = Stub(2, answers=["wait", "wait"])
    work(dealer, Raising(ValueError("x")), "left", check=lambda: checks.append(1), wait_seconds=0.0)
    assert [progress.worker for progress in dealer.told] == ["left", "left"]
    assert [trial.worker for trial in dealer.ended] == ["left", "left"]
    assert len(checks) == 5


def test_a_check_that_raises_ends_the_work_with_nothing_in_hand():
    def check():
        raise KeyboardInterrupt

    dealer = Stub(1)
    with pytest.raises(KeyboardInterrupt):
        work(dealer, Raising(ValueError("x")), "w", check=check)
    assert dealer.ended == dealer.back == []
