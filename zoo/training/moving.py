"""Images moved together with the maps of the objects on them; see `zoo.boxes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo.boxes import BOX

Move = Callable[[Any, Any, Any, float], tuple[Any, Any]]
"""(samples (batch, height, width, channels), maps (batch, rows, columns, numbers), seed (2,), strength) -> both."""


def _flip(samples: Any, maps: Any, seed: Any, _strength: float) -> tuple[Any, Any]:
    """Half of the images are mirrored, left to right; a centre's place in its cell then counts from the other side."""
    import tensorflow as tf

    mirrored = tf.random.stateless_uniform([tf.shape(samples)[0], 1, 1, 1], seed) < 0.5
    turned = tf.reverse(maps, [2])
    across = turned[..., -BOX : 1 - BOX]
    there = tf.reduce_max(turned[..., :-BOX], axis=-1, keepdims=True) >= 1.0
    turned = tf.concat([turned[..., :-BOX], tf.where(there, 1.0 - across, across), turned[..., 1 - BOX :]], axis=-1)
    return tf.where(mirrored, tf.reverse(samples, [2]), samples), tf.where(mirrored, turned, maps)


def _shift(samples: Any, maps: Any, seed: Any, strength: float) -> tuple[Any, Any]:
    """Moved by whole cells, up to an eighth of the image; its border is continued, what comes in holds no object."""
    import tensorflow as tf

    for axis in (1, 2):
        cells, pixels = maps.shape[axis], samples.shape[axis]
        stride = -(-pixels // cells)
        most = max(1, round(cells * 0.125 * strength))
        here = seed + tf.constant([axis, 0], tf.int32)
        moves = tf.random.stateless_uniform([tf.shape(samples)[0], 1], here, -most, most + 1, tf.int32)
        places = tf.clip_by_value(tf.range(pixels)[tf.newaxis] + moves * stride, 0, pixels - 1)
        samples = tf.ensure_shape(tf.gather(samples, places, axis=axis, batch_dims=1), samples.shape)
        wanted = tf.range(cells)[tf.newaxis] + moves
        moved = tf.gather(maps, tf.clip_by_value(wanted, 0, cells - 1), axis=axis, batch_dims=1)
        inside = tf.expand_dims(tf.expand_dims((wanted >= 0) & (wanted < cells), 3 - axis), -1)
        maps = tf.ensure_shape(tf.where(inside, moved, 0.0), maps.shape)
    return samples, maps


MOVES: Mapping[str, Move] = {"flip": _flip, "shift": _shift}
"""What moves the objects along with the image."""
