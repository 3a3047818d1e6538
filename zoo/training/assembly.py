"""Puts a training together: the model under its policy, its batches, and the loop around them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.builders import get_builder
from zoo.config import RunConfig, TrainingConfig
from zoo.data.dataset import Dataset
from zoo.data.samples import draw_samples
from zoo.errors import UsageError
from zoo.metrics import PRIMARY
from zoo.runs import Run
from zoo.settings import cpu_count
from zoo.training.events import Listener
from zoo.training.pipeline import EpochOrder, batches, class_weights

if TYPE_CHECKING:
    from zoo.training.loop import EpochEnd

SAMPLE_LIMIT = 2000
"""Training samples measured in inference mode after each epoch."""

STEPS_PER_CALL = 20
"""Steps inside one call of the compiled train function: half the time on small models (measured), the same numbers."""


@dataclass(frozen=True)
class Assembly:
    """What `fit` needs.

    Attributes:
        model: Compiled, under the configured policy.
        samples: A `tf.data.Dataset` of one epoch, in the order of `loop`'s epoch.
        steps: Of one epoch.
        loss: On dense targets.
    """

    model: Any
    samples: Any
    steps: int
    loss: Any
    loop: EpochEnd


def assemble(
    config: RunConfig,
    dataset: Dataset,
    run: Run,
    build: Callable[[], Any],
    *,
    loss: Any,
    metrics: tuple[Any, ...],
    listener: Listener,
    initial: Sequence[np.ndarray] | None = None,
) -> Assembly:
    """Builds model, batches and loop.

    Args:
        config: Resolved.
        dataset: Loaded and split.
        run: Where the loop writes.
        build: Makes a new model of the run's configuration under the policy at hand.
        loss: A Keras loss of the caller's own, or None.
        metrics: Keras metrics of the caller's own.
        listener: Told of batches and epochs.
        initial: Weights to begin with; None for those drawn by the seed.
    """
    import keras

    from zoo.training.loop import EpochEnd
    from zoo.training.measure import Measured, dense_targets
    from zoo.training.optimizers import loss_function, optimizer

    training = config.training
    use_threads(training.threads)
    keras.utils.set_random_seed(training.seed)
    with policy(training.precision):
        model = build()
    if initial is not None:
        model.set_weights(list(initial))
    with policy("float32"):
        keeper = build()
    count = len(dataset.train)
    size = count if training.batch_size == "full" else min(int(training.batch_size), count)
    steps = math.ceil(count / size)
    loss = loss or loss_function(training.loss)
    model.compile(
        optimizer=optimizer(training, steps),
        loss=loss,
        metrics=list(metrics),
        steps_per_execution=min(STEPS_PER_CALL, steps),
    )
    order = EpochOrder(seed=training.seed, samples=count)
    samples = batches(
        dataset.model_inputs(dataset.train),
        dense_targets(dataset, dataset.train),
        batch_size=size,
        order=order,
        weights=_weights(training, dataset),
    )
    sample = draw_samples(dataset.train, dataset.output.task, limit=SAMPLE_LIMIT, seed=training.seed)
    loop = EpochEnd(
        run,
        training,
        PRIMARY[dataset.output.task] if training.monitor == "auto" else training.monitor,
        train=Measured(dataset, sample, loss),
        validation=Measured(dataset, dataset.validation, loss),
        order=order,
        model=model,
        keeper=keeper,
        listener=listener,
    )
    return Assembly(model, samples, steps, loss, loop)


def initial_weights(config: RunConfig, dataset: Dataset) -> list[np.ndarray]:
    """The weights that a training of this resolved configuration begins with, as `keras.Model.get_weights` has them."""
    import keras

    use_threads(config.training.threads)
    keras.utils.set_random_seed(config.training.seed)
    with policy(config.training.precision):
        model = get_builder(config.builder)(dataset.input, dataset.output, **config.hyperparameters)
    weights: list[np.ndarray] = model.get_weights()
    return weights


def _weights(training: TrainingConfig, dataset: Dataset) -> np.ndarray | None:
    """A weight per training sample where classes are to be balanced."""
    if training.class_weights == "none":
        return None
    return class_weights(dataset.train.targets, max(dataset.output.shape[-1], 2))


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Builds under a precision policy; the one before comes back, however the block ends."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def use_threads(count: int) -> None:
    """Sets the cores of the arithmetic; TensorFlow takes them once in a process.

    Raises:
        UsageError: TensorFlow has started with another number.
    """
    import tensorflow as tf

    threading = tf.config.threading
    if (threading.get_intra_op_parallelism_threads() or cpu_count()) == count:
        return
    try:
        threading.set_intra_op_parallelism_threads(count)
        threading.set_inter_op_parallelism_threads(count)
    except RuntimeError as error:
        raise UsageError(
            f"threads = {count} cannot be set: TensorFlow has started with "
            f"{threading.get_intra_op_parallelism_threads() or cpu_count()} in this process; start a new one"
        ) from error
