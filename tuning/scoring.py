"""What a candidate costs and what it is worth: the Keras model, or the file that ships."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from export.cost import count_macs, count_parameters
from tuning.trial import Figures
from zoo import metrics, preprocessing
from zoo.config import RunConfig
from zoo.data.dataset import Dataset, Split
from zoo.data.samples import draw_samples
from zoo.errors import DataError
from zoo.training.bare import Fitted

if TYPE_CHECKING:
    from tuning.budget import Device

VALIDATION_LIMIT = 5000
"""Validation samples that an exported file is asked about at most, drawn by class."""


class Scoring:
    """Measures the candidates of one configuration.

    Args:
        objective: A metric, or "loss".
        config: Resolved.
        dataset: Its validation split decides.
        device: Exports candidates; None where the Keras model itself is scored.
    """

    def __init__(self, objective: str, config: RunConfig, dataset: Dataset, device: Device | None) -> None:
        self._objective, self._config, self._dataset, self._device = objective, config, dataset, device

    def figures(self, model: Any) -> Figures:
        """What a model that was not trained yet will cost.

        Raises:
            Rejected: It does not fit the device.
        """
        if self._device is None:
            return Figures(parameters=count_parameters(model), macs=count_macs(model))
        return self._device.check(model, self._dataset.contract(), self._calibration, name=self._config.name)

    def measure(self, fitted: Fitted) -> tuple[dict[str, Mapping[str, float]], Figures | None]:
        """Metrics by split, "exported" being the file's on validation samples, and the file's figures.

        Raises:
            Rejected: It does not fit after all, or the converter refuses it.
        """
        if self._device is None:
            return dict(fitted.metrics), None
        samples = np.asarray(self._samples.samples)
        outputs, figures = self._device.answers(
            fitted.model, self._dataset.contract(), self._calibration, samples, name=self._config.name
        )
        return {**fitted.metrics, "exported": self._of_answers(np.asarray(outputs))}, figures

    def score(self, found: Mapping[str, Mapping[str, float]]) -> float:
        """The objective: of the exported file where there is one, else of the Keras model on the validation split.

        Raises:
            DataError: It is not among the metrics, or not a number.
        """
        measured = found.get("exported", found["validation"])
        value = measured.get(self._objective, math.nan)
        if not math.isfinite(value):
            known = ", ".join(name for name, value in measured.items() if math.isfinite(value))
            raise DataError(
                f"the objective {self._objective} has no value on the validation split; choose one of {known}"
            )
        return value

    def _of_answers(self, outputs: np.ndarray) -> dict[str, float]:
        from zoo.training.measure import dense_targets
        from zoo.training.optimizers import loss_function

        if self._dataset.output.task == "segmentation":
            return self._of_pixels(outputs)
        outputs = outputs.reshape(len(outputs), *self._dataset.output.shape).astype(np.float32)
        loss = loss_function(self._config.training.loss)(dense_targets(self._dataset, self._samples), outputs)
        answers = preprocessing.invert_target(outputs, self._dataset.target_transform)
        found = metrics.evaluate(self._dataset.output.task, self._samples.targets, answers)
        return {"loss": float(loss), **found}

    def _of_pixels(self, outputs: np.ndarray) -> dict[str, float]:
        from zoo.training.optimizers import loss_function

        targets = np.asarray(self._samples.targets)
        wanted = targets != metrics.VOID
        dense = np.eye(outputs.shape[-1], dtype=np.float32)[targets[wanted]]
        loss = loss_function(self._config.training.loss)(dense, outputs[wanted].astype(np.float32))
        return {"loss": float(loss), **metrics.evaluate("segmentation", targets, outputs)}

    @cached_property
    def _samples(self) -> Split:
        seed = self._config.training.seed
        return draw_samples(self._dataset.validation, self._dataset.output.task, limit=VALIDATION_LIMIT, seed=seed)

    @cached_property
    def _calibration(self) -> np.ndarray:
        seed = self._config.training.seed
        return np.asarray(draw_samples(self._dataset.train, self._dataset.output.task, seed=seed).samples)
