"""Measures speed, size and export time, and prints each figure beside its target; it always exits 0.

Parts: "loops" is `zoo bench` against a hand-written interpreter loop over the stock converter's file of the same model,
"lstm" the fused LSTM(32) on 64x6 against its unrolled graph, "export" the time of an int8 export of mnist-cnn, the
checks on LiteRT included. Ratios are of medians, over alternating rounds in this process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from export import sources
from export.benchmarking import benchmark
from export.bundle import Bundle
from export.child import Child
from export.exporting import export_model
from scripts import forms
from scripts.figures import ROOT, aligned
from scripts.matrix import train_row
from scripts.matrix_rows import rows
from zoo import runs
from zoo.errors import ZooError
from zoo.settings import quiet_tensorflow

ROUNDS = 9
SECONDS = 0.1
"""Of the hand-written loop in each round."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement beside its target; smaller is better.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: "x", "kB" (1,024 bytes) or "s".
        target: What it is to be at most.
        spread: The smallest and largest round of a ratio.
    """

    name: str
    value: float
    unit: str
    target: float
    spread: tuple[float, float] | None = None

    def line(self) -> tuple[str, ...]:
        """Cells of the table."""
        spread = "" if self.spread is None else f"rounds {self.spread[0]:.2f} to {self.spread[1]:.2f}"
        met = "met" if self.value <= self.target else "NOT MET"
        return (self.name, f"{self.value:.2f} {self.unit}", f"at most {self.target:g}", met, spread)


def stock_file(run: runs.Run, mode: str, out: Path) -> Path:
    """The file that TensorFlow's converter makes of a run's Keras model, as its guide says to call it."""
    quiet_tensorflow()
    import tensorflow as tf

    source = sources.from_run(run)
    converter = tf.lite.TFLiteConverter.from_keras_model(source.model)
    if mode == "int8":
        (samples,) = source.inputs(source.calibration or {}).values()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples[:200].astype(np.float32))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with contextlib.redirect_stdout(sys.stderr):  # Keras tells there what it saved for the converter
        out.write_bytes(converter.convert())
    return out


def hand_written(model: Path) -> Callable[[], float]:
    """A loop over an interpreter as people write it; gives the median microseconds of one call."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    sample = np.random.default_rng(0).uniform(0, 1, given["shape"]).astype(given["dtype"])

    def loop() -> float:
        times, end = [], time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            interpreter.set_tensor(given["index"], sample)
            interpreter.invoke()
            interpreter.get_tensor(answer)
            times.append((time.perf_counter() - start) * 1e6)
        return statistics.median(times)

    return loop


def ratio(name: str, rounds: list[tuple[float, float]], target: float) -> Figure:
    """The median over rounds of ours by theirs."""
    each = [ours / theirs for ours, theirs in rounds]
    return Figure(name=name, value=statistics.median(each), unit="x", target=target, spread=(min(each), max(each)))


def measure_loops(folder: Path, child: Child, out: Path) -> Iterator[Figure]:
    """`zoo bench` against the hand-written loop."""
    for name in ("mnist-mlp", "mnist-cnn"):
        run = train_row(rows()[name], folder, say)
        for mode in ("float32", "int8"):
            say(f"{name} {mode}: {ROUNDS} rounds")
            bundle = export_model(run, quantize=mode, out=out / f"{name}-{mode}", child=child)
            loop = hand_written(stock_file(run, mode, out / f"{name}-{mode}.tflite"))
            found = [(benchmark(bundle)[0].p50_us, loop()) for _ in range(ROUNDS)]
            yield ratio(f"{name} {mode}: zoo bench / loop over the stock file", found, 1.0)


def measure_lstm(_folder: Path, child: Child, out: Path) -> Iterator[Figure]:
    """Sizes of the fused LSTM, and its latency against the unrolled graph."""
    say("LSTM(32) on 64x6: training")
    model = forms.trained("LSTM(32)")
    bundles: dict[str, Bundle] = {}
    for mode, form in (("float32", "fused"), ("float32", "unrolled"), ("int8", "fused")):
        bundles[f"{mode} {form}"] = forms.export(model, mode, out, child, form)
    for mode, target in (("float32", 24.5), ("int8", 11.0)):
        size = bundles[f"{mode} fused"].bytes / 1024
        yield Figure(name=f"LSTM(32) on 64x6, {mode}, metadata included", value=size, unit="kB", target=target)
    compared = [bundles["float32 fused"], bundles["float32 unrolled"]]
    found = [tuple(result.p50_us for result in benchmark(compared)) for _ in range(ROUNDS)]
    yield ratio("LSTM(32) on 64x6, float32: fused / unrolled", [(ours, theirs) for ours, theirs in found], 1.3)


def measure_export(folder: Path, child: Child, out: Path) -> Iterator[Figure]:
    """Seconds of an export, as a command and in a process that has exported before."""
    run = train_row(rows()["mnist-cnn"], folder, say)
    say("mnist-cnn int8: the command")
    words = ["export", str(run.path), "--quantize", "int8", "--target", "litert", "--out", str(out / "cold"), "--json"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-m", "zoo", *words], check=True, capture_output=True)
    yield Figure(name="mnist-cnn int8: zoo export", value=time.perf_counter() - start, unit="s", target=25.0)
    for _ in range(2):  # the first warms this process and its child
        start = time.perf_counter()
        export_model(run, quantize="int8", target="litert", out=out / "warm", child=child)
        seconds = time.perf_counter() - start
    yield Figure(name="mnist-cnn int8: again in a warm process", value=seconds, unit="s", target=3.0)


PARTS = {"loops": measure_loops, "lstm": measure_lstm, "export": measure_export}


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measures the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; by default all")
    build = ROOT / "build" / "matrix"
    parser.add_argument("--runs", type=Path, default=build, help="folder of runs, as of scripts/matrix")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    figures: list[Figure] = []
    with Child() as child, tempfile.TemporaryDirectory(prefix="zoo-bench-") as out:
        for part in arguments.parts or PARTS:
            try:
                figures += PARTS[part](arguments.runs.absolute(), child, Path(out))
            except (ZooError, subprocess.CalledProcessError) as error:
                say(f"{part} was not measured: {error}")
    if arguments.json:
        print(json.dumps({"figures": [asdict(figure) for figure in figures]}))
    else:
        print(aligned([("figure", "measured", "target", "", ""), *(figure.line() for figure in figures)]))


if __name__ == "__main__":
    main()
