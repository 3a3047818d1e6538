"""From a data set's name to splits ready for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import preprocessing
from zoo.cards import DataIdentity, DatasetCard, InputSpec, OutputSpec
from zoo.data.catalog import DATASETS
from zoo.data.checks import check
from zoo.data.dataset import Dataset, Raw, Split
from zoo.data.identity import count_duplicates, digest
from zoo.data.splits import divide, subset
from zoo.errors import UsageError
from zoo.registry import load_object

_TEST_STREAM, _VALIDATION_STREAM, _SUBSET_STREAM = 1, 2, 3  # so that one draw does not mirror another


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """What a loader is asked for.

    Attributes:
        strict: Other data must not take the place of the named set.
        on_event: Told, in one line each, of downloads and whatever a user should know.
    """

    card: DatasetCard
    strict: bool = False
    on_event: Callable[[str], None] | None = None


def load(
    name: str,
    *,
    seed: int,
    validation: float = 0.1,
    test: float = 0.2,
    train_samples: int | None = None,
    strict: bool = False,
    on_event: Callable[[str], None] | None = None,
) -> Dataset:
    """Loads a data set by name, split and with its preprocessing fitted on the training split.

    Args:
        name: As `zoo data list` shows it.
        seed: Of the splits and the subset.
        validation: Share of what is not test that becomes the validation split.
        test: Share of the whole that becomes the test split, where the set has no official one.
        train_samples: Trains on a subset of so many samples, classes in proportion; None on all.
        strict: Refuses a stand-in.
        on_event: Told, in one line each, of downloads, a stand-in, duplicates.

    Raises:
        UsageError: An unknown name, or a fraction or number that is not possible.
        DataError: Data that is missing, damaged, or has too few samples of a class.

    Example:
        >>> zoo.data.load("iris", seed=1).train.samples.shape
        (108, 4)
    """
    card = DATASETS.get(name)
    raw: Raw = load_object(card.loader)(LoadRequest(card=card, strict=strict, on_event=on_event))
    if raw.stand_in and on_event:
        on_event(f"WARNING: {raw.stand_in}")
    return prepare(
        raw, name, seed=seed, validation=validation, test=test, train_samples=train_samples, on_event=on_event
    )


def prepare(
    raw: Raw,
    name: str,
    *,
    seed: int,
    validation: float = 0.1,
    test: float = 0.2,
    train_samples: int | None = None,
    on_event: Callable[[str], None] | None = None,
) -> Dataset:
    """Checks, splits and fits raw arrays; arguments and errors as for `load`."""
    _check_fractions(validation, test)
    check(raw, name)
    train, held_out, tested = _split(raw, seed, validation, test)
    classes = _classes(raw)
    if train_samples is not None:
        train = subset(train, train_samples, seed=_stream(seed, _SUBSET_STREAM), classes=classes)
    duplicates = count_duplicates(tested.samples, train.samples, held_out.samples)
    if duplicates and on_event:
        on_event(
            f"note: {duplicates:,} of {len(tested):,} test samples also stand, exactly equal, in the training or "
            "validation split"
        )
    splits = {"train": train, "validation": held_out, "test": tested}
    identity = DataIdentity(
        name=name,
        sha256=digest(raw.samples, raw.targets, raw.test_samples, raw.test_targets),
        samples={key: len(split) for key, split in splits.items()},
        class_counts={key: _class_counts(raw, split) for key, split in splits.items()} if classes else {},
        stand_in=bool(raw.stand_in),
        duplicates=duplicates,
        note=raw.stand_in,
    )
    return Dataset(
        input=_input_spec(raw),
        output=_output_spec(raw),
        train=train,
        validation=held_out,
        test=tested,
        identity=identity,
        steps=_fit_steps(raw, train),
        target_transform=_fit_target(train) if raw.task == "regression" else {},
    )


def _check_fractions(validation: float, test: float) -> None:
    for key, value in (("validation", validation), ("test", test)):
        if not 0 < value < 1:
            raise UsageError(f"{key} = {value:g} is not allowed; expected a share above 0 and below 1, such as 0.1")


def _classes(raw: Raw) -> int:
    """Number of classes to stratify by; 0 where there are none."""
    return len(raw.labels) if raw.task in ("binary", "multiclass") else 0


def _stream(seed: int, purpose: int) -> int:
    """An own seed for each purpose."""
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])


def _split(raw: Raw, seed: int, validation: float, test: float) -> tuple[Split, Split, Split]:
    """Train, validation and test, the official test split kept."""
    classes, rest = _classes(raw), Split(raw.samples, raw.targets)
    if raw.test_samples is not None and raw.test_targets is not None:
        tested = Split(raw.test_samples, raw.test_targets)
    else:
        kept, held = divide(
            rest.targets, test, seed=_stream(seed, _TEST_STREAM), classes=classes, labels=raw.labels, what="test"
        )
        rest, tested = rest.take(kept), rest.take(held)
    kept, held = divide(
        rest.targets,
        validation,
        seed=_stream(seed, _VALIDATION_STREAM),
        classes=classes,
        labels=raw.labels,
        what="validation",
    )
    return rest.take(kept), rest.take(held), tested


def _class_counts(raw: Raw, split: Split) -> dict[str, int]:
    counts = np.bincount(split.targets.astype(np.int64), minlength=len(raw.labels))
    return {label: int(count) for label, count in zip(raw.labels, counts, strict=True)}


def _input_spec(raw: Raw) -> InputSpec:
    if raw.kind != "image":
        return InputSpec(shape=raw.samples.shape[1:], kind=raw.kind, columns=raw.columns)
    height, width, channels = (*raw.samples.shape[1:], 1)[:3]
    return InputSpec(shape=(height, width, channels), kind="image", dtype="uint8", scale=1 / 255)


def _output_spec(raw: Raw) -> OutputSpec:
    width = {"binary": 1, "multiclass": len(raw.labels)}.get(raw.task) or raw.targets.reshape(
        len(raw.targets), -1
    ).shape[1]
    return OutputSpec(task=raw.task, shape=(width,), labels=raw.labels)


def _fit_steps(raw: Raw, train: Split) -> tuple[Mapping[str, Any], ...]:
    if raw.kind != "image":
        return (preprocessing.fit_standardise(train.samples),)
    height, width, channels = (*raw.samples.shape[1:], 1)[:3]
    return ({"step": "image", "height": height, "width": width, "channels": channels},)


def _fit_target(train: Split) -> dict[str, Any]:
    step = preprocessing.fit_standardise(train.targets.reshape(len(train), -1))
    return {"scale": step["scale"], "offset": step["offset"]}
