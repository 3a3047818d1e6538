"""`zoo evaluate`: how good an artefact is on data it has not seen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, runs_option, say

if TYPE_CHECKING:
    from zoo.inference import Evaluation


@click.command("evaluate")
@click.argument("artifact")
@click.option("--data", metavar="NAME", help="Another data set than the one it was trained on; see: zoo data list.")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Of the training's own split.",
)
@click.option("--seed", type=int, metavar="N", help="Seed of the split, where the run is not around to tell.")
@runs_option
@json_option
def command(artifact: str, data: str | None, split: Any, seed: int | None, root: Path, as_json: bool) -> None:
    """Measure ARTIFACT: a run, a .keras file, a SavedModel, a .tflite file or a bundle.

    The data are those it was trained on, split as in training, so the test split is one it has not seen.

    \b
    Example:
      zoo evaluate mnist-cnn
      zoo evaluate runs/mnist-cnn/*/export/tflite-int8
      zoo evaluate model.tflite --data mnist --json
    """
    from zoo.inference import evaluate

    result = evaluate(artifact, data=data, split=split, seed=seed, runs=root, on_event=say)
    for note in result.notes:
        say(note)
    emit(asdict(result), _text(result), as_json=as_json)


def _text(result: Evaluation) -> str:
    lines = [f"{result.artifact}", f"{result.split} split of {result.data}, {result.samples:,} samples"]
    if result.stand_in:
        lines.append(f"NOT THE REAL {result.data.upper()}: {result.stand_in}")
    width = max(map(len, result.metrics))
    lines += [f"  {name.ljust(width)}  {value:.6g}" for name, value in result.metrics.items()]
    return "\n".join(lines)
