"""`zoo bench`: latency, size and memory of artefacts, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli import emit, json_option, runs_option

if TYPE_CHECKING:
    from export.benchmarking import Result


@click.command()
@click.argument("artifacts", nargs=-1, required=True, metavar="ARTIFACT...")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of each runtime.")
@click.option(
    "--runtime",
    type=click.Choice(["litert", "tflite-runtime", "tflite-micro", "arm"]),
    default="litert",
    show_default=True,
    help="What runs .tflite files; not arm, whose emulated times are no times.",
)
@runs_option
@json_option
def command(artifacts: tuple[str, ...], threads: int, runtime: str, root: Path, as_json: bool) -> None:
    """Measure bundles, .tflite and .keras files, SavedModels and runs.

    Times are of one call with one sample; rounds alternate between the artefacts. Memory is what loading the model and
    running it once add to a process (anonymous resident memory: tensors, packed weights; not the file's own pages).

    \b
    Example:
      zoo bench runs/mnist-cnn/*/export/tflite-float32 runs/mnist-cnn/*/export/tflite-int8
    """
    from export import benchmark

    results = benchmark(artifacts, threads=threads, root=root, runtime=runtime)
    emit({"results": [asdict(result) for result in results]}, _table(artifacts, results), as_json=as_json)


def _table(artifacts: Sequence[str], results: Sequence[Result]) -> str:
    """Aligned columns, the artefact as it was named last."""
    rows = [("p50 us", "p99 us", "bytes", "memory kB", "runtime", "artifact")]
    for name, result in zip(artifacts, results, strict=True):
        memory = "-" if result.memory_bytes is None else f"{result.memory_bytes / 1024:,.0f}"
        times = (f"{result.p50_us:,.1f}", f"{result.p99_us:,.1f}")
        rows.append((*times, f"{result.bytes:,}", memory, result.runtime, name))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    numbers = [[row[column].rjust(widths[column]) for column in range(4)] for row in rows]
    return "\n".join(
        "  ".join((*figures, row[4].ljust(widths[4]), row[5])) for figures, row in zip(numbers, rows, strict=True)
    )
