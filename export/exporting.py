"""What to call to export: a run, a `.keras` file or a model in memory, to TFLite or SavedModel."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from export import bundle as bundles
from export import sources
from export.bundle import Bundle
from export.child import Child
from export.pipeline import Export, OnEvent, Options
from export.quantization import find_preset
from export.source import Source
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
        quantize: One of `export.quantization.PRESETS`; a SavedModel is float32.
        max_drop: Largest metric drop in points (percent of the metric for errors); by default the mode's.
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
        GateError: It was converted and is not good enough; `<name>.failed.json` says why.
    """
    options = _options(format, quantize, max_drop, out, keep_failed)
    tell = on_event or (lambda _message: None)
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
            return Export(opened, options, worker, Path(scratch), tell).run()
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        raise ResourceError(f"{where} cannot be written or read: {error.strerror or error}; free the disk") from error


def _options(
    file_format: str, quantize: str, max_drop: float | None, out: Path | str | None, keep_failed: bool
) -> Options:
    if file_format not in FORMATS:
        raise UsageError(f"format {file_format!r} is unknown; choose one of {', '.join(FORMATS)}")
    preset = find_preset(quantize)
    if file_format == "saved_model" and preset.name != "float32":
        raise UsageError(f"a SavedModel is float32, {quantize!r} was asked for; use --format tflite to quantize")
    if max_drop is not None and not (math.isfinite(max_drop) and max_drop >= 0):
        raise UsageError(f"max drop {max_drop} is not allowed; give points from 0 up, such as 0.5")
    path = None if out is None else Path(out).absolute()
    if path is not None:
        bundles.check_target(path)
    return Options(file_format=file_format, preset=preset, max_drop=max_drop, out=path, keep_failed=keep_failed)


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
        quantize: "float32", "float16", "dynamic" or "int8".
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
