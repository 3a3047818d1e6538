"""`zoo predict`: answers for files of the user's."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, runs_option, say

if TYPE_CHECKING:
    from zoo.inference import Predictor


@click.command("predict")
@click.argument("artifact")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv", help="Write the answers there."
)
@click.option("--top", type=click.IntRange(min=1), default=1, metavar="N", help="The N best labels [default: 1].")
@runs_option
@json_option
def command(artifact: str, inputs: tuple[str, ...], out: Path | None, top: int, root: Path, as_json: bool) -> None:
    """Predict with ARTIFACT: a run, a .keras file, a SavedModel, a .tflite file or a bundle.

    INPUT is an image file or a folder of them, a CSV file whose columns match by name, or a .npy array of one sample
    or a batch. Answers come in the order of the inputs: label and probability, or the value.

    \b
    Example:
      zoo predict mnist-cnn digit.png
      zoo predict runs/mnist-cnn/*/export/tflite-int8 photos/ --top 3
      zoo predict iris-mlp flowers.csv --out answers.csv
    """
    from zoo.inference import Predictor, read_inputs

    predictor = Predictor.open(artifact, runs=root)
    for note in predictor.notes:
        say(note)
    batches = predictor.stream(read_inputs(inputs, predictor.contract, on_event=say))
    answers = _answers(predictor, batches, top)
    if out is not None:
        count = _write(out, answers)
        emit({"out": out.absolute(), "samples": count}, f"{count:,} answers in {out}", as_json=as_json)
    elif as_json:
        found = [answer for batch in answers for answer in batch]
        emit({"artifact": predictor.artifact.path, "samples": len(found), "predictions": found}, "", as_json=True)
    else:
        _print(answers)


def _answers(
    predictor: Predictor, batches: Iterator[tuple[list[str], Any]], top: int
) -> Iterator[list[dict[str, Any]]]:
    """Answers as in a bundle's predict.py, batch by batch."""
    from zoo.answers import answers

    for names, outputs in batches:
        found = answers(outputs, predictor.contract.describe(), top)
        yield [{"input": name, **answer} for name, answer in zip(names, found, strict=True)]


def _cells(answer: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Header and row of one answer."""
    values = answer.get("values") or answer.get("probabilities")
    if values:
        return ["input", *values], [answer["input"], *(f"{value:.6g}" for value in values.values())]
    ranked = answer.get("top") or [answer]
    header = ["label", "probability"] + [
        f"{key}_{at}" for at in range(2, len(ranked) + 1) for key in ("label", "probability")
    ]
    return ["input", *header], [
        answer["input"],
        *(cell for r in ranked for cell in (r["label"], f"{r['probability']:.6f}")),
    ]


def _write(out: Path, batches: Iterator[list[dict[str, Any]]]) -> int:
    """Writes a CSV file whole or not at all; returns the number of rows."""
    from zoo.runs import atomic_path

    count = 0
    with atomic_path(out.absolute()) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for batch in batches:
            for answer in batch:
                header, row = _cells(answer)
                if count == 0:
                    writer.writerow(header)
                writer.writerow(row)
                count += 1
    return count


def _print(batches: Iterator[list[dict[str, Any]]]) -> None:
    """A table that flows as the answers come; the first batch sets the widths."""
    widths: Sequence[int] = ()
    for batch in batches:
        rows = [_cells(answer)[1] for answer in batch]
        if not widths:
            rows.insert(0, _cells(batch[0])[0])
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
