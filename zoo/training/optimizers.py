"""Optimizers and learning rate schedules by name.

One-cycle: Smith and Topin, arXiv:1708.07120. Cosine: Loshchilov and Hutter, arXiv:1608.03983.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from zoo.config import TrainingConfig
from zoo.training.centres import CentresAndBoxes

WARM_UP = 0.25
"""Share of the steps in which one-cycle rises."""

FLOOR = 1e-3
"""What cosine and one-cycle end at, as a share of the peak."""


@keras.saving.register_keras_serializable(package="zoo")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Rises by a cosine from a twentieth of the peak, then falls by a cosine to almost nothing.

    Args:
        peak: Highest learning rate.
        steps: Steps of the whole training.
    """

    def __init__(self, peak: float, steps: int) -> None:
        self.peak, self.steps = peak, steps

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, a scalar tensor."""
        position = keras.ops.cast(step, "float32") / max(self.steps, 1)
        up = 0.5 - 0.5 * keras.ops.cos(math.pi * keras.ops.minimum(position / WARM_UP, 1.0))
        down = 0.5 + 0.5 * keras.ops.cos(math.pi * keras.ops.clip((position - WARM_UP) / (1 - WARM_UP), 0.0, 1.0))
        rising = 0.05 + 0.95 * up
        falling = FLOOR + (1 - FLOOR) * down
        return self.peak * keras.ops.where(position < WARM_UP, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"peak": self.peak, "steps": self.steps}


def learning_rate(config: TrainingConfig, steps_per_epoch: int) -> Any:
    """The peak rate as a number, or the schedule over all steps; "plateau" is a number that the loop lowers."""
    peak, steps = float(config.learning_rate), steps_per_epoch * config.epochs
    schedules = keras.optimizers.schedules
    if config.schedule == "cosine":
        return schedules.CosineDecay(peak, steps, alpha=FLOOR)
    if config.schedule == "onecycle":
        return OneCycle(peak, steps)
    if config.schedule == "step":  # a tenth after half of the training, a hundredth after three quarters
        return schedules.PiecewiseConstantDecay([steps // 2, steps * 3 // 4], [peak, peak / 10, peak / 100])
    return peak


def optimizer(config: TrainingConfig, steps_per_epoch: int) -> Any:
    """The configured `keras.optimizers.Optimizer`; momentum and nesterov are SGD with a momentum of 0.9."""
    rate = learning_rate(config, steps_per_epoch)
    makers = {
        "sgd": lambda: keras.optimizers.SGD(rate),
        "momentum": lambda: keras.optimizers.SGD(rate, momentum=0.9),
        "nesterov": lambda: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        "adam": lambda: keras.optimizers.Adam(rate),
        "adamw": lambda: keras.optimizers.AdamW(rate, weight_decay=config.weight_decay),
        "rmsprop": lambda: keras.optimizers.RMSprop(rate),
        "adagrad": lambda: keras.optimizers.Adagrad(rate),
    }
    made = makers[config.optimizer]()
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        # Keras 3.15 sums the gradients of one replica by a function that TensorFlow 2.21 registers for good, with it
        # the graph of every training: megabytes each.
        made._all_reduce_sum_gradients = lambda gradients: gradients
    return made


def loss_function(name: str) -> Any:
    """The Keras loss of a configured name, on dense (one-hot) targets."""
    makers = {
        "mse": keras.losses.MeanSquaredError,
        "mae": keras.losses.MeanAbsoluteError,
        "huber": keras.losses.Huber,
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "centres_and_boxes": CentresAndBoxes,
    }
    return makers[name]()
