"""`zoo predict`: answers for files of the user's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli import emit, json_option, runs_option, say
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.inference import Contract, Job, Summary
    from zoo.masks import MaskFolder


@click.command("predict")
@click.argument("artifact")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv", help="Write the answers there."
)
@click.option(
    "--masks",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write a mask for each image into it, as a PNG: of a model that answers for every pixel.",
)
@click.option("--keep", default="", metavar="A,B", help="Columns of a table to copy before the answers, as they stand.")
@click.option(
    "--on-bad-row",
    type=click.Choice(["fail", "skip", "null"]),
    default="fail",
    show_default=True,
    help="What cannot be used: name it and write nothing, leave it out, or leave its answer empty.",
)
@click.option("--top", type=click.IntRange(min=1), default=1, metavar="N", help="The N best labels [default: 1].")
@runs_option
@json_option
def command(
    artifact: str,
    inputs: tuple[str, ...],
    out: Path | None,
    masks: Path | None,
    keep: str,
    on_bad_row: str,
    top: int,
    root: Path,
    as_json: bool,
) -> None:
    """Predict with ARTIFACT: a run, a .keras or .h5 file, a SavedModel, a .tflite file or a bundle.

    INPUT is an image, a WAV file, a recording (a table with a row for each step), a text file or a sentence, a
    folder of such files, a table whose columns match by name, or a .npy array of one sample or a batch. Answers
    come in the order of the inputs: label and probability (of two classes also the second one's probability, to
    rank by), a probability for each label, values in the target's units, or the share of the pixels that each class
    has (the pixels themselves with --masks). Without --keep, the column "input" says
    where each came from: a file, or FILE:ROW, rows counted from 1 without the header. Errors name the line of the
    file instead.

    Missing cells and categories that training did not see have their trained default, and are counted. A row with too
    few cells, text where a number belongs, a number too large for the model, an unreadable date or a damaged image
    is a bad row.

    \b
    Example:
      zoo predict mnist-cnn digit.png
      zoo predict text-sms "You have won a prize"
      zoo predict runs/mnist-cnn/*/export/tflite-int8 photos/ --top 3
      zoo predict unet-cells new/ --masks found/
      zoo predict mlp-houses new.csv --out predictions.csv --keep id,date --on-bad-row skip
    """
    from zoo.hyperparameters import split_names
    from zoo.inference import Inputs, Job, Predictor

    if out is not None and any(out.absolute() == Path(given).absolute() for given in inputs):
        raise UsageError(f"--out {out} is an input too; write the answers to another file")
    predictor = Predictor.open(artifact, runs=root)
    for note in predictor.notes:
        say(note)
    names = tuple(dict.fromkeys(split_names(keep)))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_mask_folder(masks, predictor.contract)) if masks is not None else None
        job = Job(
            predictor,
            Inputs(inputs, predictor.contract, keep=names, on_event=say),
            keep=names,
            on_bad_row=on_bad_row,
            top=top,
            write_mask=folder.write if folder else None,
            on_event=say,
        )
        _answer(job, predictor.artifact.path, out, on_bad_row, masks, as_json=as_json)


def _mask_folder(folder: Path, contract: Contract) -> MaskFolder:
    """Where masks go; raises UsageError for a model that makes none."""
    from zoo.masks import MaskFolder

    if contract.task != "segmentation":
        raise UsageError(f"--masks {folder}: the model answers a {contract.task} task, with no masks; leave it out")
    return MaskFolder(folder, contract.describe())


def _answer(job: Job, artifact: Path, out: Path | None, on_bad_row: str, masks: Path | None, *, as_json: bool) -> None:
    """Runs a job and tells of it."""
    from zoo.inference import write_csv

    if job.renamed:
        say(f"kept columns have the names of the answer's, which are called {', '.join(job.renamed)}")
    common = {"artifact": artifact, **({"masks": masks.absolute()} if masks else {})}
    if out is not None:
        summary = write_csv(job, out)
        _tell(summary, on_bad_row)
        written = summary.answered + summary.null
        value = {**common, "out": out.absolute(), "samples": written, **asdict(summary)}
        emit(value, f"{summary.answered:,} answers in {out}", as_json=as_json)
    elif as_json:
        found = [value for batch in job for value in job.values(batch)]
        emit({**common, "samples": len(found), **asdict(job.summary), "predictions": found}, "", as_json=True)
    else:
        _print(job)
        _tell(job.summary, on_bad_row)
    if masks is not None:
        say(f"{job.summary.answered:,} masks in {masks}")


def _tell(summary: Summary, on_bad_row: str) -> None:
    """What a person should know of the rows; nothing where all were plainly answered."""
    if summary.skipped or summary.null:
        done = "left out" if on_bad_row == "skip" else "without an answer"
        say(f"{summary.skipped + summary.null:,} of {summary.rows:,} rows are {done}:")
        for problem in summary.problems:
            say(f"  {problem}")
        if len(summary.problems) < summary.skipped + summary.null:
            say("  ...")
    for what, counts in (
        ("cells with a category that training did not see", summary.unseen),
        ("missing cells, filled as in training", summary.imputed),
    ):
        if counts:
            say(f"{what}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")


def _print(job: Job) -> None:
    """A table that flows as the answers come; the first batch sets the widths."""
    widths: Sequence[int] = ()
    for batch in job:
        rows = job.rows(batch)
        if not widths:
            rows.insert(0, tuple(job.header))
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
