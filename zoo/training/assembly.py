"""Puts a training together: the model under its policy, its batches, and the loop around them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.builders import Builder, get_builder
from zoo.config import KEEP_LAST, RunConfig, TrainingConfig
from zoo.data.dataset import Dataset
from zoo.errors import UsageError
from zoo.metrics import DECIDING
from zoo.settings import cpu_count
from zoo.training.augmentation import Augmentation, read_augment
from zoo.training.events import Listener
from zoo.training.pipeline import EpochOrder, balanced, batches, class_weights

if TYPE_CHECKING:
    from zoo.training.loop import EpochEnd
    from zoo.training.prepared import Prepared

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
    builder: Builder,
    data: Prepared,
    *,
    loss: Any,
    metrics: tuple[Any, ...],
    listener: Listener,
    initial: Sequence[np.ndarray] | None = None,
    model: Any = None,
) -> Assembly:
    """Builds model, batches and loop.

    Args:
        config: Resolved.
        builder: The configured one.
        data: Loaded, split and shared with other trainings.
        loss: A Keras loss of the caller's own, or None.
        metrics: Keras metrics of the caller's own.
        listener: Told of batches and epochs.
        initial: Weights to begin with; None for those drawn by the seed.
        model: As `build_model` made it; by default it is made.
    """
    from zoo.training.loop import EpochEnd
    from zoo.training.optimizers import loss_function, optimizer

    training, task, kind = config.training, data.dataset.output.task, data.dataset.input.kind
    if model is None:
        model = build_model(config, builder, data.dataset)
    if initial is not None:
        model.set_weights(list(initial))
    count = len(data.dataset.train)
    size = count if training.batch_size == "full" else min(int(training.batch_size), count)
    steps = math.ceil(count / size)
    loss = loss or loss_function(training.loss)
    model.compile(
        optimizer=optimizer(training, steps),
        loss=loss,
        metrics=list(metrics),
        steps_per_execution=min(STEPS_PER_CALL, steps),
    )
    model.optimizer.build(model.trainable_variables)  # or the training step is traced a second time
    order = EpochOrder(seed=training.seed, samples=count)
    weights = _weights(training, data.dataset)
    masks = task == "segmentation"
    outputs = data.dataset.output.shape[-1]
    loop = EpochEnd(
        training,
        DECIDING[task] if training.monitor in ("auto", KEEP_LAST) else training.monitor,
        train=data.train_sample(training.seed, loss),
        validation=data.validation(loss),
        order=order,
        model=model,
        listener=listener,
    )
    samples = batches(
        data.inputs,
        data.targets,
        batch_size=size,
        order=order,
        weights=None if masks else weights,
        augmentation=Augmentation(
            read_augment(training.augment, kind, task), kind, training.augment_strength, outputs if masks else 0, task
        ),
        pixel_weights=weights if masks else None,
    )
    return Assembly(model, samples, steps, loss, loop)


def build_model(config: RunConfig, builder: Builder, dataset: Dataset, *, precision: str = "") -> Any:
    """The model that a training of this resolved configuration begins with, its weights drawn by the seed.

    Args:
        config: Resolved.
        builder: The configured one.
        dataset: What goes in and what comes out.
        precision: A policy in place of the configured one.
    """
    import keras

    use_threads(config.training.threads)
    keras.utils.set_random_seed(config.training.seed)
    with policy(precision or config.training.precision):
        return builder(dataset.input, dataset.output, **config.hyperparameters)


def initial_weights(config: RunConfig, dataset: Dataset) -> list[np.ndarray]:
    """The weights that a training of this resolved configuration begins with, as `keras.Model.get_weights` has them."""
    weights: list[np.ndarray] = build_model(config, get_builder(config.builder), dataset).get_weights()
    return weights


def _weights(training: TrainingConfig, dataset: Dataset) -> np.ndarray | None:
    """A weight per training sample, of a segmentation per class, where classes are to be balanced."""
    if training.class_weights == "none":
        return None
    if dataset.output.task == "segmentation":
        return balanced(dataset.train.targets.counts(dataset.output.shape[-1]))
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
