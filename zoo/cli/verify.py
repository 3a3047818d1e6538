"""`zoo verify`: replays a bundle here."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from zoo.cli import emit, json_option, runs_option, say
from zoo.errors import GateError


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["litert", "tflite-runtime"]),
    default="litert",
    show_default=True,
    help="What runs a TFLite bundle; TensorFlow runs a SavedModel.",
)
@runs_option
@json_option
def command(bundle: Path, runtime: str, root: Path, as_json: bool) -> None:
    """Check every byte of a bundle and replay its golden samples here.

    This runs the bundle's own predict.py in a process of its own: verify bundles of people you trust. Exits 7 where a
    byte differs or the answers are not the recorded ones.

    \b
    Example:
      zoo verify runs/mnist-cnn/20260714T101500Z-1f2e/export/tflite-int8
    """
    from export import verify

    found = verify(bundle, runtime, root=root)
    value = {"ok": found.ok, "runtime": found.runtime, "max_error": found.max_error}
    if found.ok:
        emit(value, f"ok: {found.runtime}, maximum error {found.max_error:.3g}", as_json=as_json)
        return
    if as_json:
        emit({**value, "error": found.problem, "exit_code": GateError.exit_code}, "", as_json=True)
    say(f"zoo: {found.problem}")
    sys.exit(GateError.exit_code)
