"""A training that leaves nothing on disk: of a candidate in a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.builders import Builder
from zoo.config import RunConfig
from zoo.errors import DivergedError
from zoo.training.assembly import Assembly, assemble, build_model
from zoo.training.events import Listener

if TYPE_CHECKING:
    from zoo.training.prepared import Prepared


@dataclass(frozen=True)
class Fitted:
    """What a training reached.

    Attributes:
        model: Float32, with the best weights.
        rows: Its history, a row an epoch.
        best: The epoch whose weights count, from 1.
        metrics: "train" (a fixed sample of it) and "validation" to metric to value, the loss among them, of `model`.
    """

    model: Any
    rows: Sequence[Mapping[str, float]]
    best: int
    metrics: Mapping[str, Mapping[str, float]]

    @property
    def done(self) -> int:
        """Epochs trained."""
        return len(self.rows)


def fit(
    config: RunConfig,
    builder: Builder,
    data: Prepared,
    *,
    listener: Listener,
    check: Callable[[], None],
    model: Any = None,
) -> Fitted:
    """Trains as `zoo.training.train` does, to the same numbers, without a run: nothing is written, nothing tested.

    Args:
        config: Resolved.
        builder: The configured one.
        data: Shared by all trainings on it; its test split is not touched.
        listener: Told of batches and epochs.
        check: Called after batches and epochs; what it raises ends the training.
        model: As `build_model` made it under the float32 policy; by default it is made.

    Raises:
        DivergedError: The loss stopped being finite.
        ModelError: The builder refuses the configuration.
    """
    import keras

    single = config.training.precision == "float32"
    assembly = assemble(
        config, builder, data, loss=None, metrics=(), listener=listener, model=model if single else None
    )
    checking = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: check(), on_epoch_end=lambda *_, **__: check()
    )
    assembly.model.fit(
        assembly.samples,
        epochs=config.training.epochs,
        verbose=0,
        shuffle=False,
        callbacks=[assembly.loop, checking],
    )
    if assembly.loop.diverged:
        raise DivergedError(
            f"{assembly.loop.diverged}; take a lower learning rate (it was {config.training.learning_rate:g})"
        )
    if single:
        return _as_trained(assembly)
    if model is None:
        model = build_model(config, builder, data.dataset, precision="float32")
    return _in_float32(assembly, model)


def _as_trained(assembly: Assembly) -> Fitted:
    """The trained model itself takes its best weights back; it was measured with them when it had them."""
    loop = assembly.loop
    rows, best = loop.progress.rows, loop.progress.best_epoch
    assembly.model.set_weights(loop.best_weights)
    metrics = {
        split: {name.removeprefix(prefix): value for name, value in rows[best - 1].items() if name.startswith(prefix)}
        for split, prefix in (("train", "train_"), ("validation", "val_"))
    }
    return Fitted(assembly.model, rows, best, metrics)


def _in_float32(assembly: Assembly, keeper: Any) -> Fitted:
    """The best weights in a model of float32, measured there."""
    from zoo.training.measure import inference

    loop = assembly.loop
    keeper.set_weights(loop.best_weights)
    forward = inference(keeper)
    metrics = {
        name: split.measure(forward)[0] for name, split in (("train", loop.train), ("validation", loop.validation))
    }
    return Fitted(keeper, loop.progress.rows, loop.progress.best_epoch, metrics)
