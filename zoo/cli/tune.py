"""`zoo tune`: searches a recipe's hyperparameters, and hands back a trained run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli import emit, json_option
from zoo.cli.options import data_option, data_options, knob_options, overrides
from zoo.deployment import TUNE_KEYS
from zoo.errors import UsageError

MODES = ("float32", "float16", "dynamic", "int8", "int16x8")


@click.command("tune")
@click.argument("names", required=False, metavar="NAME[,NAME...]|FILE.toml|BUILDER")
@data_option
@data_options
@knob_options
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other knob, fixed for all trials.")
@click.option(
    "--space",
    "space",
    multiple=True,
    metavar="KEY=RANGE",
    help="Search this knob: KEY=V1,V2,... or KEY=LOW:HIGH[:log|:linear|:STEP]; only what is named is then searched, "
    "'--space all' adds the usual ones. [default: the usual ones of the builder; zoo info NAME lists ranges]",
)
@click.option(
    "--tuner",
    type=click.Choice(["random", "hyperband", "bayesian", "grid"]),
    default=None,
    help="How candidates are chosen. [default: random]",
)
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Candidates to train. [default: 20]")
@click.option("--max-time", metavar="TIME", help="Wall-clock budget of the search, such as 30m or 1h30m.")
@click.option("--objective", metavar="METRIC", help="Validation metric that decides. [default: the task's usual one]")
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    metavar="N",
    help="Trainings of each candidate, each on a validation split of its own; the mean counts. [default: 1]",
)
@click.option(
    "--quantize", type=click.Choice(MODES), help="Export every candidate so, and score the exported file's answers."
)
@click.option("--max-flash", metavar="S", help="Largest exported file, such as 64k; larger candidates are not trained.")
@click.option("--max-arena", metavar="S", help="Largest tensor arena of tflite-micro, such as 32k.")
@click.option("--max-latency", metavar="TIME", help="Longest time of one sample on this machine, such as 2ms.")
@click.option("--max-macs", metavar="N", help="Most multiplications of one sample, such as 5M.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Trials that keep their weights; those on the Pareto front do beside them. [default: 5]",
)
@click.option(
    "--no-retrain",
    is_flag=True,
    help="Keep the winner's own weights, instead of training it again on training and validation data together.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Local worker processes, cores divided; a trial that crashes its process does not end the search.",
)
@click.option("--chief", metavar="HOST:PORT", help="Deal trials to workers on other machines; the folder is shared.")
@click.option("--worker", metavar="HOST:PORT", help="Work for the chief there, on the same shared folder.")
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with a search; --trials N may be more."
)
@click.option("--name", help="Name of the winner's run. [default: NAME-tuned]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of all runs [default: ./runs]."
)
@json_option
def command(names: str | None, sets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Search hyperparameters, then train the winner again, test it, and hand back its run.

    The test split decides nothing: candidates are compared on the validation split. With --quantize or a limit every
    candidate is exported: what does not fit is rejected before it trains, what fits is scored by the exported file.
    A trial that fails is recorded and the search goes on; Ctrl-C keeps all, and --resume goes on. Exit code 5 where
    every trial failed, 7 where nothing fits the limits.

    \b
    Example:
      zoo tune mnist-cnn --trials 20 --max-time 30m
      zoo tune iris-mlp --space learning_rate=1e-4:1e-1:log --space units=8,16,32 --tuner grid --trials 40
      zoo tune mnist-cnn --quantize int8 --max-flash 20k --max-arena 24k
      zoo tune mnist-lstm,mnist-gru --tuner bayesian --workers 2
      zoo tune mlp --data houses.csv --target price --objective mae
      zoo tune --resume runs/tune-mnist-cnn/20260101T120000.123456Z-1a2b --trials 40
    """
    from zoo.cli.search_display import SearchDisplay
    from zoo.cli.search_result import closing, value

    given, search = _sorted(options)
    began = time.monotonic()
    if names is None and search["resume"] is None and search["worker"] is None:
        raise UsageError("give a recipe, several with commas, a TOML file or a builder, or else --resume DIR")
    knobs = overrides(given, sets)
    with SearchDisplay() as display:
        from tuning.launching import tune

        found = tune(names, on_event=display.show, on_begin=display.begin, **search, **knobs)
    if found is None:  # a worker: the chief tells the result
        return
    trials = list(found.trials)
    emit(
        value(found.books, trials, found.final),
        closing(found.books, trials, found.final, time.monotonic() - began),
        as_json=as_json,
    )


SEARCH_OPTIONS = ("data", *TUNE_KEYS, "no_retrain", "chief", "worker", "resume", "name", "out")


def _sorted(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Flags of knobs, and options of the search."""
    search = {name: options[name] for name in SEARCH_OPTIONS}
    return {name: value for name, value in options.items() if name not in search}, search
