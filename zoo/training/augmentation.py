"""Training samples varied by chance, batch by batch: part of the training, never of the exported graph.

Every batch draws from (seed, epoch, step), so that a resumed or repeated training sees the same samples. Mixup: Zhang,
Cisse, Dauphin and Lopez-Paz, arXiv:1710.09412. Masking: Park et al., "SpecAugment", arXiv:1904.08779. Erasing: Zhong et
al., arXiv:1708.04896. Rotating sensors: Um et al., arXiv:1706.00527.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from zoo.errors import UsageError
from zoo.registry import suggest
from zoo.training.moving import MOVES

Variation = Callable[[Any, Any, float], Any]
"""(samples (batch, ...) float32, seed (2,) int32, strength) -> samples of the same shape."""

MIXUP = "mixup"
MIXUP_ALPHA = 0.2
"""Of the Beta distribution that mixup's shares are drawn from, as in the paper's ImageNet experiments."""


ROTATE, AXES = "rotate", 3
NONE = "none"


def read_augment(
    given: str, kind: str, task: str, shape: Sequence[int] = (), *, forecast: bool = False
) -> tuple[str, ...]:
    """The variations that a knob names.

    Args:
        given: Names with "+" or commas between them, or "none".
        kind: Of the data.
        task: Of the data.
        shape: Of a sample; empty where it is not known.
        forecast: Whether the targets go on where the samples end.

    Raises:
        UsageError: An unknown name, or one that does not fit.
    """
    names = [name.strip() for name in given.replace(",", "+").split("+") if name.strip() not in ("", NONE)]
    known = [*VARIATIONS.get(kind, {}), *(() if kind == "text" else (MIXUP,))]
    for name in names:
        if name not in known:
            raise UsageError(f"augment = {name!r} is nothing that {kind} data have{suggest(name, known)}")
    if len(set(names)) < len(names):
        raise UsageError(f"augment = {', '.join(names)} names a variation twice; give each once")
    if ROTATE in names and kind == "series" and shape and shape[-1] % AXES:
        raise UsageError(f"augment = rotate turns sensors of x, y and z; {shape[-1]} channels are none, leave it out")
    if task == "detection" and (fixed := [name for name in names if name not in MOVES and name != "colour"]):
        raise UsageError(f"augment = {fixed[0]!r} leaves boxes behind; images with boxes take colour, flip and shift")
    moved = [name for name in names if name not in ("jitter", MIXUP)] if forecast else []
    if moved:
        raise UsageError(f"augment = {moved[0]} would part a history from the steps after it; a forecast takes jitter")
    if MIXUP in names and task in ("regression", "anomaly"):
        what = "not the numbers of a regression" if task == "regression" else "and here all samples are normal"
        raise UsageError(f"augment = mixup mixes classes, {what}; leave it out")
    return tuple(names)


class Augmentation:
    """Varies batches.

    Args:
        names: Of `read_augment`; applied in the order of `VARIATIONS`, mixup last.
        kind: Of the data.
        strength: Over the usual extent; 1 is usual.
        classes: Of images with masks: how many there are. What moves an image then moves its mask too.
        task: Of the data; images with boxes are moved along with those.
    """

    def __init__(self, names: Sequence[str], kind: str, strength: float, classes: int = 0, task: str = "") -> None:
        moves = MOVES if task == "detection" else {}
        self._moves = [move for name, move in moves.items() if name in names]
        varied = VARIATIONS.get(kind, {})
        self._chosen = {name: vary for name, vary in varied.items() if name in names and name not in moves}
        self._mixup = MIXUP in names
        self._strength = strength
        self._classes = classes

    def __bool__(self) -> bool:
        return bool(self._chosen) or bool(self._moves) or self._mixup or bool(self._classes)

    def __call__(self, seed: Any, samples: Any, targets: Any, *weights: Any) -> tuple[Any, ...]:
        """A batch varied.

        Args:
            seed: (2,) int32 tensor.
            samples: (batch, ...) float32, as the model is fed.
            targets: (batch, outputs) float32; with masks (batch, height, width) classes, which come back dense.
            *weights: (batch,) float32 sample weights, where there are any.
        """
        import tensorflow as tf

        for at, (name, vary) in enumerate(self._chosen.items()):
            drawn = seed + tf.constant([0, 7919 * (at + 1)], tf.int32)
            if self._classes and name in MOVING:  # the same draws, so that the mask moves as the image does
                targets = MOVING[name](targets[..., tf.newaxis], drawn, self._strength)[..., 0]
            samples = vary(samples, drawn, self._strength)
        if self._classes:
            targets = tf.one_hot(tf.cast(targets, tf.int32), self._classes)
        for at, move in enumerate(self._moves):
            here = seed + tf.constant([0, 15485863 * (at + 1)], tf.int32)
            samples, targets = move(samples, targets, here, self._strength)
        if not self._mixup:
            return (samples, targets, *weights)
        mix = _mixing(tf.shape(samples)[0], seed + tf.constant([0, 104729], tf.int32), self._strength)
        return tuple(mix(part) for part in (samples, targets, *weights))


def _mixing(count: Any, seed: Any, strength: float) -> Callable[[Any], Any]:
    """Every sample with a share of another one of the batch; shares are Beta-distributed, at least a half its own."""
    import tensorflow as tf

    alpha = MIXUP_ALPHA * strength
    draws = tf.random.stateless_gamma([2, count], seed, alpha) + 1e-9
    share = draws[0] / (draws[0] + draws[1])
    share = tf.maximum(share, 1.0 - share)
    order = tf.random.experimental.stateless_shuffle(tf.range(count), seed)

    def mix(part: Any) -> Any:
        own = tf.reshape(share, tf.concat([[count], tf.ones(tf.rank(part) - 1, tf.int32)], 0))
        return tf.ensure_shape(own * part + (1.0 - own) * tf.gather(part, order), part.shape)

    return mix


def _uniform(samples: Any, seed: Any, low: float, high: float, *, per: int = 1) -> Any:
    """Numbers for each sample, shaped (batch, 1, ...) to multiply with it; `per` > 1 gives one for each channel."""
    import tensorflow as tf

    axes = len(samples.shape) - 2
    shape = [tf.shape(samples)[0], *[1] * axes, per]
    return tf.random.stateless_uniform(shape, seed, low, high)


def _flip(samples: Any, seed: Any, _strength: float) -> Any:
    """Half of the images are mirrored, left to right."""
    import tensorflow as tf

    return tf.where(_uniform(samples, seed, 0.0, 1.0) < 0.5, tf.reverse(samples, [2]), samples)


def _flip_vertical(samples: Any, seed: Any, _strength: float) -> Any:
    """Half of the images are turned upside down, as in a mirror."""
    import tensorflow as tf

    return tf.where(_uniform(samples, seed, 0.0, 1.0) < 0.5, tf.reverse(samples, [1]), samples)


def _turn(samples: Any, seed: Any, _strength: float) -> Any:
    """Turned by a quarter, a half, three quarters or not at all; images that are not square by a half or not."""
    import tensorflow as tf

    turns = tf.cast(_uniform(samples, seed, 0.0, 4.0), tf.int32)
    if samples.shape[1] == samples.shape[2]:
        quarter = tf.reverse(tf.transpose(samples, [0, 2, 1, 3]), [1])
        samples = tf.where(turns % 2 == 1, quarter, samples)
    return tf.where(turns >= 2, tf.reverse(samples, [1, 2]), samples)


def _shift_image(samples: Any, seed: Any, strength: float) -> Any:
    """Moved by up to an eighth of the height and width; the border is continued."""
    import tensorflow as tf

    for axis in (1, 2):
        size = samples.shape[axis]
        most = max(1, round(size * 0.125 * strength))
        moves = tf.random.stateless_uniform(
            [tf.shape(samples)[0], 1], seed + tf.constant([axis, 0], tf.int32), -most, most + 1, tf.int32
        )
        places = tf.clip_by_value(tf.range(size)[tf.newaxis] + moves, 0, size - 1)
        samples = tf.ensure_shape(tf.gather(samples, places, axis=axis, batch_dims=1), samples.shape)
    return samples


def _crop(samples: Any, seed: Any, strength: float, *, method: str = "bilinear") -> Any:
    """A part of the image of 60 to 100 % of its sides, of another shape by up to an eighth, at its full size."""
    import tensorflow as tf

    count = tf.shape(samples)[0]
    least = max(0.1, 1.0 - 0.4 * strength)
    draws = tf.random.stateless_uniform([4, count], seed)
    side = least + (1.0 - least) * draws[0]
    shape = tf.exp((draws[1] - 0.5) * 0.25 * strength)
    high, wide = tf.minimum(side * shape, 1.0), tf.minimum(side / shape, 1.0)
    top, left = draws[2] * (1.0 - high), draws[3] * (1.0 - wide)
    boxes = tf.stack([top, left, top + high, left + wide], axis=1)
    size = (samples.shape[1], samples.shape[2])
    return tf.ensure_shape(tf.image.crop_and_resize(samples, boxes, tf.range(count), size, method), samples.shape)


def _colour(samples: Any, seed: Any, strength: float) -> Any:
    """Brightness, contrast and saturation changed by up to a third; pixels stay between 0 and 255."""
    import tensorflow as tf

    step = tf.constant([0, 13], tf.int32)
    by = 0.3 * strength
    mean = tf.reduce_mean(samples, axis=[1, 2, 3], keepdims=True)
    changed = (samples - mean) * _uniform(samples, seed, 1 - by, 1 + by) + mean
    changed = changed * _uniform(samples, seed + step, 1 - by, 1 + by)
    if samples.shape[-1] == 3:
        grey = tf.reduce_mean(changed, axis=-1, keepdims=True)
        changed = grey + (changed - grey) * _uniform(samples, seed + 2 * step, 1 - by, 1 + by)
    return tf.clip_by_value(changed, 0.0, 255.0)


def _erase(samples: Any, seed: Any, strength: float) -> Any:
    """In half of the images a rectangle of up to 0.4 of the sides takes the image's mean."""
    import tensorflow as tf

    count = tf.shape(samples)[0]
    draws = tf.random.stateless_uniform([5, count, 1], seed)
    kept = []
    for axis, at in ((1, 0), (2, 2)):
        size = samples.shape[axis]
        length = draws[at] * min(0.4 * strength, 0.9) * size
        first = draws[at + 1] * (tf.cast(size, tf.float32) - length)
        place = tf.range(size, dtype=tf.float32)[tf.newaxis]
        kept.append((place >= first) & (place < first + length))
    inside = kept[0][:, :, tf.newaxis] & kept[1][:, tf.newaxis, :] & (draws[4][:, :, tf.newaxis] < 0.5)
    mean = tf.reduce_mean(samples, axis=[1, 2, 3], keepdims=True)
    return tf.where(inside[..., tf.newaxis], mean, samples)


