"""What data are, what is wrong with them, and what can be trained on them: the same checks as a training's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.cards import Kind, Task
from zoo.data.catalog import DATASETS
from zoo.data.findings import Finding, errors
from zoo.data.loading import load_registered, with_own_options
from zoo.data.options import DataConfig, data_config
from zoo.data.own import Reading, read_path
from zoo.data.preparing import prepare
from zoo.data.references import resolve_reference
from zoo.data.schema import Schema, with_options
from zoo.data.series.panel import times_of
from zoo.errors import DataError, UsageError


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The result of a check.

    Attributes:
        data: The set's name, or the path that was read.
        form: "registered", "images", "table" or "arrays".
        task: None where the target is not known.
        input_shape: Of one sample as a model would be fed it; empty where errors keep it from being known.
        facts: What is in it, plain JSON values.
        findings: Everything wrong or worth knowing, errors first.
        splits: Split name to samples, as a training with this seed would have them.
        schema: To write as a `data.toml`; None for a registered set.
    """

    data: str
    form: str
    kind: Kind
    task: Task | None
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]
    input_shape: tuple[int, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    schema: Schema | None = None

    @property
    def ok(self) -> bool:
        """Whether a training would go on."""
        return not errors(self.findings)


def check_data(
    data: str | Path, *, seed: int = 0, on_event: Callable[[str], None] | None = None, **options: object
) -> Checked:
    """Looks at data as a training would, and refuses nothing.

    Args:
        data: A registered name, a file, a folder or a `data.toml`.
        seed: Of the splits.
        on_event: Told of progress, a line each.
        **options: Knobs of `zoo.data.options.DataConfig`, over those that a `data.toml` says.

    Raises:
        UsageError: An option that does not fit what lies there.
        DataError: Nothing that can be read lies there.

    Example:
        >>> check_data("houses.csv", target="price").ok
        True
    """
    name = resolve_reference(str(data))
    config = data_config(**with_options(name, options))
    if name in DATASETS:
        return _check_registered(name, config, seed, on_event)
    reading = read_path(name, config, on_event=on_event)
    checked = Checked(
        data=str(reading.path),
        form=reading.form,
        kind=reading.kind,
        task=reading.task,
        facts=reading.facts,
        findings=reading.findings,
        schema=reading.schema,
    )
    if reading.form == "table":
        checked = replace(checked, findings=(*checked.findings, *_in_time(reading.path)))
    return checked if not checked.ok else _with_splits(checked, reading, config, seed)


def _in_time(path: Path) -> list[Finding]:
    """That a table's rows are steps of a series, where their times grow."""
    time = times_of(path)
    text = f"the rows follow each other in time ({time}); to forecast the next N steps of a column: --set horizon=N"
    return [Finding("note", text)] if time else []


def _with_splits(checked: Checked, reading: Reading, config: DataConfig, seed: int) -> Checked:
    """Reads the arrays and splits them; what stops that is one more error among the findings."""
    try:
        dataset = prepare(reading.load(), reading.path.name, seed=seed, config=config)
    except DataError as error:
        found = [Finding("error", problem) for problem in error.problems or (str(error),)]
        return replace(checked, findings=(*found, *checked.findings))
    return replace(
        checked,
        input_shape=dataset.input.shape,
        splits=dataset.identity.samples,
        findings=tuple(dict.fromkeys((*checked.findings, *dataset.findings))),
    )


def _check_registered(name: str, config: DataConfig, seed: int, on_event: Callable[[str], None] | None) -> Checked:
    card = DATASETS.get(name)
    config = with_own_options(name, config)
    raw = load_registered(name, config, on_event)
    dataset = prepare(raw, name, seed=seed, config=config)
    stand_in = (Finding("warning", raw.stand_in),) if raw.stand_in else ()
    facts = {"samples": len(raw.samples), "classes": dict(dataset.identity.class_counts.get("train", {}))}
    return Checked(
        data=name,
        form="registered",
        kind=card.kind,
        task=dataset.output.task,
        facts=facts,
        findings=(*stand_in, *dataset.findings),
        input_shape=dataset.input.shape,
        splits=dataset.identity.samples,
    )


def fitting_builders(checked: Checked) -> list[str]:
    """Names of the registered builders that take such data; empty where the task is not known."""
    from zoo.builders import BUILDERS, get_builder

    if checked.task is None:
        return []
    cards = [get_builder(name).card for name in BUILDERS]
    return [card.name for card in cards if checked.kind in card.kinds and checked.task in card.tasks]


def fitting_recipes(checked: Checked) -> list[str]:
    """Names of the catalog's recipes whose settings can be tried on such data: same kind and task."""
    from zoo.catalog import RECIPES

    cards = [RECIPES.get(name) for name in RECIPES]
    return [
        card.name
        for card in cards
        if card.task == checked.task and DATASETS.get(card.dataset).kind == checked.kind and checked.task is not None
    ]


def check_target(path: Path) -> None:
    """Refuses to write a schema over something.

    Raises:
        UsageError: The file exists, or its name does not end in `.toml`.
    """
    if path.suffix != ".toml":
        raise UsageError(f"{path} is no name for a schema; expected one that ends in .toml, such as data.toml")
    if path.exists():
        raise UsageError(f"{path} exists, perhaps edited; remove it, or write to another file")
