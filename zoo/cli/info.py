"""`zoo info`: one card, of a recipe or a builder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option
from zoo.cli.table import aligned

if TYPE_CHECKING:
    from zoo.hyperparameters import Hyperparameter


@click.command("info")
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Show one recipe or builder: architecture, every knob with its value and range, data, measured figures.

    \b
    Example:
      zoo info mnist-cnn
      zoo info recurrent --json
    """
    from zoo.catalog import RECIPES

    value = _recipe(name) if name in RECIPES else _builder(name)
    emit(value, _page(value), as_json=as_json)


def _recipe(name: str) -> dict[str, Any]:
    from zoo.builders import get_builder
    from zoo.catalog import RECIPES
    from zoo.config import TRAINING, configure
    from zoo.data import DATASETS
    from zoo.data.options import DATA
    from zoo.results import measured

    card, config = RECIPES.get(name), configure(name)
    builder, dataset = get_builder(card.builder).card, DATASETS.get(card.dataset)
    return {
        "name": name,
        "family": card.family,
        "task": card.task,
        "dataset": card.dataset,
        "summary": card.summary,
        "architecture": builder.summary,
        "paper": builder.paper,
        "year": builder.year,
        "data": {
            "kind": dataset.kind,
            "samples": dataset.samples,
            "source": dataset.source,
            "licence": dataset.licence,
        },
        "hyperparameters": _knobs(builder.hyperparameters, config.hyperparameters),
        "training": _knobs(TRAINING, asdict(config.training)),
        "splits": _knobs(DATA, asdict(config.data)),
        "measured": measured().get(name),
    }


def _builder(name: str) -> dict[str, Any]:
    from zoo.builders import BUILDERS, get_builder
    from zoo.catalog import RECIPES
    from zoo.config import TRAINING
    from zoo.errors import UsageError
    from zoo.registry import suggest

    if ":" not in name and name not in BUILDERS:
        near = suggest(name, [*RECIPES.names(), *BUILDERS.names()])
        raise UsageError(f"{name!r} is no recipe, builder or module:function{near}; see: zoo list")
    card = get_builder(name).card
    return {
        "name": card.name,
        "architecture": card.summary,
        "paper": card.paper,
        "year": card.year,
        "kinds": card.kinds,
        "tasks": card.tasks,
        "hyperparameters": _knobs(card.hyperparameters, {}),
        "training": _knobs(TRAINING, {}),
    }


def _knobs(declared: Iterable[Hyperparameter], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": knob.name,
            "value": values.get(knob.name, knob.default),
            "default": knob.default,
            "type": knob.type,
            "range": knob.range,
            "help": knob.help,
        }
        for knob in declared
    ]


def _page(value: Mapping[str, Any]) -> str:
    lines = [f"{value['name']}: {value.get('summary') or value['architecture']}", ""]
    facts = [(key, str(value[key])) for key in ("family", "task", "dataset", "architecture") if value.get(key)]
    if value.get("paper"):
        facts.append(("paper", f"{value['paper']}{', ' + str(value['year']) if value['year'] else ''}"))
    if "kinds" in value:
        facts += [("takes", ", ".join(value["kinds"])), ("tasks", ", ".join(value["tasks"]))]
    if "data" in value:
        data = value["data"]
        facts += [("data", f"{data['samples']:,} samples, {data['source']}"), ("licence", data["licence"])]
    measured = value.get("measured")
    if measured:
        figures = ", ".join(f"{name} {figure:.4f}" for name, figure in measured["metrics"].items())
        facts.append(
            ("measured", f"test {figures}; {measured['parameters']:,} parameters, {measured['seconds']:.0f} s")
        )
    lines.append(aligned(facts))
    for section in ("hyperparameters", "training", "splits"):
        if section in value:
            rows = [("KNOB", "VALUE", "RANGE", "WHAT")]
            rows += [(k["name"], _text(k["value"]), k["range"], k["help"]) for k in value[section]]
            lines += ["", section, aligned(rows)]
    example = value["name"] if "family" in value else f"{value['name']} --data NAME"
    return "\n".join([*lines, "", f"change one: zoo train {example} --set KEY=VALUE"])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
