"""What training tells whoever listens: a display, a log, a notebook."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Message:
    """A line for people; `warning` is for what nobody may miss."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Started:
    """The first epoch is about to begin.

    Attributes:
        first_epoch: Epochs already done by the run that is resumed; 0 otherwise.
        metric: Name of the validation metric that decides.
    """

    run: Path
    epochs: int
    first_epoch: int
    steps: int
    parameters: int
    metric: str


@dataclass(frozen=True)
class BatchDone:
    """Some steps of an epoch are done; `loss` is the epoch's mean so far, penalty included."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch is done; `row` is its line of history.csv, `best` whether its weights are kept."""

    row: Mapping[str, float]
    best: bool


Event = Message | Started | BatchDone | EpochDone
Listener = Callable[[Event], None]


def log(event: Event) -> None:
    """The listener of a notebook: a line an epoch, by the logger "zoo"."""
    logger = logging.getLogger("zoo")
    if isinstance(event, Message):
        logger.log(logging.WARNING if event.warning else logging.INFO, event.text)
    elif isinstance(event, Started):
        logger.info("training %s parameters for %s epochs in %s", event.parameters, event.epochs, event.run)
    elif isinstance(event, EpochDone):
        logger.info("  ".join(f"{name} {value:.4g}" for name, value in event.row.items()))
