"""Contracts and files to make programs of, and the compilers that build them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.micro import write_micro

HERE = Path(__file__).parent
FAKE = HERE / "fake_tflm"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-O1")
C99 = ("gcc", "-std=c99", "-ffp-contract=off", *WARNINGS)
CPP11 = ("g++", "-std=c++11", *WARNINGS)
CODES = {"float32": 1, "uint8": 3, "int16": 7, "int8": 9}
"""Of TfLiteType, as the fake interpreter reads them."""

Edge = tuple[str, tuple[int, ...], str, tuple[float, int] | None]
"""Name, shape with its batch of 1, type, quantization."""

needs_compiler = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("g++")), reason="gcc and g++ are not installed: our C is not compiled"
)


def plain_file(path: Path, inputs: Sequence[Edge], outputs: Sequence[Edge]) -> Path:
    """A .tflite file with these edges around one dense operator; it is read, never run."""
    kinds = {name: getattr(schema.TensorType, name.upper()) for name in CODES}
    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph.tensors = []
    for name, shape, kind, quantization in (*inputs, *outputs):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kinds[kind], 0
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [quantization[0]], [quantization[1]]
        graph.tensors.append(tensor)
    graph.inputs = list(range(len(inputs)))
    graph.outputs = list(range(len(inputs), len(inputs) + len(outputs)))
    operator.inputs, operator.outputs, operator.opcodeIndex = graph.inputs, graph.outputs, 0
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    graph.operators, model.operatorCodes, model.subgraphs = [operator], [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def contract(
    kind: str, given: Edge, answer: Edge, steps: Sequence[Mapping[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """A bundle.json as far as the program reads it; `output` and further keys by name."""
    output = {"task": "multiclass", "labels": [], **more.pop("output", {})}
    return {
        "input": {"kind": kind, **_described(given)},
        "steps": list(steps),
        "output": {**output, **_described(answer)},
        "state": "none",
        "stream": None,
        "golden": {"tolerance": 0.02},
        "source": {"name": "tiny"},
        **more,
    }


def _described(edge: Edge) -> dict[str, Any]:
    name, shape, dtype, quantization = edge
    named = None if quantization is None else dict(zip(("scale", "zero_point"), quantization, strict=True))
    return {"name": name, "shape": list(shape[1:]), "dtype": dtype, "quantization": named}


def make_program(
    folder: Path, content: Mapping[str, Any], model: Path, golden: Mapping[str, np.ndarray] | None = None
) -> Path:
    """The folder `micro` beside others, in a path with a space."""
    if golden is None:
        shape = content["input"]["shape"]
        columns = next((step["columns"] for step in content["steps"] if step["step"] == "encode"), None)
        raw = np.zeros((1, len(columns)) if columns else (1, *shape), np.float64)
        golden = {"samples": raw, "outputs": np.zeros((1, *content["output"]["shape"]), np.float32)}
    target = folder / "a bundle" / "micro"
    write_micro(target, model, content, golden, 4096)
    return target


def build(folder: Path, *harness: str, fake: Path | None = None, whole: bool = False) -> Path:
    """Compiles a program of the folder's C and the harness; `whole` adds what calls the interpreter."""
    objects = []
    names = ["zoo_config.c", "zoo_pre.c", *(["zoo_model.cpp", "zoo_model_data.cpp"] if whole else [])]
    for source in [*(folder / name for name in names), *(Path(name) for name in harness)]:
        made = folder / f"{source.stem}.o"
        command = C99 if source.suffix == ".c" else CPP11
        _compile([*command, f"-I{folder}", f"-I{FAKE}", "-c", str(source), "-o", str(made)])
        objects.append(str(made))
    program = folder / "program"
    _compile(["g++", *objects, *([str(fake)] if fake else []), "-lm", "-o", str(program)])
    return program


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(program: Path, content: bytes, *arguments: str, **environment: str) -> bytes:
    """Standard output of a program."""
    done = subprocess.run(
        [str(program), *arguments],
        input=content,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout
