"""`zoo list`: the recipes, with measured figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from zoo.cli import emit, json_option
from zoo.cli.table import aligned


@click.command("list")
@click.argument("pattern", default="*")
@click.option("--family", metavar="F", help="Only recipes of this family (builder).")
@click.option("--task", metavar="T", help="Only recipes of this task.")
@click.option("--builders", is_flag=True, help="List the builders instead, installed ones included.")
@json_option
def command(pattern: str, family: str | None, task: str | None, builders: bool, as_json: bool) -> None:
    """List the recipes whose name matches PATTERN, with figures measured on the test split.

    \b
    Example:
      zoo list
      zoo list 'mnist-*'
      zoo list --family recurrent --json
    """
    if builders:
        _builders(pattern, as_json=as_json)
        return
    cards = [card for card in _cards(pattern) if family in (None, card["family"]) and task in (None, card["task"])]
    rows = [("NAME", "FAMILY", "TASK", "DATASET", "PARAMETERS", "MACS", "TEST METRIC", "SEEDS", "SECONDS")]
    rows += [(c["name"], c["family"], c["task"], c["dataset"], *_figures(c["measured"])) for c in cards]
    text = aligned(rows) if cards else "no recipe matches; see: zoo list"
    emit(
        cards,
        f"{text}\n\ntrain one: zoo train NAME    more on one: zoo info NAME    builders: zoo list --builders",
        as_json=as_json,
    )


def _cards(pattern: str) -> list[dict[str, Any]]:
    from zoo.catalog import RECIPES
    from zoo.results import measured

    figures = measured()
    found = [RECIPES.get(name) for name in RECIPES.names(pattern)]
    return [
        {
            "name": card.name,
            "family": card.family,
            "task": card.task,
            "dataset": card.dataset,
            "summary": card.summary,
            "anchors": [asdict(anchor) for anchor in card.anchors],
            "measured": figures.get(card.name),
        }
        for card in found
    ]


def _figures(measured: dict[str, Any] | None) -> tuple[str, ...]:
    if not measured:
        return "-", "-", "not measured", "-", "-"
    metric, seeds = measured["metric"], (measured.get("seeds") or {}).values()
    return (
        f"{measured['parameters']:,}",
        f"{measured['macs']:,}" if measured.get("macs") is not None else "-",
        f"{metric} {measured['metrics'][metric]:.4f}",
        f"{min(seeds):.4f} to {max(seeds):.4f}" if seeds else "-",
        f"{measured['seconds']:.0f}",
    )


def _builders(pattern: str, *, as_json: bool) -> None:
    from zoo.builders import BUILDERS

    cards = [BUILDERS.get(name).card for name in BUILDERS.names(pattern)]
    value = [{"name": c.name, "summary": c.summary, "kinds": c.kinds, "tasks": c.tasks} for c in cards]
    rows = [("NAME", "TAKES", "WHAT"), *((c.name, ", ".join(c.kinds), c.summary) for c in cards)]
    emit(value, aligned(rows), as_json=as_json)
