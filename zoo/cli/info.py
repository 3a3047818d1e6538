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
@click.argument("name", metavar="NAME|FILE.toml")
@json_option
def command(name: str, as_json: bool) -> None:
    """Show one recipe, builder or TOML file: architecture, every knob with its value and range, data, figures.

    \b
    Example:
      zoo info mnist-cnn
      zoo info recurrent --json
      zoo info wine.toml
    """
    from zoo.catalog import RECIPES

    value = _file(name) if name.endswith(".toml") else _recipe(name) if name in RECIPES else _builder(name)
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
        "anchors": [asdict(anchor) for anchor in card.anchors],
        "measured": measured().get(name),
    }


def _file(name: str) -> dict[str, Any]:
    """A recipe of the user's own: what the file says, over the defaults."""
    from pathlib import Path

    from zoo.builders import get_builder
    from zoo.config import TRAINING, configure
    from zoo.data.options import DATA
    from zoo.deployment import read_deployment
    from zoo.recipefile import read_toml

    config = configure(name)
    deployment = read_deployment(Path(name), read_toml(Path(name)))
    card = get_builder(config.builder).card
    return {
        "name": config.name,
        "file": Path(name).absolute(),
        "architecture": card.summary,
        "builder": config.builder,
        "recipe": config.recipe,
        "paper": card.paper,
        "year": card.year,
        "dataset": config.dataset,
        "hyperparameters": _knobs(card.hyperparameters, config.hyperparameters),
        "training": _knobs(TRAINING, asdict(config.training)),
        "splits": _knobs(DATA, asdict(config.data)),
        "tune": deployment.tune,
        "exports": [wish.name for wish in deployment.exports],
        "require": {requirement.key: requirement.limit for requirement in deployment.requirements},
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
        "needs": card.needs,
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
            "search": list(knob.search),
            "help": knob.help,
        }
        for knob in declared
    ]


def _asked(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a TOML file asks for besides the training."""
    facts = []
    if value.get("tune"):
        facts.append(("searches", ", ".join(f"{key} {option}" for key, option in value["tune"].items())))
    if value.get("exports"):
        facts.append(("exports", ", ".join(value["exports"])))
    if value.get("require"):
        facts.append(("requires", ", ".join(f"{key} {limit:g}" for key, limit in value["require"].items())))
    return facts


def _page(value: Mapping[str, Any]) -> str:
    lines = [f"{value['name']}: {value.get('summary') or value['architecture']}", ""]
    plain = ("family", "task", "builder", "recipe", "dataset", "architecture")
    facts = [(key, str(value[key])) for key in plain if value.get(key)]
    if value.get("paper"):
        facts.append(("paper", f"{value['paper']}{', ' + str(value['year']) if value['year'] else ''}"))
    if "kinds" in value:
        facts += [("takes", ", ".join(value["kinds"])), ("tasks", ", ".join(value["tasks"]))]
    if value.get("needs"):
        facts.append(("needs", ", ".join(f"--set {name}=N" for name in value["needs"])))
    if "data" in value:
        data = value["data"]
        facts += [("data", f"{data['samples']:,} samples, {data['source']}"), ("licence", data["licence"])]
    facts += _asked(value)
    measured = value.get("measured")
    if measured:
        figures = ", ".join(f"{name} {figure:.4f}" for name, figure in measured["metrics"].items())
        macs = f", {measured['macs']:,} MACs" if measured.get("macs") is not None else ""
        cost = f"{measured['parameters']:,} parameters{macs}, {measured['seconds']:.0f} s"
        facts.append(("measured", f"test {figures}; {cost}"))
        seeds = [f"{figure:.4f}" for figure in (measured.get("seeds") or {}).values()]
        facts += [("over seeds", f"{measured['metric']} {', '.join(seeds)}")] if seeds else []
    anchors = (f"{anchor['figure']}, {anchor['what']} ({anchor['source']})" for anchor in value.get("anchors", ()))
    facts += [("published", anchor) for anchor in anchors]
    lines.append(aligned(facts))
    for section in ("hyperparameters", "training", "splits"):
        if section in value:
            rows = [("KNOB", "VALUE", "RANGE", "SEARCHED", "WHAT")]
            rows += [(k["name"], _text(k["value"]), k["range"], _searched(k), k["help"]) for k in value[section]]
            lines += ["", section, aligned(rows)]
    example = value["name"] if "family" in value else f"{value['name']} --data NAME"
    if "file" in value:
        example = f"'{value['file']}'"
    return "\n".join([*lines, "", f"change one: zoo train {example} --set KEY=VALUE"])


def _searched(knob: Mapping[str, Any]) -> str:
    """What `zoo tune` searches unless told otherwise; empty where it does not."""
    values = [_text(value) for value in knob["search"]]
    if len(values) < 2:
        return ""
    return " to ".join(values) if knob["type"] in ("int", "float") and len(values) == 2 else ", ".join(values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
