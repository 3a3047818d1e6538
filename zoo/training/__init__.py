"""Training: fit, callbacks, checkpoints, baselines; the only place of tf.data."""
