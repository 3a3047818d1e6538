"""A recipe as a `keras_tuner.HyperModel`, for a tuner of the caller's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner

from tuning.space import Space, make_space
from tuning.wishes import RECIPE
from zoo.builders import get_builder
from zoo.config import RunConfig, configure
from zoo.data.dataset import Dataset
from zoo.training.trainer import load_data, resolve

METRICS: Mapping[str, tuple[str, ...]] = {
    "binary": ("accuracy",),
    "multilabel": ("accuracy",),
    "multiclass": ("accuracy",),
    "regression": ("mae",),
    "anomaly": (),
    "segmentation": ("accuracy",),
    "detection": (),
}
"""Task to the Keras metrics that its model is compiled with."""


class RecipeHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """Builds a recipe's model, compiled, from the values of its space.

    Args:
        space: What is searched.
        configs: Recipe to its configuration without the searched values.
        dataset: Decides shapes, task and steps of an epoch.
    """

    def __init__(self, space: Space, configs: Mapping[str, RunConfig], dataset: Dataset) -> None:
        super().__init__(name="-".join(configs))
        self._space, self._configs, self.dataset = space, configs, dataset

    def declare_hyperparameters(self, hp: Any) -> None:
        """Adds the space's entries."""
        hp.merge(self._space.hyperparameters())

    def build(self, hp: Any) -> Any:
        """A compiled `keras.Model`, (batch, *input shape) float32 -> (batch, *output shape) float32."""
        from zoo.training.assembly import build_model, use_threads
        from zoo.training.optimizers import loss_function, optimizer

        config = self._config(hp)
        use_threads(config.training.threads)
        model = build_model(config, get_builder(config.builder, config.builder_folder), self.dataset)
        steps = math.ceil(len(self.dataset.train) / self._batch_size(config))
        model.compile(
            optimizer=optimizer(config.training, steps),
            loss=loss_function(config.training.loss),
            metrics=list(METRICS[self.dataset.output.task]),
        )
        return model

    def fit(self, hp: Any, model: Any, *arguments: Any, **named: Any) -> Any:
        """`model.fit` with the epochs and the batch size of the configuration where the caller gives none."""
        config = self._config(hp)
        if arguments and hasattr(arguments[0], "shape"):  # an array: a tf.data.Dataset has its batches
            named.setdefault("batch_size", self._batch_size(config))
        named.setdefault("epochs", config.training.epochs)
        return model.fit(*arguments, **named)

    def _config(self, hp: Any) -> RunConfig:
        """What the values stand for."""
        self.declare_hyperparameters(hp)
        hp.ensure_active_values()
        known = {entry.name for entry in hp.space}
        values = self._space.decode({name: value for name, value in hp.values.items() if name in known})
        name = str(values.pop(RECIPE, next(iter(self._configs))))
        return resolve(self._configs[name].with_knobs(values), self.dataset, None, lambda _event: None)

    def _batch_size(self, config: RunConfig) -> int:
        count, size = len(self.dataset.train), config.training.batch_size
        return count if size == "full" else min(int(size), count)


def hypermodel(
    name: str | Sequence[str],
    *,
    data: str | None = None,
    space: Sequence[str] | Mapping[str, Any] = (),
    **given: object,
) -> RecipeHyperModel:
    """The recipe's model, compiled, with its hyperparameters declared.

    Args:
        name: A recipe, a TOML file or a builder; several make the builder a dimension.
        data: A data set's name or a path of your own.
        space: What to search, see `tuning.space.make_space`; empty for the usual knobs.
        **given: Any knob, fixed.

    Returns:
        A `keras_tuner.HyperModel`; its models take `.dataset.inputs(split)` and dense targets, one-hot for classes.

    Raises:
        UsageError: An unknown name, knob or range.
        DataError: The data are missing or damaged.

    Example:
        >>> tuner = keras_tuner.BayesianOptimization(zoo.tuning.hypermodel("mnist-cnn"), "val_accuracy", max_trials=20)
        >>> tuner.search(images, one_hot, validation_data=(others, their_one_hot), epochs=3)
    """
    names = [name] if isinstance(name, str) else list(name)
    make_space(names, space, given, data=data)
    configs = {entry: configure(entry, given, data=data) for entry in names}
    dataset = load_data(next(iter(configs.values())), lambda _event: None)
    advice = {
        entry: config.recommended(dataset.input, dataset.output, len(dataset.train))
        for entry, config in configs.items()
    }
    return RecipeHyperModel(make_space(names, space, given, data=data, advice=advice), configs, dataset)
