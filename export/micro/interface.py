"""What the C program must know of a model: read from the bundle's contract, or refused in a line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.micro.graph import Graph
from zoo.errors import ModelError

KINDS = ("table", "series", "image")
STEPS = {"table": ("encode", "standardise"), "series": ("standardise",), "image": ("image",)}
"""Steps that have C, by the kind of input, in the order in which they may stand."""

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "float32": "float"}


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of the file: its place among tflite-micro's, its type, and its quantization if it has one."""

    index: int
    dtype: str
    scale: float | None
    zero_point: int


@dataclass(frozen=True, kw_only=True)
class State:
    """A state that the caller keeps: `size` values, from the output to the input of the next call."""

    source: Port
    target: Port
    size: int


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A model of one time step a call.

    Attributes:
        steps: Samples until there is an answer, where not `each` gives one.
        reset_after: Samples after which the states begin anew; 0 is never.
    """

    states: tuple[State, ...]
    steps: int
    each: bool
    reset_after: int


@dataclass(frozen=True, kw_only=True)
class Interface:
    """Everything that the generated configuration says.

    Attributes:
        pixels: Whether raw samples are bytes of 0 to 255.
        sample_size: Raw numbers of one sample.
        features: Values that the model is fed for one sample.
        window: Samples that make one input of the file.
        hop: Samples between two answers of a window.
        rate: Samples a second that it was trained on; 0 where nobody recorded it.
        columns: Of the step "encode"; empty without it.
        scale: Of the step "standardise"; empty without it.
        clip: Of the same; 0 without one.
        outputs: Values of one answer.
        target: Of a regression: "scale", "offset", "transform"; empty where targets are as they are.
        threshold: Of the score of anomalies; None of other tasks.
        reset: Whether the file's own state is cleared before each run.
        stream: Of a model of one step a call, else None.
    """

    pixels: bool
    sample_size: int
    features: int
    window: int
    hop: int
    rate: float
    columns: tuple[Mapping[str, Any], ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    clip: float
    input: Port
    output: Port
    outputs: int
    task: str
    labels: tuple[str, ...]
    target: Mapping[str, Any]
    threshold: float | None
    reset: bool
    stream: Stream | None

    @property
    def kept_bytes(self) -> int:
        """Memory that the program keeps besides the arena: the window, or the states."""
        if self.stream:
            return sum(state.size * np.dtype(state.target.dtype).itemsize for state in self.stream.states)
        return self.window * self.features * np.dtype(self.input.dtype).itemsize if self.window > 1 else 0


def check_contract(contract: Mapping[str, Any], what: str) -> None:
    """Refuses what has no C; can be asked before anything is converted.

    Args:
        contract: With "input" and "steps", as in preprocessing.json and bundle.json.
        what: What is exported, for the message.

    Raises:
        ModelError: Several inputs or outputs, a kind of input or a preprocessing step without C.
    """
    if "inputs" in contract or "outputs" in contract:
        raise ModelError(f"{what} has several inputs or outputs; --target micro takes one of each, use --target litert")
    if contract["output"]["task"] == "segmentation":
        raise ModelError(f"{what} answers for every pixel, which has no C; use --target litert")
    kind = contract["input"]["kind"]
    if kind not in KINDS:
        raise ModelError(f"{what} takes {kind}, which has no C; --target micro takes {', '.join(KINDS)}")
    for step in contract["steps"]:
        if step["step"] not in STEPS[kind]:
            raise _without_c(what, f"{step['step']!r} of {kind} inputs", "leave it out or use --target litert")
        for column in step.get("columns", ()) if step["step"] == "encode" else ():
            if column["type"] == "date":
                told = f"'encode' of the date column {column['name']!r}"
                raise _without_c(what, told, f"train without it (--drop {column['name']})")
    names = [step["step"] for step in contract["steps"]]
    if names != [name for name in STEPS[kind] if name in names]:
        raise _without_c(what, f"order {', '.join(names)}", f"expected {', '.join(STEPS[kind])}, each once")


def _without_c(what: str, step: str, advice: str) -> ModelError:
    return ModelError(f"{what}: the preprocessing step {step} has no C and is refused for --target micro; {advice}")


def read_interface(contract: Mapping[str, Any], graph: Graph, *, pixels: bool, what: str = "the model") -> Interface:
    """Reads what the program needs.

    Args:
        contract: The content of bundle.json.
        graph: Of the model file.
        pixels: Whether raw samples are bytes.
        what: What is exported, for messages.

    Raises:
        ModelError: Something of it has no C, or the contract is not the file's.
    """
    check_contract(contract, what)
    steps = {step["step"]: step for step in contract["steps"]}
    given, answer, stream = contract["input"], contract["output"], _stream(contract, graph)
    source, target = _port(graph.inputs, given, what), _port(graph.outputs, answer, what)
    shape = graph.input_tensors[source.index].shape[1:]
    window = shape[0] if given["kind"] == "series" and not stream else 1
    features = math.prod(shape) // window
    outputs = math.prod(graph.output_tensors[target.index].shape)
    columns = tuple(steps.get("encode", {}).get("columns", ()))
    standardise = steps.get("standardise", {})
    return Interface(
        pixels=pixels,
        sample_size=len(columns) or features,
        features=features,
        window=window,
        hop=int((contract.get("stream") or {}).get("hop") or window),
        rate=float((given.get("time") or {}).get("rate") or 0.0),
        columns=columns,
        scale=_repeated(standardise.get("scale", ()), features),
        offset=_repeated(standardise.get("offset", ()), features),
        clip=float(standardise.get("clip") or 0.0),
        input=source,
        output=target,
        outputs=outputs,
        task=_task(answer, outputs),
        labels=tuple(map(str, answer.get("labels") or ())),
        target={key: answer.get(key) for key in ("scale", "offset", "transform")} if answer.get("scale") else {},
        threshold=answer.get("threshold"),
        reset=contract.get("state") == "reset per sequence",
        stream=stream,
    )


def _repeated(values: Sequence[float], features: int) -> tuple[float, ...]:
    """A value for each feature: a step has one for each of the last axis."""
    return tuple(map(float, values)) * (features // len(values)) if values else ()


def _task(answer: Mapping[str, Any], outputs: int) -> str:
    """The task, where each output is one of its answers; a sequence of answers is left as values."""
    wanted = {"multiclass": len(answer.get("labels") or ()) or outputs, "binary": 1}.get(answer["task"])
    if answer.get("threshold") is not None:
        wanted = 1
    return str(answer["task"]) if wanted == outputs else "values"


def _port(names: Sequence[str], entry: Mapping[str, Any], what: str) -> Port:
    name, dtype = entry["name"], str(entry["dtype"])
    if name not in names and len(names) > 1:
        raise ModelError(f"{what}: the file has no {name!r} among {', '.join(names)}; export it again")
    return _typed(names.index(name) if name in names else 0, dtype, entry.get("quantization"), f"{what}: {name!r}")


def _typed(index: int, dtype: str, quantization: Mapping[str, Any] | None, what: str) -> Port:
    plain = dtype in ("float32", "uint8")  # bytes that the graph itself casts stay as they are
    if (
        dtype not in C_TYPES
        or (quantization is None and not plain)
        or (quantization is not None and dtype == "float32")
    ):
        kind = dtype if quantization is None else f"quantized {dtype}"
        raise ModelError(f"{what} is {kind}, which has no C; --target micro takes float32 and quantized int8 or int16")
    scale = None if quantization is None else float(quantization["scale"])
    return Port(index=index, dtype=dtype, scale=scale, zero_point=int((quantization or {}).get("zero_point", 0)))


def _stream(contract: Mapping[str, Any], graph: Graph) -> Stream | None:
    told = contract.get("stream")
    if not told or not told.get("states"):
        return None
    states = tuple(_state(state, graph) for state in told["states"])
    if len({state.target.dtype for state in states}) > 1:
        raise ModelError("the model's states are of several types, which has no C; export it with one mode throughout")
    each = bool(told.get("streaming")) or told.get("answer") == "each"
    return Stream(states=states, steps=int(told["steps"]), each=each, reset_after=int(told.get("reset_after") or 0))


def _state(state: Mapping[str, Any], graph: Graph) -> State:
    edges = []
    for names, key in ((graph.outputs, "output"), (graph.inputs, "input")):
        entry = {"name": state[key], "dtype": state["dtype"], "quantization": state.get(f"{key}_quantization")}
        edges.append(_port(names, entry, "state"))
    return State(source=edges[0], target=edges[1], size=math.prod(state["shape"]))
