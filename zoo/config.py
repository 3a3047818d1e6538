"""Typed configuration: every knob of a run, from a recipe, a TOML file and overrides, and back to TOML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import tomli_w

from zoo.builders import Builder, get_builder
from zoo.builders.builder import source_folder
from zoo.cards import TASKS, InputSpec, OutputSpec, Task, a_task
from zoo.catalog import RECIPES
from zoo.data.catalog import DATASETS
from zoo.data.options import DATA, DataConfig
from zoo.data.references import data_stem, resolve_indices, resolve_reference
from zoo.data.schema import with_options
from zoo.errors import UsageError
from zoo.hyperparameters import Hyperparameter, Value, choice, flag, integer, knob_field, real, resolve, text
from zoo.recipefile import SCHEMA_VERSION, read_layers
from zoo.registry import suggest
from zoo.settings import cpu_count

MAX_EPOCHS = 100_000

OPTIMIZER_RATES = {
    "sgd": 0.05,
    "momentum": 0.05,
    "nesterov": 0.05,
    "adam": 0.001,
    "adamw": 0.001,
    "rmsprop": 0.001,
    "adagrad": 0.05,
}
"""Optimizer to the learning rate that "auto" stands for."""

LOSSES: Mapping[str, tuple[Task, ...]] = {
    "mse": TASKS,
    "mae": TASKS,
    "huber": TASKS,
    "binary_crossentropy": ("binary", "multilabel"),
    "categorical_crossentropy": ("multiclass", "segmentation"),
    "centres_and_boxes": ("detection",),
}
"""Loss to the tasks it makes sense for."""

MONITORS: Mapping[Task, tuple[str, ...]] = {
    "binary": ("loss", "accuracy", "macro_f1", "auc"),
    "multiclass": ("loss", "accuracy", "macro_f1"),
    "multilabel": ("loss", "accuracy", "macro_f1", "auc"),
    "regression": ("loss", "mae", "rmse", "r2"),
    "anomaly": ("loss",),
    "segmentation": ("loss", "mean_iou", "accuracy", "pixel_error", "macro_f1"),
    "detection": ("loss", "map50", "f1"),
}
"""Task to the validation metrics that can decide which weights are kept."""

KEEP_LAST = "last"
"""The monitor that keeps the weights of the last epoch, whatever validation says."""

DEFAULT_LOSS: Mapping[Task, str] = {
    "binary": "binary_crossentropy",
    "multilabel": "binary_crossentropy",
    "multiclass": "categorical_crossentropy",
    "regression": "mse",
    "anomaly": "mae",
    "segmentation": "categorical_crossentropy",
    "detection": "centres_and_boxes",
}
"""Task to its loss; that of an anomaly's score, which is a mean squared error, against 0 is its mean."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained; each field's declaration is its metadata."""

    epochs: int = knob_field(integer("epochs", 10, "passes over the training split", low=1, high=MAX_EPOCHS))
    min_steps: int = knob_field(
        integer(
            "min_steps",
            0,
            "more epochs on a set so small that they are fewer steps; not where epochs are given",
            low=0,
            high=10_000_000,
        )
    )
    batch_size: int | str = knob_field(
        integer(
            "batch_size",
            128,
            "samples a step: 1 is stochastic, full is batch gradient descent, between is mini-batch",
            low=1,
            high=1_000_000,
            words=("full",),
            log=True,
            search=(32, 256),
        )
    )
    optimizer: str = knob_field(
        choice(
            "optimizer",
            "adam",
            "how gradients become steps",
            tuple(OPTIMIZER_RATES),
            search=("adam", "adamw", "nesterov"),
        )
    )
    learning_rate: float | str = knob_field(
        real(
            "learning_rate",
            "auto",
            "peak learning rate; auto is the optimizer's usual one",
            low=1e-8,
            high=100.0,
            words=("auto",),
            log=True,
            search=(1e-4, 1e-2),
        )
    )
    schedule: str = knob_field(
        choice(
            "schedule",
            "constant",
            "course of the learning rate over the epochs",
            ("constant", "cosine", "onecycle", "step", "plateau"),
            search=("constant", "cosine", "onecycle"),
        )
    )
    weight_decay: float = knob_field(
        real("weight_decay", 0.004, "decoupled weight decay of adamw", low=0.0, high=10.0, log=True)
    )
    loss: str = knob_field(choice("loss", "auto", "what is minimised; auto is the task's usual one", ("auto", *LOSSES)))
    class_weights: str = knob_field(
        choice("class_weights", "none", "balanced weighs each class by its rarity", ("none", "balanced"))
    )
    augment: str = knob_field(
        text(
            "augment",
            "vary training samples, such as flip+shift; images: flip, flip_vertical, rotate, crop, shift, colour, "
            "erase; series: jitter, scale, shift, rotate; sounds: shift, noise, mask; all: mixup",
            "none",
        )
    )
    augment_strength: float = knob_field(
        real("augment_strength", 1.0, "how much augment varies, over the usual extent", low=0.05, high=4.0)
    )
    patience: int = knob_field(
        integer(
            "patience",
            0,
            "epochs without a better validation metric before stopping; 0 never stops",
            low=0,
            high=100_000,
        )
    )
    monitor: str = knob_field(
        choice(
            "monitor",
            "auto",
            "validation metric that decides which weights are kept; auto is the task's usual one, ties by loss; "
            "last keeps the weights of the last epoch",
            (
                "auto",
                KEEP_LAST,
                *dict.fromkeys(name for names in MONITORS.values() for name in names),
            ),
        )
    )
    seed: int = knob_field(integer("seed", 0, "makes weights, splits and order repeatable", low=0, high=2**31 - 1))
    precision: str = knob_field(
        choice(
            "precision", "float32", "arithmetic of training; saved models are float32", ("float32", "mixed_bfloat16")
        )
    )
    threads: int = knob_field(
        integer("threads", 0, "cores for the arithmetic, part of repeatability; 0 is all there are", low=0, high=1024)
    )
    tensorboard: bool = knob_field(flag("tensorboard", True, "write TensorBoard logs"))


TRAINING: tuple[Hyperparameter, ...] = tuple(entry.metadata["knob"] for entry in fields(TrainingConfig))


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run.

    Attributes:
        name: The run folder's name: the recipe, or builder and data.
        builder: A registered name, an entry point, or "module:function".
        dataset: A registered data set's name, or the absolute path of a file, a folder or a `data.toml`.
        hyperparameters: Of the builder, all of them.
        builder_folder: Where a module of the user's own lies; empty where Python finds it.
        free: Knobs that nobody gave a value, no recipe, no file and no user: the builder may recommend one.
    """

    name: str
    builder: str
    dataset: str
    recipe: str | None = None
    hyperparameters: Mapping[str, Value] = field(default_factory=dict)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: DataConfig = field(default_factory=DataConfig)
    builder_folder: str = ""
    free: frozenset[str] = field(default=frozenset(), compare=False)

    def recommended(self, inputs: InputSpec, outputs: OutputSpec, samples: int) -> dict[str, Value]:
        """Knobs that the builder recommends for such data, but for those that somebody gave.

        A learning rate belongs to its optimizer and its schedule: it is recommended only where those are free too.

        Args:
            inputs: What the model is fed.
            outputs: What it answers.
            samples: Of the training split.
        """
        builder = get_builder(self.builder)
        advice = builder.recommend(inputs, outputs, samples) if builder.recommend else {}
        declared = {knob.name: knob for knob in (*builder.card.hyperparameters, *TRAINING)}
        bound = () if {"optimizer", "schedule"} <= self.free else ("learning_rate",)
        return {
            name: declared[name].validate(value)
            for name, value in advice.items()
            if name in self.free and name not in bound
        }

    def with_knobs(self, knobs: Mapping[str, Value]) -> RunConfig:
        """The same run with other values of hyperparameters and knobs of the training."""
        own = {name: value for name, value in knobs.items() if name in self.hyperparameters}
        others: dict[str, Any] = {name: value for name, value in knobs.items() if name not in own}
        return replace(
            self,
            hyperparameters={**self.hyperparameters, **own},
            training=replace(self.training, **others),
            free=self.free - set(knobs),
        )

    def for_data(self, task: Task, samples: int) -> RunConfig:
        """The same run with everything resolved that hangs on the data.

        Args:
            task: Decides the loss and what can be monitored.
            samples: Of the training split; a small one is gone over more often, see `min_steps`.

        Raises:
            UsageError: The loss makes no sense for the task.
        """
        training = self.training
        loss = DEFAULT_LOSS[task] if training.loss == "auto" else training.loss
        if task not in LOSSES[loss]:
            fitting = ", ".join(name for name, tasks in LOSSES.items() if task in tasks)
            raise UsageError(f"loss {loss!r} does not fit {a_task(task)}; choose one of {fitting}")
        if training.monitor == KEEP_LAST and training.patience:
            raise UsageError(
                f"monitor = {KEEP_LAST!r} does not fit patience = {training.patience}: nothing tells when to stop; set "
                "patience = 0, or name a validation metric"
            )
        if training.monitor not in ("auto", KEEP_LAST, *MONITORS[task]):
            raise UsageError(
                f"monitor {training.monitor!r} does not fit {a_task(task)}; choose one of {', '.join(MONITORS[task])}"
            )
        if training.class_weights != "none" and task not in ("binary", "multiclass", "segmentation"):
            raise UsageError(
                f"class_weights = {training.class_weights!r} fits classes, not {a_task(task)}; leave it at none"
            )
        rate = OPTIMIZER_RATES[training.optimizer] if training.learning_rate == "auto" else training.learning_rate
        size = samples if training.batch_size == "full" else min(int(training.batch_size), samples)
        enough = math.ceil(training.min_steps / math.ceil(samples / size))
        epochs = min(max(training.epochs, enough), MAX_EPOCHS)
        resolved = replace(
            training, epochs=epochs, loss=loss, learning_rate=rate, threads=training.threads or cpu_count()
        )
        return replace(self, training=resolved)

    def to_toml(self) -> str:
        """The configuration as a TOML file that `zoo train FILE` repeats."""
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "name": self.name, "builder": self.builder}
        if self.builder_folder:
            content["builder_folder"] = self.builder_folder
        if self.recipe:
            content["recipe"] = self.recipe
        content["data"] = {"dataset": self.dataset, **asdict(self.data)}
        content["hyperparameters"] = dict(self.hyperparameters)
        content["training"] = asdict(self.training)
        return tomli_w.dumps(content)


