"""The program of a TFLite bundle: predicts, replays the golden samples, measures the speed. Python 3.9 or later.

This file is copied into every TFLite bundle as predict.py, beside runner.py and preprocessing.py. It needs numpy and a
TFLite runtime (ai-edge-litert, or tflite-runtime with numpy 1), for image files Pillow too. It runs from any folder:

    python predict.py photo.png              label and probability
    python predict.py rows.csv --out answers.csv
    python predict.py --self-test            does this machine answer as the one that made the bundle?
    python predict.py --bench
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from . import preprocessing, runner
    from .runner import DataError, GateError, ModelError, UsageError, ZooError
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import runner  # type: ignore[import-not-found,no-redef]
    from runner import DataError, GateError, ModelError, UsageError, ZooError  # type: ignore[no-redef]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


def read_inputs(paths: Sequence[str], contract: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
    """Reads .npy, .csv and image files.

    Returns:
        A name for each sample, and the samples after the preprocessing steps, (n, *shape).

    Raises:
        DataError: A file that is missing, of no known kind, or not what the model was trained on.
    """
    names: list[str] = []
    parts: list[np.ndarray] = []
    for path in paths:
        suffix = Path(path).suffix.lower()
        try:
            if suffix == ".npy":
                samples = _as_batch(np.load(path, allow_pickle=False), contract["input"])
            elif suffix == ".csv":
                samples = _read_csv(path, contract)
            elif suffix in IMAGE_SUFFIXES:
                samples = read_image(path)[np.newaxis]
            else:
                raise DataError(f"{path} is of no known kind; expected .npy, .csv or an image")
            parts.append(preprocessing.apply(contract["steps"], samples))
        except (OSError, ValueError, EOFError, csv.Error) as error:
            raise DataError(f"{path} cannot be used: {runner.one_line(error)}") from error
        names += [path] if len(samples) == 1 else [f"{path}:{row + 1}" for row in range(len(samples))]
    return names, np.concatenate(parts)


def _as_batch(array: np.ndarray, expected: Mapping[str, Any]) -> np.ndarray:
    """One sample becomes a batch of one; an image without channel axis is told from a batch by its last axis."""
    rank = len(expected["shape"])
    single = array.ndim == rank and (rank != 3 or array.shape[-1] in (1, 3, 4))
    return array[np.newaxis] if single or (rank == 3 and array.ndim == 2) else array


def read_image(path: str | Path) -> np.ndarray:
    """Pixels of an image file, turned as its EXIF data say; of an animation the first frame.

    Returns:
        (height, width) or (height, width, channels) uint8; channels are grey and alpha, RGB, or RGB and alpha. Deeper
        pixels are brought to 8 bits.

    Raises:
        DataError: The file is damaged or no image, or Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise DataError(f"{path} is an image, which needs Pillow: pip install pillow, or give a .npy file") from error
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("I", "F") or image.mode.startswith("I;16"):
                return _to_bytes(np.asarray(image), path, deep=image.mode.startswith("I;16"))
            if image.mode not in ("L", "LA", "RGB", "RGBA"):
                image = image.convert(_plain_mode(image))
            return np.asarray(image, np.uint8)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that Pillow knows; convert it to PNG or JPEG") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"image {path} cannot be read: {runner.one_line(error)}; replace the file") from error


def _plain_mode(image: Any) -> str:
    """Grey for black and white, RGBA for a palette with transparency, else RGB."""
    if image.mode == "1":
        return "L"
    return "RGBA" if image.mode in ("PA", "RGBa") or "transparency" in image.info else "RGB"


def _to_bytes(pixels: np.ndarray, path: str | Path, *, deep: bool) -> np.ndarray:
    """16-bit grey as 8-bit grey; modes "I" and "F" do not tell their range, so values up to 255 stay as they are."""
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 65535:
        raise DataError(f"image {path} has pixels of {low:g} to {high:g}; expected 8 or 16 bits, convert it to PNG")
    divisor = 257.0 if deep or high > 255 else 1.0
    return np.rint(pixels / divisor).astype(np.uint8)


