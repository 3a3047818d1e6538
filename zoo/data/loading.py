"""From the name of a data set, or the path of one's own, to splits ready for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from zoo.cards import DatasetCard
from zoo.data.catalog import DATASETS
from zoo.data.dataset import Dataset, Raw
from zoo.data.options import FILE_ONLY, DataConfig, data_config, given_options
from zoo.data.preparing import prepare
from zoo.data.schema import with_options
from zoo.errors import UsageError
from zoo.registry import load_object


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """What a loader is asked for.

    Attributes:
        config: How it is read: the set's own options, and what a user may say otherwise.
        strict: Other data must not take the place of the named set.
        on_event: Told, in one line each, of downloads and whatever a user should know.
    """

    card: DatasetCard
    config: DataConfig = field(default_factory=DataConfig)
    strict: bool = False
    on_event: Callable[[str], None] | None = None


def load(
    name: str,
    *,
    seed: int,
    draw: int = 0,
    on_event: Callable[[str], None] | None = None,
    config: DataConfig | None = None,
    **options: object,
) -> Dataset:
    """Loads a data set, split and with its preprocessing fitted on the training split.

    Args:
        name: As `zoo data list` shows it, or the path of a file or folder of one's own, or of a `data.toml`.
        seed: Of the splits and the subset.
        draw: Which drawing of the validation split, from 0; the test split is the same for all. It changes nothing
            where the data or their times say which samples validate.
        on_event: Told, in one line each, of downloads, a stand-in, duplicates; what should alarm begins "WARNING".
        config: How to read and split it.
        **options: Knobs of `zoo.data.options.DataConfig`, in place of a `config`.

    Raises:
        UsageError: An unknown name, knob or value, or a fraction or number that is not possible.
        DataError: Data that is missing, damaged, or has too few samples of a class.

    Example:
        >>> zoo.data.load("iris", seed=1).train.samples.shape
        (108, 4)
        >>> zoo.data.load("houses.csv", seed=1, target="price").output.task
        'regression'
    """
    config = config or data_config(**with_options(name, options))
    if name in DATASETS:
        config = with_own_options(name, config)
        raw = load_registered(name, config, on_event)
    else:
        from zoo.data.own import load_path

        raw = load_path(name, config, on_event=on_event)
    return prepare(raw, name, seed=seed, draw=draw, config=config, on_event=on_event)


def with_own_options(name: str, config: DataConfig) -> DataConfig:
    """The configuration with the options that a set known by name is read with, where nobody gave another value.

    Raises:
        UsageError: An option that the set does not leave to its users.
    """
    card = DATASETS.get(name)
    given = given_options(config, FILE_ONLY)
    allowed = (*card.adjustable, *(("task",) if config.task == "anomaly" else ()))  # any classes hold anomalies
    refused = [key for key in given if key not in allowed and getattr(config, key) != card.options.get(key)]
    if refused:
        may = f"; to choose there: {', '.join(card.adjustable)}" if card.adjustable else ""
        raise UsageError(
            f"{', '.join(refused)} say how files of your own are read; {name} is a data set known by name{may}"
        )
    return replace(config, **{key: value for key, value in card.options.items() if key not in given})


def load_registered(name: str, config: DataConfig, on_event: Callable[[str], None] | None = None) -> Raw:
    """The arrays of a set known by name, its own options in the configuration; errors as for `load`."""
    card = DATASETS.get(name)
    request = LoadRequest(card=card, config=config, strict=config.strict_data, on_event=on_event)
    raw: Raw = load_object(card.loader)(request)
    if raw.stand_in and on_event:
        on_event(f"WARNING: {raw.stand_in}")
    return raw
