"""Training: fit, callbacks, checkpoints, baselines; the only place of tf.data."""

from zoo.training.events import BatchDone, EpochDone, Event, Message, Started
from zoo.training.trainer import train

__all__ = ["BatchDone", "EpochDone", "Event", "Message", "Started", "train"]
