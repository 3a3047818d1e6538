"""The program of a TFLite bundle: predicts, replays the golden samples, measures the speed. Python 3.9 or later.

This file is copied into every TFLite bundle as predict.py, beside the modules that it needs. It asks for numpy and a
TFLite runtime (ai-edge-litert, or tflite-runtime with numpy 1), for image files Pillow too. It runs from any folder:

    python predict.py photo.png              label and probability
    python predict.py rows.csv --out answers.csv
    python predict.py photo.png --masks folder   of a model that answers for every pixel
    python predict.py --stream sensor.csv    an answer for every sample, or every window, of a series
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
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__:
    from . import preprocessing, runner, streaming
    from .answers import TOO_FAR, answer_columns, answer_rows, answers, unanswered
    from .chunks import Chunk
    from .edges import contract_ports, edge_problems
    from .inputs import read_inputs
    from .interpreters import RUNTIMES, DataError, GateError, ModelError, UsageError, ZooError
    from .masks import MaskFolder, answer_pictures, is_segmentation
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import runner  # type: ignore[import-not-found,no-redef]
    import streaming  # type: ignore[import-not-found,no-redef]
    from answers import TOO_FAR, answer_columns, answer_rows, answers, unanswered  # type: ignore[import-not-found,no-redef]
    from chunks import Chunk  # type: ignore[import-not-found,no-redef]
    from edges import contract_ports, edge_problems  # type: ignore[import-not-found,no-redef]
    from inputs import read_inputs  # type: ignore[import-not-found,no-redef]
    from interpreters import (  # type: ignore[import-not-found,no-redef]
        RUNTIMES,
        DataError,
        GateError,
        ModelError,
        UsageError,
        ZooError,
    )
    from masks import MaskFolder, answer_pictures, is_segmentation  # type: ignore[import-not-found,no-redef]

BAD_ROWS = ("fail", "skip", "null")
NAMED = 20
"""How many bad rows are named at most."""


class Job:
    """Predictions for files, a chunk at a time, with an answer to bad rows.

    Args:
        model: Of the bundle.
        contract: The bundle's.
        on_bad_row: "fail" raises, "skip" leaves the row out, "null" keeps it with an answer of NaN.
        masks: Where masks go; None where nobody wants them.

    Attributes:
        counts: Rows "answered", "skipped" and "null".
        named: What is wrong with the first bad rows.
    """

    def __init__(
        self,
        model: runner.TFLiteModel,
        contract: Mapping[str, Any],
        on_bad_row: str = "fail",
        masks: MaskFolder | None = None,
    ) -> None:
        self.contract = contract
        self._masks = masks
        self._model, self._on_bad_row = model, on_bad_row
        self.counts = {"answered": 0, "skipped": 0, "null": 0}
        self.named: list[str] = []

    def run(self, paths: Sequence[str]) -> Iterator[tuple[list[str], np.ndarray, Sequence[tuple[int, int]]]]:
        """Names, outputs (NaN in rows without an answer), and of images their sizes.

        Raises:
            DataError: A bad row, unless they are allowed; or a file that cannot be used.
            ModelError: The model answers NaN even for zeros.
        """
        for chunk in read_inputs(paths, self.contract, _say):
            answered, problems = self._answer(chunk)
            good = [at for at in range(len(chunk.names)) if at not in problems]
            self.named += list(problems.values())[: NAMED - len(self.named)]
            if problems and self._on_bad_row == "fail":
                more = f" (and {len(problems) - 1} more near it)" if len(problems) > 1 else ""
                raise DataError(f"{self.named[0]}{more}; correct it, or pass --on-bad-row skip or null")
            self.counts["answered"] += len(good)
            if self._on_bad_row == "skip":
                self.counts["skipped"] += len(problems)
                yield [chunk.names[at] for at in good], answered[good], [chunk.sizes[at] for at in good if chunk.sizes]
                continue
            self.counts["null"] += len(problems)
            yield chunk.names, answered, chunk.sizes

    def _answer(self, chunk: Chunk) -> tuple[np.ndarray, dict[int, str]]:
        """Outputs for all of a chunk, NaN for what has a problem; and the problems, those of the answers too."""
        good = [at for at in range(len(chunk.names)) if at not in chunk.problems]
        found = self._ask(chunk, good)
        wrong = unanswered(found, self.contract, lambda: self._model.predict(np.zeros_like(chunk.samples[:1])))
        if not wrong and not chunk.problems:
            return found, {}
        problems = {**chunk.problems, **{good[at]: f"{chunk.place(good[at])}: {TOO_FAR}" for at in wrong}}
        outputs = np.full((len(chunk.names), *found.shape[1:]), np.nan, np.float32)
        outputs[good] = found
        outputs[list(problems)] = np.nan
        return outputs, dict(sorted(problems.items()))

    def _ask(self, chunk: Chunk, good: list[int]) -> np.ndarray:
        """Outputs for the good samples of a chunk; of a segmentation the shares of the classes, the masks written."""
        samples = chunk.samples[good] if chunk.problems else chunk.samples
        if not is_segmentation(self.contract):
            answered: np.ndarray = self._model.predict(samples)
            return answered
        write = self._masks.write if self._masks else None
        return answer_pictures([chunk.names[at] for at in good], samples, self.contract, self._model.predict, write)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[Any]:
    """A CSV writer under another name, which becomes the file when all is well: a reader never meets half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield csv.writer(file)
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
        inputs, recorded = golden_parts(contract, golden)
        builtin = kept_answers(contract, golden, "builtin")
        keras = kept_answers(contract, golden, "keras") if builtin else {}
    model = streaming.open_model(folder / "model.tflite", contract, threads=threads, runtime=runtime)
    problems, error = edge_problems(contract, model), None
    try:
        error, wrong = differences(contract, recorded, model.predict(inputs), builtin, keras)
        problems += wrong
    except ZooError as refusal:
        if not problems:
            raise
        problems.append(str(refusal))
    problem = f"{folder} answers otherwise on {model.runtime}: {'; '.join(problems)}" if problems else ""
    limits = contract["golden"].get("outputs") or {"": contract["golden"]}
    tolerance = max(float(limit["tolerance"]) for limit in limits.values())
    samples = len(next(iter(recorded.values())))
    result.update(ok=not problems, runtime=model.runtime, max_error=error, tolerance=tolerance, samples=samples)
    return {**result, "error": problem}