def _jitter(samples: Any, seed: Any, strength: float) -> Any:
    """Gaussian noise of a twentieth of a standard deviation."""
    import tensorflow as tf

    return samples + tf.random.stateless_normal(tf.shape(samples), seed, stddev=0.05 * strength)


def _scale(samples: Any, seed: Any, strength: float) -> Any:
    """Each channel larger or smaller by up to a fifth."""
    return samples * _uniform(samples, seed, 1 - 0.2 * strength, 1 + 0.2 * strength, per=samples.shape[-1])


def _rotate(samples: Any, seed: Any, strength: float) -> Any:
    """Each three channels turned as one sensor, by up to 30 degrees about any axis; all of a sample alike."""
    import tensorflow as tf

    count = tf.shape(samples)[0]
    axis = tf.math.l2_normalize(tf.random.stateless_normal([count, AXES], seed), axis=1)
    most = strength * math.pi / 6
    angle = tf.random.stateless_uniform([count, 1, 1], seed + tf.constant([0, 1], tf.int32), -most, most)
    x, y, z = tf.unstack(axis, axis=1)
    none = tf.zeros_like(x)
    cross = tf.reshape(tf.stack([none, -z, y, z, none, -x, -y, x, none], axis=1), [count, AXES, AXES])
    turn = tf.eye(AXES) + tf.sin(angle) * cross + (1.0 - tf.cos(angle)) * (cross @ cross)  # Rodrigues' formula
    parts = [part @ turn for part in tf.split(samples, samples.shape[-1] // AXES, axis=-1)]
    return tf.ensure_shape(tf.concat(parts, axis=-1), samples.shape)


def _shift_steps(samples: Any, seed: Any, strength: float) -> Any:
    """Earlier or later by up to a tenth of the steps; the first or last step is continued."""
    import tensorflow as tf

    size = samples.shape[1]
    most = max(1, round(size * 0.1 * strength))
    moves = tf.random.stateless_uniform([tf.shape(samples)[0], 1], seed, -most, most + 1, tf.int32)
    places = tf.clip_by_value(tf.range(size)[tf.newaxis] + moves, 0, size - 1)
    return tf.ensure_shape(tf.gather(samples, places, axis=1, batch_dims=1), samples.shape)


def _mask(samples: Any, seed: Any, strength: float) -> Any:
    """Up to a fifth of the time and of the bands, each in one piece, take the mean of all, which is 0."""
    import tensorflow as tf

    for axis in (1, 2):
        size = samples.shape[axis]
        draws = tf.random.stateless_uniform([2, tf.shape(samples)[0], 1], seed + tf.constant([axis, 0], tf.int32))
        length = draws[0] * min(0.2 * strength, 0.9) * size
        first = draws[1] * (tf.cast(size, tf.float32) - length)
        place = tf.range(size, dtype=tf.float32)[tf.newaxis]
        inside = tf.expand_dims((place >= first) & (place < first + length), 3 - axis)
        samples = tf.where(inside, 0.0, samples)
    return samples


def _noise(samples: Any, seed: Any, strength: float) -> Any:
    """Gaussian noise of a fifth of a standard deviation."""
    import tensorflow as tf

    return samples + tf.random.stateless_normal(tf.shape(samples), seed, stddev=0.2 * strength)


VARIATIONS: Mapping[str, Mapping[str, Variation]] = {
    "image": {
        "flip": _flip,
        "flip_vertical": _flip_vertical,
        "rotate": _turn,
        "crop": _crop,
        "shift": _shift_image,
        "colour": _colour,
        "erase": _erase,
    },
    "series": {"jitter": _jitter, "scale": _scale, "shift": _shift_steps, ROTATE: _rotate},
    "audio": {"shift": _shift_steps, "noise": _noise, "mask": _mask},
}
"""Kind of data to its variations, in the order in which they are applied."""

MOVING: Mapping[str, Variation] = {
    "flip": _flip,
    "flip_vertical": _flip_vertical,
    "rotate": _turn,
    "crop": partial(_crop, method="nearest"),
    "shift": _shift_image,
}
"""Variations that move what is in an image; of a mask no new classes come out of them."""
