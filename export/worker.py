"""The child process that converts and runs files, so that a crash there is an error line here.

It reads one JSON request a line on standard input and answers with one JSON line on the pipe that was its standard
output; what TensorFlow prints goes to standard error. Arrays travel as `.npy` files, a folder with one for each input
or output.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.timing import median_time, time_file
from zoo.errors import ModelError, UsageError, ZooError

Operation = Callable[..., Mapping[str, Any]]
_INSTEAD = "build that layer of other operations, or export with --format saved_model"


def convert(
    saved_model: str,
    mode: str,
    out: str,
    representative: str | None = None,
    io: str | None = None,
    keep_float: Sequence[str] = (),
) -> dict[str, Any]:
    """Converts a SavedModel's `serve` signature to a .tflite file.

    Args:
        saved_model: Folder.
        mode: Of `export.quantization.PRESETS`.
        out: File to write.
        representative: Folder of model inputs, (n, *shape) each, for the integer modes.
        io: What the file takes and gives, of the mode's `edges`; None is its default.
        keep_float: Names of Keras layers that stay in float, in int8.

    Returns:
        "ops": operator name to count.
    """
    from export.biases import add_biases
    from export.calibration import state_cleared
    from export.dense import half_answered, is_taken
    from export.halves import widen_constants
    from export.operators import count_operators, refused
    from export.quantization import share_scales
    from export.unused import clear_unused

    if keep_float and mode != "int8":
        raise UsageError(f"layers are kept in float in int8 only, not in {mode}; leave {', '.join(keep_float)} out")
    converter = _converter(saved_model, mode, representative, io)
    try:
        with state_cleared():
            content = _partly(converter, saved_model, keep_float) if keep_float else converter.convert()
            if mode == "int16x8" and half_answered(content):  # no other has activations of 16 bits
                share_scales(converter)
                content = converter.convert()
                if not is_taken(content):
                    raise ModelError(
                        "its dense layers over steps are answered wrongly by tflite-runtime 2.14 with a scale for "
                        "each unit, and LiteRT does not take them with one for all; export it with --quantize int8 or "
                        "float16"
                    )
    except ZooError:
        raise
    except Exception as error:  # the converter raises ConverterError, ValueError, RuntimeError and more
        reason = _reason(str(error))
        advice = "" if reason.endswith(_INSTEAD) else "; try another --quantize mode, or --quantize auto"
        raise ModelError(f"the TFLite converter refuses it: {reason}{advice}") from error
    Path(out).write_bytes(clear_unused(widen_constants(add_biases(content))))
    ops = count_operators(Path(out))
    if names := refused(ops):
        raise ModelError(
            f"the TFLite file would need {', '.join(names)}, which a plain runtime does not run; {_INSTEAD}"
        )
    return {"ops": ops}


def _converter(saved_model: str, mode: str, representative: str | None, io: str | None) -> Any:
    """A `tf.lite.TFLiteConverter` that is ready to convert."""
    import tensorflow as tf

    from export.quantization import check_pixels, choose_edges, configure, find_preset

    samples = load_arrays(Path(representative)) if representative else {}
    edge = choose_edges(find_preset(mode), io)
    check_pixels(edge, {name: array.shape[1:] for name, array in samples.items()})
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=["serve"])
    floating = not samples or any(np.issubdtype(array.dtype, np.floating) for array in samples.values())
    configure(converter, mode, (lambda: _one_by_one(samples)) if samples else None, floating, edge)
    return converter


def _partly(converter: Any, saved_model: str, names: Sequence[str]) -> bytes:
    from export.sensitivity.keeping import Calibrated, keep

    return keep(Calibrated(converter, Path(saved_model)), names)


def sensitivity(saved_model: str, representative: str, kept: int = 5, limit: int = 64) -> dict[str, Any]:
    """What each layer costs in int8; see `export.sensitivity.find_layers`.

    Args:
        saved_model: Folder.
        representative: Folder of model inputs, (n, *shape) each.
        kept: For how many layers, the worst first, to tell what keeping them in float brings.
        limit: Samples to measure with at most, spread over those that calibrate.
    """
    from export.calibration import state_cleared
    from export.sensitivity.keeping import Calibrated
    from export.sensitivity.measuring import measure

    converter = _converter(saved_model, "int8", representative, "float")
    samples = load_arrays(Path(representative))
    step = max(1, -(-len(next(iter(samples.values()))) // limit))
    with state_cleared():
        calibrated = Calibrated(converter, Path(saved_model))
    return measure(calibrated, {name: array[::step] for name, array in samples.items()}, kept)


def load_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Arrays of a folder by name."""
    return {file.stem: np.load(file, allow_pickle=False) for file in sorted(folder.glob("*.npy"))}


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes arrays into a new folder, by name."""
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def _one_by_one(samples: Mapping[str, np.ndarray]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """By name: the converter sorts the inputs of a list in its own way."""
    for index in range(len(next(iter(samples.values())))):
        yield "serve", {name: array[index : index + 1] for name, array in samples.items()}


def _reason(text: str) -> str:
    """The operators that the converter's report names, else its last words."""
    unsupported = sorted(set(re.findall(r"\btf\.[A-Z]\w+", text)))
    if unsupported:
        return f"TFLite has no built-in operator for {', '.join(unsupported)}; {_INSTEAD}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.partition("error:")[2].strip() for line in lines if "error:" in line]
    return (errors or lines[-1:] or ["no reason given"])[0][:300]


