"""`zoo train`: a recipe, a TOML file, or a builder on data, into a run folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from zoo.cli import emit, json_option
from zoo.cli.options import data_option, data_options, knob_options, overrides
from zoo.errors import UsageError


@click.command("train")
@click.argument("recipe", required=False, metavar="NAME|FILE.toml|BUILDER")
@data_option
@data_options
@knob_options
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other knob; zoo info NAME lists them all.")
@click.option("--name", help="Name of the run's folder; by default the recipe's.")
@click.option("--resume", metavar="RUN", help="Go on with an unfinished run: its folder or name; alone.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of all runs [default: ./runs]."
)
@json_option
def command(
    recipe: str | None,
    data: str | None,
    sets: tuple[str, ...],
    name: str | None,
    resume: str | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a recipe, a TOML file, or a builder on data, into a run folder.

    NAME is a recipe (zoo list), BUILDER a builder's name or module:function.

    \b
    Example:
      zoo train mnist-cnn
      zoo train mnist-cnn --epochs 5 --dropout 0.4 --set filters=32
      zoo train mlp --data iris --optimizer sgd --batch-size full
      zoo train convnet --data photos/
      zoo train mlp --data houses.csv --target price --split time:sold
      zoo train runs/mnist-cnn/20260101T120000.123456Z-1a2b/config.toml
    """
    import psutil

    from zoo.cli.display import TrainingDisplay, closing
    from zoo.reporting.summary import verdict

    if recipe is None and resume is None:
        raise UsageError("give a recipe, a TOML file or a builder, or else --resume RUN; see: zoo list")
    given = overrides(options, sets)
    with TrainingDisplay() as display:
        from zoo.training.trainer import train

        run = train(recipe, data=data, out=out, name=name, resume=resume, on_event=display.show, **given)
    seconds = time.time() - psutil.Process().create_time()
    manifest = run.manifest
    value = {
        "run": run.path,
        "status": manifest.status,
        "metrics": manifest.metrics,
        "baselines": manifest.baselines,
        "verdict": verdict(manifest),
        "epochs": manifest.epochs,
        "parameters": manifest.parameters,
        "data": manifest.data,
        "seconds": seconds,
    }
    emit(value, closing(run, seconds), as_json=as_json)