def configure(
    target: str, overrides: Mapping[str, object] | None = None, *, data: str | None = None, name: str | None = None
) -> RunConfig:
    """The configuration of a recipe, a TOML file, or a builder with data.

    Args:
        target: A recipe's name, a path ending in `.toml`, a builder's name or "module:function".
        overrides: Knob to value, as text or typed: training, data and the builder's hyperparameters in one namespace.
        data: A data set's name or a path; replaces the recipe's own.
        name: The run folder's name.

    Raises:
        UsageError: An unknown or empty name, an unknown knob or value, or a file that is none.
    """
    for what, given in (("target", target), ("data", data), ("name", name)):
        if given is not None and not given.strip():
            raise UsageError(f"{what} = {given!r} is empty; give a name, or leave it away; see: zoo train --help")
    layers = read_layers(target)
    if data is not None:
        if target in RECIPES:
            layers["data"] = {}  # the recipe's are for its own set
        layers["dataset"] = resolve_reference(data)
    if not layers.get("dataset"):
        raise UsageError(f"{target!r} is a builder and needs data; add --data NAME or PATH, see: zoo data list")
    builder = get_builder(layers["builder"], layers.get("builder_folder", ""))
    knobs = _sections(builder)
    if "epochs" in (overrides or {}):
        layers["training"]["min_steps"] = 0
    named = {*layers["hyperparameters"], *layers["training"], *(overrides or {})}
    free: frozenset[str] = frozenset() if layers["recipe"] else frozenset(knobs) - named
    for key, value in (overrides or {}).items():
        if key not in knobs:
            raise UsageError(f"{target!r} has no knob {key!r}{suggest(key, knobs)}; see: zoo info {target}")
        layers[knobs[key]][key] = value
    layers["data"] = {**_implied(builder), **with_options(layers["dataset"], layers["data"])}
    if layers["data"].get("test_data"):
        layers["data"]["test_data"] = resolve_reference(str(layers["data"]["test_data"]))
    layers["data"] = resolve_indices(layers["data"])
    _check_needs(builder, layers)
    stem = data_stem(layers["dataset"])
    default = layers["recipe"] if layers["recipe"] and data is None else f"{builder.card.name.split(':')[-1]}-{stem}"
    return RunConfig(
        name=name or layers.get("name") or default,
        builder=layers["builder"],
        dataset=layers["dataset"],
        recipe=layers["recipe"] if data is None else None,
        hyperparameters=builder.resolve(layers["hyperparameters"]),
        training=TrainingConfig(**resolve(TRAINING, layers["training"], "training")),  # type: ignore[arg-type]
        data=DataConfig(**resolve(DATA, layers["data"], "data")),  # type: ignore[arg-type]
        builder_folder=source_folder(layers["builder"], builder),
        free=free,
    )


def _check_needs(builder: Builder, layers: Mapping[str, Any]) -> None:
    """Raises UsageError where files of the user's own are to be read without a knob that the builder needs."""
    for name in builder.card.needs if layers["dataset"] not in DATASETS else ():
        if not layers["data"].get(name):
            knob = next(knob for knob in DATA if knob.name == name)
            raise UsageError(f"{builder.card.name} needs {name}: {knob.help}; add --set {name}=N")


def _implied(builder: Builder) -> dict[str, str]:
    """Knobs of the data that a builder stands for: nothing in data says that anomalies are looked for."""
    return {"task": "anomaly"} if builder.card.tasks == ("anomaly",) else {}


def _sections(builder: Builder) -> dict[str, str]:
    """Every knob's name to the section that it stands in."""
    knobs = {knob.name: "hyperparameters" for knob in builder.card.hyperparameters}
    for section, declared in (("training", TRAINING), ("data", DATA)):
        for knob in declared:
            if knob.name in knobs:
                raise UsageError(
                    f"builder {builder.card.name!r} declares {knob.name!r}, a knob of {section}; rename it"
                )
            knobs[knob.name] = section
    return knobs
