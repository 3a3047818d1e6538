"""One training from data to a concluded run: prepare, fit, measure, write."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.builders import Builder
from zoo.config import RunConfig
from zoo.data.dataset import Dataset
from zoo.data.samples import draw_samples
from zoo.errors import DivergedError, InterruptedRunError, SigtermInterrupt, TerminatedRunError, UsageError
from zoo.metrics import PRIMARY
from zoo.reporting.report import write_report
from zoo.runs import PREDICTIONS, Run, write_npz
from zoo.settings import cpu_count, quiet_tensorflow
from zoo.training import checkpoints
from zoo.training.baselines import baselines
from zoo.training.events import Listener, Message, Started
from zoo.training.pipeline import EpochOrder, batches, class_weights

if TYPE_CHECKING:
    from zoo.training.loop import EpochEnd

SAMPLE_LIMIT = 2000
"""Training samples measured in inference mode after each epoch."""

STEPS_PER_CALL = 20
"""Steps inside one call of the compiled train function: half the time on small models (measured), the same numbers."""


@dataclass(frozen=True)
class Session:
    """One training: what it is made of, and the steps it goes through."""

    config: RunConfig
    builder: Builder
    dataset: Dataset
    run: Run
    listener: Listener
    callbacks: tuple[Any, ...]
    loss: Any
    metrics: tuple[Any, ...]

    def carry_out(self, began: float, *, resume: bool) -> Run:
        """Trains, measures, writes everything; the run's status tells how it ended."""
        try:
            with ThreadPoolExecutor(1, "baselines") as pool:
                import sklearn.linear_model  # noqa: F401  # here: two threads importing at once can meet half-made modules

                found = pool.submit(baselines, self.dataset, seed=self.config.training.seed)
                loop = self._fit(resume=resume)
                self._conclude(loop, found, began)
        except KeyboardInterrupt as error:
            self.run.update(status="interrupted", seconds=time.monotonic() - began)
            kind = TerminatedRunError if isinstance(error, SigtermInterrupt) else InterruptedRunError
            kept = (
                "its weights, history and checkpoint are kept; go on with"
                if checkpoints.generations(self.run.path)
                else ""
            )
            again = (
                f"{kept} zoo train --resume '{self.run.path}'" if kept else "no epoch was finished, nothing to resume"
            )
            raise kind(f"interrupted, saved in {self.run.path}: {again}", run=self.run.path) from error
        except DivergedError as error:
            self.run.update(status="diverged", message=str(error), seconds=time.monotonic() - began)
            raise
        except Exception as error:
            self.run.update(
                status="failed", message=f"{type(error).__name__}: {error}", seconds=time.monotonic() - began
            )
            raise
        return self.run

    def _fit(self, *, resume: bool) -> EpochEnd:
        """The epochs; comes back when they are done, stopped early, or after saving what an interrupt left."""
        self.listener(Message("starting TensorFlow"))
        quiet_tensorflow()
        import keras

        loop, model, samples = self._prepare()
        first = self._resume(loop, model) if resume else 0
        training = self.config.training
        self.run.update(status="running", parameters=model.count_params())
        self.listener(
            Started(
                self.run.path, training.epochs, first, samples.cardinality().numpy(), model.count_params(), loop.metric
            )
        )
        try:
            if first < training.epochs:
                model.fit(
                    samples,
                    epochs=training.epochs,
                    initial_epoch=first,
                    verbose=0,
                    shuffle=False,
                    callbacks=[loop, *self.callbacks],
                )
        except (KeyboardInterrupt, Exception):
            loop.save()
            raise
        finally:
            keras.config.set_dtype_policy("float32")
        if loop.diverged:
            loop.save()
            kept = (
                f"the weights of epoch {loop.progress.best_epoch}"
                if loop.progress.rows
                else "the weights it began with"
            )
            raise DivergedError(
                f"training diverged: {loop.diverged}; model.keras in {self.run.path} holds {kept}; "
                f"lower --learning-rate (it was {training.learning_rate:g})",
                run=self.run.path,
            )
        loop.save()
        return loop

    def _prepare(self) -> tuple[EpochEnd, Any, Any]:
        """The compiled model, its batches and the loop around them."""
        import keras

        from zoo.training.loop import EpochEnd
        from zoo.training.measure import Measured, dense_targets
        from zoo.training.optimizers import optimizer

        training, dataset = self.config.training, self.dataset
        _use_threads(training.threads)
        keras.utils.set_random_seed(training.seed)
        keras.config.set_dtype_policy(training.precision)
        model = self._build()
        keras.config.set_dtype_policy("float32")
        keeper = self._build()
        count = len(dataset.train)
        size = count if training.batch_size == "full" else min(int(training.batch_size), count)
        steps = math.ceil(count / size)
        loss = self._loss_function()
        model.compile(
            optimizer=optimizer(training, steps),
            loss=loss,
            metrics=list(self.metrics),
            steps_per_execution=min(STEPS_PER_CALL, steps),
        )
        order = EpochOrder(seed=training.seed, samples=count)
        samples = batches(
            dataset.inputs(dataset.train),
            dense_targets(dataset, dataset.train),
            batch_size=size,
            order=order,
            weights=self._weights(),
        )
        sample = draw_samples(dataset.train, dataset.output.task, limit=SAMPLE_LIMIT, seed=training.seed)
        metric = PRIMARY[dataset.output.task] if training.monitor == "auto" else training.monitor
        loop = EpochEnd(
            self.run,
            training,
            metric,
            train=Measured(dataset, sample, loss),
            validation=Measured(dataset, dataset.validation, loss),
            order=order,
            keeper=keeper,
            listener=self.listener,
        )
        return loop, model, samples

    def _build(self) -> Any:
        return self.builder(self.dataset.input, self.dataset.output, **self.config.hyperparameters)

    def _loss_function(self) -> Any:
        from zoo.training.optimizers import loss_function

        return self.loss or loss_function(self.config.training.loss)

    def _weights(self) -> np.ndarray | None:
        """A weight per training sample where classes are to be balanced."""
        if self.config.training.class_weights == "none":
            return None
        return class_weights(self.dataset.train.targets, max(self.dataset.output.shape[-1], 2))

    def _resume(self, loop: EpochEnd, model: Any) -> int:
        """Puts the newest whole checkpoint back; returns the epochs it has done."""
        arrays, state, damaged = checkpoints.load(self.run.path)
        for line in damaged:
            self.listener(Message(f"{line}; going back to the checkpoint before it"))
        model.optimizer.build(model.trainable_variables)
        loop.set_model(model)
        loop.restore(arrays, state)
        return len(loop.progress.rows)

    def _conclude(self, loop: EpochEnd, found: Future[dict[str, dict[str, float]]], began: float) -> None:
        """Measures every split at the best and the last epoch; writes predictions, manifest and report."""
        from zoo.training.measure import Measured

        self.listener(Message("measuring the best and the last epoch, writing the report"))
        dataset, last = self.dataset, loop.forward
        best = loop.best_forward()
        measured = {
            "train": loop.train,
            "validation": loop.validation,
            "test": Measured(dataset, dataset.test, self._loss_function()),
        }
        at_best = {name: split.measure(best) for name, split in measured.items()}
        at_last = {name: split.measure(last)[0] for name, split in measured.items()}
        arrays: dict[str, np.ndarray] = {}
        for name, split in (("validation", dataset.validation), ("test", dataset.test)):
            arrays |= {f"{name}_targets": split.targets, f"{name}_outputs": at_best[name][1]}
        write_npz(self.run.path / PREDICTIONS, **arrays)
        self.run.update(
            metrics={**{name: values for name, (values, _) in at_best.items()}, "last": at_last},
            baselines=found.result(),
            epochs={"done": len(loop.progress.rows), "best": loop.progress.best_epoch},
            status="finished",
        )
        write_report(self.run)
        self.run.update(files=self.run.checksums(), seconds=time.monotonic() - began)


def _use_threads(count: int) -> None:
    """Sets the cores of the arithmetic; TensorFlow takes them once in a process.

    Raises:
        UsageError: TensorFlow has started with another number.
    """
    import tensorflow as tf

    threading = tf.config.threading
    if (threading.get_intra_op_parallelism_threads() or cpu_count()) == count:
        return
    try:
        threading.set_intra_op_parallelism_threads(count)
        threading.set_inter_op_parallelism_threads(count)
    except RuntimeError as error:
        raise UsageError(
            f"threads = {count} cannot be set: TensorFlow has started with "
            f"{threading.get_intra_op_parallelism_threads() or cpu_count()} in this process; start a new one"
        ) from error
