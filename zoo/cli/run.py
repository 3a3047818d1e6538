"""`zoo run`: everything that a TOML file asks for, in one go."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, say
from zoo.cli.table import aligned
from zoo.errors import GateError

if TYPE_CHECKING:
    from zoo.workflow import BundleOutcome, Outcome


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.toml")
@click.option("--force", is_flag=True, help="Do everything anew, also what is unchanged.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of all runs [default: ./runs]."
)
@json_option
def command(file: Path, force: bool, out: Path, as_json: bool) -> None:
    """Check the data, train or tune, export, verify and measure as FILE.toml says; skip what is unchanged.

    The file is one that zoo train takes, with a table [tune] (trials = 20, space = ["units=8:64"] and other options of
    zoo tune; the winner is then what is exported), a table [export] (formats = ["tflite-int8", "saved_model"],
    quantize = ["int8"], max_drop = 1.0) and a table [require] (accuracy = 0.95, max_bytes = "64k"). A training is
    repeated when its configuration, its data or the versions have changed, a search when its plan has, a bundle when
    its model or its options have. Exit code 7 where a bundle is not as good as its model, or a requirement is missed on
    the test split; all of them are named.

    \b
    Example:
      zoo run wine.toml
      zoo run wine.toml --json > result.json
    """
    from zoo.cli.display import TrainingDisplay

    with TrainingDisplay() as display:
        from zoo.workflow import run

        outcome = run(file, out=out, force=force, on_event=display.show)
    value, missed = _value(outcome), "; ".join(outcome.missed)
    if missed:
        value |= {"error": f"not good enough: {missed}", "exit_code": GateError.exit_code}
    emit(value, _text(outcome), as_json=as_json)
    if missed:
        say(f"zoo: not good enough: {missed}; see {outcome.run.path / 'report.html'}")
        sys.exit(GateError.exit_code)


def _value(outcome: Outcome) -> dict[str, Any]:
    manifest = outcome.run.manifest
    return {
        "run": outcome.run.path,
        "ok": outcome.ok,
        "skipped": outcome.skipped,
        "metrics": manifest.metrics,
        "baselines": manifest.baselines,
        "data": manifest.data,
        "parameters": manifest.parameters,
        "bundles": [_bundle(bundle) for bundle in outcome.bundles],
        "gates": [asdict(gate) for gate in outcome.gates],
        "seconds": outcome.seconds,
    }


def _bundle(bundle: BundleOutcome) -> dict[str, Any]:
    content = asdict(bundle)
    return {"bundle": content.pop("path"), **content}


def _text(outcome: Outcome) -> str:
    from zoo.reporting.summary import number, primary_metric, show, verdict

    manifest = outcome.run.manifest
    metric = primary_metric(manifest) or "loss"
    rows = [("ARTEFACT", f"TEST {metric.upper()}", "BYTES", "AGREEMENT", "VERIFIED", "STATE")]
    kept = {True: "unchanged", False: "new"}
    test = show(metric, manifest.metrics["test"].get(metric))
    rows.append((manifest.name, test, "", "", "", kept["train" in outcome.skipped or "tune" in outcome.skipped]))
    for bundle in outcome.bundles:
        agreement = show("accuracy", number(bundle.parity.get("agreement")))
        size = "" if bundle.bytes is None else f"{bundle.bytes:,}"
        runtime = str(bundle.verify.get("runtime", "")) if bundle.verify.get("ok") else "no"
        state = "refused" if bundle.path is None else kept[bundle.kept]
        rows.append((bundle.name, show(metric, bundle.metrics.get(metric)), size, agreement, runtime, state))
    lines = [aligned(rows), verdict(manifest)]
    if manifest.data.get("stand_in"):
        lines.append(f"WARNING: not the real data: {manifest.data.get('note')}")
    lines += [f"{'met   ' if gate.ok else 'MISSED'}  {gate}" for gate in outcome.gates if gate.limit is not None]
    return "\n".join([*lines, f"{outcome.seconds:.1f} s, run {outcome.run.path}"])
