"""SavedModels as others make them, small and real."""

import io
import tarfile
from pathlib import Path

FEATURES = 6


def save_hub_module(folder, shape=(None, None, 3), trainable=True, text=False):
    """As reusable SavedModels of TF-Hub are: `__call__` with `training`, trainable variables, regularization losses."""
    import tensorflow as tf

    class HubModule(tf.train.Checkpoint):
        def __init__(self):
            super().__init__()
            kernel = tf.random.stateless_normal((3, 3, shape[-1], FEATURES), seed=(1, 2)) * 0.3
            self.kernel = tf.Variable(kernel, trainable=trainable, name="stem/kernel")
            self.calls = tf.Variable(0.0, trainable=False, name="stem/calls")
            self.variables = [self.kernel, self.calls]
            self.trainable_variables = [self.kernel] if trainable else []
            self.regularization_losses = [self.penalty] if trainable else []

        @tf.function(input_signature=[])
        def penalty(self):
            return 0.01 * tf.reduce_sum(self.kernel**2)

        @tf.function
        def __call__(self, images, training=False):
            if training:
                self.calls.assign_add(1.0)
            found = tf.nn.relu(tf.nn.conv2d(images, self.kernel, strides=2, padding="SAME"))
            return tf.reduce_mean(found, axis=(1, 2))

    class TextModule(tf.train.Checkpoint):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def __call__(self, texts):
            return tf.cast(tf.strings.length(texts), tf.float32)[:, None]

    module = TextModule() if text else HubModule()
    if not text:
        for training in (True, False):
            module.__call__.get_concrete_function(tf.TensorSpec((None, *shape)), training=training)
    tf.saved_model.save(module, str(folder))
    return Path(folder)


def save_with_signature(folder, outputs=("features",)):
    """As a server's models are: a serving signature alone, of rows of five numbers."""
    import tensorflow as tf

    class Server(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.random.stateless_normal((5, 3), seed=(1, 2)))

        @tf.function(input_signature=[tf.TensorSpec((None, 5), name="rows")])
        def serve(self, rows):
            return {name: tf.tanh(rows @ self.kernel) for name in outputs}

    server = Server()
    tf.saved_model.save(server, str(folder), signatures={"serving_default": server.serve})
    return Path(folder)


def pack(folder, archive, inside="."):
    """A `.tar.gz` of a folder, as TF-Hub serves it; equal folders give equal bytes."""
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, arcname=inside)
    return Path(archive)


def pack_entry(archive, name, content=b"text", kind=tarfile.REGTYPE):
    """A `.tar.gz` with one entry of any name and kind."""
    with tarfile.open(archive, "w:gz") as packed:
        entry = tarfile.TarInfo(name)
        entry.size, entry.type, entry.linkname = len(content) if kind == tarfile.REGTYPE else 0, kind, "/etc/hosts"
        packed.addfile(entry, io.BytesIO(content))
    return Path(archive)
