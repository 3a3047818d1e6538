"""The brackets of a Hyperband search: how many trials each takes, and which of them a search has room for."""

from __future__ import annotations

import math

FACTOR = 3
"""From round to round a third of the trials goes on, for three times the epochs."""


def bracket_sizes(max_epochs: int, bracket: int) -> list[int]:
    """Trials of each round of a bracket, as keras-tuner has them; the last round trains for `max_epochs`."""
    end = math.ceil(1 + math.log(max_epochs, FACTOR)) / (bracket + 1)
    return [math.ceil(end * FACTOR ** (bracket - number)) for number in range(bracket + 1)]


def hyperband_brackets(max_epochs: int, trials: int) -> int:
    """The brackets that a search goes through, the largest first; 1 or more.

    A bracket that the trials do not suffice for would end with its first rounds, and nothing be trained to the end.

    Args:
        max_epochs: Of a trial that is trained to the end.
        trials: That the search may train.

    Returns:
        As `Plan.brackets`: the largest begins with trials of about max_epochs / 3 ** (brackets - 1) epochs.

    Example:
        >>> hyperband_brackets(60, 20)  # 8 trials of 20 epochs, 3 of them go on to 60; then 5 of 60 epochs; and again
        2
    """
    count = 1
    while FACTOR**count <= max_epochs and sum(bracket_sizes(max_epochs, count)) <= trials:
        count += 1
    return count
