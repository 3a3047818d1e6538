"""Seeded splits, made before anything is fitted: stratified by class, random, by group or by time."""

from __future__ import annotations

import numpy as np

from zoo.data.dataset import Split
from zoo.errors import DataError, UsageError


def divide(
    targets: np.ndarray, fraction: float, *, seed: int, classes: int, labels: tuple[str, ...] = (), what: str = "test"
) -> tuple[np.ndarray, np.ndarray]:
    """Divides positions into what is kept and what is held out.

    Args:
        targets: (n,) integer classes to stratify by; anything else where `classes` is 0.
        fraction: Share that is held out, above 0 and below 1.
        seed: Same seed, same division.
        classes: Number of classes; 0 divides at random.
        labels: Class names, for the error message.
        what: Name of the held-out split, for the error message.

    Returns:
        Positions kept and positions held out, each ascending.

    Raises:
        DataError: A class has too few samples to stand on both sides; the message names it.
    """
    generator = np.random.default_rng(seed)
    total = len(targets)
    wanted = round(total * fraction)
    if classes == 0:
        if not 0 < wanted < total:
            raise DataError(
                f"{total} samples cannot give a {what} split of {fraction:g}; expected at least 1 on each side"
            )
        held = generator.permutation(total)[:wanted]
    else:
        held = _stratified(targets, wanted, generator, classes, labels, what)
    mask = np.zeros(total, bool)
    mask[held] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def divide_by_group(
    groups: np.ndarray, fraction: float, *, seed: int, what: str, targets: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Divides positions so that no group stands on both sides.

    Args:
        groups: (n,) group of each sample.
        fraction: Share of the samples that is held out, reached as nearly as whole groups allow.
        seed: Same seed, same division.
        what: Name of the held-out split, for the error message.
        targets: (n,) classes. Where every group is of one class, and every class has two groups, each class has a
            group on each side.

    Returns:
        Positions kept and positions held out, each ascending.

    Raises:
        DataError: Fewer than two groups.
    """
    found, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(found) < 2:
        raise DataError(
            f"{len(found)} group cannot be divided to make a {what} split; expected at least 3 groups, "
            "or use --split random"
        )
    own = None if targets is None else _classes_of_groups(inverse.reshape(-1), len(found), targets)
    if own is not None:
        chosen = _draw(own, allocate(np.bincount(own), round(len(found) * fraction)), np.random.default_rng(seed))
        held = np.isin(inverse.reshape(-1), chosen)
        return np.flatnonzero(~held), np.flatnonzero(held)
    wanted = len(groups) * fraction
    order = np.random.default_rng(seed).permutation(len(found))
    sums = np.cumsum(counts[order])
    count = int(np.argmin(np.abs(sums[:-1] - wanted))) + 1  # at least one group on each side
    held = np.isin(inverse.reshape(-1), order[:count])
    return np.flatnonzero(~held), np.flatnonzero(held)


def _classes_of_groups(members: np.ndarray, count: int, targets: np.ndarray) -> np.ndarray | None:
    """The class of each group; None where one has several, or where a class has a single group."""
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(low, members, targets.astype(np.int64))
    np.maximum.at(high, members, targets.astype(np.int64))
    counts = np.bincount(low) if (low == high).all() else np.ones(1)
    return low if (counts[counts > 0] > 1).all() else None


def divide_by_time(times: np.ndarray, fraction: float, *, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Divides positions so that what is held out is later than all that is kept; equal times stay together.

    Args:
        times: (n,) float64, finite.
        fraction: Share that is held out, about.
        what: Name of the held-out split, for the error message.

    Returns:
        Positions kept and positions held out, each ascending.

    Raises:
        DataError: All times are equal.
    """
    ordered = np.sort(times)
    wanted = len(times) - max(1, round(len(times) * fraction))
    boundary = ordered[wanted]
    if boundary == ordered[0]:  # the earliest time reaches into the held-out part: cut behind it
        later = ordered[ordered > boundary]
        if not later.size:
            raise DataError(f"all times are equal, nothing is later for a {what} split; use --split random")
        boundary = later[0]
    held = times >= boundary
    return np.flatnonzero(~held), np.flatnonzero(held)


def subset(split: Split, count: int, *, seed: int, classes: int) -> Split:
    """A seeded subset that keeps the classes' shares; the whole split where `count` is all of it.

    Raises:
        UsageError: More samples are asked for than there are, or fewer than classes.
    """
    least = max(classes, 1)
    if not least <= count <= len(split):
        raise UsageError(f"train_samples = {count} is not allowed; expected {least} to {len(split)} for this data set")
    if count == len(split):
        return split
    generator = np.random.default_rng(seed)
    if classes == 0:
        return split.take(np.sort(generator.permutation(len(split))[:count]))
    counts = np.bincount(split.targets.astype(np.int64), minlength=classes)
    shares = allocate(counts, count, spare=0)
    return split.take(np.sort(_draw(split.targets, shares, generator)))


def allocate(counts: np.ndarray, wanted: int, *, spare: int = 1) -> np.ndarray:
    """How many of each class to draw: proportional, largest remainders first, at least 1 of each class.

    Args:
        counts: Samples of each class.
        wanted: How many to draw in all; more are drawn only where every class needs its 1.
        spare: How many of each class must stay behind.
    """
    exact = counts * wanted / max(counts.sum(), 1)
    highest = np.maximum(counts - spare, 0)
    shares = np.clip(np.floor(exact).astype(np.int64), np.minimum(1, highest), highest)
    for index in np.argsort(-(exact - np.floor(exact)), kind="stable"):
        if shares.sum() < wanted and shares[index] < highest[index]:
            shares[index] += 1
    while shares.sum() > wanted and shares.max() > 1:  # the 1 of rare classes is taken from the largest
        shares[np.argmax(shares)] -= 1
    return np.asarray(shares)


def _stratified(
    targets: np.ndarray,
    wanted: int,
    generator: np.random.Generator,
    classes: int,
    labels: tuple[str, ...],
    what: str,
) -> np.ndarray:
    counts = np.bincount(targets.astype(np.int64), minlength=classes)
    for index in np.flatnonzero(counts < 2):
        name = labels[index] if labels else str(index)
        raise DataError(
            f"class {name!r} has {counts[index]} samples where the {what} split is made; expected at least 2, one for "
            "each side; add samples of it or leave the class out"
        )
    return _draw(targets, allocate(counts, wanted), generator)


def _draw(targets: np.ndarray, shares: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Random positions, so many of each class."""
    drawn = [generator.permutation(np.flatnonzero(targets == index))[:share] for index, share in enumerate(shares)]
    return np.concatenate(drawn)
