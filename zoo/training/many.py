"""Many trainings in one process: what one leaves behind must not grow with their number."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def models_forgotten() -> Iterator[None]:
    """Around one training of many: its models leave the memory at the end, unless the caller holds them.

    The precision policy stays as it was, and TensorFlow does not warn of retracing meanwhile.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_not_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_not_retracing)
        _forget()


def _forget() -> None:
    import keras

    policy = keras.config.dtype_policy()
    keras.utils.clear_session(free_memory=False)  # or the models of all trainings would stay in memory
    keras.config.set_dtype_policy(policy)
    gc.collect()


def _not_retracing(record: logging.LogRecord) -> bool:
    """TensorFlow takes the one function of each of many models for one that is traced again and again."""
    return "triggered tf.function retracing" not in record.getMessage()
