"""`zoo export`: a run or a .keras file to a bundle."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from zoo.cli import emit, json_option, runs_option, say
from zoo.cli.options import DATA_FLAGS, data_option, overrides, some_data_options
from zoo.errors import GateError, UsageError


class TargetChoice(click.Choice[str]):
    """Runtimes; elsewhere --target names a column, which is told to whoever does so here."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """As click's, and how a column is named."""
        return f"{super().get_invalid_choice_message(value, ctx)} The column of --data is --target-column."


SIZE = "S"  # as in the design


@click.command()
@click.argument("source", metavar="RUN|ARTIFACT")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["tflite", "saved_model"]),
    default="tflite",
    show_default=True,
    help="Kind of model file.",
)
@click.option(
    "--quantize",
    type=click.Choice(["float32", "float16", "dynamic", "int8", "int16x8", "auto"]),
    default="float32",
    show_default=True,
    help="How numbers are stored in a TFLite file; auto tries all and keeps the smallest that is good enough.",
)
@click.option(
    "--max-drop",
    type=float,
    metavar="X",
    help="Largest drop of the metric, in points (0.5 is half a percentage point); percent of the metric for errors. "
    "[default: 1 for quantized modes, 0.5 for auto]",
)
@click.option(
    "--tolerance",
    type=float,
    metavar="X",
    help="Largest error of a float32 file, as a share of the largest output. [default: 1e-4]",
)
@click.option(
    "--io",
    type=click.Choice(["int8", "uint8", "int16", "float"]),
    help="What the file takes and gives. [default: as the mode: int8, int16 or float]",
)
@click.option("--streaming", is_flag=True, help="One sample of a series a call, and an answer to each.")
@click.option(
    "--target",
    type=TargetChoice(["litert", "tflite-runtime", "micro"]),
    help="Where it is to run: verified there too; micro adds sources for a micro-controller.",
)
@click.option("--max-flash", metavar=SIZE, help="Largest file, such as 64k; larger exits 7.")
@click.option(
    "--max-arena", metavar=SIZE, help="Largest tensor arena of tflite-micro, such as 32k; with --target micro."
)
@click.option("--keep-float", metavar="LAYER,...", help="Layers that stay in float in an int8 file.")
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Export again as that bundle was made, and compare every byte; writes nothing.",
)
@click.option("--keep-failed", is_flag=True, help="Keep the folder of an export that did not pass, as NAME.failed.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The bundle's folder.")
@data_option
@click.option(
    "--target-column", metavar="COLUMN|INDEX", help="The column of --data to predict; other commands call it --target."
)
@some_data_options(*(name for name in DATA_FLAGS if name != "target"))
@runs_option
@json_option
def command(
    source: str,
    keep_float: str | None,
    check: Path | None,
    data: str | None,
    target_column: str | None,
    root: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Export a run or a .keras file to TFLite or SavedModel, and prove that it still works.

    The result is a bundle: the model file, its contract (bundle.json), checksums, golden samples and a predict.py that
    needs numpy and a TFLite runtime only. It gets its name only after it was compared with the Keras model; an export
    that is not good enough exits 7 and leaves NAME.failed.json.

    A recurrent model takes the form that serves: an LSTM the fused operator, a GRU a loop, in integers one time step
    with the state as input and output. What was chosen, and beside what, is told.

    A .keras or .h5 file of your own takes --data: the training split calibrates, the validation split is compared on.

    \b
    Example:
      zoo export mnist-cnn --quantize int8 --max-drop 0.5
      zoo export mnist-lstm --quantize auto
      zoo export mnist-cnn --quantize int8 --target micro --max-flash 64k --max-arena 32k
      zoo export model.keras --data mnist --quantize int8
    """
    asked = {name: options.pop(name) for name in EXPORT_OPTIONS}
    described = overrides({**options, "target": target_column}, ())
    common: dict[str, Any] = {"data": data, "data_options": described, "root": root, "on_event": say}
    if check is not None:
        _check(source, check, common, (*asked, "keep_float"), as_json)
        return
    from export import export_model

    asked["format"] = asked.pop("file_format")
    layers = tuple(name.strip() for name in (keep_float or "").split(",") if name.strip())
    bundle = export_model(source, keep_float=layers, **asked, **common)
    emit(bundle.summary(), _text(bundle.summary()), as_json=as_json)


EXPORT_OPTIONS = (
    "file_format",
    "quantize",
    "max_drop",
    "tolerance",
    "io",
    "streaming",
    "target",
    "max_flash",
    "max_arena",
    "keep_failed",
    "out",
)


def _check(source: str, bundle: Path, common: Mapping[str, Any], names: Sequence[str], as_json: bool) -> None:
    """Rebuilds and compares; exits 7 where a byte differs."""
    from export import rebuild

    context = click.get_current_context()
    given = [name for name in names if context.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if given:
        named = ", ".join(f"--{name.replace('_', '-').replace('file-format', 'format')}" for name in given)
        raise UsageError(f"--check exports as the bundle was made; leave out {named}")
    found = rebuild(source, bundle, **common)
    value = {"ok": found.ok, "bundle": found.bundle, "files": found.files, "different": list(found.different)}
    if not found.ok:
        if as_json:
            emit({**value, "error": found.problem, "exit_code": GateError.exit_code}, "", as_json=True)
        say(f"zoo: {found.problem}")
        sys.exit(GateError.exit_code)
    emit(value, f"ok: {found.files} files of {found.bundle} are the same byte for byte", as_json=as_json)


def _text(summary: dict[str, Any]) -> str:
    parity = summary["parity"]
    if not isinstance(parity, dict):
        raise TypeError("parity is a mapping in every bundle.json")
    compared = f" on {parity['samples']} {parity['split']} samples"
    arena = summary["memory"]["arena"]["host"] if summary.get("memory") else None
    memory = "" if arena is None else f", tensor arena {arena:,} bytes on this host (a board's kernels differ)"
    lines = [f"{summary['bundle']}", f"{summary['bytes']:,} bytes{memory}; {_quality(parity)}{compared}"]
    return "\n".join([*lines, *(f"  {name}: {_quality(own)}" for name, own in parity.get("outputs", {}).items())])


def _quality(parity: Mapping[str, Any]) -> str:
    quality = f"agreement {parity['agreement']:.4f}, maximum error {parity['max_error']:.3g}"
    if parity["metric"] is None:
        return quality
    return f"{parity['metric']} {parity['metric_before']:.4f} -> {parity['metric_after']:.4f}, {quality}"
