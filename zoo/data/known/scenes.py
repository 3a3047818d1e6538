"""Canvases with a few handwritten digits on each, composed by a seed: objects to find, always at hand."""

from __future__ import annotations

import numpy as np

from zoo import boxes
from zoo.data.dataset import PARTS, Raw
from zoo.data.known.images import sklearn_digits
from zoo.data.loading import LoadRequest

SIDE = 96
"""Pixels of a canvas' side."""

SMALLEST, LARGEST = 16, 28
"""Pixels of a digit's height."""

MOST = 5
"""Digits on a canvas."""

FAINT = 0.05
"""Ink below this is ground: a digit's box ends where there is no more."""

SHARED = 0.1
"""Two digits' boxes overlap by this (intersection over union) at most."""

TRIES = 20
"""Places that are tried for a digit before it is left out."""

CANVASES = {"train": 4000, "validation": 400, "test": 600}
TESTED, DECIDED = 5, 10
"""Of the digits of each class every fifth is for the test split, and every tenth of the others for validation."""

SEED = 20_190_416


def load_digit_scenes(request: LoadRequest) -> Raw:
    """Digit scenes: (5000, 96, 96) uint8, and of each canvas up to 5 digits as in `zoo.boxes`, (5000, 5, 5) float32."""
    digits, classes = sklearn_digits()
    sources = pools(classes)
    made = [
        compose(digits[sources[part]], classes[sources[part]], CANVASES[part], seed=SEED + at)
        for at, part in enumerate(PARTS)
    ]
    return Raw(
        samples=np.concatenate([samples for samples, _ in made]),
        targets=np.concatenate([objects for _, objects in made]),
        kind="image",
        task="detection",
        labels=request.card.labels,
        parts=np.repeat(np.arange(len(PARTS), dtype=np.int8), [CANVASES[part] for part in PARTS]),
    )


def pools(classes: np.ndarray) -> dict[str, np.ndarray]:
    """Positions of the digits that each split's canvases are composed of; none is in two.

    Args:
        classes: (n,) of all digits.
    """
    order = np.random.default_rng(SEED).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    tested = np.arange(len(order)) % TESTED == 0
    rest = order[~tested]
    decided = np.arange(len(rest)) % DECIDED == 0
    return {"train": rest[~decided], "validation": rest[decided], "test": order[tested]}


def compose(digits: np.ndarray, classes: np.ndarray, count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Canvases of digits of all sizes, places and contrasts on a ground that is uneven and noisy.

    Args:
        digits: (m, height, width) uint8, bright on black.
        classes: (m,) of them.
        count: How many canvases.
        seed: Same seed, same canvases.

    Returns:
        (count, 96, 96) uint8 and (count, 5, 5) float32: class, x_min, y_min, x_max, y_max as shares of the side, class
        -1 where there is no further digit.
    """
    generator = np.random.default_rng(seed)
    inks = [_ink(digit) for digit in digits]
    samples = np.zeros((count, SIDE, SIDE), np.uint8)
    objects = np.zeros((count, MOST, 5), np.float32)
    objects[..., 0] = boxes.NONE
    for at in range(count):
        canvas, strength = _ground(generator)
        chosen = generator.integers(0, len(inks), generator.integers(1, MOST + 1))
        placed = np.zeros((0, 4))
        for one in chosen:
            ink = _drawn(generator, inks[one])
            place = _place(generator, ink.shape, placed)
            if place is None:
                continue
            left, top, right, bottom = place
            canvas[top:bottom, left:right] += strength * ink
            objects[at, len(placed)] = (classes[one], *(edge / SIDE for edge in place))
            placed = np.concatenate([placed, [place]])
        noise = generator.standard_normal(canvas.shape, np.float32) * generator.uniform(3, 14)
        lit = np.clip(canvas + noise, 0, 255)
        samples[at] = np.rint(255 - lit if generator.random() < 0.5 else lit)
    return samples, objects


def _ink(digit: np.ndarray) -> np.ndarray:
    """A digit cut to where it has ink, 0 to 1."""
    return _cut(digit.astype(np.float32) / 255)


def _cut(digit: np.ndarray) -> np.ndarray:
    inked = digit > FAINT
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _ground(generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """A ground that is brighter to one side, and how much brighter than it the digits of this canvas are."""
    slope = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)
    lean = generator.uniform(-40, 40, 2)
    ground = generator.uniform(25, 90) + lean[0] * slope[:, None] + lean[1] * slope[None, :]
    return ground.astype(np.float32), float(generator.uniform(70, 150))


def _place(
    generator: np.random.Generator, shape: tuple[int, ...], placed: np.ndarray
) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of a digit of this height and width; None where it finds no room."""
    height, width = shape
    for _ in range(TRIES):
        left, top = (int(generator.integers(0, SIDE - size + 1)) for size in (width, height))
        place = (left, top, left + width, top + height)
        if not len(placed) or boxes.overlaps(np.array([place], float), placed).max() <= SHARED:
            return place
    return None


def _drawn(generator: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """A digit as large and as wide as chance wants it."""
    height = int(generator.integers(SMALLEST, LARGEST + 1))
    width = max(4, round(height * ink.shape[1] / ink.shape[0] * generator.uniform(0.8, 1.1)))
    return _resized(ink, height, width)


def _resized(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarged, linearly between the middles of its pixels."""
    return np.asarray(_weights(ink.shape[0], height) @ ink @ _weights(ink.shape[1], width).T)


def _weights(size: int, wanted: int) -> np.ndarray:
    """(wanted, size): how much each of `size` pixels in a row counts for each of `wanted` in their place."""
    middles = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(middles[:, None] - np.arange(size))), np.float32)
