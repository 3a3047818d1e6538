"""`zoo export`: a run or a .keras file to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli import emit, json_option, runs_option, say
from zoo.cli.options import data_option, data_options, overrides


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
    type=click.Choice(["float32", "float16", "dynamic", "int8"]),
    default="float32",
    show_default=True,
    help="How numbers are stored in a TFLite file; int8 quantizes all of it, input and output too.",
)
@click.option(
    "--max-drop",
    type=float,
    metavar="X",
    help="Largest drop of the metric, in points (0.5 is half a percentage point); percent of the metric for errors. "
    "[default: 1 for quantized modes]",
)
@click.option("--keep-failed", is_flag=True, help="Keep the folder of an export that did not pass, as NAME.failed.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The bundle's folder.")
@data_option
@data_options
@runs_option
@json_option
def command(
    source: str,
    file_format: str,
    quantize: str,
    max_drop: float | None,
    keep_failed: bool,
    out: Path | None,
    data: str | None,
    root: Path,
    as_json: bool,
    **options: str | None,
) -> None:
    """Export a run or a .keras file to TFLite or SavedModel, and prove that it still works.

    The result is a bundle: the model file, its contract (bundle.json), checksums, golden samples and a predict.py that
    needs numpy and a TFLite runtime only. It gets its name only after it was compared with the Keras model; an export
    that is not good enough exits 7 and leaves NAME.failed.json.

    A .keras or .h5 file of your own takes --data: the training split calibrates, the validation split is compared on.

    \b
    Example:
      zoo export mnist-cnn --quantize int8 --max-drop 0.5
      zoo export model.keras --data mnist --quantize int8
    """
    from export import export_model

    bundle = export_model(
        source,
        format=file_format,
        quantize=quantize,
        max_drop=max_drop,
        keep_failed=keep_failed,
        out=out,
        data=data,
        data_options=overrides(options, ()),
        root=root,
        on_event=say,
    )
    emit(bundle.summary(), _text(bundle.summary()), as_json=as_json)


def _text(summary: dict[str, object]) -> str:
    parity = summary["parity"]
    if not isinstance(parity, dict):
        raise TypeError("parity is a mapping in every bundle.json")
    compared = f" on {parity['samples']} {parity['split']} samples"
    lines = [f"{summary['bundle']}", f"{summary['bytes']:,} bytes; {_quality(parity)}{compared}"]
    return "\n".join([*lines, *(f"  {name}: {_quality(own)}" for name, own in parity.get("outputs", {}).items())])


def _quality(parity: Mapping[str, Any]) -> str:
    quality = f"agreement {parity['agreement']:.4f}, maximum error {parity['max_error']:.3g}"
    if parity["metric"] is None:
        return quality
    return f"{parity['metric']} {parity['metric_before']:.4f} -> {parity['metric_after']:.4f}, {quality}"
