"""What to call to export: a run, a `.keras` file or a model in memory, to TFLite or SavedModel."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from export import bundle as bundles
from export import sources
from export.attempts import OnEvent
from export.bundle import Bundle
from export.child import Child
from export.ladder import MAX_DROP
from export.options import TARGETS, Options
from export.pipeline import Export
from export.quantization import Preset, choose_edges
from export.source import Source
from export.targets import find_target
from zoo import runs
from zoo.errors import ResourceError, UsageError
from zoo.settings import quiet_tensorflow

Format = Literal["tflite", "saved_model"]
FORMATS: tuple[Format, ...] = ("tflite", "saved_model")


def export_model(
    source: Any,
    *,
    format: str = "tflite",
    quantize: str = "float32",
    max_drop: float | None = None,
    tolerance: float | None = None,
    io: str | None = None,
    streaming: bool = False,
    target: str | None = None,
    max_flash: int | str | None = None,
    max_arena: int | str | None = None,
    keep_float: Sequence[str] = (),
    out: Path | str | None = None,
    keep_failed: bool = False,
    representative: Any = None,
    evaluate: Any = None,
    preprocessing: Any = None,
    data: str | None = None,
    data_options: Mapping[str, Any] | None = None,
    root: Path | str = "runs",
    child: Child | None = None,
    on_event: OnEvent | None = None,
) -> Bundle:
    """Exports a model and proves that the result answers as Keras does.

    Args:
        source: A `Run`, a run folder, a run's name, a `.keras` file or a built `keras.Model`.
        format: "tflite" or "saved_model".
        quantize: One of `export.quantization.PRESETS`, or "auto" for the smallest file that is good enough; a
            SavedModel is float32.
        max_drop: Largest metric drop in points (percent of the metric for errors); by default the mode's, 0.5 for
            "auto".
        tolerance: Largest error of a float32 file, as a share of the largest output, absolute where all outputs are
            below 1; by default 1e-4.
        io: What the file takes and gives: "int8", "uint8" (images), "int16" or "float"; by default the mode's.
        streaming: One sample of a series a call, an answer to each; of a recurrent model the state goes in and out.
        target: "litert", "tflite-runtime" or "micro"; the file is then verified there too, and "micro" adds the
            sources for a board.
        max_flash: Largest file, in bytes or such as "64k".
        max_arena: Largest tensor arena of tflite-micro, likewise.
        keep_float: Layers that stay in float.
        out: The bundle's folder; by default `<run>/export/<format>-<mode>`.
        keep_failed: Keeps the folder of an export that did not pass, as `<name>.failed`.
        representative: For a model in memory, raw samples for calibration: an array; for several inputs a dict by
            name, or a list or tuple in the model's order; or an iterable of such batches (a `tf.data.Dataset`, a
            generator, a `keras.utils.PyDataset`).
        evaluate: Likewise `(samples, targets)`, targets by output in the same forms, or an iterable of such batches,
            to compare the file with Keras on.
        preprocessing: Likewise the steps between raw samples and the model's only input, or a whole contract as in
            `preprocessing.json`.
        data: For a `.keras` file, the data set that calibrates it and on whose validation split it is compared: a
            set's name, or the path of data of one's own.
        data_options: How those data are read; knobs of `zoo.data.options.DataConfig`.
        root: Where runs are looked up by name.
        child: A process to convert in, kept warm by the caller; by default one of its own.
        on_event: Told what happens, a line each.

    Returns:
        The bundle on disk.

    Raises:
        UsageError: An option that is unknown or does not fit.
        ModelError: The model or the converter refuses it.
        ResourceError: It took too much time, memory or disk.
        GateError: It was converted and is not good enough, or over its budget; `<name>.failed.json` says why.
    """
    options = _options(
        file_format=format,
        quantize=quantize,
        max_drop=max_drop,
        tolerance=tolerance,
        io=io,
        streaming=streaming,
        target=target,
        max_flash=_size(max_flash, "max_flash"),
        max_arena=_size(max_arena, "max_arena"),
        keep_float=tuple(keep_float),
        out=None if out is None else Path(out).absolute(),
        keep_failed=keep_failed,
    )
    tell = on_event or (lambda _message: None)
    place = find_target(options, tell)
    given = _given(source, representative=representative, evaluate=evaluate, preprocessing=preprocessing)
    if isinstance(source, (str, Path)):
        source = sources.locate(source, Path(root))
    if data is None and data_options:
        raise UsageError(
            f"{', '.join(data_options)}: these say how data are read; name the data with --data NAME or PATH"
        )
    if data is not None and not isinstance(source, Path):
        raise UsageError(f"data ({data}) go with a .keras file; {_short(source)} is exported with its own samples")
    try:
        with _borrowed(child) as worker, tempfile.TemporaryDirectory(prefix="zoo-export-") as scratch:
            worker.start()  # it imports TensorFlow while this process does the same
            tell(f"loading {_short(source)}")
            quiet_tensorflow()
            if isinstance(source, runs.Run) and source.manifest.status != "finished":
                tell(f"the run is {source.manifest.status}: its best weights so far are exported")
            opened = sources.from_data(source, data, data_options or {}, tell) if data else _open(source, given)
            return Export(opened, options, place, worker, Path(scratch), tell).run()
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        raise ResourceError(f"{where} cannot be written or read: {error.strerror or error}; free the disk") from error


def _options(**asked: Any) -> Options:
    """What is asked for, checked as far as that goes without the model."""
    options = Options(**asked)
    if options.file_format not in FORMATS:
        raise UsageError(f"format {options.file_format!r} is unknown; choose one of {', '.join(FORMATS)}")
    if options.target is not None and options.target not in TARGETS:
        raise UsageError(f"target {options.target!r} is unknown; choose one of {', '.join(TARGETS)}")
    if options.automatic:
        options = replace(options, max_drop=MAX_DROP if options.max_drop is None else options.max_drop)
    if options.file_format == "saved_model":
        _check_saved_model(options)
    if options.out is not None:
        bundles.check_target(options.out)
    _check_limits(options, None if options.automatic else options.preset)
    return options


def _check_limits(options: Options, preset: Preset | None) -> None:
    """Refuses limits and edges that are none, or not of the mode."""
    for name in ("max_drop", "tolerance"):
        limit = getattr(options, name)
        if limit is not None and not (math.isfinite(limit) and limit >= 0):
            unit = "points" if name == "max_drop" else "a share"
            raise UsageError(f"{name.replace('_', ' ')} {limit} is not allowed; give {unit} from 0 up, such as 0.5")
    if preset is not None and options.io is not None:
        choose_edges(preset, options.io)
    if preset is not None and options.tolerance is not None and preset.max_error is None:
        raise UsageError(f"a tolerance is for float32, {preset.name} is judged by its metric; give --max-drop instead")
    if options.keep_float and (preset is None or preset.name != "int8"):
        raise UsageError(f"layers are kept in float in int8, {options.quantize} was asked for; use --quantize int8")


def _check_saved_model(options: Options) -> None:
    if options.quantize != "float32":
        raise UsageError(
            f"a SavedModel is float32, {options.quantize!r} was asked for; use --format tflite to quantize"
        )
    if options.streaming or options.io not in (None, "float"):
        raise UsageError("a SavedModel takes whole float sequences; use --format tflite for --streaming and --io")


def _size(given: int | str | None, option: str) -> int | None:
    from export.micro.sizes import parse_size

    return None if given is None else parse_size(given, option)


@contextlib.contextmanager
def _borrowed(child: Child | None) -> Iterator[Child]:
    """The caller's child process, or one of our own that ends with the block."""
    if child is not None:
        yield child
        return
    with Child() as own:
        yield own