def golden_parts(contract: Mapping[str, Any], golden: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    """Golden samples as the model takes them, and the answers recorded for them by output.

    Args:
        contract: Of bundle.json.
        golden: Of golden.npz: "samples" and "outputs", of several inputs or outputs with their name after a dot.

    Returns:
        An array for a model with one input and one output, else a mapping by input; and a mapping by output.
    """
    steps = contract["steps"]
    outputs = {name: golden[key] for name, key in _golden_keys(contract, "output", "outputs").items()}
    inputs = {
        name: preprocessing.apply(steps, golden[key])
        for name, key in _golden_keys(contract, "input", "samples").items()
    }
    return (inputs if "inputs" in contract else next(iter(inputs.values()))), outputs


def _golden_keys(contract: Mapping[str, Any], port: str, kind: str) -> dict[str, str]:
    """Where golden.npz has a kind of array, by the name of the "input" or "output" that it belongs to."""
    several = port + "s" in contract
    names = [entry["name"] for entry in contract_ports(contract, port)]
    return {name: kind + "." + name if several else kind for name in names}


def kept_answers(contract: Mapping[str, Any], golden: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Further golden answers by output: of the built-in kernels ("builtin") or of Keras; empty where none are kept."""
    keys = _golden_keys(contract, "output", kind)
    return {name: golden[key] for name, key in keys.items() if key in golden}


def differences(
    contract: Mapping[str, Any],
    recorded: Mapping[str, np.ndarray],
    replayed: Any,
    builtin: Mapping[str, np.ndarray] | None = None,
    keras: Mapping[str, np.ndarray] | None = None,
) -> tuple[float, list[str]]:
    """The largest difference from the recorded answers, and a line for each output beyond its tolerance.

    Args:
        contract: Of bundle.json.
        recorded: Of `golden_parts`.
        replayed: What the model answered now, an array or a mapping by output.
        builtin: Of `kept_answers`; each sample is compared with whichever of the two is closer.
        keras: Likewise; a sample no farther from Keras than the recorded answers are at their worst is within the
            tolerance: a model that feeds back what it answers carries every rounding on, and may end up nearer.
    """
    largest, problems = 0.0, []
    for name, outputs in recorded.items():
        answers = replayed[name] if isinstance(replayed, Mapping) else replayed
        errors = _by_sample(answers, outputs)
        if builtin and name in builtin:
            errors = np.minimum(errors, _by_sample(answers, builtin[name]))
        limits = contract["golden"]["outputs"][name] if "outputs" in contract["golden"] else contract["golden"]
        if keras and name in keras:
            nearer = _by_sample(answers, keras[name]) <= _by_sample(outputs, keras[name]).max()
            errors = np.where(nearer, np.minimum(errors, float(limits["tolerance"])), errors)
        error = float(np.max(errors))
        if not error <= float(limits["tolerance"]):
            of = f"output {name!r}: " if len(recorded) > 1 else ""
            problems.append(f"{of}error {error:.3g}, allowed {float(limits['tolerance']):.3g}")
        largest = float(np.maximum(largest, error))  # a NaN stays one
    return largest, problems


def _by_sample(answers: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The largest difference of each sample."""
    return np.asarray(np.abs(answers - outputs).reshape(len(outputs), -1).max(axis=1), np.float64)


def time_calls(model: runner.TFLiteModel, seconds: float = 0.3, least: int = 20) -> list[float]:
    """Microseconds of single calls with one sample, the first few left out as warm-up."""
    sample = model.example()
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
    parser.add_argument("--masks", metavar="FOLDER", type=Path, help="write a mask for each image, as a PNG, into it")
    parser.add_argument(
        "--on-bad-row", choices=BAD_ROWS, default="fail", help="leave it out, or keep it without an answer"
    )
    parser.add_argument("--top", type=int, default=1, metavar="N", help="the N best labels of a multi-class model")
    parser.add_argument(
        "--stream", action="store_true", help="INPUT (or - for standard input) is a series, fed sample by sample"
    )
    parser.add_argument("--self-test", action="store_true", help="check every byte and replay the golden samples")
    parser.add_argument("--bench", action="store_true", help="latency of one sample in microseconds, p50 and p99")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the interpreter (default 1)")
    parser.add_argument("--runtime", choices=sorted(RUNTIMES), help="default: the first that works here")
    options = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata and of sizes that `read_image` refuses
            value, text = _execute(options, Path(__file__).resolve().parent)
        if text or options.json:
            _print(json.dumps(value) if options.json else text)
        if options.self_test and not value["ok"]:
            raise GateError(value["error"])
    except ZooError as error:
        print(f"predict.py: {error}", file=sys.stderr)
        if options.json and not isinstance(error, GateError):
            _print(json.dumps({"error": str(error), "exit_code": error.exit_code}))
        return error.exit_code
    return 0


def _print(text: str) -> None:
    """Prints a result; a reader such as `head` may have seen enough and gone."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit


def _execute(options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], str]:
    """What was asked for, as a JSON value and as text."""
    if options.self_test:
        value = self_test(folder, options.runtime, options.threads)
        return value, f"ok: {value['runtime']}, error {value['max_error']:.3g}" if value["ok"] else "not ok"
    contract = runner.read_contract(folder)
    model = streaming.open_model(folder / "model.tflite", contract, threads=options.threads, runtime=options.runtime)
    if options.bench:
        times = time_calls(model)
        value = {"p50_us": float(np.percentile(times, 50)), "p99_us": float(np.percentile(times, 99))}
        value.update(runtime=model.runtime, threads=options.threads, calls=len(times))
        return value, f"p50 {value['p50_us']:.1f} us, p99 {value['p99_us']:.1f} us, {len(times)} calls, {model.runtime}"
    if not options.input:
        raise UsageError("nothing to predict; give .npy, .csv or image files, or --self-test, or --bench")
    if "inputs" in contract:
        call = ", ".join(f"{name!r}: ..." for name in model.inputs)
        raise ModelError(
            "files feed a model with one input and one output, this one has "
            f"{len(model.inputs)} and {len(model.outputs)}; call from Python: "
            f"runner.TFLiteModel('model.tflite').predict({{{call}}})"
        )
    if options.stream:
        return _stream(options, model, contract)
    if options.masks is None:
        return _predict(options, Job(model, contract, options.on_bad_row))
    if not is_segmentation(contract):
        raise UsageError(f"--masks: the model answers a {contract['output']['task']} task, with no masks; leave it out")
    with MaskFolder(options.masks, contract) as masks:
        value, text = _predict(options, Job(model, contract, options.on_bad_row, masks))
    return {**value, "masks": str(options.masks.absolute())}, text


def _stream(options: argparse.Namespace, model: runner.TFLiteModel, contract: Mapping[str, Any]) -> tuple[Any, str]:
    """An answer for every sample of a series, or for every window of it; printed as they come."""
    stream = streaming.Stream(model, contract)
    found: list[dict[str, Any]] = []
    count = 0
    with _writing(options.out) if options.out else contextlib.nullcontext() as writer:
        for number, sample in enumerate(streaming.read_samples(options.input, stream.sample_shape), start=1):
            outputs = stream.push(sample)
            if outputs is None:
                continue
            columns = {"sample": [str(number)], **answer_columns(outputs[None], contract, options.top)}
            if writer is not None:
                writer.writerows([*([] if count else [list(columns)]), *zip(*columns.values())])
            elif options.json:
                found.append({"sample": number, **answers(outputs[None], contract, options.top)[0]})
            else:
                _print("\t".join(value for (value,) in columns.values()))
            count += 1
        if not count:
            raise DataError(f"the series has fewer samples than a window of {contract['stream']['steps']}; give more")
    if options.out:
        return {"out": str(options.out.absolute()), "answered": count}, f"{count} answered in {options.out}"
    return {"predictions": found}, ""


def _predict(options: argparse.Namespace, job: Job) -> tuple[dict[str, Any], str]:
    """The answers as a JSON value and as text, or how many of them are in a file."""
    found: list[dict[str, Any]] = []
    lines: list[str] = []
    with _writing(options.out) if options.out else contextlib.nullcontext() as writer:
        header: list[str] = []
        for names, outputs, sizes in job.run(options.input):
            rows = answer_rows([(name,) for name in names], outputs, job.contract, options.top, sizes)
            columns = ["input", *answer_columns(outputs, job.contract, options.top)]
            table = [*([] if header else [tuple(columns)]), *rows]
            header = columns
            if writer is not None:
                writer.writerows(table)
            elif options.json:
                told = answers(outputs, job.contract, options.top, sizes)
                found += [{"input": name, **answer} for name, answer in zip(names, told)]
            else:
                lines += ["\t".join(row) for row in table]
    for line in job.named:
        _say(line)
    if writer is None:
        return {"predictions": found}, "\n".join(lines)
    counted = ", ".join(f"{count} {what}" for what, count in job.counts.items() if count)
    return {"out": str(options.out.absolute()), **job.counts}, f"{counted} in {options.out}"


if __name__ == "__main__":
    sys.exit(main())
