"""`zoo data check`: what data are, what is wrong with them, and what can be trained on them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, say
from zoo.cli.options import DATA_FLAGS, data_options, overrides
from zoo.cli.table import aligned
from zoo.errors import DataError

if TYPE_CHECKING:
    from zoo.data.checking import Checked

CELL = 44
"""Characters of a table's cell; longer ones are cut."""


@click.command("check")
@click.argument("path", metavar="PATH")
@data_options
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other knob of the data: image_size=64.")
@click.option("--seed", type=int, default=0, metavar="N", help="Of the splits, as in a training [default: 0].")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="data.toml",
    help="Save what was inferred, to edit and to pass on as --data data.toml.",
)
@json_option
def check(path: str, sets: tuple[str, ...], seed: int, write: Path | None, as_json: bool, **options: Any) -> None:
    """Say what data are, what is in them, what is wrong with them and what can be trained on them.

    PATH is a folder of images, sounds, recordings or texts, a table (.csv, .tsv), a set of series (.ts), arrays
    (.npz), a data.toml or a set's name. The checks are those of a training; exits 3 where one of them would stop
    it.

    \b
    Example:
      zoo data check photos/
      zoo data check houses.csv --target price
      zoo data check houses.csv --target price --write data.toml
      zoo train mlp --data data.toml
    """
    from zoo.data.checking import check_data, check_target, fitting_builders, fitting_recipes
    from zoo.data.findings import errors
    from zoo.data.schema import write_schema

    if write is not None:
        check_target(write)
    given = overrides(options, sets)
    checked = check_data(path, seed=seed, on_event=say, **given)
    builders, recipes = fitting_builders(checked), fitting_recipes(checked)
    if write is not None:
        if checked.schema is None:
            raise DataError(f"{checked.data} is known by name and has no schema to write; train with --data {path}")
        write_schema(write, checked.schema)
    commands = _commands(builders, path, given, write)
    value = {**_value(checked), "builders": builders, "recipes": recipes, "commands": commands, "written": write}
    problems = errors(checked.findings)
    if problems:
        count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
        value |= {"error": f"{checked.data} has {count} that would stop a training", "exit_code": DataError.exit_code}
    emit(value, _text(checked, commands, recipes, write), as_json=as_json)
    if problems:
        say(f"zoo: {value['error']}")
        sys.exit(DataError.exit_code)


def _value(checked: Checked) -> dict[str, Any]:
    return {
        "data": checked.data,
        "ok": checked.ok,
        "form": checked.form,
        "kind": checked.kind,
        "task": checked.task,
        "input_shape": checked.input_shape,
        "facts": checked.facts,
        "splits": checked.splits,
        "findings": [{"severity": found.severity, "message": found.message} for found in checked.findings],
    }


def _commands(builders: Sequence[str], path: str, given: Mapping[str, Any], written: Path | None) -> list[str]:
    """What to type next, a line for each builder that fits."""
    if written is not None:
        return [f"zoo train {name} --data {shlex.quote(str(written))}" for name in builders]
    words = [shlex.quote(path)]
    for key, value in given.items():
        flag = DATA_FLAGS.get(key, ("", ""))[0]
        if flag == "--strict-data":
            words.append(flag)
        else:
            words += [flag, shlex.quote(str(value))] if flag else ["--set", shlex.quote(f"{key}={value}")]
    return [f"zoo train {name} --data {' '.join(words)}" for name in builders]


def _text(checked: Checked, commands: Sequence[str], recipes: Sequence[str], written: Path | None) -> str:
    rows = [("what", f"{checked.form}, {checked.kind} samples"), ("task", checked.task or "not known yet")]
    if checked.input_shape:
        rows.append(("model input", "x".join(str(size) for size in checked.input_shape)))
    rows += [(key.replace("_", " "), _inline(value)) for key, value in checked.facts.items() if not _is_table(value)]
    if checked.splits:
        rows.append(("splits", _inline(checked.splits)))
    lines = [checked.data, aligned([row for row in rows if row[1]])]
    for key, value in checked.facts.items():
        if _is_table(value):
            lines += ["", key, _table(value)]
    lines.append("")
    for severity in ("error", "warning", "note"):
        lines += [f"{severity.upper()}: {found.message}" for found in checked.findings if found.severity == severity]
    if not checked.findings:
        lines.append("nothing is wrong with it")
    if written is not None:
        lines.append(f"written {written}")
    if checked.ok and commands:
        lines += ["", "train with"] + [f"  {command}" for command in commands]
        if recipes:
            lines.append(f"  or with the settings of a recipe in the builder's place: {', '.join(recipes)}")
    return "\n".join(lines)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Mappings as lines, a column for each key that any of them has."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cut(_inline(row.get(key))) for key in keys] for row in rows]
    return aligned([[key.upper() for key in keys], *cells])


def _inline(value: object) -> str:
    """A JSON value on one line, for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        listed = [f"{key} {_inline(entry)}" for key, entry in value.items()]
    elif isinstance(value, (list, tuple)):
        listed = [_inline(entry) for entry in value]
    else:
        return str(value)
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")


def _cut(text: str) -> str:
    return text if len(text) <= CELL else f"{text[: CELL - 3]}..."
