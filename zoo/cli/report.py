"""`zoo report`: the HTML page of runs."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli import emit, json_option, runs_option


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@runs_option
@json_option
def command(runs: tuple[str, ...], root: Path, as_json: bool) -> None:
    """Write the HTML report of runs: a folder each, or a name for its latest finished run.

    \b
    Example:
      zoo report mnist-cnn
      zoo report runs/mnist-cnn/*
    """
    from zoo.reporting.report import write_report
    from zoo.reporting.summary import verdict
    from zoo.runs import find_run

    found = [find_run(reference, root) for reference in runs]
    reports = [{"run": run.path, "report": write_report(run), "verdict": verdict(run.manifest)} for run in found]
    emit(reports, "\n".join(str(entry["report"]) for entry in reports), as_json=as_json)