def _read_csv(path: str, contract: Mapping[str, Any]) -> np.ndarray:
    """(rows, columns) float64, columns by name where the model knows names, else by position."""
    if len(contract["input"]["shape"]) != 1:
        raise DataError(f"{path} is a table, the model wants samples of shape {contract['input']['shape']}; give .npy")
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = [(line, row) for line, row in enumerate(csv.reader(file), start=1) if row]
    columns = list(contract["input"].get("columns") or [])
    width = contract["input"]["shape"][0]
    positions = list(range(width))
    if columns:
        header = [name.strip() for name in rows[0][1]] if rows else []
        missing = [name for name in columns if name not in header]
        if missing:
            raise DataError(f"{path} lacks column {', '.join(missing)}; the model needs: {', '.join(columns)}")
        extra = [name for name in header if name not in columns]
        if extra:
            print(f"{path}: not used: {', '.join(extra)}", file=sys.stderr)
        positions, rows = [header.index(name) for name in columns], rows[1:]
    if not rows:
        raise DataError(f"{path} has no rows; give a header and at least one row")
    return np.array([[_number(path, line, row, position) for position in positions] for line, row in rows])


def _number(path: str, line: int, row: Sequence[str], position: int) -> float:
    text = row[position] if position < len(row) else ""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(f"{path}, line {line}, column {position + 1}: {text!r} is not a finite number")
    return value


def answers(outputs: np.ndarray, contract: Mapping[str, Any], top: int = 1) -> list[dict[str, Any]]:
    """Answers for people: label and probability (the `top` best), every label's probability, or values.

    Args:
        outputs: Of the model, (n, outputs) float32.
        contract: With "output": task, labels and the scale of regression targets.
        top: Labels per sample of a multi-class model.
    """
    output = contract["output"]
    flat = preprocessing.invert_target(outputs.reshape(len(outputs), -1), output)
    width = 2 if output["task"] == "binary" else flat.shape[-1]
    labels = list(output.get("labels") or [str(index) for index in range(width)])
    if output["task"] == "regression":
        return [{"values": {labels[i]: float(row[i]) for i in range(width)}} for row in flat]
    if output["task"] == "multilabel":
        return [{"probabilities": {labels[i]: float(row[i]) for i in range(width)}} for row in flat]
    order = np.argsort(-flat, axis=1, kind="stable")
    if output["task"] == "binary":  # one half counts as the second class, as in training
        order = np.where(flat >= 0.5, [[1, 0]], [[0, 1]])
        flat = np.concatenate([1 - flat, flat], axis=1)
    result = []
    for index, row in enumerate(flat):
        best = order[index, : max(top, 1)]
        ranked = [{"label": labels[index], "probability": float(row[index])} for index in best]
        result.append({**ranked[0], "top": ranked} if top > 1 else ranked[0])
    return result


