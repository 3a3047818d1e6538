"""Layers traced as operators that every runtime has, in the place of those that Keras 3.15 traces.

- Nearest upsampling repeats rows and columns, which the converter turns into TILE; tflite-micro
  (0.dev20261023182759) has no such operator, tflite-runtime 2.14 has none for int16. RESIZE_NEAREST_NEIGHBOR answers
  the same for whole factors.
- An embedding counts negative ids from the end, by a SELECT that tflite-micro lacks and whose ids the converter asks a
  range of in int16x8. No tokenizer makes such ids.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from export.forms.calls import replaced

Call = Callable[[Any], Any]


@contextlib.contextmanager
def plain_layers(model: Any) -> Iterator[None]:
    """Within the block, the model's layers of these kinds are called so."""
    calls = {layer: _plain(layer) for layer in model._flatten_layers(include_self=False)}
    with replaced({layer: call for layer, call in calls.items() if call is not None}, "call"):
        yield


def _plain(layer: Any) -> Call | None:
    """What to call instead; None for a layer that stays as it is, a user's own kind of one of these among them."""
    import keras

    if type(layer) is keras.layers.Embedding:
        return _look_up(layer) if layer.quantization_mode is None else None
    if type(layer) is keras.layers.UpSampling1D:
        return _resize(layer.size, 1)
    if type(layer) is keras.layers.UpSampling2D and layer.interpolation == "nearest":
        return _resize(*layer.size) if layer.data_format == "channels_last" else None
    return None


def _look_up(layer: Any) -> Call:
    """A function of (batch, ...) ids from 0 up."""

    def call(inputs: Any) -> Any:
        import tensorflow as tf

        ids = inputs if inputs.dtype in (tf.int32, tf.int64) else tf.cast(inputs, tf.int32)
        return tf.gather(tf.convert_to_tensor(layer.embeddings), ids)

    return call


def _resize(rows: int, columns: int) -> Call:
    """A function of (batch, height, width, channels), or of (batch, steps, channels), one value wide."""

    def call(inputs: Any) -> Any:
        import tensorflow as tf

        flat = len(inputs.shape) == 3
        picture = inputs[:, :, None] if flat else inputs
        shape = tf.shape(picture) if None in picture.shape[1:3] else picture.shape
        larger = tf.image.resize(picture, (shape[1] * rows, shape[2] * columns), method="nearest")
        return larger[:, :, 0] if flat else larger

    return call
