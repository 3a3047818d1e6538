"""One training from data to a concluded run: fit, measure, write, and end well or badly but saved."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.builders import Builder
from zoo.config import RunConfig
from zoo.data.dataset import Dataset
from zoo.errors import DivergedError, InterruptedRunError, ResourceError, SigtermInterrupt, TerminatedRunError
from zoo.reporting.report import write_report
from zoo.runs import Run, Status
from zoo.settings import quiet_tensorflow
from zoo.training import checkpoints
from zoo.training.assembly import Assembly, assemble, build_model
from zoo.training.baselines import baselines
from zoo.training.conclusion import conclude
from zoo.training.events import Listener, Message, Started
from zoo.training.interrupts import DeferredInterrupts
from zoo.training.recorder import Recorder


@dataclass(frozen=True)
class Session:
    """One training: what it is made of, and the steps it goes through.

    Attributes:
        callbacks: Of the caller's own, as are `loss` and `metrics`.
        thorough: With baselines beside the network, and a report.
        initial: Weights to begin with, as `keras.Model.get_weights` gives them; None for those drawn by the seed.
    """

    config: RunConfig
    builder: Builder
    dataset: Dataset
    run: Run
    listener: Listener
    callbacks: tuple[Any, ...]
    loss: Any
    metrics: tuple[Any, ...]
    thorough: bool = True
    initial: Sequence[np.ndarray] | None = None

    def carry_out(self, began: float, *, resume: bool) -> Run:
        """Trains, measures, writes everything; the run's status tells how it ended.

        An interrupt counts after the step at hand: what is saved is whole, whenever it came and however often.
        """
        with DeferredInterrupts() as interrupts:
            return self._carry_out(began, interrupts, resume=resume)

    def _carry_out(self, began: float, interrupts: DeferredInterrupts, *, resume: bool) -> Run:
        try:
            with ThreadPoolExecutor(1, "baselines") as pool:
                found = self._submit_baselines(pool) if self.thorough else None
                assembly, best = self._fit(interrupts, resume=resume)
                self._conclude(assembly, best, found, interrupts, began)
        except KeyboardInterrupt as error:
            self.run.update(status="interrupted", seconds=time.monotonic() - began)
            kind = TerminatedRunError if isinstance(error, SigtermInterrupt) else InterruptedRunError
            raise kind(f"interrupted, saved in {self.run.path}: {self._way_on()}", run=self.run.path) from error
        except BaseException as error:
            diverged = isinstance(error, DivergedError)
            message = str(error) if diverged else f"{type(error).__name__}: {error}"
            status: Status = "diverged" if diverged else "failed"
            self.run.update(status=status, message=message, seconds=time.monotonic() - began)
            if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's, which need not be imported here
                raise ResourceError(
                    f"out of memory while training; take a smaller --batch-size or model ({self.run.path})",
                    run=self.run.path,
                ) from error
            raise
        return self.run

    def _submit_baselines(self, pool: ThreadPoolExecutor) -> Future[dict[str, dict[str, float]]]:
        import sklearn.decomposition
        import sklearn.ensemble
        import sklearn.linear_model  # noqa: F401  # here: two threads importing at once can meet half-made modules

        return pool.submit(baselines, self.dataset, seed=self.config.training.seed)

    def _way_on(self) -> str:
        if not checkpoints.generations(self.run.path):
            return "no epoch was finished, nothing to resume"
        resume = f"zoo train --resume {shlex.quote(str(self.run.path))}"
        return f"its weights, history and checkpoint are kept; go on with {resume}"

    def _fit(self, interrupts: DeferredInterrupts, *, resume: bool) -> tuple[Assembly, Any]:
        """The epochs; comes back when they are done or stopped early, saved however they end.

        Returns:
            The assembly, whose model has the last weights, and a float32 model with the best.
        """
        self.listener(Message("starting TensorFlow"))
        quiet_tensorflow()
        from zoo.training.prepared import Prepared

        assembly = assemble(
            self.config,
            self.builder,
            Prepared(self.dataset),
            loss=self.loss,
            metrics=self.metrics,
            listener=self.listener,
            initial=self.initial,
        )
        model, loop = assembly.model, assembly.loop
        keeper = build_model(self.config, self.builder, self.dataset, precision="float32")
        recorder = Recorder(self.run, loop, keeper, tensorboard=self.config.training.tensorboard)
        first = self._resume(assembly) if resume else 0
        epochs = self.config.training.epochs
        self.run.update(status="running", message="", parameters=model.count_params())
        self.listener(Started(self.run.path, epochs, first, assembly.steps, model.count_params(), loop.metric))
        try:
            if not loop.done:
                self._epochs(assembly, recorder, first, interrupts)
        finally:
            recorder.close()
            recorder.save()
        if loop.diverged:
            best = loop.progress.best_epoch
            kept = f"the weights of epoch {best}" if best else "the weights it began with"
            raise DivergedError(
                f"training diverged: {loop.diverged}; model.keras in {self.run.path} holds {kept}; "
                f"lower --learning-rate (it was {self.config.training.learning_rate:g})",
                run=self.run.path,
            )
        return assembly, recorder.best_model()

    def _epochs(self, assembly: Assembly, recorder: Recorder, first: int, interrupts: DeferredInterrupts) -> None:
        import keras

        interrupts.check()
        # Last, so that a checkpoint holds what the caller's own callbacks did to the model and its optimizer.
        last = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda *_, **__: interrupts.check(),
            on_epoch_end=lambda *_, **__: recorder.record(),
        )
        assembly.model.fit(
            assembly.samples,
            epochs=self.config.training.epochs,
            initial_epoch=first,
            verbose=0,
            shuffle=False,
            callbacks=[assembly.loop, *self.callbacks, last],
        )

    def _resume(self, assembly: Assembly) -> int:
        """Puts the newest whole checkpoint back; returns the epochs it has done."""
        arrays, state, damaged = checkpoints.load(self.run.path)
        for line in damaged:
            self.listener(Message(f"{line}; going back to the checkpoint before it", warning=True))
        assembly.loop.restore(arrays, state)
        return len(assembly.loop.progress.rows)

    def _conclude(
        self,
        assembly: Assembly,
        best: Any,
        found: Future[dict[str, dict[str, float]]] | None,
        interrupts: DeferredInterrupts,
        began: float,
    ) -> None:
        """Measures every split at the best and the last epoch; writes predictions, report and manifest."""
        from zoo.training.measure import Measured

        interrupts.check()
        report = ", writing the report" if self.thorough else ""
        self.listener(Message(f"measuring the best and the last epoch{report}"))
        loop = assembly.loop
        conclude(
            self.run,
            self.dataset,
            {
                "train": loop.train,
                "validation": loop.validation,
                "test": Measured(self.dataset, self.dataset.test, assembly.loss),
            },
            best=best,
            last=loop.forward,
            baselines=found.result if found else dict,
            epochs={"done": len(loop.progress.rows), "best": loop.progress.best_epoch},
            report=write_report if self.thorough else None,
            began=began,
            check=interrupts.check,
        )