def run(
    model: str,
    samples: str,
    out: str,
    threads: int = 1,
    stream: Mapping[str, Any] | None = None,
    builtin: bool = False,
) -> dict[str, Any]:
    """Runs a .tflite file over model inputs, one at a time through one interpreter, and describes its edges.

    Args:
        model: The file.
        samples: Folder of model inputs, (n, *shape) each.
        out: Folder to make for its answers.
        threads: Of the interpreter.
        stream: Of bundle.json, for a file that is one time step of a sequence.
        builtin: Whether the built-in kernels answer too, see `_builtin_answers`.

    Returns:
        "runtime", "inputs" and "outputs" (dtype and quantization by name), of a file of one step also "state_inputs"
        and "state_outputs", "microseconds", the median of one call, and "builtin", see `_builtin_answers`.
    """
    from zoo.interpreters import runtime_version
    from zoo.streaming import SteppedModel, open_model

    loaded = open_model(model, {"stream": stream}, threads=threads)
    inputs = load_arrays(Path(samples))
    outputs = loaded.predict(inputs)
    save_arrays(Path(out), outputs)
    states = {}
    if isinstance(loaded, SteppedModel):
        states = {"state_inputs": _edges(loaded.state_inputs), "state_outputs": _edges(loaded.state_outputs)}
    return {
        "runtime": runtime_version(loaded.runtime),
        "inputs": _edges(loaded.inputs),
        "outputs": _edges(loaded.outputs),
        "microseconds": median_time(loaded),  # before the kernels are changed
        "builtin": str(save_arrays(Path(f"{out}-builtin"), _builtin_answers(loaded, inputs))) if builtin else "",
        **states,
    }


def _builtin_answers(loaded: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Answers of LiteRT's built-in kernels to the samples that become golden, by output.

    Its default on processors rounds activations in its own way (XNNPACK, ai-edge-litert 2.3), and a model that feeds
    back what it answers carries that on. The built-in kernels answer as tflite-runtime and tflite-micro do: a replay
    there has to be compared with these.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from export.bundle import golden_indices

    width = max(int(np.prod(port.shape)) for port in loaded.outputs.values())
    kept = golden_indices(len(next(iter(inputs.values()))), width)
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    loaded._interpreter = Interpreter(str(loaded.path), experimental_op_resolver_type=plain)
    loaded._interpreter.allocate_tensors()
    found: dict[str, np.ndarray] = loaded.predict({name: array[kept] for name, array in inputs.items()})
    return found


def _edges(ports: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {"dtype": port.dtype.name, "quantization": port.quantization} for name, port in ports.items()}


def run_saved_model(model: str, samples: str, out: str) -> dict[str, Any]:
    """Runs a SavedModel's `serving_default` over model inputs in batches, as a server without the toolkit would."""
    from collections import Counter

    import tensorflow as tf

    loaded = tf.saved_model.load(model)  # kept: the signature alone does not keep the variables alive
    function = loaded.signatures["serving_default"]
    specs = function.structured_input_signature[1]
    inputs = load_arrays(Path(samples))
    outputs: dict[str, list[np.ndarray]] = {}
    for at in range(0, len(next(iter(inputs.values()))), 64):
        batch = {
            name: tf.constant(inputs[name][at : at + 64].astype(spec.dtype.as_numpy_dtype))
            for name, spec in specs.items()
        }
        for name, answers in function(**batch).items():
            outputs.setdefault(name, []).append(answers.numpy())
    save_arrays(Path(out), {name: np.concatenate(parts).astype(np.float32) for name, parts in outputs.items()})
    graph = function.graph.as_graph_def()
    nodes = [node.op for node in graph.node] + [node.op for body in graph.library.function for node in body.node_def]
    ops = dict(sorted(Counter(nodes).items()))
    return {"runtime": f"tensorflow {tf.__version__}", "ops": ops, "inputs": {}, "outputs": {}}


OPERATIONS: Mapping[str, Operation] = {
    "convert": convert,
    "sensitivity": sensitivity,
    "run": run,
    "time": time_file,
    "run_saved_model": run_saved_model,
}


def answer(request: Mapping[str, Any], operations: Mapping[str, Operation]) -> dict[str, Any]:
    """One request, done: its value, or its failure and the exit code that belongs to it."""
    arguments = dict(request)
    try:
        return {"value": dict(operations[arguments.pop("op")](**arguments))}
    except MemoryError:
        return {"error": "out of memory; take a smaller model or fewer samples", "exit_code": 6}
    except ZooError as error:
        return {"error": str(error), "exit_code": error.exit_code}
    except Exception as error:  # noqa: BLE001 - whatever a converter or runtime raises is the answer, not a crash
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", "exit_code": 4}


def main(operations: Mapping[str, Operation] = OPERATIONS) -> None:
    """Answers requests until standard input ends, which it does with the parent."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from zoo.settings import quiet_tensorflow

    quiet_tensorflow()
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # conversion and parity run on the processor; the GPU is the parent's
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line), operations)) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
