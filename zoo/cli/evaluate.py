"""`zoo evaluate`: how good an artefact is on data it has not seen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, runs_option, say
from zoo.cli.options import data_option, overrides, some_data_options

if TYPE_CHECKING:
    from zoo.inference import Evaluation


@click.command("evaluate")
@click.argument("artifact")
@data_option
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Of the training's own split.",
)
@click.option("--seed", type=int, metavar="N", help="Seed of the split, where the run is not around to tell.")
@some_data_options("target", "normal", "label_from", "missing_values", "strict_data")
@runs_option
@json_option
def command(
    artifact: str, data: str | None, split: Any, seed: int | None, root: Path, as_json: bool, **options: Any
) -> None:
    """Measure ARTIFACT: a run, a .keras or .h5 file, a SavedModel, a .tflite file or a bundle.

    The data are those it was trained on, split as in training, so the test split is one it has not seen. Of a file or
    folder given with --data, every row is measured: columns, categories and labels are read as in training, a row
    without a target is left out and counted. So it is with the file trained on where it has changed since.

    \b
    Example:
      zoo evaluate mnist-cnn
      zoo evaluate runs/mnist-cnn/*/export/tflite-int8
      zoo evaluate model.tflite --data mnist --json
      zoo evaluate mlp-houses --data houses_2026.csv
    """
    from zoo.inference import evaluate

    result = evaluate(artifact, data=data, split=split, seed=seed, runs=root, on_event=say, **overrides(options, ()))
    for note in result.notes:
        say(note)
    emit(asdict(result), _text(result), as_json=as_json)


def _text(result: Evaluation) -> str:
    part = "every row" if result.split == "all" else f"{result.split} split"
    lines = [f"{result.artifact}", f"{part} of {result.data}, {result.samples:,} samples"]
    if result.stand_in:
        lines.append(f"NOT THE REAL {result.data.upper()}: {result.stand_in}")
    width = max(map(len, result.metrics))
    lines += [f"  {name.ljust(width)}  {value:.6g}" for name, value in result.metrics.items()]
    return "\n".join(lines)
