"""From classes to what is normal and what is not: nothing but normal samples is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.data.dataset import PARTS, Raw
from zoo.data.files.listing import examples
from zoo.data.findings import Finding
from zoo.data.options import DataConfig, refuse_options
from zoo.errors import DataError
from zoo.hyperparameters import split_names
from zoo.registry import suggest

NORMAL, ANOMALY = "normal", "anomaly"
LABELS = (NORMAL, ANOMALY)
TELLING = (NORMAL, "good", "ok")
"""Names of a class that need no `normal` to say what it is."""
OPTIONS = ("normal", "false_alarms")
SHOWN = 12
"""Classes that are named at most."""


def sort_out(raw: Raw, config: DataConfig, name: str) -> tuple[Raw, dict[str, Any]]:
    """The same samples with targets 0 for those of a normal class and 1 for all others.

    Args:
        raw: Of any task, with classes; of a single class, all are normal.
        config: Its `task` says whether anomalies are looked for; `normal` names the normal classes.
        name: Of the data, for messages.

    Returns:
        The samples, and what a contract says of the decision: `normal` and `false_alarms`. As it was and an empty
        mapping where no anomalies are looked for.

    Raises:
        UsageError: `normal` or `false_alarms` where no anomalies are looked for.
        DataError: Targets that are no classes, or nobody says which classes are normal.
    """
    if config.task != "anomaly":
        refuse_options(config, OPTIONS, f"a {raw.task} task, only of --task anomaly")
        return raw, {}
    if raw.task in ("regression", "multilabel"):
        raise DataError(f"{name} has targets of a {raw.task} task; anomalies are told from classes, or from no target")
    normal = normal_labels(raw.labels, split_names(config.normal), name)
    marks = np.array([label not in normal for label in raw.labels] or [False], np.int64)
    targets = marks[raw.targets.astype(np.int64)]
    tests = None if raw.test_targets is None else marks[raw.test_targets.astype(np.int64)]
    if not (targets == 0).any():
        raise DataError(f"{name} has no normal sample ({', '.join(normal)}) to train on; add some")
    sorted_out = replace(raw, task="anomaly", labels=LABELS, targets=targets, test_targets=tests)
    told = (*raw.findings, *_told(raw.labels, normal))
    return replace(sorted_out, findings=told), {"normal": list(normal), "false_alarms": config.false_alarms}


def normal_labels(labels: Sequence[str], given: Sequence[str], name: str) -> tuple[str, ...]:
    """The classes that are normal.

    Args:
        labels: All classes.
        given: Those that the user names.
        name: Of the data, for messages.

    Raises:
        DataError: A name that is no class, or none and several classes.
    """
    for label in given:
        if label not in labels:
            raise DataError(f"normal = {label!r} is no class of {name}{suggest(label, labels)}; it has {_few(labels)}")
    if given:
        return tuple(given)
    telling = tuple(label for label in labels if label.casefold() in TELLING)
    if len(labels) > 1 and len(telling) != 1:
        raise DataError(
            f"{name} has the classes {_few(labels)}, and nobody says which are normal; add --normal LABEL[,LABEL]"
        )
    return telling or tuple(labels)


def is_anomaly(labels: Sequence[str], output: Mapping[str, Any]) -> np.ndarray:
    """(n,) int64: 0 for labels that are normal by what a contract says, 1 for all others.

    Args:
        labels: Of each sample, as a file has them.
        output: Of the contract.
    """
    known = {_plain(label) for label in output["normal"]}
    return np.array([_plain(label) not in known for label in labels], np.int64)


def _plain(label: object) -> str | float:
    """A label, equal for equal numbers however they are written."""
    try:
        return float(str(label))
    except ValueError:
        return str(label)


def tested_with(raw: Raw, trained: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Positions of the test split, anomalies among them: those that training knew nothing of.

    Where the data say which anomalies are tested on, the others are left out; so are those whose group is trained on,
    and those from before the test split.

    Args:
        raw: Sorted out.
        trained: Positions of the training and validation split, all normal.
        tested: Positions of the normal samples of the test split.
    """
    found = np.flatnonzero(raw.targets == 1)
    if raw.parts is not None and (raw.parts[found] == PARTS.index("test")).any():
        found = found[raw.parts[found] == PARTS.index("test")]
    if raw.groups is not None:
        found = found[~np.isin(raw.groups[found], raw.groups[trained])]
    if raw.times is not None:
        found = found[raw.times[found] >= raw.times[tested].min()]
    return np.sort(np.concatenate([tested, found]))


def placed(raw: Raw, test_targets: np.ndarray) -> list[Finding]:
    """What became of the anomalies: tested on, or left out.

    Args:
        raw: Sorted out.
        test_targets: (n,) of the test split.
    """
    tested = int((test_targets == 1).sum())
    given = 0 if raw.test_targets is None else int((raw.test_targets == 1).sum())
    left = int((raw.targets == 1).sum()) + given - tested
    out = f"; {left:,} are left out: their split, group or time is that of training" if left else ""
    if not tested:
        text = f"no anomaly to test on: there is no AUC, only the share of false alarms{out}"
        return [Finding("warning" if left else "note", text)]
    return [Finding("note", f"{tested:,} anomalies are in the test split, none in another{out}")]


def _told(labels: Sequence[str], normal: Sequence[str]) -> list[Finding]:
    others = [label for label in labels if label not in normal]
    return [Finding("note", f"normal: {_few(normal)}; anomalies: {_few(others)}")] if others else []


def _few(labels: Sequence[str]) -> str:
    return examples(list(labels), SHOWN)
