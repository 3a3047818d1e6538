"""A data set as trainings in one process share it: what is the same for each of them is made once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from zoo.data.dataset import Dataset, ModelInputs
from zoo.data.samples import draw_samples
from zoo.training.measure import Measured, dense_targets

SAMPLE_LIMIT = 2000
"""Training samples measured in inference mode after each epoch."""

SAMPLE_PIXELS = 2**20
"""Of a segmentation: pixels of these samples."""


class Prepared:
    """Tensors of a data set, made when they are first asked for.

    Args:
        dataset: Loaded and split.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._samples: dict[int, Measured] = {}

    @cached_property
    def inputs(self) -> Any:
        """Model inputs of the training split, a tensor (n, ...); `ModelInputs` where they are too many."""
        import tensorflow as tf

        found = self.dataset.model_inputs(self.dataset.train)
        return found if isinstance(found, ModelInputs) else tf.constant(found)

    @cached_property
    def targets(self) -> Any:
        """Targets of the training split as a loss takes them, a tensor (n, outputs) float32; masks stay on disk.

        Those that are too many for the memory are made when they are asked for.
        """
        import tensorflow as tf

        if self.dataset.output.task == "segmentation":
            return self.dataset.train.targets
        found = dense_targets(self.dataset, self.dataset.train)
        return found if isinstance(found, ModelInputs) else tf.constant(found)

    def train_sample(self, seed: int, loss: Any) -> Measured:
        """A fixed sample of the training split, drawn by the seed, to measure with this loss."""
        if seed not in self._samples:
            split = draw_samples(self.dataset.train, self.dataset.output.task, limit=self._sample_limit(), seed=seed)
            self._samples[seed] = Measured(self.dataset, split, loss)
        return self._samples[seed].under(loss)

    def _sample_limit(self) -> int:
        """How many samples are measured; images with masks are few and take as long as many others."""
        if self.dataset.output.task != "segmentation":
            return SAMPLE_LIMIT
        height, width = self.dataset.output.shape[:2]
        return max(SAMPLE_PIXELS // (height * width), 1)

    def validation(self, loss: Any) -> Measured:
        """The validation split, to measure with this loss."""
        return self._validation.under(loss)

    @cached_property
    def _validation(self) -> Measured:
        return Measured(self.dataset, self.dataset.validation, None)