def _table(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Header and rows of text: input, then the answer's columns."""
    rows = []
    header = ["input"]
    for index, answer in enumerate(found):
        values = answer.get("values") or answer.get("probabilities")
        if values:
            header = ["input", *values]
            rows.append([names[index], *(f"{value:.6g}" for value in values.values())])
            continue
        ranked = answer.get("top") or [answer]
        header = ["input"] + ["label", "probability"] * len(ranked)
        rows.append([names[index], *(text for r in ranked for text in (r["label"], f"{r['probability']:.4f}"))])
    return [header, *rows]


def _write_csv(path: Path, table: Sequence[Sequence[str]]) -> None:
    """Written under another name first: a reader never meets half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose another --out") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def self_test(folder: Path, runtime: str | None = None, threads: int = 1) -> dict[str, Any]:
    """Replays the golden samples of a bundle against the outputs its file gave when it was made.

    Returns:
        "ok", "runtime", "max_error" (absolute, of the outputs), "tolerance", "samples"; "error" is empty if ok.
    """
    problems = runner.check_sums(folder)
    result: dict[str, Any] = {"ok": False, "runtime": runtime, "max_error": None}
    if problems:
        return {**result, "error": f"{folder}: {'; '.join(problems)}; export it again"}
    contract = runner.read_contract(folder)
    with np.load(folder / "golden.npz", allow_pickle=False) as golden:
        samples, outputs = golden["samples"], golden["outputs"]
    model = runner.TFLiteModel(folder / "model.tflite", threads=threads, runtime=runtime)
    replayed = model.predict(preprocessing.apply(contract["steps"], samples))
    error = float(np.max(np.abs(replayed - outputs)))
    tolerance = float(contract["golden"]["tolerance"])
    ok = bool(error <= tolerance)
    problem = "" if ok else f"{folder} answers otherwise on {model.runtime}: error {error:.3g}, allowed {tolerance:.3g}"
    result.update(ok=ok, runtime=model.runtime, max_error=error, tolerance=tolerance, samples=len(samples))
    return {**result, "error": problem}


def time_calls(model: runner.TFLiteModel, seconds: float = 0.3, least: int = 20) -> list[float]:
    """Microseconds of single calls with one sample, the first few left out as warm-up."""
    sample = model.quantise(np.random.default_rng(0).uniform(0, 1, (1, *model.input_shape)).astype(np.float32))
    for _ in range(3):
        model.invoke(sample)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < 5000):
        start = time.perf_counter()
        model.invoke(sample)
        times.append((time.perf_counter() - start) * 1e6)
    return times


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code and prints a failure as one line on standard error."""
    parser = argparse.ArgumentParser(description="Predict with the bundle in this file's folder.")
    parser.add_argument("input", nargs="*", metavar="INPUT", help=".npy, .csv (columns by name) or image files")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    parser.add_argument(
        "--out", metavar="FILE.csv", type=Path, help="write the answers as CSV instead of printing them"
    )
    parser.add_argument("--top", type=int, default=1, metavar="N", help="the N best labels of a multi-class model")
    parser.add_argument("--self-test", action="store_true", help="check every byte and replay the golden samples")
    parser.add_argument("--bench", action="store_true", help="latency of one sample in microseconds, p50 and p99")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the interpreter (default 1)")
    parser.add_argument("--runtime", choices=sorted(runner.RUNTIMES), help="default: the first that works here")
    options = parser.parse_args(arguments)
    try:
        value, text = _execute(options, Path(__file__).resolve().parent)
        print(json.dumps(value) if options.json else text)
        if options.self_test and not value["ok"]:
            raise GateError(value["error"])
    except ZooError as error:
        print(f"predict.py: {error}", file=sys.stderr)
        if options.json and not isinstance(error, GateError):
            print(json.dumps({"error": str(error), "exit_code": error.exit_code}))
        return error.exit_code
    return 0


def _execute(options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], str]:
    """What was asked for, as a JSON value and as text."""
    if options.self_test:
        value = self_test(folder, options.runtime, options.threads)
        return value, f"ok: {value['runtime']}, error {value['max_error']:.3g}" if value["ok"] else "not ok"
    model = runner.TFLiteModel(folder / "model.tflite", threads=options.threads, runtime=options.runtime)
    if options.bench:
        times = time_calls(model)
        value = {"p50_us": float(np.percentile(times, 50)), "p99_us": float(np.percentile(times, 99))}
        value.update(runtime=model.runtime, threads=options.threads, calls=len(times))
        return value, f"p50 {value['p50_us']:.1f} us, p99 {value['p99_us']:.1f} us, {len(times)} calls, {model.runtime}"
    if not options.input:
        raise UsageError("nothing to predict; give .npy, .csv or image files, or --self-test, or --bench")
    contract = runner.read_contract(folder)
    names, samples = read_inputs(options.input, contract)
    outputs = model.predict(samples)
    if not np.all(np.isfinite(outputs)):
        row = int(np.argmin(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)))
        raise ModelError(f"the model answers NaN or infinite values for {names[row]}; check that input")
    found = answers(outputs, contract, options.top)
    table = _table(names, found)
    if options.out:
        _write_csv(options.out, table)
    rows = [{"input": names[index], **answer} for index, answer in enumerate(found)]
    lines = [f"{len(found)} answers in {options.out}"] if options.out else ["\t".join(row) for row in table]
    return {"predictions": rows}, "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