def _short(source: Any) -> str:
    if isinstance(source, runs.Run):
        return source.manifest.name
    return str(source) if isinstance(source, Path) else str(getattr(source, "name", type(source).__name__))


def _open(source: Any, given: Mapping[str, Any]) -> Source:
    if isinstance(source, runs.Run):
        return sources.from_run(source)
    if isinstance(source, Path):
        return sources.from_file(source)
    import keras

    if not isinstance(source, keras.Model):
        raise UsageError(f"a {type(source).__name__} cannot be exported; give a run, a .keras file or a keras.Model")
    return sources.from_model(source, **given)


def to_tflite(run_or_model: Any, quantize: str = "float32", **options: Any) -> Bundle:
    """Exports a run, a `.keras` file or any built Keras model to a TFLite bundle.

    Args:
        run_or_model: See `export_model`.
        quantize: "float32", "float16", "dynamic", "int8", "int16x8" or "auto".
        **options: Further ones of `export_model`, such as `representative`, `evaluate` and `preprocessing`.

    Example:
        >>> zoo.export.to_tflite(model, quantize="int8", representative=x_train[:200], evaluate=(x_test, y_test))
        >>> inputs = {"image": pixels, "words": ids}
        >>> zoo.export.to_tflite(model, "int8", representative=inputs, evaluate=(inputs, {"kind": y, "price": z}))
    """
    return export_model(run_or_model, format="tflite", quantize=quantize, **options)


def to_saved_model(run_or_model: Any, **options: Any) -> Bundle:
    """Exports a run, a `.keras` file or any built Keras model to a SavedModel bundle; see `export_model`."""
    return export_model(run_or_model, format="saved_model", **options)


def _given(source: Any, **given: Any) -> dict[str, Any]:
    """What was given along; a run and a file bring their own."""
    named = {name: value for name, value in given.items() if value is not None}
    if named and isinstance(source, (runs.Run, str, Path)):
        raise UsageError(
            f"{', '.join(named)} go with a model in memory; a run or file is exported with its own samples"
        )
    return named
