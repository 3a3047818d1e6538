"""`zoo data`: the data sets known by name, where their files are, fetching them, and checking one's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from zoo.cards import DatasetCard
from zoo.cli import emit, json_option, say
from zoo.cli.data_check import check
from zoo.cli.table import aligned


@click.group()
def command() -> None:
    """List, describe and fetch data sets, and check data of your own.

    \b
    Example:
      zoo data list
      zoo data info mnist
      zoo data fetch fashion_mnist
      zoo data check photos/
    """


command.add_command(check)


@command.command("list")
@json_option
def list_sets(as_json: bool) -> None:
    """List the data sets known by name.

    \b
    Example:
      zoo data list
    """
    from zoo.data import DATASETS

    described = [_describe(DATASETS.get(name)) for name in DATASETS]
    rows = [("NAME", "TASK", "SAMPLES", "WHERE", "WHAT")]
    rows += [(card["name"], card["task"], f"{card['samples']:,}", _where(card), card["summary"]) for card in described]
    emit(described, aligned(rows), as_json=as_json)


@command.command("info")
@click.argument("name")
@json_option
def info(name: str, as_json: bool) -> None:
    """Describe one data set: sizes, classes, licence, and where its files were found.

    \b
    Example:
      zoo data info mnist
    """
    from zoo.data import DATASETS

    card = _describe(DATASETS.get(name))
    emit(card, _page(card), as_json=as_json)


@command.command("fetch")
@click.argument("name")
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Fetch a data set into the cache and verify it; what is there already is only verified.

    \b
    Example:
      zoo data fetch mnist
    """
    from zoo.data import DATASETS
    from zoo.data.known import files, store

    card = DATASETS.get(name)
    if card.content_sha256:
        store.read(card, store.locate(card) or store.fetch(card, say))
    elif not card.embedded:
        files.load(card, say)
    described = _describe(card)
    emit(described, f"{name}: verified, {_where(described)}", as_json=as_json)


def _describe(card: DatasetCard) -> dict[str, Any]:
    """The card, and the state of its files on this machine."""
    from zoo import settings
    from zoo.data.known import files, store

    found = None if card.embedded else (store if card.content_sha256 else files).locate(card)
    return {
        **asdict(card),
        "embedded": card.embedded,
        "path": found,
        "bytes": _size(found, card) if found else None,
        "searched": [] if card.embedded else [folder / card.folder for folder in settings.data_folders()],
    }


def _size(found: Path, card: DatasetCard) -> int:
    if found.is_file():
        return found.stat().st_size
    if card.tree is not None:
        return card.tree.bytes
    return sum((found / file.name).stat().st_size for file in card.files)


def _where(card: dict[str, Any]) -> str:
    if card["embedded"]:
        return "comes with scikit-learn"
    return str(card["path"]) if card["path"] else "not fetched"


def _page(card: dict[str, Any]) -> str:
    test = (
        f"{card['test_samples']:,} of them the official test split"
        if card["test_samples"]
        else "no official test split"
    )
    rows = [
        ("name", card["name"]),
        ("what", card["summary"]),
        ("task", f"{card['task']}, {card['kind']} {'x'.join(str(size) for size in card['shape'])}"),
        ("samples", f"{card['samples']:,}, {test}"),
        ("labels", ", ".join(card["labels"])),
        ("source", card["source"]),
        ("licence", card["licence"]),
        ("files", _where(card)),
    ]
    if card["path"]:
        rows.append(("bytes", f"{card['bytes']:,}"))
    elif not card["embedded"]:
        rows.append(("searched", ", ".join(str(Path(folder)) for folder in card["searched"])))
        rows.append(("next", f"zoo data fetch {card['name']}"))
    return aligned(rows)
