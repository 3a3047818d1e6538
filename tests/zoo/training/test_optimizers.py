from dataclasses import replace

import pytest

from zoo.config import OPTIMIZER_RATES, TrainingConfig
from zoo.training.optimizers import learning_rate, optimizer


def rates(schedule, steps=100):
    found = learning_rate(TrainingConfig(epochs=1, learning_rate=1.0, schedule=schedule), steps)
    return [float(found(step)) if callable(found) else found for step in range(steps + 1)]


def test_onecycle_rises_to_the_peak_and_falls_to_almost_nothing():
    course = rates("onecycle")
    assert course[0] == pytest.approx(0.05)
    assert max(course) == pytest.approx(1.0)
    assert course.index(max(course)) == 25
    assert course[-1] < 0.002


def test_cosine_only_falls():
    course = rates("cosine")
    assert course[0] == pytest.approx(1.0)
    assert course == sorted(course, reverse=True)
    assert course[-1] < 0.002


def test_step_falls_to_a_tenth_and_a_hundredth():
    course = rates("step")
    assert (course[50], course[51], course[-1]) == pytest.approx((1.0, 0.1, 0.01))


@pytest.mark.parametrize("name", OPTIMIZER_RATES)
def test_every_optimizer_lowers_a_simple_loss(name):
    import keras

    config = replace(TrainingConfig(), optimizer=name, learning_rate=OPTIMIZER_RATES[name])
    stepper, weight = optimizer(config, 100), keras.Variable(1.0)
    stepper.build([weight])
    for _ in range(100):
        stepper.apply([2 * weight], [weight])
    assert float(weight) ** 2 < 0.85
