"""`zoo compare`: runs and trials side by side."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, runs_option
from zoo.cli.table import aligned

if TYPE_CHECKING:
    from tuning.compared import Entry
    from tuning.comparing import Comparison

NARROW = 8
"""So many entries are columns of the table of knobs; more are its rows."""


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, metavar="N", help="Trials of a search."
)
@click.option(
    "--sort",
    metavar="METRIC",
    help="The best first by this: a metric of the validation split, test_METRIC, parameters, epochs or seconds.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.csv", help="Also write a row for each, as CSV.")
@runs_option
@json_option
def command(runs: tuple[str, ...], top: int, sort: str | None, out: Path | None, root: Path, as_json: bool) -> None:
    """Set runs and trials side by side: quality, cost, exports, and the knobs in which they differ.

    RUN is the folder of a run, a name for its latest finished run, the folder of a search for its best trials, or the
    folder of a trial. The gap is to the best on the validation split; trials have seen no test split.

    \b
    Example:
      zoo compare runs/mnist-cnn/*
      zoo compare mnist-cnn mnist-mlp --sort test_accuracy
      zoo compare runs/tune-mnist-cnn/20260101T120000.123456Z-1a2b --top 10 --out trials.csv
    """
    from tuning.comparing import compare, table_text
    from zoo.runs import write_text

    found = compare(runs, root=root, top=top, sort=sort)
    if out is not None:
        write_text(out, table_text(found))
    emit(_value(found), _text(found), as_json=as_json)


def _value(found: Comparison) -> dict[str, Any]:
    from tuning.compared import export_figures

    entries = []
    for entry in found.entries:
        content = {**asdict(entry), "gap": found.gap(entry), "exports": []}
        for export in entry.exports:
            size, metric = export_figures(export)
            content["exports"].append(
                {"name": export.name, "bytes": size, "metric_after": metric, "failed": export.failed}
            )
        entries.append(content)
    return {
        "metric": found.metric,
        "smaller_is_better": found.smaller_is_better,
        "entries": entries,
        "differing": found.differing,
        "warnings": found.warnings,
    }


def _text(found: Comparison) -> str:
    from zoo.reporting.summary import label

    metric = label(found.metric)
    figures = (f"validation {metric}", "gap", f"test {metric}", "parameters", "epochs", "seconds", "exports")
    head = ("#", "name", "recipe", "data", *figures)
    rows = [_row(found, at, entry) for at, entry in enumerate(found.entries, start=1)]
    blocks = [
        [f"WARNING: {line}" for line in found.warnings],
        [aligned([head, *rows])],
        _knobs(found),
        [f"{at}  {entry.path}" for at, entry in enumerate(found.entries, start=1)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _row(found: Comparison, at: int, entry: Entry) -> tuple[str, ...]:
    from tuning.compared import export_figures
    from tuning.reporting.words import gap, kilobytes
    from zoo.reporting.summary import show

    exports = []
    for export in entry.exports:
        size, metric = export_figures(export)
        figure = f" {show(found.metric, metric)}" if math.isfinite(metric) else ""
        exports.append(f"{export.name} failed" if export.failed else f"{export.name} {kilobytes(size)}{figure}")
    behind = found.gap(entry)
    return (
        str(at),
        entry.name if entry.kind == "run" else f"trial {entry.id}",
        entry.recipe or entry.builder,
        str(entry.data.get("name", "")),
        show(found.metric, entry.figure("validation", found.metric)),
        "best" if behind == 0 else gap(found.metric, behind) if math.isfinite(behind) else "-",
        show(found.metric, entry.figure("test", found.metric)),
        "-" if entry.parameters is None else f"{entry.parameters:,}",
        str(entry.epochs),
        f"{entry.seconds:.1f}",
        ", ".join(exports),
    )


def _knobs(found: Comparison) -> list[str]:
    """The knobs that differ: a row each where the entries are few, a column each where they are many."""
    from tuning.reporting.words import short

    if not found.differing:
        return ["their knobs are the same"] if len(found.entries) > 1 else []
    numbers = [f"#{at}" for at in range(1, len(found.entries) + 1)]
    rows = [["knob", *numbers], *([name, *map(short, values)] for name, values in found.differing.items())]
    if len(found.entries) > NARROW:
        rows = [list(column) for column in zip(*rows, strict=True)]
    return [aligned(rows)]
